//! The one place that draws chance, and the identifiers made of it. Everything else is given [`Entropy`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use protocol::base64url;
use protocol::secret::Entropy;
use protocol::time::Timestamp;

#[derive(Clone)]
pub enum EntropySource {
    System,
    /// For tests: the same seed gives the same draws.
    Seeded(Arc<AtomicU64>),
}

impl EntropySource {
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(AtomicU64::new(seed << 32)))
    }

    pub fn draw(&self) -> Entropy {
        let mut bytes = [0; 32];
        match self {
            Self::System => fill(&mut bytes),
            Self::Seeded(counter) => {
                let draw = counter.fetch_add(1, Ordering::SeqCst).to_be_bytes();
                let block = digest(&SHA256, &draw);
                bytes.iter_mut().zip(block.as_ref()).for_each(|(to, from)| *to = *from);
            }
        }
        Entropy(bytes)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn fill(bytes: &mut [u8; 32]) {
    if aws_lc_rs::rand::fill(bytes).is_err() {
        // A server that cannot draw chance must not issue another code: there is nothing to go on with.
        std::process::abort();
    }
}

/// A UUIDv7 (RFC 9562 §5.7): sorts by time to the millisecond, needs no sequence in the database.
pub fn time_ordered_id(now: Timestamp, entropy: &Entropy) -> String {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let random = entropy.0.first_chunk::<10>().unwrap_or(&[0; 10]);
    uuid::Builder::from_unix_timestamp_millis(millis, random)
        .into_uuid()
        .to_string()
}

/// What stands in an error page and in the log line it belongs to. Says nothing by itself.
pub fn reference() -> String {
    let Entropy(chance) = &EntropySource::System.draw();
    base64url::encode(chance.first_chunk::<9>().unwrap_or(&[0; 9]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_draws_repeat_by_seed_and_never_within_one() {
        let draws = |seed| {
            let source = EntropySource::seeded(seed);
            let mut draws: Vec<_> = (0..100).map(|_| source.draw().0).collect();
            draws.dedup();
            draws
        };
        assert_eq!(draws(1), draws(1));
        assert_eq!(draws(1).len(), 100);
        assert_ne!(draws(1), draws(2));
        assert_ne!(EntropySource::System.draw().0, EntropySource::System.draw().0);
    }

    #[test]
    fn a_reference_is_short_and_new_each_time() {
        assert_eq!(reference().len(), 12);
        assert_ne!(reference(), reference());
    }

    #[test]
    fn a_time_ordered_id_is_a_uuid_v7_and_sorts_by_time() {
        let source = EntropySource::seeded(1);
        let id = |millis| time_ordered_id(Timestamp::from_millis(millis), &source.draw());
        let ids: Vec<_> = [1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000].map(id).into();
        assert!(ids.is_sorted(), "{ids:?}");
        let parsed = uuid::Uuid::parse_str(&ids[0]).unwrap();
        assert_eq!((parsed.get_version_num(), ids[0].len()), (7, 36));
        assert!(ids[0].starts_with("018bcfe5-6800-7"), "{}", ids[0]);
    }
}
