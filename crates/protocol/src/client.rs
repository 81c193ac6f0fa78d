//! A registered client: the software, what it may ask for at most, and how it proves itself.
//! RFC 6749 §2. Not here: one running copy of it on one device.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jwk::{Algorithm, Jwks};
use crate::profile::Profile;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::time::{Lifetime, Timestamp};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Cli,
    Agent,
    Workload,
    Service,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Cli, Self::Agent, Self::Workload, Self::Service];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Agent => "agent",
            Self::Workload => "workload",
            Self::Service => "service",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What an assertion's `aud` may be. RFC 10070 leaves the issuer alone; `Legacy` also takes the token
/// endpoint's URL, which another server could have asked the client to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    Issuer,
    Legacy,
}

/// How the client authenticates, as registered. RFC 6749 §2.3, RFC 7523 §2.2.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Authentication {
    /// A public client: it sends its `client_id` and proves nothing by it.
    None,
    /// `client_secret_basic` and `client_secret_post`. The keyed digest of the secret.
    ClientSecret {
        mac: String,
    },
    PrivateKeyJwt {
        jwks: Value,
        audience: AssertionAudience,
    },
}

/// What an administrator registers. Stored as one JSON text, so that a new member touches this file only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of one registration")]
pub struct Registration {
    pub name: String,
    pub kind: Kind,
    pub environment: Option<String>,
    /// Who answers for the client.
    pub owner: Option<String>,
    pub purpose: Option<String>,
    /// An administrator vouches for it; else the page says that nobody does.
    pub verified: bool,
    pub expires_at: Option<Timestamp>,
    /// The ceiling.
    pub scope: String,
    /// The ceiling; empty means the issuer.
    pub resource: Vec<String>,
    pub profile: Option<String>,
    pub authentication: Authentication,
    /// RFC 9449 §5.2 `dpop_bound_access_tokens` (P07).
    pub require_dpop: bool,
    /// Unknown parameters are refused (design decision G2).
    pub strict: bool,
    pub code_lifetime: Option<Lifetime>,
    pub signing_alg: Algorithm,
    /// May introspect the tokens that name one of its resources.
    pub introspect: bool,
}

#[derive(Clone, Debug)]
pub struct Client {
    pub client_id: String,
    pub registration: Registration,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    pub version: i64,
}

impl Client {
    /// Asked at every step, not only at the first (Keycloak CVE-2026-88770).
    pub fn must_be_active(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.disabled_at.is_some() {
            return Err(Refusal::ClientDisabled);
        }
        match self.registration.expires_at {
            Some(expires_at) if now >= expires_at => Err(Refusal::ClientExpired),
            _ => Ok(()),
        }
    }

    /// The device grant is off until a client is given it.
    pub fn profile(&self) -> Result<&'static Profile, Refusal> {
        self.registration
            .profile
            .as_deref()
            .and_then(Profile::named)
            .ok_or(Refusal::DeviceGrantNotAllowed)
    }

    pub fn scope_ceiling(&self) -> Result<Scope, Refusal> {
        Scope::parse(&self.registration.scope)
    }

    /// What a request asks for: within the ceiling. Without `scope` it is the ceiling, except
    /// `offline_access`: whoever wants to stay must say so.
    pub fn requested_scope(&self, asked: Option<&str>) -> Result<Scope, Refusal> {
        let ceiling = self.scope_ceiling()?;
        match asked {
            Some(_) => ceiling.narrowed(asked),
            None => Ok(ceiling.without("offline_access")),
        }
    }

    pub fn is_public(&self) -> bool {
        matches!(self.registration.authentication, Authentication::None)
    }

    pub fn jwks(&self) -> Result<Jwks, Refusal> {
        match &self.registration.authentication {
            Authentication::PrivateKeyJwt { jwks, .. } => {
                Jwks::parse(jwks).map_err(|_| Refusal::ClientAuthenticationFailed)
            }
            _ => Err(Refusal::ClientAuthenticationFailed),
        }
    }
}

/// Names that could be taken for a person's `sub` (S07), for a URL-shaped identifier (C16), or that
/// would not survive a form or a log line, are not given to clients.
pub fn is_client_id(text: &str) -> bool {
    const LONGEST: usize = 64;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty()
        && text.len() <= LONGEST
        && text.bytes().all(is_plain)
        && !text.starts_with(crate::approver::ID_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_a_client_id_is_never_a_persons_subject() {
        assert!(is_client_id("cli"));
        for text in [
            "",
            "approver_0193",
            "https://client.example",
            "a b",
            "é",
            "a:b",
            &"a".repeat(65),
        ] {
            assert!(!is_client_id(text), "{text:?}");
        }
    }
}
