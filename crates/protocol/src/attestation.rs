//! Client attestation (draft-ietf-oauth-attestation-based-client-auth-11): what a client's attester says of one
//! instance, and the proof that its key is there, by a JWT of its own or by the DPoP proof. Absent: MACs, which
//! the draft allows and nobody can check twice; finding an attester's keys by `x5c` or `jku`; remembering `jti`s.

use serde_json::Value;

use crate::digest::Digest;
use crate::dpop::{NonceKey, VerifiedProof};
use crate::fact::{Fact, Source};
use crate::jwk::{Algorithm, Flaw, Jwks, PublicJwk};
use crate::jwt::{Claims, Unverified};
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// `client_attestation_signing_alg_values_supported` and `client_attestation_pop_signing_alg_values_supported`.
pub const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];
/// `client_attestation_pop_methods_supported`.
pub const POP_METHODS: [&str; 3] = ["attestation_pop_jwt", "dpop_combined", "none"];

/// An attestation is the attester's word on how things stand: after a day it has to be given again, however
/// long it claims to hold.
const OLDEST: Lifetime = Lifetime::from_seconds(24 * 3600);
const SKEW: Lifetime = Lifetime::from_seconds(30);

/// What an attester may state about the device, and the fact that it becomes.
const STATED: [(&str, &str); 4] = [
    ("device_model", "device.model"),
    ("device_os", "device.os"),
    ("key_storage", Fact::DEVICE_KEY_STORAGE),
    ("user_authentication", "key.user_authentication"),
];

/// Somebody whose word on a client's instances counts.
#[derive(Clone, Copy)]
pub struct Attester<'a> {
    /// The `iss` of its attestations, where they have one.
    pub name: &'a str,
    pub keys: &'a Jwks,
}

/// An attestation by a configured attester. It is no secret: without a proof by its key it says nothing about
/// whoever sent it.
#[derive(Debug)]
pub struct Attestation {
    client_id: String,
    attester: String,
    key: PublicJwk,
    thumbprint: String,
    expires_at: Timestamp,
    facts: Vec<Fact>,
}

/// An instance that its attester vouches for and that holds its key now.
#[derive(Debug)]
pub struct AttestedInstance {
    attestation: Attestation,
    proof: Option<PopMark>,
}

/// Stands for the `jti` of a proof, until that is too old anyway. A DPoP proof has its own.
#[derive(Debug)]
pub struct PopMark {
    pub jti_digest: Digest,
    pub replayable_until: Timestamp,
}

impl AttestedInstance {
    pub fn client_id(&self) -> &str {
        &self.attestation.client_id
    }

    /// The name of the attester, as configured.
    pub fn attester(&self) -> &str {
        &self.attestation.attester
    }

    pub fn key(&self) -> &PublicJwk {
        &self.attestation.key
    }

    pub fn thumbprint(&self) -> &str {
        &self.attestation.thumbprint
    }

    /// When the attestation ends; what came of it may last longer.
    pub fn expires_at(&self) -> Timestamp {
        self.attestation.expires_at
    }

    /// What the attester states about the device: proven, as far as the attester is believed.
    pub fn facts(&self) -> &[Fact] {
        &self.attestation.facts
    }

    /// That this is new is still to be guarded, by whoever writes.
    pub fn proof(&self) -> Option<&PopMark> {
        self.proof.as_ref()
    }
}

/// Whom an attestation is about, unproven: only to find the client whose attesters then check it.
pub fn client_id_claimed(attestation: &str) -> Option<String> {
    let claims = Unverified::parse(attestation).ok()?.claims_unproven().ok()?;
    claims.required_text("sub").ok().map(str::to_owned)
}

/// Checks the attestation alone. An expired one is not wrong, only old: the client gets a new one.
pub fn verify(
    attestation: &str,
    client_id: &str,
    attesters: &[Attester<'_>],
    now: Timestamp,
) -> Result<Attestation, Refusal> {
    let mut verdict = Err(Flaw("nobody attests for this client"));
    for attester in attesters {
        verdict = read(attestation, client_id, *attester, now);
        if verdict.is_ok() {
            break;
        }
    }
    let (attestation, is_fresh) = verdict.map_err(|_| Refusal::AttestationInvalid)?;
    if is_fresh {
        Ok(attestation)
    } else {
        Err(Refusal::AttestationNotFresh)
    }
}

/// The attestation, and whether it is fresh.
fn read(text: &str, client_id: &str, attester: Attester<'_>, now: Timestamp) -> Result<(Attestation, bool), Flaw> {
    let unverified = Unverified::parse(text)?;
    if unverified.header().typ.as_deref() != Some("oauth-client-attestation+jwt") {
        return Err(Flaw("the typ is not oauth-client-attestation+jwt"));
    }
    let verified = unverified.verify_by_any(attester.keys, ALGORITHMS)?;
    let claims = verified.claims();
    // The draft has no `iss`, most attesters have: where there is one it is theirs.
    if claims.text("iss")?.is_some_and(|iss| iss != attester.name) {
        return Err(Flaw("the iss is not the attester"));
    }
    if claims.required_text("sub")? != client_id {
        return Err(Flaw("the sub is not the client"));
    }
    let key = instance_key(claims)?;
    let (expires_at, is_fresh) = freshness(claims, now)?;
    let attestation = Attestation {
        client_id: client_id.to_owned(),
        attester: attester.name.to_owned(),
        thumbprint: key.thumbprint(),
        key,
        expires_at,
        facts: STATED.iter().filter_map(|stated| stated_fact(claims, stated)).collect(),
    };
    Ok((attestation, is_fresh))
}

/// RFC 7800 §3.2. A private key in it is refused with the key.
fn instance_key(claims: &Claims) -> Result<PublicJwk, Flaw> {
    let key = claims.get("cnf").and_then(|cnf| cnf.get("jwk"));
    PublicJwk::parse(key.ok_or(Flaw("no cnf with a jwk"))?)
}

fn freshness(claims: &Claims, now: Timestamp) -> Result<(Timestamp, bool), Flaw> {
    let expires_at = claims.required_instant("exp")?;
    for name in ["iat", "nbf"] {
        if claims.instant(name)?.is_some_and(|instant| instant > now + SKEW) {
            return Err(Flaw("the iat or nbf lies in the future"));
        }
    }
    // Without `iat` nobody can tell its age: then it may at most hold for a day from now.
    let is_young = match claims.instant("iat")? {
        Some(issued_at) => now - issued_at <= OLDEST,
        None => expires_at - now <= OLDEST,
    };
    Ok((expires_at, is_young && now < expires_at))
}

/// A text, or a list of texts.
fn stated_fact(claims: &Claims, (claim, fact): &(&str, &str)) -> Option<Fact> {
    let value = match claims.get(claim)? {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?.join(" "),
        _ => return None,
    };
    Some(Fact::new(fact, &value, Source::Proven))
}

impl Attestation {
    /// By a proof-of-possession JWT. The challenge comes last: who answers `use_attestation_challenge` invites a
    /// retry, and a proof that is wrong in another way would fail again.
    pub fn proven_by_pop(
        self,
        pop: &str,
        issuer: &str,
        challenges: &NonceKey,
        now: Timestamp,
    ) -> Result<AttestedInstance, Refusal> {
        let (jti_digest, challenge) = self.read_pop(pop, issuer).map_err(|_| Refusal::AttestationInvalid)?;
        let replayable_until = challenge.and_then(|challenge| challenges.expiry(&challenge, now));
        Ok(AttestedInstance {
            proof: Some(PopMark {
                jti_digest,
                replayable_until: replayable_until.ok_or(Refusal::AttestationChallengeRequired)?,
            }),
            attestation: self,
        })
    }

    /// By the DPoP proof of the same request ("combined mode"), which must have been made upon a nonce.
    pub fn proven_by_dpop(self, proof: &VerifiedProof) -> Result<AttestedInstance, Refusal> {
        if !self.key.is_same_key(proof.public_key()) {
            return Err(Refusal::AttestationInvalid);
        }
        Ok(AttestedInstance {
            attestation: self,
            proof: None,
        })
    }

    /// The digest of the `jti`, and the challenge. Its age is the challenge's; `iat` only has to be there.
    fn read_pop(&self, pop: &str, issuer: &str) -> Result<(Digest, Option<String>), Flaw> {
        let unverified = Unverified::parse(pop)?;
        if unverified.header().typ.as_deref() != Some("oauth-client-attestation-pop+jwt") {
            return Err(Flaw("the typ is not oauth-client-attestation-pop+jwt"));
        }
        let verified = unverified.verify(&self.key, ALGORITHMS)?;
        let claims = verified.claims();
        if claims.sole_audience() != Some(issuer) {
            return Err(Flaw("the aud is not this server alone"));
        }
        claims.required_instant("iat")?;
        let jti = claims.required_text("jti")?;
        if jti.is_empty() {
            return Err(Flaw("the jti is empty"));
        }
        // A thumbprint holds no line break, so the parts cannot run together.
        let jti_digest = Digest::of(format!("waypass-attestation-jti/1\n{}\n{jti}", self.thumbprint).as_bytes());
        Ok((jti_digest, claims.text("challenge")?.map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests;
