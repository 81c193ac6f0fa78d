//! Public keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037 §2), their thumbprints (RFC 7638), and the
//! checking of signatures. Absent: private keys and signing (with the keys, in `server` and `cli`),
//! symmetric keys, encryption, certificates (`x5c`) and key URLs (`jku`, `x5u`), which are ignored.

use std::fmt;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature as aws;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base64url;
use crate::digest::Digest;

/// What is wrong with a key or a token, as a fixed phrase: for an administrator who registers a key and
/// for tests. Never carries what was sent, and never reaches the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flaw(pub &'static str);

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Flaw {}

/// The signature algorithms that are spoken (RFC 7518 §3, RFC 8037 §3.1). `none` and MACs have no value
/// here: a public key used as a MAC key is the oldest attack on JWTs.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Es256, Self::Rs256, Self::Ps256, Self::EdDsa];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// A public key that can check signatures, with the `kid` and `alg` it was given under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicJwk {
    material: Material,
    kid: Option<String>,
    alg: Option<Algorithm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    /// SEC 1 uncompressed: 0x04, x, y.
    P256([u8; 65]),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ed25519([u8; 32]),
}

/// Members that only private or symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "dp", "dq", "k", "oth", "p", "q", "qi"];
const LONGEST_KID: usize = 256;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

impl PublicJwk {
    /// Reads one key, strictly: what is not a public signature key of a kind we check is a flaw.
    pub fn parse(value: &Value) -> Result<Self, Flaw> {
        let members = value.as_object().ok_or(Flaw("a key is a JSON object"))?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(Flaw("the key carries private members"));
        }
        check_use(members)?;
        let key = match text(members, "kty")? {
            "EC" if text(members, "crv")? == "P-256" => Self::p256(&coordinates(members)?)?,
            "RSA" => Self::rsa(&bytes(members, "n", 1024)?, &bytes(members, "e", 4)?)?,
            "OKP" if text(members, "crv")? == "Ed25519" => Self::ed25519(&bytes(members, "x", 32)?)?,
            _ => return Err(Flaw("the key is of a kind that is not used here")),
        };
        Ok(Self {
            kid: kid(members)?,
            alg: declared_algorithm(members, &key)?,
            ..key
        })
    }

    /// From a SEC 1 uncompressed point. The point must lie on the curve.
    pub fn p256(point: &[u8]) -> Result<Self, Flaw> {
        let point: [u8; 65] = point.try_into().map_err(|_| Flaw("wrong length of a coordinate"))?;
        aws::ParsedPublicKey::new(&aws::ECDSA_P256_SHA256_FIXED, point)
            .map_err(|_| Flaw("the point is not on the curve"))?;
        Ok(Self::from(Material::P256(point)))
    }

    /// From a big-endian modulus and exponent without leading zeros.
    pub fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Flaw> {
        let (Some(&n_first), Some(&n_last)) = (n.first(), n.last()) else {
            return Err(Flaw("the modulus is empty"));
        };
        let (Some(&e_first), Some(&e_last)) = (e.first(), e.last()) else {
            return Err(Flaw("the exponent is empty"));
        };
        // RFC 7518 §2: "the minimum number of octets". Two encodings of one key would be two thumbprints.
        if n_first == 0 || e_first == 0 {
            return Err(Flaw("a leading zero octet"));
        }
        let bits = n.len() * 8 - n_first.leading_zeros() as usize;
        if !RSA_BITS.contains(&bits) || n_last % 2 == 0 {
            return Err(Flaw("the modulus is not of 2048 to 8192 bits, or even"));
        }
        if e.len() > 4 || e_last % 2 == 0 || e == [1] {
            return Err(Flaw("the exponent is not usable"));
        }
        Ok(Self::from(Material::Rsa {
            n: n.to_vec(),
            e: e.to_vec(),
        }))
    }

    /// From the PKCS #1 form of a key as we make them: 2048 bits, exponent 65537. The frame around the
    /// modulus is then always the same, and anything else is refused rather than parsed.
    pub fn rsa_2048(pkcs1: &[u8]) -> Result<Self, Flaw> {
        let n = pkcs1
            .strip_prefix(&[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00])
            .and_then(|rest| rest.strip_suffix(&[0x02, 0x03, 0x01, 0x00, 0x01]))
            .ok_or(Flaw("not a 2048-bit key with exponent 65537"))?;
        Self::rsa(n, &[1, 0, 1])
    }

    pub fn ed25519(x: &[u8]) -> Result<Self, Flaw> {
        let x: [u8; 32] = x.try_into().map_err(|_| Flaw("wrong length of a coordinate"))?;
        Ok(Self::from(Material::Ed25519(x)))
    }

    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether this key can have made a signature of that algorithm; a declared `alg` admits no other.
    pub fn speaks(&self, algorithm: Algorithm) -> bool {
        let fits = matches!(
            (&self.material, algorithm),
            (Material::P256(_), Algorithm::Es256)
                | (Material::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
                | (Material::Ed25519(_), Algorithm::EdDsa)
        );
        fits && self.alg.is_none_or(|declared| declared == algorithm)
    }

    /// Checks a JWS signature (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1).
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.speaks(algorithm) {
            return false;
        }
        let checked = match &self.material {
            Material::P256(point) => {
                aws::UnparsedPublicKey::new(&aws::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Rsa { n, e } => {
                let parameters = match algorithm {
                    Algorithm::Ps256 => &aws::RSA_PSS_2048_8192_SHA256,
                    _ => &aws::RSA_PKCS1_2048_8192_SHA256,
                };
                PublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Material::Ed25519(x) => aws::UnparsedPublicKey::new(&aws::ED25519, x).verify(message, signature),
        };
        checked.is_ok()
    }

    /// Checks a WebAuthn signature: as [`Self::verify`], but ECDSA signatures are DER (WebAuthn §6.5.5).
    pub fn verify_webauthn(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::P256(point) => aws::UnparsedPublicKey::new(&aws::ECDSA_P256_SHA256_ASN1, point)
                .verify(message, signature)
                .is_ok(),
            Material::Rsa { .. } => self.verify(Algorithm::Rs256, message, signature),
            Material::Ed25519(_) => self.verify(Algorithm::EdDsa, message, signature),
        }
    }

    /// RFC 7638 §3: SHA-256 over the required members in lexicographic order, as base64url. Written out by
    /// hand, because a map's own order is not to be relied on.
    pub fn thumbprint(&self) -> String {
        let text = match &self.material {
            Material::P256(point) => {
                let (x, y) = halves(point);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Material::Rsa { n, e } => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                base64url::encode(e),
                base64url::encode(n)
            ),
            Material::Ed25519(x) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(x))
            }
        };
        Digest::of(text.as_bytes()).as_str().to_owned()
    }

    /// The key as a public JWK, with `kid` and `alg` where it has them.
    pub fn to_value(&self) -> Value {
        let mut value = match &self.material {
            Material::P256(point) => {
                let (x, y) = halves(point);
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
            }
            Material::Rsa { n, e } => {
                json!({"kty": "RSA", "n": base64url::encode(n), "e": base64url::encode(e)})
            }
            Material::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(x)}),
        };
        if let Some(members) = value.as_object_mut() {
            members.extend(self.kid.iter().map(|kid| ("kid".to_owned(), kid.as_str().into())));
            members.extend(self.alg.iter().map(|alg| ("alg".to_owned(), alg.as_str().into())));
        }
        value
    }

    /// Whether both are the same key, whatever they are called.
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.material == other.material
    }
}

impl From<Material> for PublicJwk {
    fn from(material: Material) -> Self {
        Self {
            material,
            kid: None,
            alg: None,
        }
    }
}

/// The keys that somebody was registered with (RFC 7517 §5). Stored as the JSON that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Jwks(Vec<PublicJwk>);

impl TryFrom<Value> for Jwks {
    type Error = Flaw;

    fn try_from(value: Value) -> Result<Self, Flaw> {
        Self::parse(&value)
    }
}

impl From<Jwks> for Value {
    fn from(keys: Jwks) -> Self {
        keys.to_value()
    }
}

impl Jwks {
    /// A bound on the work that one assertion without a `kid` can cause.
    pub const MOST_KEYS: usize = 16;

    /// Keys of kinds that are not used here are left out, as RFC 7517 §5 asks; a private key anywhere in
    /// the set refuses it all, since its owner must know that it leaked.
    pub fn parse(value: &Value) -> Result<Self, Flaw> {
        let keys = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(Flaw("a key set is an object with an array `keys`"))?;
        if keys.len() > Self::MOST_KEYS {
            return Err(Flaw("more than 16 keys"));
        }
        let mut usable = Vec::new();
        let mut first_flaw = Flaw("the key set is empty");
        for (position, key) in keys.iter().enumerate() {
            match PublicJwk::parse(key) {
                Ok(key) => usable.push(key),
                Err(flaw) if holds_private_members(key) => return Err(flaw),
                Err(flaw) if position == 0 => first_flaw = flaw,
                Err(_) => {}
            }
        }
        if usable.is_empty() {
            Err(first_flaw)
        } else {
            Ok(Self(usable))
        }
    }

    /// The keys that can have made a signature: by algorithm, and by `kid` where both sides name one.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &PublicJwk> {
        self.0.iter().filter(move |key| {
            let named = match (kid, key.kid()) {
                (Some(wanted), Some(own)) => wanted == own,
                _ => true,
            };
            named && key.speaks(algorithm)
        })
    }

    /// Whether one of the keys is called so.
    pub fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid() == Some(kid))
    }

    pub fn to_value(&self) -> Value {
        json!({"keys": self.0.iter().map(PublicJwk::to_value).collect::<Vec<_>>()})
    }
}

fn holds_private_members(key: &Value) -> bool {
    PRIVATE_MEMBERS.iter().any(|name| key.get(name).is_some())
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Flaw> {
    members
        .get(name)
        .and_then(Value::as_str)
        .ok_or(Flaw("a required member is missing or no string"))
}

/// Decodes a member of at most `most` bytes; a longer one is refused before it is decoded.
fn bytes(members: &Map<String, Value>, name: &str, most: usize) -> Result<Vec<u8>, Flaw> {
    let text = text(members, name)?;
    if text.len() > most.div_ceil(3) * 4 {
        return Err(Flaw("a member is too long"));
    }
    base64url::decode(text).ok_or(Flaw("a member is not base64url"))
}

fn coordinates(members: &Map<String, Value>) -> Result<Vec<u8>, Flaw> {
    let (x, y) = (bytes(members, "x", 32)?, bytes(members, "y", 32)?);
    // RFC 7518 §6.2.1.2: "The length of this octet string MUST be the full size of a coordinate".
    if x.len() != 32 || y.len() != 32 {
        return Err(Flaw("wrong length of a coordinate"));
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

fn halves(point: &[u8; 65]) -> (String, String) {
    let (_, xy) = point.split_at(1);
    let (x, y) = xy.split_at(32);
    (base64url::encode(x), base64url::encode(y))
}

/// RFC 7517 §4.2 and §4.3: a key meant for something else signs nothing here.
fn check_use(members: &Map<String, Value>) -> Result<(), Flaw> {
    let use_fits = members.get("use").is_none_or(|value| value == "sig");
    let operations_fit = members
        .get("key_ops")
        .is_none_or(|value| value.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    if use_fits && operations_fit {
        Ok(())
    } else {
        Err(Flaw("the key is not meant for signatures"))
    }
}

fn kid(members: &Map<String, Value>) -> Result<Option<String>, Flaw> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() <= LONGEST_KID => Ok(Some(kid.clone())),
        Some(_) => Err(Flaw("the kid is no string, or too long")),
    }
}

fn declared_algorithm(members: &Map<String, Value>, key: &PublicJwk) -> Result<Option<Algorithm>, Flaw> {
    let Some(declared) = members.get("alg") else {
        return Ok(None);
    };
    declared
        .as_str()
        .and_then(Algorithm::parse)
        .filter(|&algorithm| key.speaks(algorithm))
        .map(Some)
        .ok_or(Flaw("the key's alg is not used here, or does not fit its kind"))
}

#[cfg(test)]
mod tests;
