//! The local API: JSON over the Unix socket `DIR/waypass.sock` (mode 0600), for whoever may read the
//! data folder. Paths are below `/local/`; the verb is the HTTP method. Errors are [`super::ErrorBody`]
//! with `error` one of `invalid`, `exists`, `not_found`, `refused`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `POST /local/clients`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the wire form of a command line: each flag is one"
)]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddClient {
    pub client_id: String,
    #[serde(default)]
    pub name: Option<String>,
    /// `cli`, `agent`, `workload` or `service`.
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub purpose: Option<String>,
    #[serde(default)]
    pub verified: bool,
    /// Unix milliseconds.
    #[serde(default)]
    pub expires_at: Option<i64>,
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub resource: Vec<String>,
    #[serde(default)]
    pub profile: Option<String>,
    /// Exactly one of `public`, `secret`, `jwks`.
    #[serde(default)]
    pub public: bool,
    #[serde(default)]
    pub secret: Option<String>,
    #[serde(default)]
    pub jwks: Option<Value>,
    /// `issuer` (RFC 10070, default) or `legacy`: also the token endpoint's URL.
    #[serde(default)]
    pub assertion_audience: Option<String>,
    #[serde(default)]
    pub require_dpop: bool,
    /// Unknown parameters are `invalid_request` instead of ignored (design decision G2).
    #[serde(default)]
    pub strict: bool,
    /// Seconds.
    #[serde(default)]
    pub code_lifetime: Option<i64>,
    /// `ES256` (default), `RS256` or `EdDSA`.
    #[serde(default)]
    pub signing_alg: Option<String>,
    #[serde(default)]
    pub introspect: bool,
}

/// One client as `client list|show` print it; also the answer to adding one.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the wire form of a command line: each flag is one"
)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientView {
    pub client_id: String,
    pub name: String,
    pub kind: String,
    pub environment: Option<String>,
    pub owner: Option<String>,
    pub purpose: Option<String>,
    pub verified: bool,
    pub expires_at: Option<i64>,
    pub scope: String,
    pub resource: Vec<String>,
    pub profile: Option<String>,
    /// `none`, `client_secret` or `private_key_jwt`.
    pub authentication: String,
    pub assertion_audience: Option<String>,
    pub require_dpop: bool,
    pub strict: bool,
    pub code_lifetime: Option<i64>,
    pub signing_alg: String,
    pub introspect: bool,
    pub created_at: i64,
    pub disabled_at: Option<i64>,
    /// What an administrator should know, for instance that `open` takes any stock client.
    pub warnings: Vec<String>,
}

/// `POST /local/approvers`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddApprover {
    pub name: String,
}

/// Answer to adding or relinking an approver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrollmentLink {
    pub approver: String,
    pub enrollment_link: String,
    /// Unix milliseconds.
    pub expires_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApproverView {
    pub id: String,
    pub name: String,
    pub passkeys: i64,
    pub software_keys: i64,
    pub created_at: i64,
    pub disabled_at: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestSummary {
    pub request_id: String,
    pub client_id: String,
    /// `pending`, `viewed`, `approved`, `denied`, `redeemed`, `cancelled`, or `expired` (asked of the clock).
    pub state: String,
    pub scope: String,
    pub requester_address: Option<String>,
    pub requested_at: i64,
    pub expires_at: i64,
    pub approver: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantView {
    pub grant_id: String,
    pub request_id: String,
    pub client_id: String,
    pub approver: String,
    pub scope: String,
    pub resource: Vec<String>,
    /// RFC 7638 thumbprint of the key that its tokens are bound to.
    pub jkt: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
    pub ended_because: Option<String>,
    /// With `grant show`: the signed decision and all that is needed to check it offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyView {
    pub kid: String,
    pub alg: String,
    /// `next`, `active`, `retiring`.
    pub state: String,
    pub created_at: i64,
    pub retires_at: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventView {
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    pub action: String,
    pub outcome: String,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
    pub client_id: Option<String>,
    pub approver_id: Option<String>,
    pub detail: Value,
}
