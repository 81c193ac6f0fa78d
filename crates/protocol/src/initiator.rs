//! Authenticated initiation (RFC 10027 §6.1.15): before there is a code, an approver signs at the device that
//! asks, with a registered software key. Such a key is not phishing-resistant, and none of this stops session
//! transfer: who decides and how is asked again at the decision. Not here: remembering which `jti` was used.

use serde_json::Value;

use crate::approver::Approver;
use crate::client_assertion::{AudienceRule, check_audience, check_times};
use crate::digest::Digest;
use crate::jwk::{Algorithm, Flaw, PublicJwk};
use crate::jwt::{Claims, Header, Unverified};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// The form parameter of the device authorization request.
pub const PARAMETER: &str = "initiator_assertion";
/// The `typ`: a JWT that was made for anything else is none of these.
pub const TYPE: &str = "waypass-initiator+jwt";

/// What the assertion has to say: `kid` and `iss` the thumbprint of the key, `aud` the issuer alone, `exp` at
/// most five minutes ahead, `jti` new, `cnf.jkt` (RFC 7800 §3.1) the key that asks.
pub struct InitiatorExpectation<'a> {
    /// Whose registered key the `kid` names.
    pub approver: &'a Approver,
    pub key: &'a PublicJwk,
    pub issuer: &'a str,
    /// Thumbprint of the DPoP key that asks: with another key the assertion is of no use.
    pub jkt: &'a str,
}

/// An assertion that was checked. That its `jti` is new is still to be guarded, by whoever writes.
#[derive(Debug)]
pub struct VerifiedInitiator {
    jti_digest: Digest,
    expires_at: Timestamp,
}

impl VerifiedInitiator {
    pub fn jti_digest(&self) -> &Digest {
        &self.jti_digest
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Which key it says that it is signed with, unproven: to find the approver.
pub fn kid_claimed(assertion: &str) -> Option<String> {
    Unverified::parse(assertion).ok()?.header().kid.clone()
}

pub fn verify(
    assertion: &str,
    expected: &InitiatorExpectation<'_>,
    now: Timestamp,
) -> Result<VerifiedInitiator, Refusal> {
    expected
        .approver
        .must_be_active()
        .map_err(|_| Refusal::InitiatorInvalid)?;
    judge(assertion, expected, now).map_err(|_| Refusal::InitiatorInvalid)
}

fn judge(assertion: &str, expected: &InitiatorExpectation<'_>, now: Timestamp) -> Result<VerifiedInitiator, Flaw> {
    let unverified = Unverified::parse(assertion)?;
    check_header(unverified.header(), expected.key)?;
    let verified = unverified.verify(expected.key, &[Algorithm::Es256])?;
    let claims = verified.claims();
    check_names(claims, expected)?;
    check_audience(claims.get("aud"), expected.issuer, AudienceRule::IssuerOnly)?;
    let expires_at = check_times(claims, now)?;
    let jti = claims.required_text("jti")?;
    if jti.is_empty() {
        return Err(Flaw("the jti is empty"));
    }
    let text = format!("waypass-initiator-jti/1\n{}\n{jti}", expected.approver.id);
    Ok(VerifiedInitiator {
        jti_digest: Digest::of(text.as_bytes()),
        expires_at,
    })
}

fn check_header(header: &Header, key: &PublicJwk) -> Result<(), Flaw> {
    if header.typ.as_deref() != Some(TYPE) {
        return Err(Flaw("the typ is of another kind of JWT"));
    }
    if header.kid.as_deref() != Some(&key.thumbprint()) {
        return Err(Flaw("the kid is not this key's thumbprint"));
    }
    Ok(())
}

fn check_names(claims: &Claims, expected: &InitiatorExpectation<'_>) -> Result<(), Flaw> {
    let thumbprint = expected.key.thumbprint();
    if claims.required_text("iss")? != thumbprint {
        return Err(Flaw("the iss is not this key's thumbprint"));
    }
    if claims.text("sub")?.is_some_and(|sub| sub != expected.approver.id) {
        return Err(Flaw("the sub is not this approver"));
    }
    let jkt = claims.get("cnf").and_then(|cnf| cnf.get("jkt"));
    if jkt.and_then(Value::as_str) != Some(expected.jkt) {
        return Err(Flaw("the cnf is not the key that asks"));
    }
    // A requester is never its own approver: the key that signs for a person does not ask.
    if expected.jkt == thumbprint {
        return Err(Flaw("the key that asks is the approver's"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
