//! The terminal decision: what `waypass show`, `approve`, `deny` and `approver enroll` send, and get.
//!
//! Each call is a POST of JSON with a DPoP-form proof (`DPoP` header: `htm`, `htu`, `jti`, `iat`,
//! `nonce`) by the approver's software key. The nonce comes in `DPoP-Nonce` of a first refusal
//! (`use_dpop_nonce`) and of every answer. The key stands where the browser session stands on the page.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST {issuer}/approver/enroll`: turns an enrollment link into a registered software key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// What stands behind the `#` of the link.
    pub enrollment_token: String,
}

#[derive(Serialize, Deserialize)]
pub struct EnrollResponse {
    /// The approver's name.
    pub approver: String,
    /// The approver's id, as it stands in a decision: kept beside the key, which then signs for no other.
    pub approver_id: String,
    /// RFC 7638 thumbprint of the key that was registered.
    pub thumbprint: String,
}

/// `POST {issuer}/approver/view`: counts the guess, locks the request to this key, shows it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewRequest {
    pub user_code: String,
}

/// What the page shows, as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestView {
    pub request_id: String,
    /// SHA-256 of the request's canonical content: what a decision signs over.
    pub request_digest: String,
    pub client_id: String,
    pub client_name: String,
    /// Whom the administrator registered as responsible for the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_owner: Option<String>,
    /// Whether an administrator vouched for the client.
    pub client_verified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    pub profile: String,
    /// Warnings that belong on the page: the profile's own, an unverified client.
    pub warnings: Vec<String>,
    pub permissions: Vec<Permission>,
    pub facts: Vec<ShownFact>,
    /// The key's words, when the request is bound to a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_words: Option<String>,
    /// Unix milliseconds.
    pub requested_at: i64,
    /// Unix milliseconds: when the request dies undecided.
    pub expires_at: i64,
    /// Unix milliseconds: when what is granted ends.
    pub grant_expires_at: i64,
    /// What follows from approval, in sentences.
    pub consequences: Vec<String>,
    /// The decision to sign: the RFC 8785 form of this object, byte for byte.
    pub decision: Value,
}

/// One thing that is asked for, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// `scope` or `resource`.
    pub kind: String,
    pub name: String,
    pub sentence: String,
}

/// One thing known about the request, with its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFact {
    /// `requester.address`, `requester.user_agent`, `network.match`, `key.thumbprint`, …
    pub name: String,
    /// For people: "Address", "Program", …
    pub label: String,
    pub value: String,
    /// `proven`, `derived` or `claimed`.
    pub source: String,
}

/// `POST {issuer}/approver/approve`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    pub request_id: String,
    /// The `decision` of the view, unchanged.
    pub decision: Value,
    /// ES256 (RFC 7518 §3.4, 64 bytes, base64url) over the canonical bytes of `decision`.
    pub signature: String,
}

/// `POST {issuer}/approver/deny`. The proof is enough.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenyRequest {
    pub request_id: String,
    /// "I did not start this": recorded and raised as an event of its own.
    #[serde(default)]
    pub report: bool,
}

#[derive(Serialize, Deserialize)]
pub struct DecidedResponse {
    pub request_id: String,
    /// `approved` or `denied`.
    pub state: String,
}
