//! Policies over the local socket: what is in force, what decided, what another set would have decided.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The set in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicySetView {
    /// None on a server without policies.
    pub folder: Option<String>,
    /// Digest of its files.
    pub version: String,
    pub policies: Vec<PolicyView>,
    /// The steps where nothing goes without a permit that matches.
    pub closed: Vec<String>,
    /// Why the files as they are now do not load, where the last try to load them failed.
    pub mistakes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyView {
    pub id: String,
    /// `enforce` or `report`.
    pub mode: String,
    /// `permit` or `forbid`.
    pub effect: String,
    pub description: Option<String>,
    /// File and line.
    pub place: String,
    pub steps: Vec<String>,
}

/// One recorded decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecidedStep {
    pub event_id: String,
    /// Unix milliseconds.
    pub at: i64,
    pub action: String,
    pub request_id: Option<String>,
    pub client_id: Option<String>,
    pub step: String,
    pub decision: String,
    pub ids: Vec<String>,
    pub reported: Vec<String>,
    /// Of the set that decided; None where there were no policies.
    pub version: Option<String>,
}

/// `GET /local/policies/explain/{request_id}`: a step with what it was decided on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExplainedStep {
    #[serde(flatten)]
    pub decided: DecidedStep,
    /// The deciding policies as they are now, where the set that decided is still in force.
    pub policies: Vec<PolicyView>,
    pub input: Value,
}

/// `POST /local/policies/replay`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub days: u32,
    /// Another set than the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<PolicyFile>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    pub name: String,
    pub text: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Replayed {
    /// Of the set that was asked.
    pub version: String,
    /// How many recorded decisions were made again, and how many could not be: their input was too long to keep.
    pub decided: u64,
    pub not_decided: u64,
    /// How many would have come out otherwise. The oldest of them are told.
    pub changed: u64,
    pub changes: Vec<Change>,
}

/// What was decided, and what would have been.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    #[serde(flatten)]
    pub was: DecidedStep,
    pub would_be: String,
    pub would_be_ids: Vec<String>,
}
