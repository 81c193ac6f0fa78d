//! One-time values that this node has seen: DPoP proofs and client assertions on calls that write
//! nothing. What takes effect is marked in the database, in the batch of its effect.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use protocol::digest::Digest;
use protocol::time::Timestamp;

/// A bound on memory. Values live minutes; when so many are alive, further ones go unremembered here: a
/// replay then yields one more `authorization_pending`, or one more look at userinfo, and never a token.
const MOST: usize = 1_000_000;

#[derive(Default)]
pub struct SeenOnce {
    seen: Mutex<HashMap<Digest, Timestamp>>,
}

impl SeenOnce {
    /// Whether this is the first time. `expires_at`: when the value is refused by its age anyway.
    pub fn is_first(&self, value: &Digest, expires_at: Timestamp, now: Timestamp) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(value).is_some_and(|&until| until > now) {
            return false;
        }
        if seen.len() < MOST {
            seen.insert(value.clone(), expires_at);
        }
        true
    }

    pub fn sweep(&self, now: Timestamp) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, until| *until > now);
    }
}
