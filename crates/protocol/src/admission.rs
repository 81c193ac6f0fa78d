//! An admission: an administrator's word that whoever brings certain evidence is an instance of one client,
//! without a person asked each time. It names its owner and its end beforehand. Not here: checking the
//! evidence ([`crate::attestation`], [`crate::workload_token`], [`crate::spiffe`]).

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::jwk::{Flaw, Jwks};
use crate::spiffe::{SpiffeId, TrustBundle};
use crate::time::Lifetime;

/// Whose word is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// A client attestation by this attester.
    Attester { name: String, jwks: Jwks },
    /// A token of this OpenID issuer for exactly this audience and subject.
    Oidc {
        issuer: String,
        audience: String,
        subject: String,
        /// Where the issuer cannot be asked for its keys, as that of a cluster often cannot.
        jwks: Option<Jwks>,
    },
    /// An SVID of exactly this workload by its own trust domain's keys.
    Spiffe { subject: SpiffeId, bundle: TrustBundle },
}

impl Evidence {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Attester { .. } => "attester",
            Self::Oidc { .. } => "oidc",
            Self::Spiffe { .. } => "spiffe",
        }
    }
}

/// What an administrator decides. Stored as one JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub evidence: Evidence,
    /// Id of the approver who answers for the instances.
    pub owner: String,
    pub environment: Option<String>,
    /// How long an instance that came in so lasts.
    pub lifetime: Lifetime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub id: String,
    pub client_id: String,
    pub terms: Terms,
}

impl Terms {
    pub const SHORTEST: Lifetime = Lifetime::from_seconds(60);
    pub const LONGEST: Lifetime = Lifetime::from_seconds(366 * 24 * 3600);
    const LONGEST_TEXT: usize = 512;

    /// Every mistake, so that an administrator corrects them in one go.
    pub fn mistakes(&self) -> Vec<Flaw> {
        let mut mistakes = match &self.evidence {
            Evidence::Attester { name, .. } => vec![named(name, "the attester's name is empty or too long")],
            Evidence::Oidc {
                issuer,
                audience,
                subject,
                ..
            } => vec![
                check(
                    is_issuer(issuer),
                    "an issuer is an https URL without query and fragment, or http on loopback",
                ),
                named(audience, "the audience is empty or too long"),
                named(subject, "the subject is empty or too long"),
                // NHI6: `repo:org/*` would admit whatever the organisation ever runs, pull requests included.
                check(
                    !has_wildcard(subject),
                    "the subject has a wildcard: admit each subject by its whole name",
                ),
                check(!has_wildcard(audience), "the audience has a wildcard"),
            ],
            // The types hold what is to be held.
            Evidence::Spiffe { .. } => Vec::new(),
        };
        mistakes.push(check(
            (Self::SHORTEST..=Self::LONGEST).contains(&self.lifetime),
            "an instance lives one minute to 366 days",
        ));
        let environment = self.environment.as_deref().unwrap_or("none");
        mistakes.push(named(environment, "the environment is empty or too long"));
        mistakes.into_iter().flatten().collect()
    }
}

fn check(holds: bool, mistake: &'static str) -> Option<Flaw> {
    (!holds).then_some(Flaw(mistake))
}

fn named(text: &str, mistake: &'static str) -> Option<Flaw> {
    check(!text.trim().is_empty() && text.len() <= Terms::LONGEST_TEXT, mistake)
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Compared letter by letter with `iss` later, so it must be one that an issuer can have.
fn is_issuer(text: &str) -> bool {
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none();
    let is_bare = !has_wildcard(text) && !text.contains('#');
    is_bare && Url::parse(text).is_ok_and(|url| is_secure(&url) && is_plain(&url))
}

/// Where keys may come from: over TLS, or from this machine.
pub fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
