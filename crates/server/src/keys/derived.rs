//! What the server does with its master key: keyed digests, nonces, sealing. The master key itself is gone
//! once these are made.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use protocol::base64url;
use protocol::digest::Digest;
use protocol::dpop::NonceKey;
use protocol::secret::Entropy;
use zeroize::Zeroizing;

use super::KeyFault;
use super::master::{MasterKey, Purpose};

const NONCE_LENGTH: usize = 12;

pub struct DerivedKeys {
    /// For DPoP nonces (RFC 9449 §8).
    pub nonces: NonceKey,
    binding_data: hmac::Key,
    check_value: String,
    client_secrets: hmac::Key,
    confirmations: hmac::Key,
    page_tokens: hmac::Key,
    user_codes: hmac::Key,
    sealing: LessSafeKey,
}

impl DerivedKeys {
    pub fn new(master: &MasterKey) -> Result<Self, KeyFault> {
        let mac = |purpose| hmac::Key::new(hmac::HMAC_SHA256, master.sub_key(purpose).as_slice());
        let sealing = UnboundKey::new(&AES_256_GCM, master.sub_key(Purpose::Sealing).as_slice());
        Ok(Self {
            nonces: NonceKey::new(&master.sub_key(Purpose::DpopNonce)),
            binding_data: mac(Purpose::BindingData),
            check_value: base64url::encode(master.sub_key(Purpose::Check).as_slice()),
            client_secrets: mac(Purpose::ClientSecret),
            confirmations: mac(Purpose::Confirmation),
            page_tokens: mac(Purpose::PageToken),
            user_codes: mac(Purpose::UserCode),
            sealing: LessSafeKey::new(sealing.map_err(|_| KeyFault::Crypto("make the sealing key"))?),
        })
    }

    /// Stored in the database, to notice another key file before anything fails to open. One-way.
    pub fn check_value(&self) -> &str {
        &self.check_value
    }

    /// Under which a user code is stored. Eight letters have too little chance for a plain digest.
    pub fn user_code_mac(&self, canonical: &str) -> String {
        keyed(&self.user_codes, &[canonical]).as_str().to_owned()
    }

    /// Under which binding data is stored: short, and for one request, so that no two look alike.
    pub fn binding_mac(&self, request_id: &str, data: &str) -> Digest {
        keyed(&self.binding_data, &[request_id, data])
    }

    /// 32 bits that only this server can make, for the digits that are carried back.
    pub fn confirmation_number(&self, parts: &[&str]) -> u32 {
        let tag = mac_of(&self.confirmations, parts);
        tag.as_ref()
            .first_chunk()
            .map_or(u32::MAX, |bytes| u32::from_be_bytes(*bytes))
    }

    /// Under which a client's secret is stored: it was chosen by a person, and two clients with one secret
    /// must not look alike.
    pub fn client_secret_mac(&self, client_id: &str, secret: &str) -> String {
        keyed(&self.client_secrets, &[client_id, secret]).as_str().to_owned()
    }

    /// A token that only this server can make, for what the parts say: a form of one session, for instance.
    /// Compare with [`Digest::matches`].
    pub fn page_token(&self, parts: &[&str]) -> Digest {
        keyed(&self.page_tokens, parts)
    }

    /// Encrypts (AES-256-GCM). What it is and which it is are authenticated too: a sealed text that is moved
    /// to another row does not open there. The nonce is chance: good for 2^32 texts, and we seal few.
    pub fn seal(&self, what: &str, which: &str, plain: &[u8], entropy: &Entropy) -> Result<String, KeyFault> {
        let fault = || KeyFault::Crypto("seal a key");
        let nonce = entropy.0.first_chunk::<NONCE_LENGTH>().ok_or_else(fault)?;
        let mut sealed = plain.to_vec();
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), aad(what, which), &mut sealed)
            .map_err(|_| fault())?;
        Ok(base64url::encode(&[nonce.as_slice(), &sealed].concat()))
    }

    pub fn open(&self, what: &str, which: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let bytes = base64url::decode(sealed).ok_or(KeyFault::Sealed)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LENGTH>().ok_or(KeyFault::Sealed)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let length = self
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(what, which), &mut plain)
            .map_err(|_| KeyFault::Sealed)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

fn keyed(key: &hmac::Key, parts: &[&str]) -> Digest {
    Digest::from_stored(base64url::encode(mac_of(key, parts).as_ref()))
}

/// Each part is preceded by its length, so that no two lists of parts read the same.
fn mac_of(key: &hmac::Key, parts: &[&str]) -> hmac::Tag {
    let mut mac = hmac::Context::with_key(key);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.sign()
}

fn aad(what: &str, which: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("waypass-sealed/1\n{what}\n{which}").into_bytes())
}

#[cfg(test)]
mod tests {
    use protocol::time::Timestamp;

    use super::*;

    fn keys(byte: u8) -> DerivedKeys {
        DerivedKeys::new(&MasterKey::from_entropy(&Entropy([byte; 32]))).unwrap()
    }

    #[test]
    fn keyed_digests_differ_by_key_by_purpose_and_by_where_a_part_ends() {
        assert_eq!(keys(1).user_code_mac("WDJBMJHT"), keys(1).user_code_mac("WDJBMJHT"));
        assert_ne!(keys(1).user_code_mac("WDJBMJHT"), keys(2).user_code_mac("WDJBMJHT"));
        assert_ne!(keys(1).user_code_mac("a"), keys(1).client_secret_mac("a", "a"));
        assert_ne!(keys(1).client_secret_mac("a", "s"), keys(1).client_secret_mac("b", "s"));
        assert_ne!(keys(1).binding_mac("one", "a"), keys(1).binding_mac("two", "a"));
        assert_ne!(keys(1).confirmation_number(&["a"]), keys(2).confirmation_number(&["a"]));
        assert_ne!(keys(1).page_token(&["ab", "c"]), keys(1).page_token(&["a", "bc"]));
        assert_ne!(keys(1).page_token(&["a"]), keys(1).page_token(&["a", ""]));
    }

    #[test]
    fn two_nodes_with_one_key_file_agree_and_with_two_they_do_not() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let nonce = keys(1).nonces.issue(now);
        assert!(keys(1).nonces.check(&nonce, now));
        assert!(!keys(2).nonces.check(&nonce, now));
        assert_eq!(keys(1).check_value(), keys(1).check_value());
        assert_ne!(keys(1).check_value(), keys(2).check_value());
    }

    #[test]
    fn a_sealed_text_opens_only_as_what_it_is_under_its_key_and_unchanged() {
        let opens = |key, what, which, sealed: &str| keys(key).open(what, which, sealed).is_ok();
        let sealed = keys(1)
            .seal("signing key", "kid", b"secret", &Entropy([9; 32]))
            .unwrap();
        assert_eq!(*keys(1).open("signing key", "kid", &sealed).unwrap(), b"secret");

        assert!(!opens(2, "signing key", "kid", &sealed));
        assert!(!opens(1, "signing key", "other", &sealed));
        assert!(!opens(1, "other", "kid", &sealed));
        let bytes = base64url::decode(&sealed).unwrap();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let changed = base64url::encode(&changed);
            assert!(!opens(1, "signing key", "kid", &changed), "byte {position}");
            let cut = base64url::encode(&bytes[..position]);
            assert!(!opens(1, "signing key", "kid", &cut), "cut at {position}");
        }
        assert!(!opens(1, "signing key", "kid", "not base64url!"));
    }
}
