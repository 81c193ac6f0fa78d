//! Client authentication by a signed JWT (RFC 7523 §2.2 and §3, as updated by RFC 10070). Absent: the
//! parameters that carry it, remembering which `jti` was used, MAC-signed assertions, and assertions as
//! authorization grants.

use serde_json::Value;

use crate::digest::Digest;
use crate::jwk::{Algorithm, Flaw, Jwks};
use crate::jwt::{Claims, Header, Unverified};
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// `token_endpoint_auth_signing_alg_values_supported`.
pub const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];

/// An assertion may end at most this far ahead: its `jti` has to be remembered so long.
const LONGEST_LIFE: Lifetime = Lifetime::from_seconds(300);
/// What a client's clock may be ahead of ours.
const SKEW: Lifetime = Lifetime::from_seconds(30);

/// Which `aud` is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceRule<'a> {
    /// RFC 10070: the issuer identifier as sole value. A token endpoint's URL can belong to an
    /// attacker's metadata, and the assertion would then serve him at the true server.
    IssuerOnly,
    /// For clients that cannot change: the token endpoint's URL is taken too.
    Legacy { token_endpoint: &'a str },
}

/// What the assertion has to say.
pub struct AssertionExpectation<'a> {
    pub client_id: &'a str,
    pub jwks: &'a Jwks,
    pub issuer: &'a str,
    pub audience: AudienceRule<'a>,
}

/// An assertion that was checked. That its `jti` is new is still to be guarded, by whoever writes.
#[derive(Debug)]
pub struct VerifiedAssertion {
    jti_digest: Digest,
    expires_at: Timestamp,
    kid: Option<String>,
}

impl VerifiedAssertion {
    /// Stands for the `jti` of this client. Always 43 characters.
    pub fn jti_digest(&self) -> &Digest {
        &self.jti_digest
    }

    /// Which key it named.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// From this instant on the assertion itself is refused; its `jti` need not be remembered longer.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

pub fn verify(
    assertion: &str,
    expected: &AssertionExpectation<'_>,
    now: Timestamp,
) -> Result<VerifiedAssertion, Refusal> {
    judge(assertion, expected, now).map_err(|_| Refusal::AssertionInvalid)
}

/// Whom an assertion says it is from, unproven: only to find the client whose keys then check it, where no
/// `client_id` parameter stands beside it (RFC 7521 §4.2).
pub fn client_id_claimed(assertion: &str) -> Option<String> {
    let claims = Unverified::parse(assertion).ok()?.claims_unproven().ok()?;
    claims.required_text("sub").ok().map(str::to_owned)
}

fn judge(assertion: &str, expected: &AssertionExpectation<'_>, now: Timestamp) -> Result<VerifiedAssertion, Flaw> {
    let unverified = Unverified::parse(assertion)?;
    let header = unverified.header();
    check_typ(header)?;
    let verified = unverified.verify_by_any(expected.jwks, ALGORITHMS)?;
    let assertion = judge_claims(verified.claims(), expected, now)?;
    Ok(VerifiedAssertion {
        kid: header.kid.clone(),
        ..assertion
    })
}

/// RFC 10070 wants `client-authentication+jwt` of new clients and older ones not to be refused. Any other
/// type is a JWT made for something else (RFC 8725 §3.11).
fn check_typ(header: &Header) -> Result<(), Flaw> {
    match header.media_type().as_deref() {
        None | Some("jwt" | "client-authentication+jwt") => Ok(()),
        Some(_) => Err(Flaw("the typ is of another kind of JWT")),
    }
}

fn judge_claims(
    claims: &Claims,
    expected: &AssertionExpectation<'_>,
    now: Timestamp,
) -> Result<VerifiedAssertion, Flaw> {
    if claims.required_text("iss")? != expected.client_id {
        return Err(Flaw("the iss is not the client"));
    }
    if claims.required_text("sub")? != expected.client_id {
        return Err(Flaw("the sub is not the client"));
    }
    check_audience(claims.get("aud"), expected.issuer, expected.audience)?;
    let expires_at = check_times(claims, now)?;
    let jti = claims.required_text("jti")?;
    if jti.is_empty() {
        return Err(Flaw("the jti is empty"));
    }
    // The client_id is registered here and holds no line break.
    let jti_digest = Digest::of(format!("waypass-assertion-jti/1\n{}\n{jti}", expected.client_id).as_bytes());
    Ok(VerifiedAssertion {
        jti_digest,
        expires_at,
        kid: None,
    })
}

pub(crate) fn check_audience(aud: Option<&Value>, issuer: &str, rule: AudienceRule<'_>) -> Result<(), Flaw> {
    let is_ours = |value: &Value| match rule {
        _ if value == issuer => true,
        AudienceRule::IssuerOnly => false,
        AudienceRule::Legacy { token_endpoint } => value == token_endpoint,
    };
    let fits = match (aud, rule) {
        (Some(Value::Array(values)), AudienceRule::IssuerOnly) => values.len() == 1 && values.iter().all(is_ours),
        (Some(Value::Array(values)), AudienceRule::Legacy { .. }) => !values.is_empty() && values.iter().all(is_ours),
        (Some(value), _) => is_ours(value),
        (None, _) => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Flaw("the aud is not this server alone"))
    }
}

/// `exp` is required and near; `iat` and `nbf` may be absent (RFC 7523 §3) but lie in no future.
pub(crate) fn check_times(claims: &Claims, now: Timestamp) -> Result<Timestamp, Flaw> {
    let expires_at = claims.required_instant("exp")?;
    if expires_at <= now {
        return Err(Flaw("the assertion has expired"));
    }
    if expires_at > now + LONGEST_LIFE + SKEW {
        return Err(Flaw("the exp lies more than five minutes ahead"));
    }
    for name in ["iat", "nbf"] {
        if claims.instant(name)?.is_some_and(|instant| instant > now + SKEW) {
            return Err(Flaw("the iat or nbf lies in the future"));
        }
    }
    Ok(expires_at)
}

#[cfg(test)]
mod tests;
