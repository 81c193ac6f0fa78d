//! What follows when something is typed wrong that proves where a request was started: digits carried back
//! (RFC 10027 §6.1.16), binding data (§6.1.17). Each is a state, so that guesses at once are counted one by
//! one. What is right is compared where the keys are, in `server`.

use super::{AuthorizationRequest, State};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// Three tries of a million are not worth guessing; of binding data somebody may know more.
pub(super) const MOST: u32 = 3;

impl AuthorizationRequest {
    /// Wrong digits: another try, until there is none.
    pub fn wrongly_confirmed(&self, now: Timestamp) -> Result<State, Refusal> {
        let mut state = self.state.clone();
        let State::Approved {
            confirmation_tries: Some(tries),
            ..
        } = &mut state
        else {
            return Err(Refusal::AlreadyDecided);
        };
        *tries = tries.saturating_sub(1);
        if *tries == 0 {
            return self.cancel("confirmation_failed", now);
        }
        Ok(state)
    }

    /// Wrong binding data, by the viewer.
    pub fn wrongly_bound(&self, now: Timestamp) -> Result<State, Refusal> {
        let mut state = self.state.clone();
        let State::Viewed { wrong_bindings, .. } = &mut state else {
            return Err(Refusal::AlreadyDecided);
        };
        *wrong_bindings += 1;
        if *wrong_bindings >= MOST {
            return self.cancel("binding_failed", now);
        }
        Ok(state)
    }
}
