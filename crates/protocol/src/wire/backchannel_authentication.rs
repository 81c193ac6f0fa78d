//! OpenID CIBA Core §7.3.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct BackchannelAuthenticationResponse {
    /// A secret: whoever has it, and the key, gets the token.
    pub auth_req_id: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds; 5 where another server leaves it out.
    #[serde(default = "default_interval")]
    pub interval: i64,
    /// The parameters that were understood (design decision G2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waypass_parameters_understood: Vec<String>,
}

fn default_interval() -> i64 {
    5
}
