//! RFC 6749 §5.1, RFC 7662 §2.2.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::details::Details;

#[derive(Serialize, Deserialize)]
pub struct TokenResponse {
    pub access_token: String,
    /// `Bearer` or `DPoP` (RFC 9449 §5).
    pub token_type: String,
    /// Seconds.
    pub expires_in: i64,
    /// What was granted; always sent.
    pub scope: String,
    /// What was granted (RFC 9396 §7).
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub authorization_details: Details,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// Where a command may be run again: the grant under which it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_left: Option<i64>,
}

/// RFC 7662 §2.2: the claims of the token as they stand in the JWT, and `active`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntrospectionResponse {
    pub active: bool,
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}
