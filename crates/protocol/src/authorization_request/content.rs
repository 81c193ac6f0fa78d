//! What is asked for, and who is to decide it. Fixed when the request is made: its digest is what approvers sign
//! over.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::poller::{Binding, CodeKind};
use crate::details::Details;
use crate::digest::{Digest, NotCanonical, canonical_json};
use crate::fact::{Fact, Source};
use crate::profile::Profile;
use crate::time::{Lifetime, Timestamp};

/// A request's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub id: String,
    pub client_id: String,
    /// What comes of it.
    #[serde(default)]
    pub purpose: Purpose,
    /// The profile that governs the request, and which text of it.
    pub profile: String,
    #[serde(default)]
    pub profile_version: String,
    /// Space-separated, sorted.
    pub scope: String,
    pub resource: Vec<String>,
    /// RFC 9396.
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub authorization_details: Details,
    /// How strongly the approver has to be authenticated: one of these, where there are any (RFC 9470 §4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// How long ago that may have been when a token is issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Lifetime>,
    /// Thumbprint of the key that the code is bound to (P21).
    pub jkt: Option<String>,
    /// Thumbprint of the certificate that it is bound to as well (RFC 8705 §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    /// To whom it goes by itself, where no user code leads to it (CIBA §7.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Shown on both sides, so that a person can tell one request from another (CIBA §7.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_message: Option<String>,
    /// The enrolled instance whose key that is, and who answered for it when it asked.
    #[serde(default)]
    pub instance: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    /// The approver who authenticated at the consumption device (X15).
    #[serde(default)]
    pub initiator: Option<String>,
    /// Keyed digest of what was typed there, to be typed at the approval again (X17).
    #[serde(default)]
    pub binding: Option<String>,
    pub facts: Vec<Fact>,
    pub requested_at: Timestamp,
    pub expires_at: Timestamp,
    pub grant_expires_at: Timestamp,
}

/// Whose inbox a request stands in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The owner's, of the instance that asks.
    Owner,
    /// Another approver's, by id.
    Approver(String),
    /// That of every member, by the group's name.
    Group(String),
    /// Nobody's: whom the hint names is not known, or not to be asked by this client. Whoever asks cannot
    /// tell (I04).
    Nobody,
}

/// An unknown key may ask for one thing only: to be enrolled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Purpose {
    #[default]
    Access,
    Enrollment(Enrollment),
}

/// The instance that would come of it. Its owner would be who approves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    pub name: String,
    pub environment: Option<String>,
    /// When the instance would end.
    pub expires_at: Timestamp,
    /// Its public key, a JWK.
    pub key: Value,
}

impl Purpose {
    pub fn is_enrollment(&self) -> bool {
        matches!(self, Self::Enrollment(_))
    }
}

impl Content {
    /// SHA-256 of the canonical JSON.
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        let value = json!({ "type": "waypass-request/1", "content": self });
        Ok(Digest::of(canonical_json(&value)?.as_bytes()))
    }

    /// What was asked under another profile, or another text of it, is void.
    pub fn is_under(&self, profile: &Profile) -> bool {
        self.profile == profile.name && self.profile_version == profile.version.as_str()
    }

    pub fn binding(&self) -> Binding<'_> {
        Binding {
            client_id: &self.client_id,
            jkt: self.jkt.as_deref(),
            x5t: self.x5t.as_deref(),
            kind: self.code_kind(),
        }
    }

    pub fn code_kind(&self) -> CodeKind {
        match (&self.purpose, &self.route) {
            (Purpose::Enrollment(_), _) => CodeKind::Enrollment,
            (Purpose::Access, Some(_)) => CodeKind::Backchannel,
            (Purpose::Access, None) => CodeKind::Device,
        }
    }

    /// Where the request came from, if that is known: nothing that anybody claims.
    pub fn requester_address(&self) -> Option<IpAddr> {
        let fact = self.fact(Fact::REQUESTER_ADDRESS)?;
        let is_known = fact.source == Source::Proven;
        is_known.then(|| fact.value.parse().ok()).flatten()
    }

    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.name == name)
    }
}
