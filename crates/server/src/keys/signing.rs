//! One key that signs tokens: ES256, RS256 (which OpenID clients insist on) or EdDSA. Its private half
//! leaves only sealed. Absent: PS256 (we check it, nobody asks us for it), keys in hardware.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use protocol::base64url;
use protocol::jwk::{Algorithm, PublicJwk};
use protocol::jwt;
use protocol::secret::Entropy;
use serde_json::{Value, json};

use super::{DerivedKeys, KeyFault};

/// Every algorithm we sign with. The first is the default.
pub const SIGNING_ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa];

const WHAT: &str = "signing key";

pub struct SigningKey {
    pair: Pair,
    algorithm: Algorithm,
    public: PublicJwk,
    kid: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl SigningKey {
    /// The library draws the chance for a key itself; there is no other way to ask it. An RSA key takes it
    /// some tenths of a second.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyFault> {
        let pair = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Es256),
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rs256),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::EdDsa),
            Algorithm::Ps256 => return Err(KeyFault::NoKey("PS256")),
        };
        Self::from_pair(pair.map_err(|_| KeyFault::Crypto("generate a key"))?)
    }

    pub fn unseal(algorithm: Algorithm, kid: &str, sealed: &str, keys: &DerivedKeys) -> Result<Self, KeyFault> {
        let pkcs8 = keys.open(WHAT, kid, sealed)?;
        let pair = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map(Pair::Es256),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(&pkcs8).map(Pair::Rs256),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(&pkcs8).map(Pair::EdDsa),
            Algorithm::Ps256 => return Err(KeyFault::RowMalformed(kid.to_owned())),
        };
        // That it is the key of this `kid` is in the seal.
        Self::from_pair(pair.map_err(|_| KeyFault::RowMalformed(kid.to_owned()))?)
    }

    /// PKCS #8, sealed and bound to its `kid`.
    pub fn seal(&self, keys: &DerivedKeys, entropy: &Entropy) -> Result<String, KeyFault> {
        let seal = |pkcs8: &[u8]| keys.seal(WHAT, &self.kid, pkcs8, entropy);
        let fault = |_| KeyFault::Crypto("encode a key");
        match &self.pair {
            Pair::Es256(pair) => seal(pair.to_pkcs8v1().map_err(fault)?.as_ref()),
            Pair::Rs256(pair) => seal(AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(fault)?.as_ref()),
            Pair::EdDsa(pair) => seal(pair.to_pkcs8v1().map_err(fault)?.as_ref()),
        }
    }

    fn from_pair(pair: Pair) -> Result<Self, KeyFault> {
        let (algorithm, public) = match &pair {
            Pair::Es256(pair) => (Algorithm::Es256, PublicJwk::p256(pair.public_key().as_ref())),
            Pair::Rs256(pair) => (Algorithm::Rs256, PublicJwk::rsa_2048(pair.public_key().as_ref())),
            Pair::EdDsa(pair) => (Algorithm::EdDsa, PublicJwk::ed25519(pair.public_key().as_ref())),
        };
        let public = public.map_err(|_| KeyFault::Crypto("read a public key"))?;
        Ok(Self {
            pair,
            algorithm,
            kid: public.thumbprint(),
            public,
        })
    }

    /// The RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    /// As it stands in the JWKS.
    pub fn public_value(&self) -> Value {
        let mut value = self.public.to_value();
        if let Some(members) = value.as_object_mut() {
            members.insert("kid".into(), self.kid.as_str().into());
            members.insert("alg".into(), self.algorithm.as_str().into());
            members.insert("use".into(), "sig".into());
        }
        value
    }

    pub fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let fault = |_| KeyFault::Crypto("sign");
        let digest = || digest(&SHA256, signing_input);
        match &self.pair {
            Pair::Es256(pair) => Ok(pair.sign_digest(&digest()).map_err(fault)?.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, &digest(), &mut signature)
                    .map_err(fault)?;
                Ok(signature)
            }
            Pair::EdDsa(pair) => Ok(pair.try_sign(signing_input).map_err(fault)?.as_ref().to_vec()),
        }
    }

    pub fn sign_jwt(&self, typ: &str, claims: &Value) -> Result<String, KeyFault> {
        let header = json!({"alg": self.algorithm.as_str(), "typ": typ, "kid": self.kid});
        let input = jwt::signing_input(&header, claims);
        let signature = self.sign(input.as_bytes())?;
        Ok(format!("{input}.{}", base64url::encode(&signature)))
    }
}
