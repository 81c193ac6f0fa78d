//! A client's request: form, credentials, proof, address; each read and checked once, in this order, for
//! every endpoint that clients call. RFC 6749 §2.3, RFC 7523 §2.2, RFC 9449 §4.3.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};
use protocol::authorization_request::Poller;
use protocol::client::Client;
use protocol::client_assertion;
use protocol::client_auth::{self, AuthenticatedClient, Presented};
use protocol::dpop::{NonceKey, NonceRule, ProofExpectation, VerifiedProof};
use protocol::refusal::Refusal;
use store::Batch;

use crate::app::App;
use crate::extract::form::Form;
use crate::extract::proof::{self, DPOP};
use crate::failure::Failure;
use crate::peer::{self, Peer, SeenAddress};

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An endpoint that clients call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    DeviceAuthorization,
    Token,
    Revocation,
    Introspection,
}

impl Endpoint {
    pub fn path(self) -> &'static str {
        match self {
            Self::DeviceAuthorization => "/device_authorization",
            Self::Token => "/token",
            Self::Revocation => "/revoke",
            Self::Introspection => "/introspect",
        }
    }

    /// B14: who asks about tokens has to say who it is; elsewhere a missing `client_id` is a missing
    /// parameter (D02).
    fn told(self, failure: Failure) -> Failure {
        match failure {
            Failure::Refusal(Refusal::ParameterMissing(_)) if self == Self::Introspection => {
                Refusal::ClientAuthenticationMissing.into()
            }
            other => other,
        }
    }

    /// The first contact has no nonce to use yet (design decision G3).
    fn nonce_rule(self, nonces: &NonceKey) -> NonceRule<'_> {
        match self {
            Self::Token => NonceRule::Required(nonces),
            _ => NonceRule::Optional(nonces),
        }
    }
}

pub struct ClientRequest {
    pub form: Form,
    pub authenticated: AuthenticatedClient,
    pub proof: Option<VerifiedProof>,
    pub address: SeenAddress,
    /// As sent: a claim.
    pub user_agent: Option<String>,
}

impl ClientRequest {
    pub async fn read(app: &App, request: Request, endpoint: Endpoint) -> Result<Self, Failure> {
        let address = seen_address(app, request.headers(), request.extensions());
        app.limits.check(address.counted, app.now())?;
        let (headers, form) = Form::read(request).await?;
        let authenticated = authenticated(app, &headers, &form)
            .await
            .map_err(|failure| endpoint.told(failure))?;
        let proof = verified_proof(app, &headers, endpoint)?;
        let asked = Self {
            form,
            authenticated,
            proof,
            address,
            user_agent: user_agent(&headers),
        };
        asked.must_be_first(app)?;
        Ok(asked)
    }

    pub fn client(&self) -> &Client {
        self.authenticated.client()
    }

    /// Thumbprint of the proof's key.
    pub fn jkt(&self) -> Option<&str> {
        self.proof.as_ref().map(VerifiedProof::thumbprint)
    }

    pub fn poller(&self) -> Poller<'_> {
        Poller {
            client_id: &self.client().client_id,
            jkt: self.jkt(),
        }
    }

    /// P07: a client registered so gets no token without a proof.
    pub fn must_prove_where_registered(&self) -> Result<(), Refusal> {
        if self.client().registration.require_dpop && self.proof.is_none() {
            return Err(Refusal::DpopProofMissing);
        }
        Ok(())
    }

    /// Proof and assertion take effect once: part of the batch of what they bring about.
    pub fn used_up(&self) -> Batch {
        let mut batch = Batch::default();
        if let Some(proof) = &self.proof {
            batch = batch.then(proof::used_up(proof));
        }
        if let Some(assertion) = self.authenticated.assertion() {
            batch = batch.use_once(
                assertion.jti_digest(),
                assertion.expires_at(),
                Refusal::AssertionReplayed,
            );
        }
        batch
    }

    /// The same, on this node only, for answers that write nothing.
    fn must_be_first(&self, app: &App) -> Result<(), Refusal> {
        let now = app.now();
        if let Some(proof) = &self.proof
            && !app.seen.is_first(proof.jti_digest(), proof.replayable_until(), now)
        {
            return Err(Refusal::DpopProofReplayed);
        }
        match self.authenticated.assertion() {
            Some(assertion) if !app.seen.is_first(assertion.jti_digest(), assertion.expires_at(), now) => {
                Err(Refusal::AssertionReplayed)
            }
            _ => Ok(()),
        }
    }
}

/// Where the request comes from, as far as that can be known.
pub fn seen_address(app: &App, headers: &HeaderMap, extensions: &Extensions) -> SeenAddress {
    let peer = extensions
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    peer::seen(peer, headers, &app.config.trusted_proxies)
}

pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    headers
        .get(http::header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// B02: one way of authentication, no more.
async fn authenticated(app: &App, headers: &HeaderMap, form: &Form) -> Result<AuthenticatedClient, Failure> {
    let basic = headers
        .get(AUTHORIZATION)
        .map(|value| basic(value.as_bytes()))
        .transpose()?;
    let secret = form.get("client_secret");
    let assertion = form.get("client_assertion");
    let methods = [basic.is_some(), secret.is_some(), assertion.is_some()];
    if methods.into_iter().filter(|&used| used).count() > 1 {
        return Err(Refusal::TooManyMethods.into());
    }
    if assertion.is_some() && form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Refusal::ClientAuthenticationFailed.into());
    }
    let claimed = assertion.and_then(client_assertion::client_id_claimed);
    let client_id = named_client(
        form.get("client_id"),
        basic.as_ref().map(|basic| &*basic.client_id),
        claimed.as_deref(),
    )?;
    let found = app.clients.client(&app.store, client_id, app.now()).await?;
    let client = found.ok_or(Refusal::ClientUnknown)?;
    let secrets: Vec<&str> = match (&basic, secret) {
        (Some(basic), _) => basic.secrets.iter().map(String::as_str).collect(),
        (None, Some(secret)) => vec![secret],
        (None, None) => Vec::new(),
    };
    let macs: Vec<String> = secrets
        .iter()
        .map(|secret| app.derived.client_secret_mac(client_id, secret))
        .collect();
    let presented = match assertion {
        Some(assertion) => Presented::Assertion(assertion),
        None if secrets.is_empty() => Presented::Nothing,
        None if secrets.iter().all(|secret| secret.is_empty()) => Presented::EmptySecret,
        None => Presented::Secret { macs: &macs },
    };
    Ok(client_auth::authenticate(client, &presented, app.names(), app.now())?)
}

/// All names that were given are one name.
fn named_client<'a>(
    form: Option<&'a str>,
    basic: Option<&'a str>,
    assertion: Option<&'a str>,
) -> Result<&'a str, Refusal> {
    let mut names = [form, basic, assertion].into_iter().flatten();
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

fn basic(header: &[u8]) -> Result<Basic, Refusal> {
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

fn verified_proof(app: &App, headers: &HeaderMap, endpoint: Endpoint) -> Result<Option<VerifiedProof>, Refusal> {
    if !headers.contains_key(&DPOP) {
        return Ok(None);
    }
    let htu = app.config.issuer.url(endpoint.path());
    let nonce = endpoint.nonce_rule(&app.derived.nonces);
    let expected = ProofExpectation {
        htm: "POST",
        htu: &htu,
        access_token: None,
        nonce,
    };
    proof::verified(app, headers, &expected).map(Some)
}
