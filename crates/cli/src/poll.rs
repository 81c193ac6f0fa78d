//! Waiting for a decision: when to ask again, and when to stop. RFC 8628 §3.5, as a pure function of
//! answers and time. Sending is in `device_flow.rs`, sleeping in `screen.rs`.

use protocol::time::{Lifetime, Timestamp};

/// RFC 8628 §3.2: "If no value is provided, clients MUST use 5 as the default."
const DEFAULT_INTERVAL: i64 = 5;
/// RFC 8628 §3.5: "the interval MUST be increased by 5 seconds for this and all subsequent requests."
const SLOWER: i64 = 5;
/// Time-outs do not add up beyond this: a server that is back is found within a minute.
const LONGEST_BACKOFF: Lifetime = Lifetime::from_seconds(60);

/// What came back for one poll.
#[derive(Clone, Copy, Debug)]
pub enum Heard {
    /// What was asked for.
    Given,
    /// `authorization_pending`
    Pending,
    /// The same, from a server that waited with it: the interval counts from when it was asked.
    Held { asked_at: Timestamp },
    /// `slow_down`, with the new interval if the server named one.
    SlowDown(Option<i64>),
    /// `access_denied`
    Denied,
    /// `expired_token`
    Expired,
    /// Any other error.
    Refused,
    /// No answer in time, no connection, or a server that says it is busy.
    Nothing,
}

/// What to do now.
#[derive(Debug)]
pub enum Next {
    Poll {
        at: Timestamp,
        then: Waiting,
    },
    /// The code ends before the next poll is due: wait for that and give up.
    Expire {
        at: Timestamp,
    },
    Stop,
}

#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    interval: Lifetime,
    timeouts: u32,
    expires_at: Timestamp,
}

impl Waiting {
    pub fn new(interval: Option<i64>, expires_at: Timestamp) -> Self {
        let interval = interval.unwrap_or(DEFAULT_INTERVAL).max(1);
        Self {
            interval: Lifetime::from_seconds(interval),
            timeouts: 0,
            expires_at,
        }
    }

    /// The first poll: nobody approves within one interval.
    pub fn first(self, now: Timestamp) -> Next {
        self.poll_after(self.interval, now)
    }

    /// The first poll of a server that waits with its answer.
    pub fn at_once(self, now: Timestamp) -> Next {
        self.poll_after(Lifetime::default(), now)
    }

    pub fn after(mut self, heard: Heard, now: Timestamp) -> Next {
        let mut since = now;
        match heard {
            Heard::Given | Heard::Denied | Heard::Expired | Heard::Refused => return Next::Stop,
            Heard::Pending => self.timeouts = 0,
            Heard::Held { asked_at } => {
                self.timeouts = 0;
                since = asked_at;
            }
            Heard::SlowDown(named) => {
                self.timeouts = 0;
                let grown = self.interval + Lifetime::from_seconds(SLOWER);
                self.interval = grown.max(Lifetime::from_seconds(named.unwrap_or(0)));
            }
            Heard::Nothing => self.timeouts = self.timeouts.saturating_add(1),
        }
        self.poll_after(self.pause(), since)
    }

    /// RFC 8628 §3.5: "such as doubling the polling interval on each such connection timeout".
    fn pause(&self) -> Lifetime {
        let factor = 1_i64 << self.timeouts.min(20);
        let doubled = Lifetime::from_millis(self.interval.millis().saturating_mul(factor));
        doubled.min(LONGEST_BACKOFF).max(self.interval)
    }

    fn poll_after(self, pause: Lifetime, now: Timestamp) -> Next {
        let at = now + pause;
        if at < self.expires_at {
            Next::Poll { at, then: self }
        } else {
            Next::Expire { at: self.expires_at }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::Heard::{Denied, Expired, Given, Held, Nothing, Pending, Refused, SlowDown};
    use super::*;

    /// Plays answers, each arriving at once, and prints when the next poll is due.
    fn check(interval: Option<i64>, lifetime: i64, answers: &[Heard], expected: &Expect) {
        let mut now = Timestamp::default();
        let mut next = Waiting::new(interval, Timestamp::from_seconds(lifetime)).first(now);
        let mut table = String::new();
        for heard in answers {
            let Next::Poll { at, then } = next else {
                panic!("{next:?} before {heard:?}\n{table}");
            };
            writeln!(
                table,
                "at {:>3} s, after {} s: {heard:?}",
                at.seconds(),
                (at - now).seconds()
            )
            .unwrap();
            now = at;
            next = then.after(*heard, now);
        }
        match next {
            Next::Poll { at, .. } => writeln!(table, "at {:>3} s: poll", at.seconds()).unwrap(),
            Next::Expire { at } => writeln!(table, "at {:>3} s: expire", at.seconds()).unwrap(),
            Next::Stop => writeln!(table, "stop").unwrap(),
        }
        expected.assert_eq(&table);
    }

    #[test]
    fn d10_without_an_interval_it_is_five_seconds() {
        check(
            None,
            600,
            &[Pending],
            &expect![[r"
            at   5 s, after 5 s: Pending
            at  10 s: poll
        "]],
        );
    }

    #[test]
    fn d20_pending_repeats_at_the_servers_interval() {
        check(
            Some(7),
            600,
            &[Pending, Pending],
            &expect![[r"
            at   7 s, after 7 s: Pending
            at  14 s, after 7 s: Pending
            at  21 s: poll
        "]],
        );
        check(
            Some(0),
            600,
            &[Pending],
            &expect![[r"
            at   1 s, after 1 s: Pending
            at   2 s: poll
        "]],
        );
    }

    #[test]
    fn d21_slow_down_adds_five_seconds_for_good() {
        check(
            Some(5),
            600,
            &[SlowDown(None), Pending, SlowDown(None), Pending],
            &expect![[r"
            at   5 s, after 5 s: SlowDown(None)
            at  15 s, after 10 s: Pending
            at  25 s, after 10 s: SlowDown(None)
            at  40 s, after 15 s: Pending
            at  55 s: poll
        "]],
        );
    }

    #[test]
    fn d21_a_larger_interval_beside_slow_down_counts_and_a_smaller_one_does_not() {
        check(
            Some(5),
            600,
            &[SlowDown(Some(30)), SlowDown(Some(1)), Pending],
            &expect![[r"
            at   5 s, after 5 s: SlowDown(Some(30))
            at  35 s, after 30 s: SlowDown(Some(1))
            at  70 s, after 35 s: Pending
            at 105 s: poll
        "]],
        );
    }

    #[test]
    fn d22_d23_d24_anything_else_stops() {
        for answer in [Denied, Expired, Refused, Given] {
            let waiting = Waiting::new(None, Timestamp::from_seconds(600));
            assert!(
                matches!(waiting.after(answer, Timestamp::default()), Next::Stop),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn after_an_answer_that_was_held_the_interval_has_passed_already() {
        let start = Timestamp::default();
        let held = Held { asked_at: start };
        for (answered_at, next_at) in [(20, 5), (5, 5), (2, 5)] {
            let waiting = Waiting::new(None, Timestamp::from_seconds(600));
            let Next::Poll { at, .. } = waiting.after(held, Timestamp::from_seconds(answered_at)) else {
                panic!("it polls again");
            };
            assert_eq!(at.seconds(), next_at);
        }
    }

    #[test]
    fn d23_no_poll_is_made_when_the_code_has_ended() {
        check(
            Some(5),
            14,
            &[Pending, Pending],
            &expect![[r"
            at   5 s, after 5 s: Pending
            at  10 s, after 5 s: Pending
            at  14 s: expire
        "]],
        );
        check(
            None,
            0,
            &[],
            &expect![[r"
            at   0 s: expire
        "]],
        );
    }

    #[test]
    fn d25_silence_doubles_the_pause_and_an_answer_ends_that() {
        check(
            Some(5),
            900,
            &[Nothing, Nothing, Nothing, Nothing, Nothing, Pending],
            &expect![[r"
            at   5 s, after 5 s: Nothing
            at  15 s, after 10 s: Nothing
            at  35 s, after 20 s: Nothing
            at  75 s, after 40 s: Nothing
            at 135 s, after 60 s: Nothing
            at 195 s, after 60 s: Pending
            at 200 s: poll
        "]],
        );
    }

    #[test]
    fn absurd_numbers_from_a_server_overflow_nothing() {
        let expires_at = Timestamp::default() + Lifetime::from_seconds(i64::MAX);
        for interval in [i64::MIN, -1, i64::MAX] {
            let waiting = Waiting::new(Some(interval), expires_at);
            waiting.first(Timestamp::from_millis(i64::MAX));
            waiting.after(SlowDown(Some(i64::MAX)), Timestamp::default());
            waiting.after(Nothing, Timestamp::default());
        }
    }
}
