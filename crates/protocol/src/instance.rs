//! One running copy of a client on one device, known by the thumbprint of its key and answered for by an
//! owner. Nothing here is ever reused: an instance that was removed keeps its identifier and its keys.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::fact::{Fact, Source};
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// Begins every instance's identifier, so that none is taken for a client's or a person's.
pub const ID_PREFIX: &str = "instance_";

/// How long one may live: every instance ends, and whoever still needs it enrolls again.
pub const LIFETIME: RangeInclusive<Lifetime> = Lifetime::from_seconds(60)..=Lifetime::from_seconds(400 * 86_400);
/// Where nothing was said.
pub const DEFAULT_LIFETIME: Lifetime = Lifetime::from_seconds(90 * 86_400);
/// How long a key serves that another has replaced.
pub const KEY_OVERLAP: Lifetime = Lifetime::from_seconds(600);

/// How an instance became known. It never changes, and every one but `Ceremony` needs no person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WayIn {
    /// An administrator registered its key.
    Preregistered,
    /// A client attestation by a configured attester.
    Attested { admission: String, attester: String },
    /// A platform's own token: Kubernetes, GitHub Actions, GitLab CI, any configured issuer.
    WorkloadToken {
        admission: String,
        issuer: String,
        subject: String,
    },
    /// A JWT-SVID or X.509-SVID of a configured trust domain.
    Svid { admission: String, spiffe_id: String },
    /// A person, with a passkey, and what proved that the device was theirs.
    Ceremony { request: String, evidence: Vec<String> },
}

impl WayIn {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Preregistered => "preregistered",
            Self::Attested { .. } => "attested",
            Self::WorkloadToken { .. } => "workload_token",
            Self::Svid { .. } => "svid",
            Self::Ceremony { .. } => "ceremony",
        }
    }
}

/// What is known of an instance beside who answers for it. Stored as one JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    pub environment: Option<String>,
    pub way_in: WayIn,
    /// About its device, each with its source: where the key is kept, host, system.
    pub facts: Vec<Fact>,
}

impl About {
    /// An administrator or the owner gave the name, or saw it at the ceremony; else the program did, alone.
    pub fn name_source(&self) -> Source {
        match self.way_in {
            WayIn::Preregistered | WayIn::Ceremony { .. } => Source::Proven,
            WayIn::Attested { .. } | WayIn::WorkloadToken { .. } | WayIn::Svid { .. } => Source::Claimed,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    pub client_id: String,
    /// The approver who answers for it.
    pub owner: String,
    pub about: About,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_seen_at: Option<Timestamp>,
    pub suspended_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
    pub version: i64,
}

impl Instance {
    /// Asked at every step, as of a client and an approver.
    pub fn must_be_active(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.removed_at.is_some() {
            return Err(Refusal::InstanceUnknown);
        }
        if self.suspended_at.is_some() {
            return Err(Refusal::InstanceSuspended);
        }
        if now >= self.expires_at {
            return Err(Refusal::InstanceExpired);
        }
        Ok(())
    }

    /// `active`, `suspended`, `expired` or `removed`.
    pub fn standing(&self, now: Timestamp) -> &'static str {
        match self.must_be_active(now) {
            Ok(()) => "active",
            Err(Refusal::InstanceSuspended) => "suspended",
            Err(Refusal::InstanceExpired) => "expired",
            Err(_) => "removed",
        }
    }
}

/// An instance's name, or its environment, is a short text that a person gave; what it may not be is empty or a
/// page long.
pub fn is_name(text: &str) -> bool {
    const LONGEST: usize = 80;
    !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}
