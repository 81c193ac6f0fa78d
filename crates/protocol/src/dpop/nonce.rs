//! Nonces for DPoP proofs (RFC 9449 §8), which are the challenges of attestations too: a time slot and a MAC over it, so that nothing is stored and
//! every node of one server accepts them. Absent: nonces that serve once; the `jti` does that.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::base64url;
use crate::time::{Lifetime, Timestamp};

/// One nonce is given out for this long, so that a polling client is not handed a new one each time.
const SLOT_SECONDS: i64 = 30;
/// Counted from the start of the slot: the youngest nonce lives 300 s, the one just before a change 270 s.
const VALID: Lifetime = Lifetime::from_seconds(300);
const MAC_LENGTH: usize = 16;

/// The server's key for nonces, shared by its nodes.
pub struct NonceKey(hmac::Key);

impl NonceKey {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// As long as this is the same, so is the nonce.
    pub fn slot(now: Timestamp) -> i64 {
        now.seconds().div_euclid(SLOT_SECONDS)
    }

    /// The nonce of the slot that `now` lies in.
    pub fn issue(&self, now: Timestamp) -> String {
        let slot = Self::slot(now).to_be_bytes();
        let mut nonce = slot.to_vec();
        nonce.extend_from_slice(&self.mac(slot));
        base64url::encode(&nonce)
    }

    pub fn check(&self, text: &str, now: Timestamp) -> bool {
        self.expiry(text, now).is_some()
    }

    /// When a nonce of ours ends, or `None` when it is not ours or has ended.
    pub(crate) fn expiry(&self, text: &str, now: Timestamp) -> Option<Timestamp> {
        let nonce = base64url::decode(text)?;
        let (slot, mac) = nonce.split_first_chunk::<8>()?;
        if !bool::from(self.mac(*slot).as_slice().ct_eq(mac)) {
            return None;
        }
        let start = Timestamp::from_seconds(i64::from_be_bytes(*slot).saturating_mul(SLOT_SECONDS));
        let end = start + VALID;
        // Nodes' clocks may differ by a slot.
        let has_begun = start <= now + Lifetime::from_seconds(SLOT_SECONDS);
        (has_begun && now < end).then_some(end)
    }

    fn mac(&self, slot: [u8; 8]) -> [u8; MAC_LENGTH] {
        let tag = hmac::sign(&self.0, &slot);
        let mut mac = [0; MAC_LENGTH];
        mac.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        mac
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static KEY: LazyLock<NonceKey> = LazyLock::new(|| NonceKey::new(&[7; 32]));
    const SLOT_START: i64 = 1_700_000_010;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(SLOT_START + seconds)
    }

    #[test]
    fn p11_a_nonce_lives_300_seconds_from_the_start_of_its_slot() {
        for issued in [0, 29] {
            let nonce = KEY.issue(at(issued));
            assert!(KEY.check(&nonce, at(issued)) && KEY.check(&nonce, at(299)));
            assert!(!KEY.check(&nonce, at(300)));
            assert!(KEY.check(&nonce, at(-30)), "another node's clock");
            assert!(!KEY.check(&nonce, at(-31)));
        }
        assert_eq!(KEY.issue(at(0)), KEY.issue(at(29)));
        assert_ne!(KEY.issue(at(0)), KEY.issue(at(30)));
    }

    #[test]
    fn p11_a_nonce_of_another_key_or_with_any_bit_changed_is_none() {
        let nonce = KEY.issue(at(0));
        assert!(!NonceKey::new(&[8; 32]).check(&nonce, at(0)));
        let bytes = base64url::decode(&nonce).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!KEY.check(&base64url::encode(&changed), at(0)), "bit {bit}");
        }
        for text in [
            "",
            "x",
            nonce.trim_start_matches('A'),
            &format!("{nonce}A"),
            &"A".repeat(32),
            &"é".repeat(16),
        ] {
            assert!(!KEY.check(text, at(0)), "{text}");
        }
    }

    #[test]
    fn no_instant_overflows_a_nonce() {
        for millis in [i64::MIN, -1, 0, i64::MAX] {
            let now = Timestamp::from_millis(millis);
            let _ = KEY.check(&KEY.issue(now), now);
        }
    }
}
