//! What goes over the network, for both sides: one file per endpoint. Field names are the RFCs' own.
//! Secrets in bodies are plain text here: these types live for one request and are never logged.

pub mod approver;
pub mod backchannel_authentication;
pub mod device_authorization;
pub mod enrollment;
pub mod local;
pub mod policies;
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
    /// With `authorization_pending` and `invalid_confirmation`: how often the six digits of the approver's
    /// page, sent as `confirmation`, may still be tried (RFC 10027 §6.1.16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation_tries: Option<u32>,
    /// What whoever asks can bring by itself: `enrollment` (of its key), `new_key` (and its enrollment),
    /// `binding_data`, `initiator_assertion`, `posture`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Of a fault on our side: the number under which the log has the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}
