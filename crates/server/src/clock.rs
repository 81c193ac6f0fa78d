//! The one place that reads the clock. Everything else is given `now`; tests move it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::time::{Lifetime, Timestamp};

/// Clones share one time.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Milliseconds since the Unix epoch; stands still until [`Clock::advance`].
    Manual(Arc<AtomicI64>),
}

impl Clock {
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.millis())))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock. The system's clock cannot be moved.
    pub fn advance(&self, by: Lifetime) {
        if let Self::Manual(millis) = self {
            millis.fetch_add(by.millis(), Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn system_now() -> Timestamp {
    // Before 1970 only on a machine whose clock is broken: everything is then expired, nothing valid.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_all_its_clones() {
        let clock = Clock::manual(Timestamp::from_seconds(100));
        let other = clock.clone();
        clock.advance(Lifetime::from_seconds(5));
        assert_eq!(other.now(), Timestamp::from_seconds(105));
    }

    #[test]
    fn the_system_clock_is_in_this_century() {
        let now = Clock::System.now().seconds();
        assert!((1_700_000_000..4_102_444_800).contains(&now), "{now}");
    }
}
