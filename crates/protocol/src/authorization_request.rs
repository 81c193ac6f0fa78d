//! One device authorization transaction, from request to redemption. RFC 8628 §3.
//!
//! Everything that can happen reads here: [`AuthorizationRequest::act`] moves the state,
//! [`AuthorizationRequest::poll`] answers the waiting client. Both are pure. Expiry is never stored: it
//! is a question to `now`. What is written reads in `store/authorization_requests.rs`.

use serde::{Deserialize, Serialize};

use crate::approval::ConfirmedApproval;
use crate::digest::Digest;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

mod content;
mod poller;
mod tries;

pub use self::content::{Content, Enrollment, Purpose, Route};
pub use self::poller::{Binding, CodeKind, Poller};

/// Who looks at a request, and through what: the browser session, or the software key that stands for
/// one. Only the viewer that locked a request may decide it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    pub approver_id: String,
    /// `session:` and the session's id, or `key:` and the key's thumbprint.
    pub through: String,
}

/// Where a request stands. `Expired` is missing on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    Pending,
    /// By code this viewer's alone; in an inbox only the first of any number.
    Viewed {
        viewer: Viewer,
        at: Timestamp,
        entry: CodeEntry,
        /// How often something else than the binding data was typed (X17).
        #[serde(default)]
        wrong_bindings: u32,
    },
    /// Approved by some of a quorum. The code admits nobody any more; the others have their own pages.
    Endorsed {
        viewer: Viewer,
        at: Timestamp,
        by: Vec<String>,
        #[serde(default)]
        proofs: Vec<String>,
    },
    Approved {
        /// Who opened it with the code.
        viewer: Viewer,
        at: Timestamp,
        /// All who approved: one, or a quorum.
        #[serde(default)]
        by: Vec<String>,
        /// How often the six digits may still be tried, where they have to be carried back (X16).
        #[serde(default)]
        confirmation_tries: Option<u32>,
        /// What proved that the starter is the first approver's: kept with the instance that comes of it.
        #[serde(default)]
        proofs: Vec<String>,
    },
    Denied {
        viewer: Viewer,
        at: Timestamp,
        reported: bool,
    },
    Redeemed {
        grant_id: String,
        jkt: Option<String>,
        at: Timestamp,
    },
    /// As `Redeemed`, for a key that asked to be enrolled.
    Enrolled {
        instance_id: String,
        at: Timestamp,
    },
    Cancelled {
        at: Timestamp,
        because: String,
    },
}

/// How the request reached its viewer (field `code.entry` of the event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeEntry {
    Typed,
    Link,
    /// By no code: it stood in the approver's inbox.
    Push,
}

impl CodeEntry {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Link => "link",
            Self::Push => "push",
        }
    }
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Viewed { .. } => "viewed",
            Self::Endorsed { .. } => "endorsed",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Redeemed { .. } => "redeemed",
            Self::Enrolled { .. } => "enrolled",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The six that requests are counted by.
    pub fn phase(&self) -> &'static str {
        match self {
            Self::Endorsed { .. } => "viewed",
            Self::Enrolled { .. } => "redeemed",
            other => other.name(),
        }
    }
}

/// What a person or an administrator does to a request.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// By code, which locks.
    View {
        viewer: &'a Viewer,
        entry: CodeEntry,
    },
    /// Again, or as another of a quorum; this moves nothing.
    Look {
        viewer: &'a Viewer,
    },
    /// The evidence has been checked: see `approval::ConfirmedApproval`.
    Approve {
        approval: &'a ConfirmedApproval,
        /// How many have to.
        quorum: u32,
        /// Whether six digits have to be carried back then.
        confirm_back: bool,
        proofs: &'a [&'static str],
    },
    Deny {
        viewer: &'a Viewer,
        reported: bool,
    },
    Cancel {
        because: &'a str,
    },
}

/// What this node remembers of the last poll. It starts lenient and is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollMark {
    pub last: Option<Timestamp>,
    pub interval: Lifetime,
}

/// The answer to a poll, where it is not a plain refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll {
    Pending,
    /// The new interval, which holds for this and all later polls (RFC 8628 §3.5). It is stored where it
    /// was raised, and no longer once it has reached its bound: polling harder costs us no more writes.
    SlowDown {
        interval: Lifetime,
        raised: bool,
    },
    /// Go on and redeem: by compare-and-set, since another poll may be doing the same.
    Redeem,
    /// As `Redeem`, once the six digits of the page are there (X16).
    Confirm {
        tries: u32,
    },
    /// The key is enrolled: told as often as it is asked, since that is no secret.
    Enrolled {
        instance_id: String,
    },
    /// The code is dead. Presented again it is recorded, and ends its grant unless it looks like the
    /// client's own retry.
    Replayed {
        grant_id: String,
        revoke: bool,
    },
}

#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    pub content: Content,
    pub digest: Digest,
    /// Of the device code: the name under which polls find the request.
    pub device_code: Digest,
    pub state: State,
    /// As last stored; grows with each `slow_down`.
    pub interval: Lifetime,
    /// Compare-and-set: every write of the state names the version that it was decided upon.
    pub version: i64,
}

impl AuthorizationRequest {
    /// A poll this much before its time is still on time: timers and networks jitter.
    pub const POLL_SLACK: Lifetime = Lifetime::from_millis(500);
    const SLOW_DOWN_STEP: Lifetime = Lifetime::from_seconds(5);
    /// A bound on what `slow_down` can grow to, so that a code cannot be slowed past its own life.
    const LONGEST_INTERVAL: Lifetime = Lifetime::from_seconds(60);
    /// Within this time the same client with the same key may present a redeemed code again (a lost
    /// answer, retried) without ending its grant.
    const RETRY_WINDOW: Lifetime = Lifetime::from_seconds(30);

    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.content.expires_at
    }

    /// The one transition function.
    pub fn act(&self, act: &Act<'_>, now: Timestamp) -> Result<State, Refusal> {
        if let Act::Cancel { because } = act {
            return self.cancel(because, now);
        }
        if self.has_expired(now) {
            return Err(Refusal::UserCodeUnusable);
        }
        match (*act, &self.state) {
            (Act::View { viewer, entry }, State::Pending) if self.is_reached(entry) => Ok(State::Viewed {
                viewer: viewer.clone(),
                at: now,
                entry,
                wrong_bindings: 0,
            }),
            // The same browser may open its request again: a reload, the back button. An inbox locks nobody.
            (
                Act::View { viewer, .. } | Act::Look { viewer },
                State::Viewed {
                    viewer: first, entry, ..
                },
            ) if viewer == first || *entry == CodeEntry::Push => Ok(self.state.clone()),
            (Act::Look { viewer }, State::Endorsed { by, .. }) if !by.contains(&viewer.approver_id) => {
                Ok(self.state.clone())
            }
            (
                Act::Approve {
                    approval,
                    quorum,
                    confirm_back,
                    proofs,
                },
                State::Viewed { .. } | State::Endorsed { .. },
            ) => self.approve(approval, (quorum, confirm_back, proofs), now),
            (Act::Deny { viewer, reported }, State::Viewed { .. } | State::Endorsed { .. }) => {
                self.only_who_may_act(viewer)?;
                Ok(State::Denied {
                    viewer: viewer.clone(),
                    at: now,
                    reported,
                })
            }
            (_, State::Pending | State::Viewed { .. }) => Err(Refusal::NotTheViewer),
            _ => Err(Refusal::AlreadyDecided),
        }
    }

    /// A request with a code by its code, one that goes to an inbox there.
    fn is_reached(&self, entry: CodeEntry) -> bool {
        (entry == CodeEntry::Push) == self.content.route.is_some()
    }

    /// One more approval: the last one needed ends the asking.
    fn approve(
        &self,
        approval: &ConfirmedApproval,
        (quorum, confirm_back, proofs): (u32, bool, &[&str]),
        now: Timestamp,
    ) -> Result<State, Refusal> {
        self.only_who_may_act(&approval.viewer)?;
        approval.must_be_for(&self.digest)?;
        let (first, mut by, proofs) = if let State::Endorsed { viewer, by, proofs, .. } = &self.state {
            (viewer.clone(), by.clone(), proofs.clone())
        } else {
            let proofs = proofs.iter().map(|&proof| proof.to_owned()).collect();
            (approval.viewer.clone(), Vec::new(), proofs)
        };
        by.push(approval.viewer.approver_id.clone());
        if by.len() < usize::try_from(quorum).unwrap_or(usize::MAX) {
            return Ok(State::Endorsed {
                viewer: first,
                at: now,
                by,
                proofs,
            });
        }
        Ok(State::Approved {
            viewer: first,
            at: now,
            by,
            confirmation_tries: confirm_back.then_some(tries::MOST),
            proofs,
        })
    }

    /// By code only the first viewer; of a quorum whoever has not approved yet.
    fn only_who_may_act(&self, viewer: &Viewer) -> Result<(), Refusal> {
        match &self.state {
            State::Viewed {
                viewer: first, entry, ..
            } if viewer != first && *entry != CodeEntry::Push => Err(Refusal::NotTheViewer),
            State::Endorsed { by, .. } if by.contains(&viewer.approver_id) => Err(Refusal::AlreadyDecided),
            _ => Ok(()),
        }
    }

    fn cancel(&self, because: &str, now: Timestamp) -> Result<State, Refusal> {
        match self.state {
            State::Redeemed { .. } | State::Enrolled { .. } | State::Denied { .. } | State::Cancelled { .. } => {
                Err(Refusal::AlreadyDecided)
            }
            _ => Ok(State::Cancelled {
                at: now,
                because: because.to_owned(),
            }),
        }
    }

    /// RFC 8628 §3.4 and §3.5. A decision is answered whenever it is asked for; only a pending answer
    /// can come too early (§3.5 calls `slow_down` a variant of pending).
    pub fn poll(&self, by: Poller<'_>, mark: PollMark, now: Timestamp) -> Result<Poll, Refusal> {
        if let State::Redeemed { grant_id, jkt, at } = &self.state {
            let has_certificate = self.content.x5t.is_none() || by.x5t == self.content.x5t.as_deref();
            let is_own = by.client_id == self.content.client_id && by.jkt == jkt.as_deref() && has_certificate;
            let revoke = !is_own || now - *at > Self::RETRY_WINDOW;
            return Ok(Poll::Replayed {
                grant_id: grant_id.clone(),
                revoke,
            });
        }
        by.must_hold(self.content.binding())?;
        match &self.state {
            State::Enrolled { instance_id, .. } => Ok(Poll::Enrolled {
                instance_id: instance_id.clone(),
            }),
            State::Denied { .. } => Err(Refusal::AccessDenied),
            _ if self.has_expired(now) => Err(Refusal::CodeExpired),
            State::Cancelled { .. } => Err(Refusal::AccessDenied),
            State::Approved { confirmation_tries, .. } => Ok(match confirmation_tries {
                Some(tries) => Poll::Confirm { tries: *tries },
                None => Poll::Redeem,
            }),
            _ => Ok(Self::pending(None, mark, now)),
        }
    }

    /// Pending or too early, by this node's mark alone. `tries` where it is the six digits that are awaited.
    pub fn pending(tries: Option<u32>, mark: PollMark, now: Timestamp) -> Poll {
        match mark.last {
            Some(last) if now < last + mark.interval - Self::POLL_SLACK => {
                let interval = (mark.interval + Self::SLOW_DOWN_STEP).min(Self::LONGEST_INTERVAL);
                Poll::SlowDown {
                    interval,
                    raised: interval > mark.interval,
                }
            }
            _ => tries.map_or(Poll::Pending, |tries| Poll::Confirm { tries }),
        }
    }
}

#[cfg(test)]
mod tests;
