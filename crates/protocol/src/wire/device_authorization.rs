//! RFC 8628 §3.2.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct DeviceAuthorizationResponse {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    /// Only where the client's profile allows it (design decision G4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds. Ours is always sent; a client takes 5 when another server leaves it out (RFC 8628 §3.2).
    #[serde(default = "default_interval")]
    pub interval: i64,
    /// "To sign in, open … and enter …": what several clients in the wild print as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The parameters that were understood (design decision G2): what is missing here was ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waypass_parameters_understood: Vec<String>,
}

fn default_interval() -> i64 {
    5
}
