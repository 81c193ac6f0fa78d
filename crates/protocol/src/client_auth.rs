//! Credentials to an [`AuthenticatedClient`]. RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2, RFC 10070.
//! Not here: reading the credentials from a request (`server/extract/client.rs`).

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use subtle::ConstantTimeEq as _;

use crate::attestation::AttestedInstance;
use crate::client::{AssertionAudience, Authentication, Client};
use crate::client_assertion::{self, AssertionExpectation, AudienceRule, VerifiedAssertion};
use crate::client_certificate;
use crate::jwk::Jwks;
use crate::refusal::Refusal;
use crate::spiffe::VerifiedSvid;
use crate::time::Timestamp;

/// What came with the request, at most one kind of it (B02).
pub enum Presented<'a> {
    Nothing,
    /// A public client that comes with Basic and an empty password, or an empty `client_secret`.
    EmptySecret,
    /// Keyed digests of the secret in every reading it allows: RFC 6749 §2.3.1 has Basic credentials
    /// form-encoded, and half of all clients do not.
    Secret {
        macs: &'a [String],
    },
    Assertion(&'a str),
    Attestation(&'a AttestedInstance),
    Svid(&'a VerifiedSvid),
    /// The leaf first. It comes with the connection, meant or not: so only where nothing else was brought.
    Certificates(&'a [CertificateDer<'a>]),
    /// At an enrollment: the key that would authenticate is the one that is not known yet.
    KeyToBeEnrolled,
    /// With the key of the enrolled instance that it names by `kid`: found by whoever reads the request.
    InstanceAssertion {
        assertion: &'a str,
        key: &'a Jwks,
    },
}

/// The names that an assertion may call this server by.
#[derive(Clone, Copy)]
pub struct ServerNames<'a> {
    pub issuer: &'a str,
    pub token_endpoint: &'a str,
}

/// A client that has authenticated as it was registered to, or a public one that named itself.
/// Private fields: [`authenticate`] is the one maker.
pub struct AuthenticatedClient {
    client: Arc<Client>,
    assertion: Option<VerifiedAssertion>,
}

impl AuthenticatedClient {
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The assertion that must be marked as used in the batch that takes effect.
    pub fn assertion(&self) -> Option<&VerifiedAssertion> {
        self.assertion.as_ref()
    }
}

/// Every failure has one code and one sentence: an outsider learns neither which clients exist nor how
/// they authenticate.
pub fn authenticate(
    client: Arc<Client>,
    presented: &Presented<'_>,
    names: ServerNames<'_>,
    now: Timestamp,
) -> Result<AuthenticatedClient, Refusal> {
    client.must_be_active(now)?;
    let assertion = match (&client.registration.authentication, presented) {
        (Authentication::None, Presented::Nothing | Presented::EmptySecret)
        | (Authentication::Attested, Presented::Svid(_))
        | (Authentication::InstanceKey, Presented::KeyToBeEnrolled) => None,
        (Authentication::ClientSecret { mac }, Presented::Secret { macs }) if is_one_of(mac, macs) => None,
        (Authentication::PrivateKeyJwt { audience, .. }, Presented::Assertion(assertion)) => {
            let audience = match audience {
                AssertionAudience::Issuer => AudienceRule::IssuerOnly,
                AssertionAudience::Legacy => AudienceRule::Legacy {
                    token_endpoint: names.token_endpoint,
                },
            };
            let expected = AssertionExpectation {
                client_id: &client.client_id,
                jwks: &client.jwks()?,
                issuer: names.issuer,
                audience,
            };
            Some(client_assertion::verify(assertion, &expected, now)?)
        }
        (Authentication::InstanceKey, Presented::InstanceAssertion { assertion, key }) => {
            let expected = AssertionExpectation {
                client_id: &client.client_id,
                jwks: key,
                issuer: names.issuer,
                audience: AudienceRule::IssuerOnly,
            };
            Some(client_assertion::verify(assertion, &expected, now)?)
        }
        (Authentication::Attested, Presented::Attestation(attested)) if attested.client_id() == client.client_id => {
            None
        }
        (Authentication::TlsClientAuth { name, authorities }, Presented::Certificates(chain)) => {
            client_certificate::verify_named(chain, name, authorities, now)?;
            None
        }
        (Authentication::SelfSignedTlsClientAuth { certificates }, Presented::Certificates(chain)) => {
            client_certificate::verify_registered(chain, certificates, now)?;
            None
        }
        (_, Presented::Nothing | Presented::EmptySecret | Presented::KeyToBeEnrolled) => {
            return Err(Refusal::ClientAuthenticationMissing);
        }
        _ => return Err(Refusal::ClientAuthenticationFailed),
    };
    Ok(AuthenticatedClient { client, assertion })
}

fn is_one_of(mac: &str, macs: &[String]) -> bool {
    macs.iter()
        .any(|presented| mac.as_bytes().ct_eq(presented.as_bytes()).into())
}
