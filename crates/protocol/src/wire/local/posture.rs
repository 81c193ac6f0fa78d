//! Profiles, and what holds for whom: what `profile` and `posture` print, and a baseline scanner reads.

use serde::{Deserialize, Serialize};

use crate::wire::policies::PolicySetView;

/// `GET /local/profiles`, and with its text `GET /local/profiles/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileView {
    pub name: String,
    /// Digest of everything that it says.
    pub version: String,
    pub purpose: String,
    pub warning: Option<String>,
    /// RFC 10027 §2: what is feared, and what is left of it.
    pub risk: String,
    pub residual: String,
    pub mitigations: Vec<MitigationView>,
    pub clients: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MitigationView {
    /// `X01` for RFC 10027 §6.1.1, and so on.
    pub id: String,
    pub how: String,
}

/// `GET /local/posture`: what a baseline scanner reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostureView {
    pub issuer: String,
    /// Unix milliseconds.
    pub at: i64,
    /// The statement on RFC 10027 §2 and §5, by ids X20 to X25.
    pub statement: Vec<MitigationView>,
    pub clients: Vec<ClientPosture>,
    pub profiles: Vec<ProfileView>,
    /// What is in force, and why its files as they are now do not load, if they do not.
    pub policies: PolicySetView,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientPosture {
    pub client_id: String,
    pub name: String,
    pub profile: Option<String>,
    /// `allowed`, `report` (unused: it goes off next) or `blocked`.
    pub device_grant: String,
    /// Why it is blocked or reported: `no_profile`, `unknown_profile`, `not_given`, `unused`, `disabled`, `expired`.
    pub because: Option<String>,
    /// Unix milliseconds.
    pub since: Option<i64>,
    /// Unix milliseconds: when a token was last issued by it.
    pub last_used_at: Option<i64>,
    /// The same of the permission to ask nobody (RFC 6749 §4.4); None where nobody gave it.
    #[serde(default)]
    pub client_credentials: Option<PermissionPosture>,
    pub instances: InstanceCounts,
    pub mitigations: Vec<MitigationView>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionPosture {
    /// `allowed`, `report` or `blocked`.
    pub standing: String,
    pub because: Option<String>,
    pub since: Option<i64>,
    pub last_used_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceCounts {
    pub active: i64,
    pub suspended: i64,
    pub expired: i64,
    /// Their owner is disabled: nobody answers for them.
    pub orphaned: i64,
}
