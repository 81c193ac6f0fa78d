//! The terminal decision: what `waypass show`, `approve`, `deny` and `approver enroll` send, and get.
//!
//! Each call is a POST of JSON with a DPoP-form proof (`DPoP` header: `htm`, `htu`, `jti`, `iat`,
//! `nonce`) by the approver's software key. The nonce comes in `DPoP-Nonce` of a first refusal
//! (`use_dpop_nonce`) and of every answer. The key stands where the browser session stands on the page.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::details::Part;
use crate::network::NetworkMatch;

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

/// `POST {issuer}/approver/view`, by one of the two: a code, which counts as a guess and locks the request to
/// this key, or the id of a request of [`WaitingResponse`], which locks nobody.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What the decision shall give, in the form of its `granted`, where that is less than all that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Value>,
}

/// `POST {issuer}/approver/waiting`: no members yet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingRequest {}

/// What waits for this approver without a code, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingResponse {
    pub requests: Vec<Waiting>,
    /// How many wait beside these: of one instance, and at once, only so many are told.
    #[serde(default)]
    pub more: usize,
}

/// A request that an instance sent here, or that others of a quorum have approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub request_id: String,
    pub client_id: String,
    pub client_name: String,
    /// `cli`, `agent`, `workload` or `service`.
    #[serde(default)]
    pub client_kind: String,
    /// The instance that asks, by the name that its owner or an administrator gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_name: Option<String>,
    /// The client's words, to be compared with what it shows where it runs (CIBA §7.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_message: Option<String>,
    /// What it asks for, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// Where more than one person has to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Quorum>,
    /// Unix milliseconds.
    pub requested_at: i64,
    /// Unix milliseconds.
    pub expires_at: i64,
}

/// What the page shows, as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestView {
    pub request_id: String,
    /// SHA-256 of the request's canonical content: what a decision signs over.
    pub request_digest: String,
    pub client_id: String,
    pub client_name: String,
    /// `cli`, `agent`, `workload` or `service`.
    #[serde(default)]
    pub client_kind: String,
    /// Whom the administrator registered as responsible for the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_owner: Option<String>,
    /// Whether an administrator vouched for the client.
    pub client_verified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    pub profile: String,
    /// The profile's text for people (X13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub education: Option<String>,
    /// The request is not for access but for a device to become known; its owner would be who approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<EnrollmentAsked>,
    /// What was typed where it was started has to be typed with the approval, as `binding_data` (X17).
    #[serde(default)]
    pub asks_binding_data: bool,
    /// The client's words, to be compared with what it shows where it runs (CIBA §7.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_message: Option<String>,
    /// Where more than one person has to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Quorum>,
    /// Warnings that belong on the page: the profile's own, an unverified client.
    pub warnings: Vec<String>,
    pub permissions: Vec<Permission>,
    /// What exactly is asked for, beside them (RFC 9396 §3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<ShownDetail>,
    /// How near the two ends are: see [`NetworkMatch`].
    #[serde(default)]
    pub network_match: NetworkMatch,
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

/// The instance that would come of an enrollment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollmentAsked {
    pub name: String,
    pub environment: Option<String>,
    /// Unix milliseconds.
    pub expires_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    pub needed: u32,
    pub have: u32,
    /// The names of those who have approved; the first of them is in whose name access would be.
    #[serde(default)]
    pub approved_by: Vec<String>,
}

/// One thing that is asked for, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// `scope` or `resource`.
    pub kind: String,
    pub name: String,
    pub sentence: String,
}

/// One of the `authorization_details`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownDetail {
    /// In plain words: ours, and values as they were sent.
    pub sentence: Vec<Part>,
    /// The detail's bytes (RFC 8785), as they stand in the decision.
    pub canonical: String,
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
    /// The `decision` of a view, unchanged.
    pub decision: Value,
    /// ES256 (RFC 7518 §3.4, 64 bytes, base64url) over the canonical bytes of `decision`.
    pub signature: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_data: Option<String>,
}

/// `POST {issuer}/approver/digits`: the six digits of a request that this approver opened, once the last of a
/// quorum has approved it. Answered with a [`DecidedResponse`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigitsRequest {
    pub request_id: String,
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
    /// `approved`, `endorsed` (others of a quorum have to approve too) or `denied`.
    pub state: String,
    /// With `endorsed`: how many others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<u32>,
    /// Six digits to be entered where the request was started; nothing is issued without them (X16). For who
    /// opened it: of a quorum that is the first, who asks again by [`DigitsRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}
