//! A WebAuthn assertion, taken apart (WebAuthn §7.2, steps 11 to 22). Absent: registration, attestation,
//! extensions, token binding.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Evidence, RelyingParty, refuse_unless};
use crate::base64url;
use crate::jwk::PublicJwk;
use crate::refusal::Refusal;
use crate::strict_json;

/// Longest base64url text of any part.
const LONGEST: usize = 16 * 1024;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED_CREDENTIAL: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

pub(super) struct Assertion {
    authenticator_data: Vec<u8>,
    client_data_json: Vec<u8>,
    signature: Vec<u8>,
    rp_id_hash: [u8; 32],
    flags: u8,
    counter: u32,
}

impl Assertion {
    pub(super) fn decode(evidence: &Evidence) -> Result<Self, Refusal> {
        let Evidence::Passkey {
            authenticator_data,
            client_data_json,
            signature,
            ..
        } = evidence
        else {
            return Err(Refusal::DecisionInvalid);
        };
        let authenticator_data = decode(authenticator_data)?;
        let (rp_id_hash, flags, counter) = fields(&authenticator_data).ok_or(Refusal::DecisionInvalid)?;
        Ok(Self {
            client_data_json: decode(client_data_json)?,
            signature: decode(signature)?,
            authenticator_data,
            rp_id_hash,
            flags,
            counter,
        })
    }

    pub(super) fn check(&self, challenge: &str, relying_party: &RelyingParty, key: &PublicJwk) -> Result<(), Refusal> {
        self.check_client_data(challenge, &relying_party.origin)?;
        let rp_id_hash: [u8; 32] = Sha256::digest(&relying_party.rp_id).into();
        refuse_unless(self.rp_id_hash == rp_id_hash)?;
        // Present alone is a touch; only verified says which person.
        refuse_unless(self.has(USER_PRESENT) && self.has(USER_VERIFIED))?;
        let mut message = self.authenticator_data.clone();
        message.extend_from_slice(&Sha256::digest(&self.client_data_json));
        refuse_unless(key.verify_webauthn(&message, &self.signature))
    }

    /// The counter to store. One that does not grow betrays a copied authenticator; passkeys that live on
    /// several devices always say zero.
    pub(super) fn counter_after(&self, stored: Option<u32>) -> Result<u32, Refusal> {
        let grows = stored.is_none_or(|stored| self.counter > stored || (self.counter == 0 && stored == 0));
        refuse_unless(grows)?;
        Ok(self.counter)
    }

    fn check_client_data(&self, challenge: &str, origin: &str) -> Result<(), Refusal> {
        let members = strict_json::parse_object(&self.client_data_json).ok_or(Refusal::DecisionInvalid)?;
        let says = |name: &str, text: &str| members.get(name).is_some_and(|value| value == text);
        refuse_unless(says("type", "webauthn.get") && says("challenge", challenge) && says("origin", origin))?;
        // In a frame of another site the person saw that site's page, not ours.
        let same_origin = members
            .get("crossOrigin")
            .is_none_or(|value| value == &Value::Bool(false));
        refuse_unless(same_origin && !members.contains_key("topOrigin"))
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    refuse_unless(text.len() <= LONGEST)?;
    base64url::decode(text).ok_or(Refusal::DecisionInvalid)
}

/// `rpIdHash`, flags and counter (WebAuthn §6.1). More may follow only where a flag says so.
fn fields(authenticator_data: &[u8]) -> Option<([u8; 32], u8, u32)> {
    let (rp_id_hash, rest) = authenticator_data.split_first_chunk::<32>()?;
    let (flags, rest) = rest.split_first()?;
    let (counter, rest) = rest.split_first_chunk::<4>()?;
    let may_go_on = flags & (ATTESTED_CREDENTIAL | EXTENSIONS) != 0;
    (rest.is_empty() || may_go_on).then_some((*rp_id_hash, *flags, u32::from_be_bytes(*counter)))
}
