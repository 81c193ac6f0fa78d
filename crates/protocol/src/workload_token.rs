//! A workload's own token: an OpenID provider's JWT about what runs (a Kubernetes service account, a job of
//! GitHub Actions or GitLab CI), against one configured issuer, audience and subject. RFC 7523 §3.
//! Absent: fetching the issuer's keys (`server/src/issuer_keys.rs`), and patterns: a subject is one subject.

use crate::digest::Digest;
use crate::jwk::{Algorithm, Flaw, Jwks};
use crate::jwt::Unverified;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];
/// From `iat` to `exp`. Kubernetes gives out tokens for a year where nobody asked for less.
const LONGEST_LIFE: Lifetime = Lifetime::from_seconds(24 * 3600);
const SKEW: Lifetime = Lifetime::from_seconds(30);

/// What the token has to say, letter by letter.
pub struct WorkloadExpectation<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub subject: &'a str,
    pub keys: &'a Jwks,
}

/// A token that was checked. It is a bearer token: that it brings in one key only is still to be guarded,
/// by whoever writes.
#[derive(Debug)]
pub struct VerifiedWorkload {
    digest: Digest,
    expires_at: Timestamp,
}

impl VerifiedWorkload {
    /// Of the token.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Who a token says it is about and by whom, unproven: only to find the admission whose keys then check it.
#[derive(Debug, PartialEq, Eq)]
pub struct ClaimedWorkload {
    pub issuer: String,
    pub subject: String,
    pub kid: Option<String>,
}

pub fn claimed(token: &str) -> Option<ClaimedWorkload> {
    let unverified = Unverified::parse(token).ok()?;
    let claims = unverified.claims_unproven().ok()?;
    Some(ClaimedWorkload {
        issuer: claims.required_text("iss").ok()?.to_owned(),
        subject: claims.required_text("sub").ok()?.to_owned(),
        kid: unverified.header().kid.clone(),
    })
}

pub fn verify(token: &str, expected: &WorkloadExpectation<'_>, now: Timestamp) -> Result<VerifiedWorkload, Refusal> {
    judge(token, expected, now).map_err(|_| Refusal::WorkloadTokenInvalid)
}

fn judge(token: &str, expected: &WorkloadExpectation<'_>, now: Timestamp) -> Result<VerifiedWorkload, Flaw> {
    let unverified = Unverified::parse(token)?;
    // An access token or a logout token of the same issuer is not a statement about a workload.
    match unverified.header().media_type().as_deref() {
        None | Some("jwt") => {}
        Some(_) => return Err(Flaw("the typ is of another kind of JWT")),
    }
    let verified = unverified.verify_by_any(expected.keys, ALGORITHMS)?;
    let claims = verified.claims();
    if claims.required_text("iss")? != expected.issuer {
        return Err(Flaw("the iss is another issuer"));
    }
    if claims.required_text("sub")? != expected.subject {
        return Err(Flaw("the sub is another workload"));
    }
    // Every other audience could present the token here in the workload's place.
    if claims.sole_audience() != Some(expected.audience) {
        return Err(Flaw("the aud is not the configured one alone"));
    }
    let issued_at = claims.required_instant("iat")?;
    let not_before = claims.instant("nbf")?.unwrap_or(issued_at);
    if issued_at.max(not_before) > now + SKEW {
        return Err(Flaw("the iat or nbf lies in the future"));
    }
    let expires_at = claims.required_instant("exp")?;
    if expires_at <= now {
        return Err(Flaw("the token has expired"));
    }
    if expires_at - issued_at > LONGEST_LIFE {
        return Err(Flaw("the token lives longer than a day"));
    }
    Ok(VerifiedWorkload {
        digest: Digest::of(token.as_bytes()),
        expires_at,
    })
}

#[cfg(test)]
mod tests;
