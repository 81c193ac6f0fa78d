//! What goes over the network, for both sides: one file per endpoint. Field names are the RFCs' own.
//! Secrets in bodies are plain text here: these types live for one request and are never logged.

pub mod approver;
pub mod device_authorization;
pub mod local;
pub mod token;

use serde::{Deserialize, Serialize};

/// RFC 6749 §5.2, for every endpoint of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// With `slow_down`: the interval in seconds that holds from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Of a fault on our side: the number under which the log has the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}
