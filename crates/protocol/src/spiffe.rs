//! SPIFFE IDs, trust bundles and JWT-SVIDs (draft-ietf-oauth-spiffe-client-auth-02, and the SPIFFE standards
//! it stands on); X.509-SVIDs are in [`x509`]. Not here: WIT-SVIDs, and fetching bundles: an operator configures
//! them, and no key counts outside its own trust domain.

pub mod x509;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::jwk::{Algorithm, Flaw, Jwks};
use crate::jwt::Unverified;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// RFC 7523 assertion type of a JWT-SVID.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// Of those that a JWT-SVID may be signed with, the ones that are checked here.
const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];
/// A JWT-SVID lives minutes; one that lives days is no proof of what runs now.
const LONGEST_LIFE: Lifetime = Lifetime::from_seconds(24 * 3600);
const SKEW: Lifetime = Lifetime::from_seconds(30);

/// A workload's name: `spiffe://`, a trust domain, a path that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    text: String,
    trust_domain_ends: usize,
}

const SCHEME: &str = "spiffe://";

impl SpiffeId {
    const LONGEST: usize = 2048;
    const LONGEST_TRUST_DOMAIN: usize = 255;

    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or(Flaw("a SPIFFE ID begins with spiffe://"))?;
        let (domain, path) = rest.split_once('/').ok_or(Flaw("a workload's SPIFFE ID has a path"))?;
        if text.len() > Self::LONGEST || domain.len() > Self::LONGEST_TRUST_DOMAIN {
            return Err(Flaw("the SPIFFE ID is too long"));
        }
        if !is_trust_domain(domain) {
            return Err(Flaw(
                "a trust domain has lower case letters, digits, dots, dashes and underscores",
            ));
        }
        if !path.split('/').all(is_segment) {
            return Err(Flaw(
                "the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores",
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            trust_domain_ends: SCHEME.len() + domain.len(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.trust_domain_ends).unwrap_or_default()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = Flaw;

    fn try_from(text: String) -> Result<Self, Flaw> {
        Self::parse(&text)
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.text
    }
}

pub fn is_trust_domain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}

fn is_segment(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !matches!(text, "" | "." | "..") && text.bytes().all(is_plain)
}

/// The keys of one trust domain, in the two uses that its bundle tells apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustBundle {
    /// Sign JWT-SVIDs.
    pub jwt: Option<Jwks>,
    /// Authorities of X.509-SVIDs: DER, as `x5c` has it (RFC 7517 §4.7).
    pub x509: Vec<String>,
}

impl TrustBundle {
    /// Reads a SPIFFE bundle: a JWK set whose keys have the `use` `jwt-svid` or `x509-svid`. Others are left
    /// out, as the SPIFFE Trust Domain and Bundle standard asks.
    pub fn parse(value: &Value) -> Result<Self, Flaw> {
        let keys = value.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(Flaw("a trust bundle is an object with an array `keys`"))?;
        if keys.len() > Jwks::MOST_KEYS {
            return Err(Flaw("more than 16 keys"));
        }
        let used_for = |purpose: &'static str| keys.iter().filter(move |key| key["use"] == purpose);
        let jwt: Vec<Value> = used_for("jwt-svid").map(for_signatures).collect();
        let x509: Result<Vec<String>, Flaw> = used_for("x509-svid").map(authority).collect();
        let bundle = Self {
            jwt: if jwt.is_empty() {
                None
            } else {
                Some(Jwks::parse(&serde_json::json!({ "keys": jwt }))?)
            },
            x509: x509?,
        };
        if bundle.jwt.is_none() && bundle.x509.is_empty() {
            return Err(Flaw("the trust bundle has no key with the use jwt-svid or x509-svid"));
        }
        Ok(bundle)
    }

    /// The authorities' certificates as DER.
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        self.x509.iter().filter_map(|text| STANDARD.decode(text).ok()).collect()
    }
}

fn for_signatures(key: &Value) -> Value {
    let mut key = key.clone();
    if let Some(purpose) = key.get_mut("use") {
        *purpose = "sig".into();
    }
    key
}

fn authority(key: &Value) -> Result<String, Flaw> {
    let Some([Value::String(only)]) = key["x5c"].as_array().map(Vec::as_slice) else {
        return Err(Flaw("an x509-svid key has one certificate in x5c"));
    };
    match STANDARD.decode(only) {
        Ok(der) if x509::is_authority(&der) => Ok(only.clone()),
        _ => Err(Flaw("a certificate in the trust bundle cannot be read")),
    }
}

/// What a JWT-SVID has to say, and whose keys count.
pub struct SvidExpectation<'a> {
    pub subject: &'a SpiffeId,
    pub keys: &'a Jwks,
    pub issuer: &'a str,
}

/// An SVID that was checked, by [`verify`] or [`x509::verify`].
#[derive(Debug)]
pub struct VerifiedSvid {
    bearer: Option<(Digest, Timestamp)>,
}

impl VerifiedSvid {
    /// Digest and expiry of a JWT-SVID. SPIFFE agents hand the same one out for minutes, so it may come again;
    /// where it brings a key in, that it brings in one only is to be guarded by whoever writes.
    pub fn bearer(&self) -> Option<&(Digest, Timestamp)> {
        self.bearer.as_ref()
    }
}

/// `iss` and `jti` are not asked for: the draft requires neither.
pub fn verify(token: &str, expected: &SvidExpectation<'_>, now: Timestamp) -> Result<VerifiedSvid, Refusal> {
    judge(token, expected, now).map_err(|_| Refusal::WorkloadTokenInvalid)
}

/// Whom a JWT-SVID names, unproven: only to find the admission whose keys then check it.
pub fn subject_claimed(token: &str) -> Option<String> {
    let claims = Unverified::parse(token).ok()?.claims_unproven().ok()?;
    claims.required_text("sub").ok().map(str::to_owned)
}

fn judge(token: &str, expected: &SvidExpectation<'_>, now: Timestamp) -> Result<VerifiedSvid, Flaw> {
    let unverified = Unverified::parse(token)?;
    match unverified.header().media_type().as_deref() {
        None | Some("jwt" | "jose") => {}
        Some(_) => return Err(Flaw("the typ is of another kind of JWT")),
    }
    let verified = unverified.verify_by_any(expected.keys, ALGORITHMS)?;
    let claims = verified.claims();
    if claims.required_text("sub")? != expected.subject.as_str() {
        return Err(Flaw("the sub is another workload"));
    }
    if claims.sole_audience() != Some(expected.issuer) {
        return Err(Flaw("the aud is not this server alone"));
    }
    let expires_at = claims.required_instant("exp")?;
    if expires_at <= now {
        return Err(Flaw("the SVID has expired"));
    }
    if expires_at > now + LONGEST_LIFE {
        return Err(Flaw("the exp lies more than a day ahead"));
    }
    for name in ["iat", "nbf"] {
        if claims.instant(name)?.is_some_and(|instant| instant > now + SKEW) {
            return Err(Flaw("the iat or nbf lies in the future"));
        }
    }
    Ok(VerifiedSvid {
        bearer: Some((Digest::of(token.as_bytes()), expires_at)),
    })
}

#[cfg(test)]
mod tests;
