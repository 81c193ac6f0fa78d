//! Posture: what is stated about the machine that asks, at every step anew. Its own key signs it (a claim) or a
//! configured attester does, a device management for instance (proven, RFC 7519 and RFC 7800 §3.1). Whether it
//! is enough is in [`crate::posture_demand`]. Not here: collecting it (`cli/machine.rs`). A posture serves until
//! it is stale, any number of times: it is worth nothing without a proof by the key that it names.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fact::{Fact, Source};
use crate::jwk::{Algorithm, Flaw, Jwks, PublicJwk};
use crate::jwt::{Claims, Unverified};
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// The form parameter, wherever a token is asked for; and the claim.
pub const PARAMETER: &str = "posture";
/// The `typ`: a JWT that was made for anything else is none of these.
pub const TYPE: &str = "waypass-posture+jwt";
/// Where a profile says nothing: what its own key states is made for the request at hand.
pub const DEFAULT_MAX_AGE: Lifetime = Lifetime::from_seconds(300);

const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];
/// What a machine's clock may be ahead of ours.
const SKEW: Lifetime = Lifetime::from_seconds(30);

/// What is stated. What is not known is absent, never guessed. Members that are not known here are ignored: a
/// device management states more than a rule can ask for, and a rule that asks for what is absent is not met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stated {
    /// In lower case, as `/etc/os-release` has its ID: `debian`, `ubuntu`; or `macos`, `windows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_lock: Option<bool>,
    /// Whether the program that asks runs with every right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    /// Of the program that asks: SHA-256 in lower-case hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_sha256: Option<String>,
}

/// Somebody whose word on machines counts.
#[derive(Clone, Debug)]
pub struct PostureAttester {
    /// The `iss` of what it signs, letter by letter.
    pub issuer: String,
    pub keys: Jwks,
}

/// What a posture has to say: `aud` the issuer alone, `iss` an attester with `cnf.jkt` the key that asks, or
/// `iss` the thumbprint of that key itself.
pub struct PostureExpectation<'a> {
    pub issuer: &'a str,
    /// Which the request is proven by.
    pub key: &'a PublicJwk,
    pub attesters: &'a [PostureAttester],
}

/// A posture whose signature and names were checked. Private fields: [`verify`] is the one maker.
#[derive(Debug)]
pub struct Posture {
    pub(crate) stated: Stated,
    pub(crate) source: Source,
    pub(crate) issued_at: Timestamp,
}

/// One that has ended by its own `exp` is stale, whatever a profile says of its age.
pub fn verify(posture: &str, expected: &PostureExpectation<'_>, now: Timestamp) -> Result<Posture, Refusal> {
    let (posture, expires_at) = judge(posture, expected, now).map_err(Refusal::PostureInvalid)?;
    if now < expires_at {
        Ok(posture)
    } else {
        Err(Refusal::PostureStale)
    }
}

/// The posture, and when it ends.
fn judge(text: &str, expected: &PostureExpectation<'_>, now: Timestamp) -> Result<(Posture, Timestamp), Flaw> {
    let unverified = Unverified::parse(text)?;
    if unverified.header().typ.as_deref() != Some(TYPE) {
        return Err(Flaw("the typ is of another kind of JWT"));
    }
    let thumbprint = expected.key.thumbprint();
    let issuer = unverified.claims_unproven()?.required_text("iss")?.to_owned();
    let (verified, source) = if issuer == thumbprint {
        (unverified.verify(expected.key, ALGORITHMS)?, Source::Claimed)
    } else {
        let attester = expected.attesters.iter().find(|attester| attester.issuer == issuer);
        let attester = attester.ok_or(Flaw("the iss is neither this key nor a known attester"))?;
        (unverified.verify_by_any(&attester.keys, ALGORITHMS)?, Source::Proven)
    };
    let claims = verified.claims();
    if source == Source::Proven && key_named(claims) != Some(&*thumbprint) {
        return Err(Flaw("the cnf is not the key that asks"));
    }
    if claims.sole_audience() != Some(expected.issuer) {
        return Err(Flaw("the aud is not this server alone"));
    }
    let issued_at = claims.required_instant("iat")?;
    if issued_at > now + SKEW {
        return Err(Flaw("the iat lies in the future"));
    }
    let posture = Posture {
        stated: stated(claims)?,
        source,
        issued_at,
    };
    Ok((posture, claims.required_instant("exp")?))
}

/// RFC 7800 §3.1, with the `jkt` of RFC 9449 §6.1.
fn key_named(claims: &Claims) -> Option<&str> {
    claims.get("cnf")?.get("jkt")?.as_str()
}

fn stated(claims: &Claims) -> Result<Stated, Flaw> {
    let value = claims.get(PARAMETER).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|_| Flaw("the posture is missing, or a member of it has the wrong type"))
}

impl Posture {
    pub fn must_be_younger_than(&self, max_age: Lifetime, now: Timestamp) -> Result<(), Refusal> {
        if now - self.issued_at > max_age {
            return Err(Refusal::PostureStale);
        }
        Ok(())
    }

    /// Each with the source of all of them.
    pub fn facts(&self) -> Vec<Fact> {
        let Stated {
            os,
            os_version,
            disk_encrypted,
            screen_lock,
            root,
            uptime_s,
            binary_sha256,
        } = &self.stated;
        let told = |value: &Option<bool>| value.as_ref().map(bool::to_string);
        [
            ("posture.os", os.clone()),
            ("posture.os_version", os_version.clone()),
            ("posture.disk_encrypted", told(disk_encrypted)),
            ("posture.screen_lock", told(screen_lock)),
            ("posture.root", told(root)),
            ("posture.uptime_s", uptime_s.as_ref().map(u64::to_string)),
            ("posture.binary_sha256", binary_sha256.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| Fact::new(name, &value, self.source)))
        .collect()
    }
}

#[cfg(test)]
mod tests;
