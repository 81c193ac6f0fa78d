//! How many requests one source may make: a leaky bucket each, in memory, per node. What must hold
//! across nodes (guesses, open requests) is counted in the database, and not here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::peer::{Network, network};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    /// How many may come at once after a pause.
    pub burst: u32,
}

pub struct SourceLimits {
    /// None is off.
    rate: Option<Rate>,
    buckets: Mutex<Buckets>,
}

/// When each source's bucket will have run empty (the "theoretical arrival time" of the generic cell
/// rate algorithm), in microseconds, so that thousands a second can be told apart. Empty ones are forgotten.
#[derive(Default)]
struct Buckets {
    empty_at: HashMap<Option<Network>, i64>,
    swept_at: i64,
}

impl SourceLimits {
    /// More sources than this at once share one bucket: an attack with many addresses must cost the
    /// attacker, and not our memory. About 6 MiB.
    const MOST_SOURCES: usize = 100_000;
    const SWEEP_EVERY: i64 = 1_000_000;

    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Counts one request of the address that `peer::seen` says is to be counted.
    pub fn check(&self, counted: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        let Some(rate) = self.rate else { return Ok(()) };
        // A panic cannot leave a map of numbers half changed.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now.millis().saturating_mul(1000));
        buckets.pour(network(counted), rate, now.millis().saturating_mul(1000))
    }
}

impl Buckets {
    fn pour(&mut self, source: Network, rate: Rate, now: i64) -> Result<(), Refusal> {
        let drop = 1_000_000 / i64::from(rate.per_second.max(1));
        let full = drop * i64::from(rate.burst.max(1));
        let is_known = self.empty_at.contains_key(&Some(source));
        let key = (is_known || self.empty_at.len() < SourceLimits::MOST_SOURCES).then_some(source);
        let empty_at = self.empty_at.entry(key).or_insert(now);
        // Never further ahead than a full bucket: a clock set back must not lock anybody out for long.
        *empty_at = (*empty_at).clamp(now, now.saturating_add(full));
        let poured = empty_at.saturating_add(drop);
        if poured > now.saturating_add(full) {
            return Err(Refusal::TooManyRequests);
        }
        *empty_at = poured;
        Ok(())
    }

    /// At most once a second, so that a full map costs nothing per request.
    fn sweep(&mut self, now: i64) {
        if (now - self.swept_at).abs() >= SourceLimits::SWEEP_EVERY {
            self.swept_at = now;
            self.empty_at.retain(|_, empty_at| *empty_at > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use protocol::time::Lifetime;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const RATE: Rate = Rate {
        per_second: 2,
        burst: 3,
    };

    fn admitted(limits: &SourceLimits, address: &str, now: Timestamp) -> usize {
        (0..10)
            .filter(|_| limits.check(address.parse().unwrap(), now).is_ok())
            .count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limits = SourceLimits::new(Some(RATE));
        assert_eq!(admitted(&limits, "192.0.2.1", NOW), 3);
        assert_eq!(admitted(&limits, "192.0.2.1", NOW + Lifetime::from_millis(499)), 0);
        assert_eq!(admitted(&limits, "192.0.2.1", NOW + Lifetime::from_seconds(1)), 2);
        assert_eq!(admitted(&limits, "192.0.2.1", NOW + Lifetime::from_seconds(60)), 3);
    }

    #[test]
    fn sources_do_not_wait_for_one_another_and_an_ipv6_network_is_one_source() {
        let limits = SourceLimits::new(Some(RATE));
        assert_eq!(admitted(&limits, "192.0.2.1", NOW), 3);
        assert_eq!(admitted(&limits, "192.0.2.2", NOW), 3);
        assert_eq!(admitted(&limits, "2001:db8::1", NOW), 3);
        assert_eq!(admitted(&limits, "2001:db8::ffff", NOW), 0);
        assert_eq!(admitted(&limits, "2001:db8:0:1::1", NOW), 3);
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert_eq!(admitted(&SourceLimits::new(None), "192.0.2.1", NOW), 10);
    }

    #[test]
    fn many_addresses_share_one_bucket_instead_of_taking_all_memory() {
        let limits = SourceLimits::new(Some(RATE));
        let source = |n: usize| IpAddr::from(Ipv6Addr::from_bits((n as u128) << 64));
        let refused = (0..SourceLimits::MOST_SOURCES + 50)
            .filter(|n| limits.check(source(*n), NOW).is_err())
            .count();
        assert_eq!(refused, 47, "three of the last fifty fit into the shared bucket");
        assert_eq!(
            limits.buckets.lock().unwrap().empty_at.len(),
            SourceLimits::MOST_SOURCES + 1
        );

        let later = NOW + Lifetime::from_seconds(10);
        limits.check(source(0), later).unwrap();
        assert_eq!(
            limits.buckets.lock().unwrap().empty_at.len(),
            1,
            "what ran empty is forgotten"
        );
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let limits = SourceLimits::new(Some(RATE));
        assert_eq!(admitted(&limits, "192.0.2.1", NOW), 3);
        let earlier = NOW - Lifetime::from_seconds(3_600);
        assert_eq!(admitted(&limits, "192.0.2.1", earlier), 0);
        assert_eq!(admitted(&limits, "192.0.2.1", earlier + Lifetime::from_seconds(2)), 3);
    }
}
