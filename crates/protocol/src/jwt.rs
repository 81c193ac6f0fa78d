//! Compact JWS and the JWT claims in them (RFC 7515 §7.1, RFC 7519), as far as we speak them. A signature
//! that was checked is a type: [`Verified`] has one maker. Absent: signing, encryption, the JSON
//! serialization, detached payloads, and `crit`, of which no extension is understood.

use serde_json::{Map, Value};

use crate::base64url;
use crate::jwk::{Algorithm, Flaw, Jwks, PublicJwk};
use crate::strict_json;
use crate::time::Timestamp;

/// Longest token that is read. It bounds every later step, so a huge `jti` costs its sender more than us.
pub const LONGEST: usize = 16 * 1024;

/// The JOSE header (RFC 7515 §4.1), as far as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub alg: Algorithm,
    pub typ: Option<String>,
    pub kid: Option<String>,
    pub jwk: Option<PublicJwk>,
}

/// A token whose signature nobody has checked: only its header can be read, to find the key.
pub struct Unverified<'a> {
    header: Header,
    signing_input: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// A token whose signature was checked. What it claims is still to be judged.
#[derive(Debug)]
pub struct Verified {
    header: Header,
    claims: Claims,
}

/// The claims of a token. A claim of the wrong type is a flaw, never an absent claim: a verifier that
/// skips an `exp` that is a string has no expiry (CVE-2026-25537).
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

impl<'a> Unverified<'a> {
    pub fn parse(token: &'a str) -> Result<Self, Flaw> {
        if token.len() > LONGEST {
            return Err(Flaw("the token is too long"));
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Flaw("not three parts"))?;
        let (header, payload) = signing_input.split_once('.').ok_or(Flaw("not three parts"))?;
        Ok(Self {
            header: Header::parse(header)?,
            signing_input,
            payload,
            signature: base64url::decode(signature).ok_or(Flaw("the signature is not base64url"))?,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Checks the signature; only then is the payload read.
    pub fn verify(&self, key: &PublicJwk, allowed: &[Algorithm]) -> Result<Verified, Flaw> {
        let algorithm = self.header.alg;
        if !allowed.contains(&algorithm) {
            return Err(Flaw("the algorithm is not allowed here"));
        }
        if !key.verify(algorithm, self.signing_input.as_bytes(), &self.signature) {
            return Err(Flaw("the signature does not fit"));
        }
        Ok(Verified {
            claims: Claims::parse(self.payload)?,
            header: self.header.clone(),
        })
    }

    /// By any key of a set that can have made the signature.
    pub fn verify_by_any(&self, keys: &Jwks, allowed: &[Algorithm]) -> Result<Verified, Flaw> {
        let mut flaw = Flaw("no key of the set can have signed it");
        for key in keys.candidates(self.header.kid.as_deref(), self.header.alg) {
            match self.verify(key, allowed) {
                Ok(verified) => return Ok(verified),
                Err(next) => flaw = next,
            }
        }
        Err(flaw)
    }

    /// The claims without proof. For one purpose: finding the client whose keys then check the signature.
    pub fn claims_unproven(&self) -> Result<Claims, Flaw> {
        Claims::parse(self.payload)
    }
}

impl Verified {
    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    pub fn into_claims(self) -> Claims {
        self.claims
    }
}

impl Header {
    /// The `typ` as a media type in lower case, without the `application/` that may be left out
    /// (RFC 7515 §4.1.9).
    pub fn media_type(&self) -> Option<String> {
        let typ = self.typ.as_ref()?.to_ascii_lowercase();
        Some(typ.strip_prefix("application/").unwrap_or(&typ).to_owned())
    }

    fn parse(encoded: &str) -> Result<Self, Flaw> {
        let members = object(encoded).ok_or(Flaw("the header is not one JSON object without repeated members"))?;
        // RFC 7515 §4.1.11: an extension that is not understood makes the JWS invalid; we understand none.
        if members.contains_key("crit") {
            return Err(Flaw("the header has crit"));
        }
        let alg = members.get("alg").and_then(Value::as_str).ok_or(Flaw("no alg"))?;
        let jwk = members.get("jwk").map(PublicJwk::parse).transpose()?;
        Ok(Self {
            alg: Algorithm::parse(alg).ok_or(Flaw("the alg is none, a MAC, or not used here"))?,
            typ: text(&members, "typ")?.map(str::to_owned),
            kid: text(&members, "kid")?.map(str::to_owned),
            jwk,
        })
    }
}

impl Claims {
    fn parse(encoded: &str) -> Result<Self, Flaw> {
        object(encoded)
            .map(Self)
            .ok_or(Flaw("the payload is not one JSON object without repeated members"))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub fn into_members(self) -> Map<String, Value> {
        self.0
    }

    /// A string claim, or none.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Flaw> {
        text(&self.0, name)
    }

    /// A string claim that must be there.
    pub fn required_text(&self, name: &str) -> Result<&str, Flaw> {
        self.text(name)?.ok_or(Flaw("a required claim is missing"))
    }

    /// The one value of `aud`, as a string or in an array (RFC 7519 §4.1.3).
    pub fn sole_audience(&self) -> Option<&str> {
        match self.0.get("aud")? {
            Value::Array(values) => match values.as_slice() {
                [only] => only.as_str(),
                _ => None,
            },
            value => value.as_str(),
        }
    }

    /// A NumericDate (RFC 7519 §2), or none. Fractions are allowed there and kept to the millisecond.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Flaw> {
        self.0
            .get(name)
            .map(|value| instant(value).ok_or(Flaw("a claim is no instant")))
            .transpose()
    }

    /// A NumericDate that must be there.
    pub fn required_instant(&self, name: &str) -> Result<Timestamp, Flaw> {
        self.instant(name)?.ok_or(Flaw("a required claim is missing"))
    }
}

/// What a signer signs: the header and the claims, encoded and joined (RFC 7515 §5.1). The token is this,
/// a dot, and the signature in base64url.
pub fn signing_input(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| base64url::encode(value.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

fn object(encoded: &str) -> Option<Map<String, Value>> {
    strict_json::parse_object(&base64url::decode(encoded)?)
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Flaw> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Flaw("a member is no string")),
    }
}

/// The end of the year 9999: a later one is a unit mistaken, or an attempt to overflow.
const LAST_SECOND: i64 = 253_402_300_799;

fn instant(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return (0..=LAST_SECOND)
            .contains(&seconds)
            .then(|| Timestamp::from_seconds(seconds));
    }
    let seconds = value.as_f64()?;
    #[expect(clippy::cast_precision_loss, reason = "LAST_SECOND has 38 bits, an f64 keeps 53")]
    let in_range = (0.0..=LAST_SECOND as f64).contains(&seconds);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked; sub-milliseconds are dropped"
    )]
    let millis = (seconds * 1000.0) as i64;
    in_range.then(|| Timestamp::from_millis(millis))
}

#[cfg(test)]
pub(crate) mod tests;
