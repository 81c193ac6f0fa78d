//! What an approver signs: `waypass-decision/1`, the decision itself and not a click. One pure function
//! checks it, at the click and in any later export. Absent: denials (a signed-in session is enough),
//! registering keys, signing people in, and whether this approver may decide (that is policy's).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::authentication::Strength;
use crate::authorization_request::Content;
use crate::base64url;
use crate::details::Details;
use crate::digest::{Digest, canonical_json};
use crate::jwk::{Algorithm, PublicJwk};
use crate::refusal::Refusal;
use crate::scope::Scope;

mod assertion;

/// An approval of exactly one request, by one approver, of exactly this much, until then.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub request_digest: Digest,
    pub granted: Granted,
    pub approver: String,
    /// Chance of the server: two approvals of the same content are two signatures.
    pub nonce: String,
}

/// What is granted; at most what was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    pub scope: Scope,
    pub resource: Vec<String>,
    pub authorization_details: Details,
    /// Unix seconds.
    pub expires_at: i64,
}

impl Granted {
    pub fn to_value(&self) -> Value {
        json!({
            "scope": self.scope.to_string(),
            "resource": self.resource,
            "authorization_details": self.authorization_details,
            "expires_at": self.expires_at,
        })
    }

    /// Exactly these members.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let written = WrittenGranted::deserialize(value).map_err(|_| Refusal::DecisionInvalid)?;
        Ok(Self {
            scope: Scope::parse(&written.scope).map_err(|_| Refusal::DecisionInvalid)?,
            resource: written.resource,
            authorization_details: written.authorization_details,
            expires_at: written.expires_at,
        })
    }

    /// All that a request asks for.
    pub fn all_of(content: &Content) -> Result<Self, Refusal> {
        Ok(Self {
            scope: Scope::parse(&content.scope)?,
            resource: content.resource.clone(),
            authorization_details: content.authorization_details.clone(),
            expires_at: content.grant_expires_at.seconds(),
        })
    }

    pub fn is_within(&self, other: &Self) -> bool {
        self.scope.is_within(&other.scope)
            && self.resource.iter().all(|resource| other.resource.contains(resource))
            && self.authorization_details.is_within(&other.authorization_details)
            && self.expires_at <= other.expires_at
    }

    /// What two people grant together is what both of them grant.
    pub fn common(&self, other: &Self) -> Self {
        let resource = self
            .resource
            .iter()
            .filter(|resource| other.resource.contains(resource));
        Self {
            scope: self.scope.common(&other.scope),
            resource: resource.cloned().collect(),
            authorization_details: self.authorization_details.common(&other.authorization_details),
            expires_at: self.expires_at.min(other.expires_at),
        }
    }
}

const TYPE: &str = "waypass-decision/1";

impl Decision {
    pub fn to_value(&self) -> Value {
        json!({
            "type": TYPE,
            "request_digest": self.request_digest,
            "decision": "approve",
            "granted": self.granted.to_value(),
            "approver": self.approver,
            "nonce": self.nonce,
        })
    }

    /// Reads a decision that came back or was kept. Exactly these members, each in its one form: a decision
    /// that reads as one thing and was signed as another is none.
    pub fn from_value(value: &Value) -> Result<Self, Refusal> {
        let written = Written::deserialize(value).map_err(|_| Refusal::DecisionInvalid)?;
        let decision = Self {
            request_digest: written.request_digest,
            granted: Granted::from_value(&written.granted)?,
            approver: written.approver,
            nonce: written.nonce,
        };
        refuse_unless(decision.to_value() == *value)?;
        Ok(decision)
    }

    /// The bytes that are signed (RFC 8785). Refused when a detail holds a number that has no one form.
    pub fn canonical(&self) -> Result<String, Refusal> {
        canonical_json(&self.to_value()).map_err(|_| Refusal::DecisionInvalid)
    }

    /// The challenge of a passkey: SHA-256 of the canonical bytes, as base64url.
    pub fn challenge(&self) -> Result<String, Refusal> {
        Ok(Digest::of(self.canonical()?.as_bytes()).as_str().to_owned())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "type")]
    _type: String,
    request_digest: Digest,
    #[serde(rename = "decision")]
    _decision: String,
    granted: Value,
    approver: String,
    nonce: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGranted {
    scope: String,
    resource: Vec<String>,
    authorization_details: Details,
    expires_at: i64,
}

/// What was signed and by what, as it is kept. Bytes are base64url.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evidence {
    /// A WebAuthn assertion (WebAuthn §7.2).
    Passkey {
        credential_id: String,
        public_key: Value,
        authenticator_data: String,
        client_data_json: String,
        signature: String,
    },
    /// ES256 over the decision's canonical bytes. Never dressed up as WebAuthn.
    SoftwareKey {
        thumbprint: String,
        public_key: Value,
        signature: String,
    },
}

/// Where a passkey must have been used: the page's origin, and the identifier it was registered for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelyingParty {
    pub origin: String,
    pub rp_id: String,
}

/// A registered key of the approver, with its kind: a software key can sign anything, also bytes that look
/// like a passkey's, and must never count as one.
#[derive(Clone, Debug)]
pub enum StoredKey {
    Passkey {
        public_key: PublicJwk,
        /// The last counter seen; `None` where it is not known, as in an export.
        sign_count: Option<u32>,
        /// Its attestation leads to an authority that is trusted for hardware.
        is_hardware: bool,
    },
    Software {
        public_key: PublicJwk,
    },
}

impl StoredKey {
    pub fn strength(&self) -> Strength {
        match self {
            Self::Software { .. } => Strength::SoftwareKey,
            Self::Passkey { is_hardware: false, .. } => Strength::Passkey,
            Self::Passkey { is_hardware: true, .. } => Strength::HardwarePasskey,
        }
    }
}

/// What a checked signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// To be stored with a passkey; 0 for a software key.
    pub sign_count: u32,
    /// Whether the authenticator verified the person; never true for a software key.
    pub user_verified: bool,
}

/// Whether this evidence is a signature over this decision, by this key, for this relying party.
pub fn check(
    decision: &Decision,
    evidence: &Evidence,
    relying_party: &RelyingParty,
    stored: &StoredKey,
) -> Result<Checked, Refusal> {
    match (evidence, stored) {
        (
            Evidence::Passkey { public_key, .. },
            StoredKey::Passkey {
                public_key: key,
                sign_count,
                ..
            },
        ) => {
            is_recorded_as(key, public_key)?;
            let assertion = assertion::Assertion::decode(evidence)?;
            assertion.check(&decision.challenge()?, relying_party, key)?;
            Ok(Checked {
                sign_count: assertion.counter_after(*sign_count)?,
                user_verified: true,
            })
        }
        (
            Evidence::SoftwareKey {
                thumbprint,
                public_key,
                signature,
            },
            StoredKey::Software { public_key: key },
        ) => {
            is_recorded_as(key, public_key)?;
            refuse_unless(*thumbprint == key.thumbprint())?;
            let signature = base64url::decode(signature).ok_or(Refusal::DecisionInvalid)?;
            refuse_unless(key.verify(Algorithm::Es256, decision.canonical()?.as_bytes(), &signature))?;
            Ok(Checked {
                sign_count: 0,
                user_verified: false,
            })
        }
        _ => Err(Refusal::DecisionInvalid),
    }
}

/// The record must name the key that the signature is checked with, or it could not be checked later.
fn is_recorded_as(key: &PublicJwk, recorded: &Value) -> Result<(), Refusal> {
    let recorded = PublicJwk::parse(recorded).map_err(|_| Refusal::DecisionInvalid)?;
    refuse_unless(recorded.is_same_key(key))
}

fn refuse_unless(holds: bool) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::DecisionInvalid) }
}

/// A decision with all that is needed to check it without the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    pub decision: Value,
    pub evidence: Evidence,
    pub relying_party: RelyingParty,
    /// The approver's key as it was registered (a public JWK).
    pub key: Value,
}

/// Checks an exported decision. It proves that the holder of `key` signed it for that relying party; that
/// the key is this approver's, the reader knows from elsewhere. The counter means nothing offline.
pub fn verify_record(record: &DecisionRecord) -> Result<(), Refusal> {
    let decision = Decision::from_value(&record.decision)?;
    let public_key = PublicJwk::parse(&record.key).map_err(|_| Refusal::DecisionInvalid)?;
    let stored = match record.evidence {
        Evidence::Passkey { .. } => StoredKey::Passkey {
            public_key,
            sign_count: None,
            is_hardware: false,
        },
        Evidence::SoftwareKey { .. } => StoredKey::Software { public_key },
    };
    check(&decision, &record.evidence, &record.relying_party, &stored).map(|_| ())
}

#[cfg(test)]
mod tests;
