//! Codes that wait, in memory: a pending poll touches nothing else and writes nothing. It may say
//! `authorization_pending` a little too long, never anything more; tokens are issued only by the
//! compare-and-set in the database.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::authorization_request::{AuthorizationRequest, Binding, CodeKind, Poll, PollMark, Poller, State};
use protocol::digest::Digest;
use protocol::refusal::Refusal;
use protocol::time::{Lifetime, Timestamp};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

const SHARDS: usize = 64;
/// Beyond this many codes in one shard a poll asks the database: slower, never wrong.
const MOST_IN_A_SHARD: usize = 32_768;

/// What a pending answer needs.
struct Waiting {
    request_id: Arc<str>,
    client_id: Arc<str>,
    jkt: Option<Arc<str>>,
    x5t: Option<Arc<str>>,
    kind: CodeKind,
    /// Approved, and six digits are awaited (X16): how often they may still be tried.
    confirmation_tries: Option<u32>,
    expires_at: Timestamp,
    loaded_at: Timestamp,
    mark: PollMark,
    /// Where a held request waits for the decision; none where nobody does.
    decided: Option<Arc<Notify>>,
}

#[derive(Default)]
struct Shard {
    waiting: HashMap<Digest, Waiting>,
    /// Counts removals, so that what was read before a decision is not put back after it.
    removals: u64,
}

pub struct PendingRequests {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    /// How long an entry is believed: an interval where another process can decide.
    freshness: Lifetime,
}

/// Taken before the database is read, given back with what was read.
pub struct Ticket {
    shard: usize,
    removals: u64,
}

impl PendingRequests {
    pub fn new(is_shared: bool) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            freshness: Lifetime::from_seconds(if is_shared { 5 } else { 30 }),
        }
    }

    /// The answer from memory, with the request's id; `None` when the database has to be asked.
    pub fn poll(&self, code: &Digest, by: Poller<'_>, now: Timestamp) -> Option<Result<(Poll, Arc<str>), Refusal>> {
        self.with(code, |shard| {
            let waiting = shard.waiting.get_mut(code)?;
            let is_stale = now - waiting.loaded_at > self.freshness;
            if is_stale || now >= waiting.expires_at {
                return None;
            }
            if let Err(refusal) = by.must_hold(waiting.binding()) {
                return Some(Err(refusal));
            }
            let poll = AuthorizationRequest::pending(waiting.confirmation_tries, waiting.mark, now);
            if let Poll::SlowDown { interval, .. } = poll {
                waiting.mark.interval = interval;
            }
            waiting.mark.last = Some(now);
            Some(Ok((poll, Arc::clone(&waiting.request_id))))
        })
    }

    /// The mark of the last poll, where this node has one.
    pub fn mark(&self, code: &Digest) -> Option<PollMark> {
        self.with(code, |shard| shard.waiting.get(code).map(|waiting| waiting.mark))
    }

    pub fn ticket(&self, code: &Digest) -> Ticket {
        let shard = self.shard_of(code);
        Ticket {
            shard,
            removals: self.with(code, |shard| shard.removals),
        }
    }

    /// Remembers a request that still waits, unless one was decided since the ticket was taken.
    pub fn remember(&self, request: &AuthorizationRequest, mark: PollMark, ticket: &Ticket, now: Timestamp) {
        let code = &request.device_code;
        self.with(code, |shard| {
            let is_current = ticket.shard == self.shard_of(code) && ticket.removals == shard.removals;
            if is_current && (shard.waiting.len() < MOST_IN_A_SHARD || shard.waiting.contains_key(code)) {
                let held = shard.waiting.remove(code).and_then(|waiting| waiting.decided);
                let mut waiting = Waiting::new(request, mark, now);
                waiting.decided = held;
                shard.waiting.insert(code.clone(), waiting);
            }
        });
    }

    /// The request was decided: the next poll asks the database.
    pub fn forget(&self, code: &Digest) {
        self.with(code, |shard| {
            shard.removals += 1;
            if let Some(held) = shard.waiting.remove(code).and_then(|waiting| waiting.decided) {
                held.notify_waiters();
            }
        });
    }

    /// Wakes when the request is decided; `None` where that may have happened already.
    pub fn decided(&self, code: &Digest) -> Option<OwnedNotified> {
        self.with(code, |shard| {
            let decided = shard.waiting.get_mut(code)?.decided.get_or_insert_default();
            Some(Arc::clone(decided).notified_owned())
        })
    }

    /// Anything may have been decided: everything is asked anew.
    pub fn forget_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.removals += 1;
            let held = shard.waiting.drain().filter_map(|(_, waiting)| waiting.decided);
            held.for_each(|held| held.notify_waiters());
        }
    }

    /// Drops what has expired.
    pub fn sweep(&self, now: Timestamp) {
        for shard in &self.shards {
            shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .waiting
                .retain(|_, waiting| waiting.expires_at > now);
        }
    }

    fn shard_of(&self, code: &Digest) -> usize {
        usize::try_from(self.hasher.hash_one(code)).unwrap_or_default() % SHARDS
    }

    fn with<T>(&self, code: &Digest, act: impl FnOnce(&mut Shard) -> T) -> T {
        let mut fallback = Shard::default();
        match self.shards.get(self.shard_of(code)) {
            Some(shard) => act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)),
            None => act(&mut fallback),
        }
    }
}

impl Waiting {
    fn new(request: &AuthorizationRequest, mark: PollMark, now: Timestamp) -> Self {
        Self {
            request_id: request.content.id.as_str().into(),
            client_id: request.content.client_id.as_str().into(),
            jkt: request.content.jkt.as_deref().map(Into::into),
            x5t: request.content.x5t.as_deref().map(Into::into),
            kind: request.content.code_kind(),
            confirmation_tries: match request.state {
                State::Approved { confirmation_tries, .. } => confirmation_tries,
                _ => None,
            },
            expires_at: request.content.expires_at,
            loaded_at: now,
            mark,
            decided: None,
        }
    }

    fn binding(&self) -> Binding<'_> {
        Binding {
            x5t: self.x5t.as_deref(),
            client_id: &self.client_id,
            jkt: self.jkt.as_deref(),
            kind: self.kind,
        }
    }
}
