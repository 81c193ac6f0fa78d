//! Table `prompt_counter`: how often each approver was asked, by the hour (RFC 10027 §6.1.11), in the database
//! so that all nodes agree.

use protocol::refusal::Refusal;
use protocol::time::{Lifetime, Timestamp};

use crate::Batch;
use crate::batch::args;

/// As limits are told: so many an hour.
pub const WINDOW: Lifetime = Lifetime::from_seconds(3600);

// The count and its limit are one statement: of many prompts at once only as many as allowed pass.
const COUNT: &str = "INSERT INTO prompt_counter (approver_id, window_start, prompts) VALUES ($1, $2, 1)
    ON CONFLICT (approver_id, window_start) DO UPDATE SET prompts = prompt_counter.prompts + 1
    WHERE prompt_counter.prompts < $3";

impl Batch {
    pub fn count_prompt(self, approver_id: &str, most: u32, now: Timestamp) -> Self {
        let window = now.millis() - now.millis().rem_euclid(WINDOW.millis());
        self.one(
            COUNT,
            args![approver_id, window, i64::from(most)],
            Refusal::TooManyPrompts,
        )
    }
}
