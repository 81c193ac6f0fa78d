//! A client's request: form, credentials, proof, address; each read and checked once, in this order, for
//! every endpoint that clients call. RFC 6749 §2.3, RFC 7523 §2.2, RFC 9449 §4.3.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;
use http::{Extensions, HeaderMap};
use protocol::attestation::AttestedInstance;
use protocol::authorization_request::{CodeKind, Poller};
use protocol::client::{Authentication, Client};
use protocol::client_assertion::VerifiedAssertion;
use protocol::client_auth::AuthenticatedClient;
use protocol::digest::Digest;
use protocol::dpop::{NonceKey, NonceRule, ProofExpectation, VerifiedProof};
use protocol::event::{Action, Event};
use protocol::fact::{Fact, Source};
use protocol::grant::Keys;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use store::Batch;

use crate::app::App;
use crate::ends::End;
use crate::extract::attestation;
use crate::extract::credentials::Credentials;
use crate::extract::form::Form;
use crate::extract::proof::{self, DPOP};
use crate::failure::Failure;
use crate::peer::{self, Certificates, Peer, Proxies, SeenAddress};

/// An endpoint that clients call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    DeviceAuthorization,
    BackchannelAuthentication,
    Token,
    Revocation,
    Introspection,
    Enrollment,
    EnrollmentFinish,
    InstanceRotate,
    CodeReports,
}

impl Endpoint {
    pub fn path(self) -> &'static str {
        match self {
            Self::DeviceAuthorization => "/device_authorization",
            Self::BackchannelAuthentication => "/backchannel_authentication",
            Self::Token => "/token",
            Self::Revocation => "/revoke",
            Self::Introspection => "/introspect",
            Self::Enrollment => "/enrollment",
            Self::EnrollmentFinish => "/enrollment/finish",
            Self::InstanceRotate => "/instance/rotate",
            Self::CodeReports => "/code_reports",
        }
    }

    /// Whether the key that this client authenticates by becomes known here: there is the proof by it.
    pub fn enrolls(self, client: &Client) -> bool {
        matches!(client.registration.authentication, Authentication::InstanceKey)
            && matches!(self, Self::Enrollment | Self::EnrollmentFinish)
    }

    /// B14: who asks about tokens has to say who it is; elsewhere a missing `client_id` is a missing
    /// parameter (D02).
    fn told(self, failure: Failure) -> Failure {
        match failure {
            Failure::Refusal(Refusal::ParameterMissing(_))
                if matches!(self, Self::Introspection | Self::CodeReports) =>
            {
                Refusal::ClientAuthenticationMissing.into()
            }
            other => other,
        }
    }

    /// The first contact has no nonce to use yet (design decision G3).
    fn nonce_rule(self, nonces: &NonceKey) -> NonceRule<'_> {
        match self {
            Self::Token | Self::EnrollmentFinish | Self::InstanceRotate => NonceRule::Required(nonces),
            _ => NonceRule::Optional(nonces),
        }
    }
}

pub struct ClientRequest {
    endpoint: Endpoint,
    pub form: Form,
    pub authenticated: AuthenticatedClient,
    pub proof: Option<VerifiedProof>,
    /// What its attester says of the instance, where it brought that.
    pub attested: Option<AttestedInstance>,
    /// Shown in the handshake of the client's connection.
    pub certificates: Option<Certificates>,
    /// Thumbprint of the first of them.
    x5t: Option<String>,
    pub address: SeenAddress,
    /// As sent: a claim.
    pub user_agent: Option<String>,
}

impl ClientRequest {
    pub async fn read(app: &App, request: Request, endpoint: Endpoint) -> Result<Self, Failure> {
        let address = seen_address(app, request.headers(), request.extensions()).of_program(request.headers());
        let certificates = shown_certificates(app, request.headers(), request.extensions())?;
        app.limits.check(address.counted, app.now())?;
        let (headers, form) = Form::read(request).await?;
        // Judged first, since it may be what authenticates the client; told after that, as ever.
        let proof = verified_proof(app, &headers, endpoint);
        let credentials = Credentials {
            headers: &headers,
            form: &form,
            certificates: certificates.as_ref(),
            proof: &proof,
            endpoint,
        };
        let (authenticated, attested) = credentials
            .authenticated(app)
            .await
            .map_err(|failure| endpoint.told(failure))?;
        let proof = proof?;
        let asked = Self {
            endpoint,
            form,
            authenticated,
            proof,
            attested,
            x5t: certificates.as_ref().and_then(Certificates::thumbprint),
            certificates,
            address,
            user_agent: user_agent(&headers),
        };
        asked.must_be_one_key()?;
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

    /// The same, or of the key that an instance has authenticated with where CIBA has it do that (§7.1).
    pub fn proven_key(&self) -> Option<&str> {
        let is_backchannel = self.endpoint == Endpoint::BackchannelAuthentication;
        self.jkt().or_else(|| self.instance_key().filter(|_| is_backchannel))
    }

    /// RFC 7523 §3: whoever authenticates as an instance names its key, and signs with it.
    fn instance_key(&self) -> Option<&str> {
        let is_instance = matches!(self.client().registration.authentication, Authentication::InstanceKey);
        let kid = self.authenticated.assertion().and_then(VerifiedAssertion::kid);
        kid.filter(|_| is_instance)
    }

    /// Thumbprint of the certificate that codes and tokens are bound to: of the one that the connection shows,
    /// where the client is registered for that.
    pub fn x5t(&self) -> Option<&str> {
        let is_bound = self.client().registration.certificate_bound;
        self.shown_x5t().filter(|_| is_bound)
    }

    /// Of whatever certificate the connection shows.
    pub fn shown_x5t(&self) -> Option<&str> {
        self.x5t.as_deref()
    }

    /// What a new grant is bound to.
    pub fn keys(&self) -> Keys<'_> {
        Keys {
            jkt: self.jkt(),
            x5t: self.x5t(),
        }
    }

    /// An act of whoever asks, and from where.
    pub fn event(&self, app: &App, action: Action) -> Event {
        End::asking(app, self).on(app.event(action))
    }

    /// What is known of whoever asks, by this very request.
    pub fn facts(&self, app: &App) -> impl Iterator<Item = Fact> {
        let key = self
            .proven_key()
            .map(|jkt| Fact::new(Fact::KEY_THUMBPRINT, jkt, Source::Proven));
        End::asking(app, self).facts().into_iter().chain(key)
    }

    pub fn poller(&self, kind: CodeKind) -> Poller<'_> {
        Poller {
            client_id: &self.client().client_id,
            jkt: self.jkt(),
            x5t: self.shown_x5t(),
            kind,
        }
    }

    /// P07, P32: a client registered so gets no token without a proof, or without a certificate.
    pub fn must_prove_where_registered(&self) -> Result<(), Refusal> {
        if self.client().registration.require_dpop && self.proof.is_none() {
            return Err(Refusal::DpopProofMissing);
        }
        self.must_show_certificate_where_registered()
    }

    /// P32: the same of a certificate.
    pub fn must_show_certificate_where_registered(&self) -> Result<(), Refusal> {
        if self.client().registration.certificate_bound && self.x5t.is_none() {
            return Err(Refusal::CertificateMissing);
        }
        Ok(())
    }

    /// An instance has one key: it authenticates and proves with the same. C23: for an attested one the proof is
    /// demanded wherever something comes of it, so that codes and tokens are bound to the key that was attested.
    fn must_be_one_key(&self) -> Result<(), Refusal> {
        let issues = !matches!(self.endpoint, Endpoint::Revocation | Endpoint::Introspection);
        match (&self.attested, self.jkt()) {
            (Some(attested), Some(jkt)) if attested.thumbprint() != jkt => return Err(Refusal::AttestationInvalid),
            (Some(_), None) if issues => return Err(Refusal::DpopProofMissing),
            _ => {}
        }
        match (self.instance_key(), self.jkt()) {
            (Some(kid), Some(jkt)) if kid != jkt => Err(Refusal::ClientAuthenticationFailed),
            _ => Ok(()),
        }
    }

    /// What takes effect once, until when it has to be remembered, and what it is refused with after that.
    fn marks(&self) -> impl Iterator<Item = (&Digest, Timestamp, Refusal)> {
        let proof = self.proof.as_ref();
        let proof = proof.map(|proof| (proof.jti_digest(), proof.replayable_until(), Refusal::DpopProofReplayed));
        let assertion = self.authenticated.assertion();
        let assertion = assertion.map(|assertion| {
            (
                assertion.jti_digest(),
                assertion.expires_at(),
                Refusal::AssertionReplayed,
            )
        });
        let pop = self.attested.as_ref().and_then(AttestedInstance::proof);
        let pop = pop.map(|pop| (&pop.jti_digest, pop.replayable_until, Refusal::AttestationReplayed));
        [proof, assertion, pop].into_iter().flatten()
    }

    /// Each takes effect once: part of the batch of what they bring about.
    pub fn used_up(&self) -> Batch {
        self.marks().fold(Batch::default(), |batch, (digest, until, replayed)| {
            batch.use_once(digest, until, replayed)
        })
    }

    /// The same, on this node only, for answers that write nothing.
    fn must_be_first(&self, app: &App) -> Result<(), Refusal> {
        for (digest, until, replayed) in self.marks() {
            if !app.seen.is_first(digest, until, app.now()) {
                return Err(replayed);
            }
        }
        Ok(())
    }
}

/// Where the request comes from, as far as that can be known.
pub fn seen_address(app: &App, headers: &HeaderMap, extensions: &Extensions) -> SeenAddress {
    peer::seen(peer(extensions), headers, &app.config.trusted_proxies)
}

/// The certificates that count as the client's.
pub fn shown_certificates(
    app: &App,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Option<Certificates>, Refusal> {
    let proxies = Proxies {
        trusted: &app.config.trusted_proxies,
        with_certificates: &app.config.mtls.proxies,
    };
    peer::shown(peer(extensions), headers, extensions.get(), &proxies)
}

fn peer(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip())
}

pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    headers
        .get(http::header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn verified_proof(app: &App, headers: &HeaderMap, endpoint: Endpoint) -> Result<Option<VerifiedProof>, Refusal> {
    if !headers.contains_key(&DPOP) {
        return Ok(None);
    }
    let htu = app.config.issuer.url(endpoint.path());
    let alias = app.config.alias(endpoint.path());
    let nonces = &app.derived.nonces;
    // What authenticates a client has to be fresh from the first contact on.
    let nonce = if attestation::is_combined(headers) {
        NonceRule::Required(nonces)
    } else {
        endpoint.nonce_rule(nonces)
    };
    let expected = ProofExpectation {
        htm: "POST",
        htu: &htu,
        alias: alias.as_deref(),
        access_token: None,
        nonce,
    };
    proof::verified(app, headers, &expected).map(Some)
}
