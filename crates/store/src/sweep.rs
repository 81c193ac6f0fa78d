//! Deletes what has ended and proves nothing any more. What was approved stays: it is the record.

use protocol::time::{Lifetime, Timestamp};

use crate::Batch;
use crate::batch::args;

/// How long after its end a request that came to nothing can still be looked up.
const KEPT: Lifetime = Lifetime::from_seconds(24 * 3600);

// What somebody signed stays, whatever became of it.
const REQUESTS: &str = "DELETE FROM authorization_request
    WHERE expires_at < $1 AND state IN ('pending', 'viewed', 'denied', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM approval WHERE approval.request_id = authorization_request.id)";
const PROMPTS: &str = "DELETE FROM prompt_counter WHERE window_start < $1";
const NOTICES: &str = "DELETE FROM notice_counter WHERE window_start < $1";
const OFFERS: &str = "DELETE FROM handover WHERE expires_at < $1";
const REPLAYS: &str = "DELETE FROM replay WHERE expires_at < $1";
const REVOKED: &str = "DELETE FROM revoked_token WHERE expires_at < $1";
const CEREMONIES: &str = "DELETE FROM ceremony WHERE expires_at < $1";
const SESSIONS: &str = "DELETE FROM browser_session WHERE expires_at < $1";
const INVITATIONS: &str = "DELETE FROM enrollment WHERE expires_at < $1";
const GUESSES: &str = "DELETE FROM guess_counter WHERE window_start < $1";
const KEYS: &str = "DELETE FROM signing_key WHERE state = 'retiring' AND retires_at < $1";

// Nobody signed those, and the events tell of them. The last of each client stays: it shows when it was used.
const MACHINES: &str = "DELETE FROM access_grant WHERE origin = 'client_credentials' AND expires_at < $1
    AND EXISTS (SELECT 1 FROM access_grant newer WHERE newer.client_id = access_grant.client_id
        AND newer.origin = 'client_credentials' AND newer.created_at > access_grant.created_at)";

impl Batch {
    pub fn sweep(self, now: Timestamp) -> Self {
        let ended = now.millis();
        let long_ended = (now - KEPT).millis();
        self.any(REQUESTS, args![long_ended])
            .any(MACHINES, args![long_ended])
            .any(PROMPTS, args![long_ended])
            .any(NOTICES, args![long_ended])
            .any(OFFERS, args![ended])
            .any(REPLAYS, args![ended])
            .any(REVOKED, args![ended])
            .any(CEREMONIES, args![ended])
            .any(SESSIONS, args![ended])
            .any(INVITATIONS, args![long_ended])
            .any(GUESSES, args![long_ended])
            .any(KEYS, args![ended])
    }
}
