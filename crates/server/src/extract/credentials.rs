//! What a client authenticates with, found in a request and judged: RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705
//! §2, client attestations and SVIDs. What counts for which client is in `protocol/client_auth.rs`.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use protocol::attestation::{self, AttestedInstance};
use protocol::client::{Authentication, Client};
use protocol::client_assertion;
use protocol::client_auth::{self, AuthenticatedClient, Presented};
use protocol::dpop::VerifiedProof;
use protocol::instance::Instance;
use protocol::jwk::Jwks;
use protocol::jwt::Unverified;
use protocol::refusal::Refusal;
use protocol::spiffe::{self, VerifiedSvid};
use rustls::pki_types::CertificateDer;
use serde_json::json;

use crate::admitting;
use crate::app::App;
use crate::extract::attestation::{ATTESTATION, attested, sole};
use crate::extract::client::Endpoint;
use crate::extract::form::Form;
use crate::failure::Failure;
use crate::peer::Certificates;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where they can stand.
pub struct Credentials<'a> {
    pub headers: &'a HeaderMap,
    pub form: &'a Form,
    pub certificates: Option<&'a Certificates>,
    /// What came of the DPoP proof: in combined mode it proves an attested key as well.
    pub proof: &'a Result<Option<VerifiedProof>, Refusal>,
    pub endpoint: Endpoint,
}

#[derive(Clone, Copy)]
enum Assertion<'a> {
    Jwt(&'a str),
    Svid(&'a str),
}

impl<'a> Credentials<'a> {
    /// B02: one way of authentication, no more. An attestation may stand beside one, as a further fact.
    pub async fn authenticated(&self, app: &App) -> Result<(AuthenticatedClient, Option<AttestedInstance>), Failure> {
        let basic = self.headers.get(AUTHORIZATION);
        let basic = basic.map(|value| basic_credentials(value.as_bytes())).transpose()?;
        let secret = self.form.get("client_secret");
        let assertion = self.assertion()?;
        let methods = [basic.is_some(), secret.is_some(), assertion.is_some()];
        if methods.into_iter().filter(|&used| used).count() > 1 {
            return Err(Refusal::TooManyMethods.into());
        }
        let of_assertion = claimed_by(app, assertion);
        let of_attestation = sole(self.headers, &ATTESTATION)?.and_then(attestation::client_id_claimed);
        let client_id = named_client([
            self.form.get("client_id"),
            basic.as_ref().map(|basic| &*basic.client_id),
            of_assertion.as_deref(),
            of_attestation.as_deref(),
        ])?;
        let found = app.clients.client(&app.store, client_id, app.now()).await?;
        let attested = attested(app, client_id, self.headers, self.proof)?;
        let client = found.ok_or(Refusal::ClientUnknown)?;
        let secrets: Vec<&str> = match (&basic, secret) {
            (Some(basic), _) => basic.secrets.iter().map(String::as_str).collect(),
            (None, Some(secret)) => vec![secret],
            (None, None) => Vec::new(),
        };
        let macs = secrets
            .iter()
            .map(|secret| app.derived.client_secret_mac(client_id, secret));
        let macs: Vec<String> = macs.collect();
        let instance_key = self.instance_key(app, &client, assertion).await?;
        let svid = self.svid(app, &client, assertion)?;
        let by_certificate = client.registration.authentication.is_by_certificate();
        let presented = match assertion {
            Some(Assertion::Jwt(assertion)) => match &instance_key {
                Some((key, _)) => Presented::InstanceAssertion { assertion, key },
                None => Presented::Assertion(assertion),
            },
            _ if secrets.iter().any(|secret| !secret.is_empty()) => Presented::Secret { macs: &macs },
            _ => match (&svid, &attested) {
                (Some(svid), _) => Presented::Svid(svid),
                (None, Some(attested)) if is_attested(&client) => Presented::Attestation(attested),
                _ if secrets.is_empty() && self.endpoint.enrolls(&client) => Presented::KeyToBeEnrolled,
                _ if secrets.is_empty() && by_certificate => {
                    self.shown().map_or(Presented::Nothing, Presented::Certificates)
                }
                _ if secrets.is_empty() => Presented::Nothing,
                _ => Presented::EmptySecret,
            },
        };
        let authenticated = client_auth::authenticate(client.clone(), &presented, app.names(), app.now())?;
        // Told to nobody who does not hold its key.
        if let Some((_, instance)) = &instance_key {
            instance.must_be_active(app.now())?;
        }
        Ok((authenticated, attested))
    }

    fn assertion(&self) -> Result<Option<Assertion<'a>>, Refusal> {
        let Some(assertion) = self.form.get("client_assertion") else {
            return Ok(None);
        };
        match self.form.get("client_assertion_type") {
            Some(ASSERTION_TYPE) => Ok(Some(Assertion::Jwt(assertion))),
            Some(spiffe::ASSERTION_TYPE) => Ok(Some(Assertion::Svid(assertion))),
            _ => Err(Refusal::ClientAuthenticationFailed),
        }
    }

    fn shown(&self) -> Option<&'a [CertificateDer<'static>]> {
        self.certificates.map(|shown| &*shown.0)
    }

    /// C30: an SVID counts for a client that is registered so. A certificate counts where nothing else was
    /// brought: it comes with the connection, meant or not.
    fn svid(
        &self,
        app: &App,
        client: &Client,
        assertion: Option<Assertion<'_>>,
    ) -> Result<Option<VerifiedSvid>, Refusal> {
        let client_id = &client.client_id;
        match assertion {
            Some(Assertion::Svid(token)) => match admitting::by_jwt_svid(app, client_id, token) {
                Some((_, svid)) => Ok(Some(svid)),
                None => Err(Refusal::ClientAuthenticationFailed),
            },
            None if is_attested(client) && !self.headers.contains_key(ATTESTATION) => {
                let shown = self.certificates;
                let found = shown.and_then(|shown| admitting::by_certificates(app, client_id, shown));
                Ok(found.map(|(_, svid)| svid))
            }
            _ => Ok(None),
        }
    }

    async fn instance_key(
        &self,
        app: &App,
        client: &Client,
        assertion: Option<Assertion<'_>>,
    ) -> Result<Option<(Jwks, Instance)>, Failure> {
        match (assertion, &client.registration.authentication) {
            (Some(Assertion::Jwt(assertion)), Authentication::InstanceKey) => {
                Box::pin(instance_key(app, &client.client_id, assertion))
                    .await
                    .map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn is_attested(client: &Client) -> bool {
    matches!(client.registration.authentication, Authentication::Attested)
}

/// Whom an assertion says it is from.
fn claimed_by(app: &App, assertion: Option<Assertion<'_>>) -> Option<String> {
    match assertion? {
        Assertion::Jwt(token) => client_assertion::client_id_claimed(token),
        Assertion::Svid(token) => app.clients.client_of_workload(&spiffe::subject_claimed(token)?),
    }
}

/// The key of an instance of this client, which the assertion names by its thumbprint.
async fn instance_key(app: &App, client_id: &str, assertion: &str) -> Result<(Jwks, Instance), Failure> {
    let failed = Refusal::ClientAuthenticationFailed;
    let unverified = Unverified::parse(assertion).map_err(|_| failed)?;
    let kid = unverified.header().kid.as_deref().ok_or(failed)?;
    let instance = app.store.instance_by_key(kid, app.now()).await?.ok_or(failed)?;
    if instance.client_id != client_id {
        return Err(failed.into());
    }
    let keys = app.store.instance_keys(&instance.id).await?;
    let key = keys.into_iter().find(|key| key.thumbprint == kid).ok_or(failed)?;
    let mut jwk = key.public_key;
    if let Some(members) = jwk.as_object_mut() {
        members.insert("kid".to_owned(), kid.into());
    }
    let jwks = Jwks::parse(&json!({ "keys": [jwk] })).map_err(|_| failed)?;
    Ok((jwks, instance))
}

/// All names that were given are one name.
fn named_client(names: [Option<&str>; 4]) -> Result<&str, Refusal> {
    let mut names = names.into_iter().flatten();
    let first = names.next().ok_or(Refusal::ParameterMissing("client_id"))?;
    if names.all(|name| name == first) {
        Ok(first)
    } else {
        Err(Refusal::ClientAuthenticationFailed)
    }
}

/// RFC 6749 §2.3.1. The secret as sent and form-decoded: clients do either.
struct Basic {
    client_id: String,
    secrets: Vec<String>,
}

fn basic_credentials(header: &[u8]) -> Result<Basic, Refusal> {
    let malformed = Refusal::ClientAuthenticationFailed;
    let text = std::str::from_utf8(header).map_err(|_| malformed)?;
    let (scheme, encoded) = text.split_once(' ').ok_or(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed);
    }
    let decoded =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded.trim()).map_err(|_| malformed)?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed)?;
    let (client_id, secret) = decoded.split_once(':').ok_or(malformed)?;
    let mut secrets = vec![secret.to_owned(), form_decoded(secret)];
    secrets.dedup();
    Ok(Basic {
        client_id: form_decoded(client_id),
        secrets,
    })
}

fn form_decoded(text: &str) -> String {
    // A lone value with no `=` or `&` in it decodes as the name of one pair.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes())
        .map(|(name, _)| name.into_owned())
        .next()
        .unwrap_or_default()
}
