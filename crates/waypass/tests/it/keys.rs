//! Keys of the outside: proofs (RFC 9449 §4.2), client assertions (RFC 7523 §2.2), decisions. Written
//! without the code under test, so that a mistake there is not repeated here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::chance;

/// An ES256 key.
pub struct Key(EcdsaKeyPair);

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64url(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub fn sha256(text: &str) -> String {
    base64url(Sha256::digest(text))
}

/// The claims of a JWT that somebody else verifies.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let text = token
        .split('.')
        .nth(index)
        .unwrap_or_else(|| panic!("not a JWT: {token}"));
    serde_json::from_slice(&from_base64url(text)).unwrap()
}

impl Key {
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// The public half, members in the order of RFC 7638 §3.2.
    pub fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"crv": "P-256", "kty": "EC", "x": base64url(&point[1..33]), "y": base64url(&point[33..65])})
    }

    /// The private half too, for a foreign client that signs by itself.
    pub fn private_jwk(&self) -> Value {
        use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
        let secret: EcPrivateKeyBin<'_> = self.0.private_key().as_be_bytes().unwrap();
        let mut jwk = self.jwk();
        jwk["d"] = base64url(secret.as_ref()).into();
        jwk["kid"] = self.thumbprint().into();
        jwk
    }

    /// What a client registers: one key, named.
    pub fn jwks(&self) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = self.thumbprint().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = "ES256".into();
        json!({"keys": [jwk]})
    }

    /// RFC 7638 §3.
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = |name: &str| jwk[name].as_str().unwrap().to_owned();
        sha256(&format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            text("x"),
            text("y")
        ))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a client outside the server signs with chance of its own"
    )]
    pub fn sign(&self, message: &[u8]) -> String {
        base64url(self.0.sign(&SystemRandom::new(), message).unwrap())
    }

    pub fn jwt(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.sign(input.as_bytes());
        format!("{input}.{signature}")
    }

    pub fn proof_header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()})
    }

    /// RFC 9449 §4.2. Further claims (`nonce`, `ath`) by `extra`, which may also replace or, being null, remove one.
    pub fn proof(&self, htm: &str, htu: &str, extra: &Value) -> String {
        let mut claims = json!({"jti": chance::nonce(), "htm": htm, "htu": htu, "iat": chance::now()});
        merge(&mut claims, extra);
        self.jwt(&self.proof_header(), &claims)
    }

    /// RFC 7523 §3 in the form of RFC 10070: the issuer is the only audience.
    pub fn assertion(&self, client_id: &str, audience: &Value, extra: &Value) -> String {
        let now = chance::now();
        let mut claims = json!({
            "iss": client_id, "sub": client_id, "aud": audience,
            "jti": chance::nonce(), "iat": now, "exp": now + 60,
        });
        merge(&mut claims, extra);
        let header = json!({"typ": "client-authentication+jwt", "alg": "ES256", "kid": self.thumbprint()});
        self.jwt(&header, &claims)
    }
}

fn merge(claims: &mut Value, extra: &Value) {
    let claims = claims.as_object_mut().unwrap();
    for (name, value) in extra.as_object().into_iter().flatten() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
}

/// RFC 8785 for what a decision holds: text, whole numbers, lists and objects with ASCII names.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let members: Vec<String> = names
                .into_iter()
                .map(|name| format!("{}:{}", json!(name), canonical(&members[name])))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[test]
fn a_thumbprint_is_that_of_the_rfc_9449_example_key() {
    // RFC 9449 §4.1 shows the key, §6.1 its thumbprint.
    let jwk = r#"{"crv":"P-256","kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
    assert_eq!(sha256(jwk), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}
