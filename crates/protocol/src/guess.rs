//! How many user codes may be tried. RFC 8628 §5.1: eight letters of twenty and few attempts leave a
//! guesser about 2^-32 for one open code; many are open at once, so there is a bound in total as well.

use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// Wrong codes counted in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub approver: i64,
    pub source: i64,
    pub total: i64,
}

/// Wrong codes allowed in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub approver: i64,
    pub source: i64,
    pub total: i64,
}

impl Limits {
    pub const DEFAULT: Self = Self {
        approver: 10,
        source: 30,
        total: 1000,
    };
    pub const WINDOW: Lifetime = Lifetime::from_seconds(600);

    /// The beginning of the window that `now` lies in.
    pub fn window(now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.millis() - now.millis().rem_euclid(Self::WINDOW.millis()))
    }

    /// Whether one more code may be tried. When the total is used up, whoever has not guessed wrong
    /// yet may still try: an attack must not lock everybody else out.
    pub fn may_try(self, counts: Counts) -> Result<(), Refusal> {
        let is_over = counts.approver >= self.approver
            || counts.source >= self.source
            || (counts.total >= self.total && counts.approver > 0);
        if is_over {
            Err(Refusal::GuessesExhausted)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d28_each_limit_holds_by_itself() {
        let limits = Limits {
            approver: 5,
            source: 10,
            total: 100,
        };
        let counts = Counts {
            approver: 4,
            source: 9,
            total: 99,
        };
        assert_eq!(limits.may_try(counts), Ok(()));
        for over in [
            Counts { approver: 5, ..counts },
            Counts { source: 10, ..counts },
            Counts { total: 100, ..counts },
        ] {
            assert_eq!(limits.may_try(over), Err(Refusal::GuessesExhausted), "{over:?}");
        }
    }

    #[test]
    fn d28_an_exhausted_total_still_lets_a_first_try_through() {
        let limits = Limits {
            approver: 5,
            source: 10,
            total: 100,
        };
        assert_eq!(
            limits.may_try(Counts {
                approver: 0,
                source: 3,
                total: 1_000
            }),
            Ok(())
        );
    }
}
