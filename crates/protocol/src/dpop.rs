//! Proof of possession (RFC 9449 §4): one proof, checked against one request. Absent: remembering which
//! `jti` was used (that joins the batch it takes effect in), making proofs (in `cli`), and comparing the
//! key with the one a code or token is bound to.

use subtle::ConstantTimeEq as _;

use crate::digest::Digest;
use crate::jwk::{Algorithm, Flaw, PublicJwk};
use crate::jwt::{Claims, Unverified};
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

mod nonce;
mod uri;

pub use nonce::NonceKey;

/// `dpop_signing_alg_values_supported`.
pub const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

/// How far `iat` may lie from `now`, either way, in a proof without a nonce (RFC 9449 §11.1).
const IAT_WINDOW: Lifetime = Lifetime::from_seconds(300);
/// Longest proof that is read: one by the largest RSA key has under 4 KiB.
const LONGEST: usize = 8 * 1024;

/// The request that a proof must have been made for.
pub struct ProofExpectation<'a> {
    /// The HTTP method.
    pub htm: &'a str,
    /// The URI of the request as the client knows it: from the issuer, never from a `Host` header.
    pub htu: &'a str,
    /// The same under its other name, where it has one (RFC 8705 §5).
    pub alias: Option<&'a str>,
    /// The access token that comes with the proof, at a protected resource.
    pub access_token: Option<&'a str>,
    pub nonce: NonceRule<'a>,
}

/// Whether a proof needs a nonce. One that is there must be ours and fresh, in either case.
#[derive(Clone, Copy)]
pub enum NonceRule<'a> {
    Optional(&'a NonceKey),
    Required(&'a NonceKey),
}

/// A proof that was checked. That its `jti` is new is still to be guarded, by whoever writes.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    public_key: PublicJwk,
    thumbprint: String,
    jti_digest: Digest,
    issued_at: Timestamp,
    replayable_until: Timestamp,
}

impl VerifiedProof {
    /// RFC 7638 thumbprint: the `jkt` of tokens (RFC 9449 §6.1).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    pub fn public_key(&self) -> &PublicJwk {
        &self.public_key
    }

    /// Stands for the `jti`, by this key, at this URI. Always 43 characters, however long the `jti` is.
    pub fn jti_digest(&self) -> &Digest {
        &self.jti_digest
    }

    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// From this instant on the proof itself is too old; its `jti` need not be remembered longer.
    pub fn replayable_until(&self) -> Timestamp {
        self.replayable_until
    }
}

/// Checks the values of all `DPoP` headers of one request (RFC 9449 §4.3).
///
/// The nonce comes last: who answers `use_dpop_nonce` invites a retry, and a proof that is wrong in
/// another way would fail again.
pub fn verify(headers: &[&str], expected: &ProofExpectation<'_>, now: Timestamp) -> Result<VerifiedProof, Refusal> {
    let proof = match headers {
        [] => return Err(Refusal::DpopProofMissing),
        [proof] => *proof,
        _ => return Err(Refusal::DpopProofInvalid),
    };
    let proof = Proof::read(proof, expected).map_err(|_| Refusal::DpopProofInvalid)?;
    let replayable_until = proof.acceptable_until(expected.nonce, now)?;
    Ok(VerifiedProof {
        public_key: proof.public_key,
        thumbprint: proof.thumbprint,
        jti_digest: proof.jti_digest,
        issued_at: proof.issued_at,
        replayable_until,
    })
}

/// A proof that fits its request; whether it is fresh is not known yet.
struct Proof {
    public_key: PublicJwk,
    thumbprint: String,
    jti_digest: Digest,
    issued_at: Timestamp,
    nonce: Option<String>,
}

impl Proof {
    fn read(text: &str, expected: &ProofExpectation<'_>) -> Result<Self, Flaw> {
        if text.len() > LONGEST {
            return Err(Flaw("the proof is too long"));
        }
        let unverified = Unverified::parse(text)?;
        if unverified.header().typ.as_deref() != Some("dpop+jwt") {
            return Err(Flaw("the typ is not dpop+jwt"));
        }
        let public_key = unverified.header().jwk.clone().ok_or(Flaw("no jwk"))?;
        let verified = unverified.verify(&public_key, ALGORITHMS)?;
        let claims = verified.claims();

        let htu = check_request(claims, expected)?;
        let jti = claims.required_text("jti")?;
        if jti.is_empty() {
            return Err(Flaw("the jti is empty"));
        }
        let thumbprint = public_key.thumbprint();
        Ok(Self {
            // Neither a thumbprint nor a normal URI holds a line break, so the parts cannot run together.
            jti_digest: Digest::of(format!("waypass-dpop-jti/1\n{thumbprint}\n{htu}\n{jti}").as_bytes()),
            issued_at: claims.required_instant("iat")?,
            nonce: claims.text("nonce")?.map(str::to_owned),
            public_key,
            thumbprint,
        })
    }

    /// RFC 9449 §4.3(11): with a nonce the server's own time governs and the client's clock may be wrong,
    /// as on a machine that has just been set up; without one `iat` does.
    fn acceptable_until(&self, rule: NonceRule<'_>, now: Timestamp) -> Result<Timestamp, Refusal> {
        match (&self.nonce, rule) {
            (Some(nonce), NonceRule::Optional(key) | NonceRule::Required(key)) => {
                key.expiry(nonce, now).ok_or(Refusal::DpopNonceRequired)
            }
            (None, NonceRule::Required(_)) => Err(Refusal::DpopNonceRequired),
            (None, NonceRule::Optional(_)) => {
                let until = self.issued_at + IAT_WINDOW;
                if now < until && self.issued_at <= now + IAT_WINDOW {
                    Ok(until)
                } else {
                    Err(Refusal::DpopProofInvalid)
                }
            }
        }
    }
}

/// `htm`, `htu` and `ath`. Returns the normal form of `htu`.
fn check_request(claims: &Claims, expected: &ProofExpectation<'_>) -> Result<String, Flaw> {
    if claims.required_text("htm")? != expected.htm {
        return Err(Flaw("the htm is another method"));
    }
    let sent = claims.required_text("htu")?;
    let htu = uri::normal(sent).ok_or(Flaw("the htu is no URI"))?;
    let mut names = [Some(expected.htu), expected.alias].into_iter().flatten();
    if !names.any(|name| name == sent || uri::normal(name).as_ref() == Some(&htu)) {
        return Err(Flaw("the htu is another URI"));
    }
    if let Some(access_token) = expected.access_token {
        let ath = claims.required_text("ath")?;
        let digest = Digest::of(access_token.as_bytes());
        if !bool::from(ath.as_bytes().ct_eq(digest.as_str().as_bytes())) {
            return Err(Flaw("the ath is of another token"));
        }
    }
    Ok(htu)
}

#[cfg(test)]
mod tests;
