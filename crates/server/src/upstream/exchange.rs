//! From the code that came back to who it is: the code is exchanged, the ID token verified. OpenID Connect
//! Core §3.1.3.7. Only signatures by the provider's published keys count, never one by our own secret.

use chrono::{DateTime, Utc};
use openidconnect::core::{CoreErrorResponseType, CoreGenderClaim, CoreJwsSigningAlgorithm};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, IdTokenClaims, RequestTokenError, SignatureVerificationError,
    StandardErrorResponse, TokenResponse as _,
};
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use serde_json::Value;
use store::Fault;

use super::fetch::Unanswered;
use super::{ASKED_AGAIN, Attempt, Claims, KEPT, Provider, Tokens, Upstream};
use crate::failure::Failure;

const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
];
/// OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters in length."
const LONGEST_SUBJECT: usize = 255;

type ProvenClaims = IdTokenClaims<Claims, CoreGenderClaim>;

/// What came back with the browser, but for the state, which is checked before.
pub struct Returned<'a> {
    pub code: &'a str,
    /// RFC 9207 §2.
    pub iss: Option<&'a str>,
}

/// Who the provider says it is.
pub struct Identified {
    pub subject: String,
    /// Of the groups that are mapped, those that it names.
    pub groups: Vec<String>,
}

impl Upstream {
    pub async fn identify(
        &self,
        returned: &Returned<'_>,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Identified, Failure> {
        let provider = self.provider(now, KEPT).await?;
        let is_whole = match returned.iss {
            Some(iss) => iss == self.config.issuer,
            None => !provider.names_itself,
        };
        if !is_whole {
            return Err(refused("iss").into());
        }
        let tokens = self.exchange(&provider, returned.code, attempt).await?;
        let claims = match verify(&provider, &tokens, attempt, now) {
            // A key that was not there when we last looked.
            Err(Unproven::KeyUnknown) => {
                let provider = self.provider(now, ASKED_AGAIN).await?;
                verify(&provider, &tokens, attempt, now)
            }
            verified => verified,
        };
        let claims = claims.map_err(Unproven::refusal)?;
        Ok(self.identified(&claims)?)
    }

    async fn exchange(&self, provider: &Provider, code: &str, attempt: &Attempt) -> Result<Tokens, Failure> {
        let request = provider.client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = request.map_err(|_| Fault::broken("the upstream provider has no token endpoint"))?;
        let answer = request
            .set_pkce_verifier(attempt.verifier())
            .request_async(&self.http)
            .await;
        answer.map_err(|error| not_exchanged(&error))
    }

    fn identified(&self, claims: &ProvenClaims) -> Result<Identified, Refusal> {
        let is_ours = claims
            .authorized_party()
            .is_none_or(|azp| **azp == self.config.client_id);
        if claims.issuer().as_str() != self.config.issuer || claims.audiences().len() != 1 || !is_ours {
            return Err(refused("issuer or audience"));
        }
        let subject = claims.subject().as_str();
        let is_plain = subject.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if subject.is_empty() || subject.len() > LONGEST_SUBJECT || !is_plain {
            return Err(refused("subject"));
        }
        let named = claims
            .additional_claims()
            .all
            .get(&self.config.groups_claim)
            .and_then(Value::as_array);
        let named = |group: &String| named.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(group)));
        Ok(Identified {
            subject: subject.to_owned(),
            groups: self
                .config
                .groups
                .keys()
                .filter(|group| named(group))
                .cloned()
                .collect(),
        })
    }
}

enum Unproven {
    KeyUnknown,
    Because(&'static str),
}

impl Unproven {
    fn refusal(self) -> Refusal {
        match self {
            Self::KeyUnknown => refused("key"),
            Self::Because(why) => refused(why),
        }
    }
}

fn verify(provider: &Provider, tokens: &Tokens, attempt: &Attempt, now: Timestamp) -> Result<ProvenClaims, Unproven> {
    let id_token = tokens.id_token().ok_or(Unproven::Because("no ID token"))?;
    let now = DateTime::<Utc>::from_timestamp_millis(now.millis()).ok_or(Unproven::Because("time"))?;
    let verifier = provider
        .client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now);
    let claims = id_token.claims(&verifier, &attempt.nonce());
    claims.cloned().map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            Unproven::KeyUnknown
        }
        ClaimsVerificationError::Expired(_) => Unproven::Because("expired"),
        ClaimsVerificationError::InvalidAudience(_) => Unproven::Because("aud"),
        ClaimsVerificationError::InvalidIssuer(_) => Unproven::Because("iss of the ID token"),
        ClaimsVerificationError::InvalidNonce(_) => Unproven::Because("nonce"),
        ClaimsVerificationError::SignatureVerification(_) => Unproven::Because("signature"),
        _ => Unproven::Because("ID token"),
    })
}

type NotExchanged = RequestTokenError<Unanswered, StandardErrorResponse<CoreErrorResponseType>>;

/// A bad code is the browser's; everything else the operator wants to know of.
fn not_exchanged(error: &NotExchanged) -> Failure {
    match error {
        RequestTokenError::Request(unanswered) => {
            Fault::busy(format!("the upstream provider did not exchange the code: {unanswered}")).into()
        }
        RequestTokenError::ServerResponse(response) => match response.error() {
            CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                Fault::broken("the upstream provider refuses our client_id and secret").into()
            }
            _ => refused("code").into(),
        },
        _ => refused("token response").into(),
    }
}

/// Why is for whoever debugs a provider; the browser learns one sentence.
fn refused(why: &'static str) -> Refusal {
    tracing::debug!(why, "upstream sign-in refused");
    Refusal::UpstreamSignInInvalid
}
