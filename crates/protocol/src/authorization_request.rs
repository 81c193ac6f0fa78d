//! One device authorization transaction, from request to redemption. RFC 8628 §3.
//!
//! Everything that can happen reads here: [`AuthorizationRequest::act`] moves the state,
//! [`AuthorizationRequest::poll`] answers the waiting client. Both are pure. Expiry is never stored: it
//! is a question to `now`. What is written reads in `store/authorization_requests.rs`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::digest::{Digest, NotCanonical, canonical_json};
use crate::fact::Fact;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// What is asked for. Fixed when the request is made; its digest is what approvers sign over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub id: String,
    pub client_id: String,
    /// The profile that governs the request.
    pub profile: String,
    /// Space-separated, sorted.
    pub scope: String,
    pub resource: Vec<String>,
    /// Thumbprint of the key that the code is bound to (P21).
    pub jkt: Option<String>,
    pub facts: Vec<Fact>,
    pub requested_at: Timestamp,
    pub expires_at: Timestamp,
    pub grant_expires_at: Timestamp,
}

impl Content {
    /// SHA-256 of the canonical JSON.
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        let value = json!({ "type": "waypass-request/1", "content": self });
        Ok(Digest::of(canonical_json(&value)?.as_bytes()))
    }

    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.name == name)
    }
}

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
    Viewed {
        viewer: Viewer,
        at: Timestamp,
        entry: CodeEntry,
    },
    Approved {
        viewer: Viewer,
        at: Timestamp,
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
    Cancelled {
        at: Timestamp,
        because: String,
    },
}

/// How the code reached the page (field `code.entry` of the event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeEntry {
    Typed,
    Link,
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Viewed { .. } => "viewed",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Redeemed { .. } => "redeemed",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// What a person or an administrator does to a request.
#[derive(Clone, Debug)]
pub enum Act<'a> {
    View {
        viewer: &'a Viewer,
        entry: CodeEntry,
    },
    /// The evidence has been checked: see `approval::ConfirmedApproval`.
    Approve(&'a crate::approval::ConfirmedApproval),
    Deny {
        viewer: &'a Viewer,
        reported: bool,
    },
    Cancel {
        because: &'a str,
    },
}

/// Who presents the device code at the token endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Poller<'a> {
    pub client_id: &'a str,
    /// Thumbprint of the DPoP proof's key, if there was a proof.
    pub jkt: Option<&'a str>,
}

impl Poller<'_> {
    /// D38, P22: another client's code is as unknown as none; another key than the bound one is refused
    /// and consumes nothing.
    pub fn must_hold(&self, client_id: &str, jkt: Option<&str>) -> Result<(), Refusal> {
        if self.client_id != client_id {
            return Err(Refusal::DeviceCodeUnknown);
        }
        match (jkt, self.jkt) {
            (None, _) => Ok(()),
            (Some(bound), Some(jkt)) if bound == jkt => Ok(()),
            (Some(_), _) => Err(Refusal::DpopKeyMismatch),
        }
    }
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
        match (act, &self.state) {
            (Act::View { viewer, entry }, State::Pending) => Ok(State::Viewed {
                viewer: (*viewer).clone(),
                at: now,
                entry: *entry,
            }),
            // The same browser may open its request again: a reload, the back button.
            (Act::View { viewer, .. }, State::Viewed { viewer: first, .. }) if *viewer == first => {
                Ok(self.state.clone())
            }
            (Act::Approve(approval), State::Viewed { viewer, .. }) => {
                Self::only_the_viewer(&approval.viewer, viewer)?;
                approval.must_be_for(&self.digest)?;
                Ok(State::Approved {
                    viewer: viewer.clone(),
                    at: now,
                })
            }
            (Act::Deny { viewer: by, reported }, State::Viewed { viewer, .. }) => {
                Self::only_the_viewer(by, viewer)?;
                Ok(State::Denied {
                    viewer: viewer.clone(),
                    at: now,
                    reported: *reported,
                })
            }
            (Act::View { .. } | Act::Approve(_) | Act::Deny { .. }, State::Pending | State::Viewed { .. }) => {
                Err(Refusal::NotTheViewer)
            }
            _ => Err(Refusal::AlreadyDecided),
        }
    }

    fn cancel(&self, because: &str, now: Timestamp) -> Result<State, Refusal> {
        match self.state {
            State::Redeemed { .. } | State::Denied { .. } | State::Cancelled { .. } => Err(Refusal::AlreadyDecided),
            _ => Ok(State::Cancelled {
                at: now,
                because: because.to_owned(),
            }),
        }
    }

    fn only_the_viewer(by: &Viewer, viewer: &Viewer) -> Result<(), Refusal> {
        if by == viewer {
            Ok(())
        } else {
            Err(Refusal::NotTheViewer)
        }
    }

    /// RFC 8628 §3.4 and §3.5. A decision is answered whenever it is asked for; only a pending answer
    /// can come too early (§3.5 calls `slow_down` a variant of pending).
    pub fn poll(&self, by: Poller<'_>, mark: PollMark, now: Timestamp) -> Result<Poll, Refusal> {
        if let State::Redeemed { grant_id, jkt, at } = &self.state {
            let is_own = by.client_id == self.content.client_id && by.jkt == jkt.as_deref();
            let revoke = !is_own || now - *at > Self::RETRY_WINDOW;
            return Ok(Poll::Replayed {
                grant_id: grant_id.clone(),
                revoke,
            });
        }
        by.must_hold(&self.content.client_id, self.content.jkt.as_deref())?;
        match &self.state {
            State::Denied { .. } => Err(Refusal::AccessDenied),
            _ if self.has_expired(now) => Err(Refusal::CodeExpired),
            State::Cancelled { .. } => Err(Refusal::AccessDenied),
            State::Approved { .. } => Ok(Poll::Redeem),
            _ => Ok(Self::pending(mark, now)),
        }
    }

    /// Pending or too early, by this node's mark alone.
    pub fn pending(mark: PollMark, now: Timestamp) -> Poll {
        match mark.last {
            Some(last) if now < last + mark.interval - Self::POLL_SLACK => {
                let interval = (mark.interval + Self::SLOW_DOWN_STEP).min(Self::LONGEST_INTERVAL);
                Poll::SlowDown {
                    interval,
                    raised: interval > mark.interval,
                }
            }
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
