//! A registered client: the software, what it may ask for at most, and how it proves itself.
//! RFC 6749 §2. Not here: one running copy of it on one device.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client_certificate::{self, ExpectedName};
use crate::details::{Details, Types};
use crate::grant::Origin;
use crate::jwk::{Algorithm, Jwks};
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
    /// `attest_jwt_client_auth`, `attest_jwt_client_auth_dpop`, or an SVID: by what its admissions take.
    Attested,
    /// `private_key_jwt` with the key of an enrolled instance, whose thumbprint is the `kid`.
    InstanceKey,
    /// A certificate with this name, by one of these authorities (RFC 8705 §2.1). Each as `x5c` has it.
    TlsClientAuth {
        name: ExpectedName,
        authorities: Vec<String>,
    },
    /// One of these certificates (RFC 8705 §2.2).
    SelfSignedTlsClientAuth {
        certificates: Vec<String>,
    },
}

impl Authentication {
    /// Whether it stands in the TLS handshake.
    pub fn is_by_certificate(&self) -> bool {
        matches!(self, Self::TlsClientAuth { .. } | Self::SelfSignedTlsClientAuth { .. })
    }

    /// Whose certificate that is, for administrators.
    pub fn certificate(&self) -> Option<String> {
        match self {
            Self::TlsClientAuth { name, .. } => Some(name.to_string()),
            Self::SelfSignedTlsClientAuth { certificates } => {
                Some(client_certificate::thumbprints(certificates).join(" "))
            }
            _ => None,
        }
    }

    /// The same client with other certificates, or with other authorities of them. None: it has none.
    pub fn with_certificates(&self, x5c: &[String]) -> Option<Self> {
        match self {
            Self::TlsClientAuth { name, .. } => Some(Self::TlsClientAuth {
                name: name.clone(),
                authorities: x5c.to_vec(),
            }),
            Self::SelfSignedTlsClientAuth { .. } => Some(Self::SelfSignedTlsClientAuth {
                certificates: x5c.to_vec(),
            }),
            _ => None,
        }
    }
}

/// How a client may come to a grant. Each is a permission of its own, and one that nobody uses goes, by steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Permission {
    /// Nobody gave it.
    Withheld,
    On,
    /// Unused for long: still there, and reported.
    Report {
        since: Timestamp,
    },
    /// Until an administrator gives it again.
    Off {
        since: Timestamp,
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
    /// The ceiling; empty means none may be asked for.
    #[serde(default)]
    pub authorization_details: Details,
    pub profile: Option<String>,
    pub authentication: Authentication,
    /// RFC 9449 §5.2 `dpop_bound_access_tokens` (P07).
    pub require_dpop: bool,
    /// RFC 8705 §3.4 `tls_client_certificate_bound_access_tokens` (P32).
    #[serde(default)]
    pub certificate_bound: bool,
    /// Unknown parameters are refused (design decision G2).
    pub strict: bool,
    pub code_lifetime: Option<Lifetime>,
    pub signing_alg: Algorithm,
    /// May introspect the tokens that name one of its resources.
    pub introspect: bool,
    /// May report codes that were seen in messages (RFC 10027 §6.1.5).
    #[serde(default)]
    pub report_codes: bool,
    /// To ask people, under its profile.
    #[serde(default = "on")]
    pub device_grant: Permission,
    /// To ask nobody, under its profile (RFC 6749 §4.4).
    #[serde(default = "withheld")]
    pub client_credentials: Permission,
    /// When an administrator gave profile or permissions, where that was not with the registration.
    #[serde(default)]
    pub profile_given_at: Option<Timestamp>,
}

/// After how long a permission that nobody uses is reported, and after how long it goes. None is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusedLimits {
    pub report_after: Option<Lifetime>,
    pub off_after: Option<Lifetime>,
}

/// Of a registration that is older than the member.
fn on() -> Permission {
    Permission::On
}

fn withheld() -> Permission {
    Permission::Withheld
}

impl Registration {
    pub fn permission(&self, origin: Origin) -> Permission {
        match origin {
            Origin::DeviceCode => self.device_grant,
            Origin::ClientCredentials => self.client_credentials,
        }
    }

    pub fn permission_mut(&mut self, origin: Origin) -> &mut Permission {
        match origin {
            Origin::DeviceCode => &mut self.device_grant,
            Origin::ClientCredentials => &mut self.client_credentials,
        }
    }
}

impl Permission {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Withheld => "withheld",
            Self::On => "on",
            Self::Report { .. } => "report",
            Self::Off { .. } => "off",
        }
    }

    /// Since when it is not on.
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Withheld | Self::On => None,
            Self::Report { since } | Self::Off { since } => Some(since),
        }
    }

    /// What it becomes when it was last used, or given, at `used_at`. Using it brings it back from the
    /// report; only an administrator brings it back from off.
    pub fn reviewed(self, used_at: Timestamp, limits: UnusedLimits, now: Timestamp) -> Self {
        let idle = now - used_at;
        let is_past = |limit: Option<Lifetime>| limit.is_some_and(|limit| idle >= limit);
        match self {
            Self::Withheld | Self::Off { .. } => self,
            // One step at a time: nothing goes off that was not reported before.
            Self::Report { .. } if is_past(limits.off_after) => Self::Off { since: now },
            Self::Report { .. } if is_past(limits.report_after) => self,
            Self::On if is_past(limits.report_after) => Self::Report { since: now },
            Self::On | Self::Report { .. } => Self::On,
        }
    }
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

    /// The parameter `authorization_details` of a request: within the ceiling.
    pub fn requested_details(&self, types: &Types, asked: Option<&str>) -> Result<Details, Refusal> {
        let Some(asked) = asked else {
            return Ok(Details::default());
        };
        let asked = types.read(asked)?;
        if types.is_within_ceiling(&asked, &self.registration.authorization_details) {
            Ok(asked)
        } else {
            Err(Refusal::DetailsNotAllowed)
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
