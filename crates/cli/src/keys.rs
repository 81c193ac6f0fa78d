//! ES256 keys that sign: the DPoP key of a profile, in memory or in a TPM, and the software key of an
//! approver. RFC 7517, RFC 7518 §3.4, RFC 7638. Verification is not here: `protocol` verifies and never signs.

use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use protocol::base64url;
use protocol::digest::Digest;
use protocol::secret::Entropy;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::entropy;
use crate::tpm::{Made, Sealed, Tpm};

/// A private key as it is stored. No `Debug`: `d` is the secret.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct PrivateJwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    d: String,
}

/// A key that its TPM has sealed, with its public half. Without `tpm` it could not be told from a public JWK.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealedJwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    tpm: Sealed,
}

/// A profile's key as it is stored. No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredKey {
    Software(PrivateJwk),
    Tpm(SealedJwk),
}

pub struct Key {
    signer: Signer,
    x: String,
    y: String,
}

enum Signer {
    Software(EcdsaKeyPair),
    Tpm(Tpm, Sealed),
}

/// What one DPoP proof proves. RFC 9449 §4.2.
pub struct Proof<'a> {
    pub method: &'a str,
    /// Without query and fragment.
    pub url: &'a str,
    pub nonce: Option<&'a str>,
    pub access_token: Option<&'a str>,
    pub jti: &'a Entropy,
    pub now: Timestamp,
}

/// RFC 5915: SEQUENCE { INTEGER 1, OCTET STRING (32 bytes), [0] OID prime256v1 }.
const DER_BEFORE: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const DER_AFTER: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

impl Key {
    /// `None` when the bytes are no private key of P-256 (once in 2^32 draws): draw again.
    pub fn draw(entropy: &Entropy) -> Option<Self> {
        let der = Zeroizing::new([DER_BEFORE.as_slice(), &entropy.0, &DER_AFTER].concat());
        Self::software(EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()?)
    }

    /// `None` when this is no P-256 key or its halves do not belong together.
    pub fn from_jwk(jwk: &PrivateJwk) -> Option<Self> {
        if jwk.kty != "EC" || jwk.crv != "P-256" {
            return None;
        }
        let point = [vec![4], base64url::decode(&jwk.x)?, base64url::decode(&jwk.y)?].concat();
        let d = Zeroizing::new(base64url::decode(&jwk.d)?);
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Self::software(EcdsaKeyPair::from_private_key_and_public_key(algorithm, &d, &point).ok()?)
    }

    fn software(pair: EcdsaKeyPair) -> Option<Self> {
        let point = pair.public_key().as_ref();
        let x = base64url::encode(point.get(1..33)?);
        let y = base64url::encode(point.get(33..65)?);
        let signer = Signer::Software(pair);
        Some(Self { signer, x, y })
    }

    pub fn make_in(tpm: Tpm) -> Result<Self, String> {
        let Made { x, y, sealed } = tpm.make()?;
        let signer = Signer::Tpm(tpm, sealed);
        Ok(Self {
            signer,
            x: base64url::encode(&x),
            y: base64url::encode(&y),
        })
    }

    /// A key that no longer works is found out here, and not when the first proof is wanted.
    pub fn open(stored: &StoredKey, tpm: impl FnOnce() -> Option<Tpm>) -> Result<Self, String> {
        match stored {
            StoredKey::Software(jwk) => Self::from_jwk(jwk).ok_or_else(|| "it is damaged".to_owned()),
            StoredKey::Tpm(jwk) => {
                let tpm = tpm().ok_or("it is in a TPM, and there is none that can be used here")?;
                tpm.check(&jwk.tpm)
                    .map_err(|why| format!("the TPM does not take it: {why}"))?;
                let signer = Signer::Tpm(tpm, jwk.tpm.clone());
                let (x, y) = (jwk.x.clone(), jwk.y.clone());
                Ok(Self { signer, x, y })
            }
        }
    }

    pub fn stored(&self) -> Option<StoredKey> {
        match &self.signer {
            Signer::Software(_) => self.to_jwk().map(StoredKey::Software),
            Signer::Tpm(_, sealed) => Some(StoredKey::Tpm(SealedJwk {
                kty: "EC".to_owned(),
                crv: "P-256".to_owned(),
                x: self.x.clone(),
                y: self.y.clone(),
                tpm: sealed.clone(),
            })),
        }
    }

    /// `None` for a key that never leaves its TPM.
    pub fn to_jwk(&self) -> Option<PrivateJwk> {
        let Signer::Software(pair) = &self.signer else {
            return None;
        };
        let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
        Some(PrivateJwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: self.x.clone(),
            y: self.y.clone(),
            d: base64url::encode(d.as_ref()),
        })
    }

    pub fn public_jwk(&self) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y})
    }

    pub fn thumbprint(&self) -> Digest {
        thumbprint(&self.x, &self.y)
    }

    /// `r || s` as base64url.
    pub fn sign(&self, message: &[u8]) -> Option<String> {
        match &self.signer {
            Signer::Software(pair) => {
                let signature = pair.sign(&entropy::for_signing(), message).ok()?;
                Some(base64url::encode(signature.as_ref()))
            }
            Signer::Tpm(tpm, sealed) => Some(base64url::encode(&tpm.sign(sealed, message).ok()?)),
        }
    }

    pub fn proof(&self, proof: &Proof<'_>) -> Option<String> {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.public_jwk()});
        let mut claims = json!({
            "jti": base64url::encode(&proof.jti.0),
            "htm": proof.method,
            "htu": proof.url,
            "iat": proof.now.seconds(),
        });
        if let Some(members) = claims.as_object_mut() {
            if let Some(nonce) = proof.nonce {
                members.insert("nonce".to_owned(), nonce.into());
            }
            if let Some(token) = proof.access_token {
                members.insert("ath".to_owned(), Digest::of(token.as_bytes()).as_str().into());
            }
        }
        self.jwt(&header, &claims)
    }

    /// A JWT in the compact form. RFC 7515 §7.1.
    pub fn jwt(&self, header: &Value, claims: &Value) -> Option<String> {
        let encode = |part: &Value| base64url::encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(signed.as_bytes())?;
        Some(format!("{signed}.{signature}"))
    }
}

impl StoredKey {
    /// Without opening the key.
    pub fn thumbprint(&self) -> Digest {
        match self {
            Self::Software(jwk) => thumbprint(&jwk.x, &jwk.y),
            Self::Tpm(jwk) => thumbprint(&jwk.x, &jwk.y),
        }
    }

    pub fn is_in_a_tpm(&self) -> bool {
        matches!(self, Self::Tpm(_))
    }
}

/// RFC 7638 §3: these members, in this order, without white space.
fn thumbprint(x: &str, y: &str) -> Digest {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Digest::of(members.as_bytes())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// The private key of RFC 7517 appendix A.2; its thumbprint was computed with another program.
    fn rfc7517_a_2() -> PrivateJwk {
        PrivateJwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".to_owned(),
            y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".to_owned(),
            d: "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE".to_owned(),
        }
    }

    #[test]
    fn rfc7517_a_2_the_public_half_follows_from_the_private_one() {
        let jwk = rfc7517_a_2();
        let mut scalar = [0; 32];
        scalar.copy_from_slice(&base64url::decode(&jwk.d).unwrap());
        let drawn = Key::draw(&Entropy(scalar)).unwrap();
        assert_eq!((&drawn.x, &drawn.y), (&jwk.x, &jwk.y));
        assert_eq!(drawn.to_jwk().unwrap().d, jwk.d);
        assert_eq!(
            drawn.thumbprint().as_str(),
            "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
        );
    }

    #[test]
    fn halves_that_do_not_belong_together_are_no_key() {
        let mut jwk = rfc7517_a_2();
        assert!(Key::from_jwk(&jwk).is_some());
        jwk.d = base64url::encode(&[1; 32]);
        assert!(Key::from_jwk(&jwk).is_none());
        assert!(Key::draw(&Entropy([0; 32])).is_none(), "zero is no private key");
        assert!(
            Key::draw(&Entropy([255; 32])).is_none(),
            "beyond the order of the curve"
        );
    }

    #[test]
    fn p02_a_proof_carries_what_rfc9449_4_2_asks_for_and_its_own_public_key() {
        let key = Key::from_jwk(&rfc7517_a_2()).unwrap();
        let jwt = key
            .proof(&Proof {
                method: "POST",
                url: "https://as.example/token",
                nonce: Some("n"),
                access_token: Some("t"),
                jti: &Entropy([9; 32]),
                now: Timestamp::from_millis(1_500_999),
            })
            .unwrap();
        let parts: Vec<_> = jwt.split('.').collect();
        let json = |part: &str| serde_json::from_slice::<Value>(&base64url::decode(part).unwrap()).unwrap();
        assert_eq!(
            json(parts[0]),
            json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_jwk()})
        );
        assert_eq!(
            json(parts[1]),
            json!({
                "jti": base64url::encode(&[9; 32]), "htm": "POST", "htu": "https://as.example/token", "iat": 1500,
                "nonce": "n", "ath": Digest::of(b"t").as_str()
            })
        );
        let jwk = rfc7517_a_2();
        let point = [
            vec![4],
            base64url::decode(&jwk.x).unwrap(),
            base64url::decode(&jwk.y).unwrap(),
        ]
        .concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(
                format!("{}.{}", parts[0], parts[1]).as_bytes(),
                &base64url::decode(parts[2]).unwrap(),
            )
            .unwrap();
    }
}
