//! Whether a request may use the token it brings: signature, issuer, audience and time (RFC 9068 §4), the proof of the
//! key (RFC 9449 §4.3 and §7), the certificate (RFC 8705 §3). Written without the code under test.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use hyper::HeaderMap;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Refused, State};
use crate::chance;
use crate::keys::{base64url, sha256};

pub type Claims = Map<String, Value>;

pub struct Caller<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// Of its connection.
    pub certificate: Option<&'a [u8]>,
}

impl Caller<'_> {
    /// The header's value, when it stands there exactly once.
    fn sole(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    }
}

impl State {
    pub fn admit(&self, caller: &Caller<'_>) -> Result<Claims, Refused> {
        let credentials = caller.sole("authorization").and_then(|value| value.split_once(' '));
        let (scheme, token) = credentials.ok_or_else(Refused::token)?;
        let claims = self.verified(token).ok_or_else(Refused::token)?;
        let bound = |method: &str| {
            claims
                .get("cnf")
                .and_then(|cnf| cnf.get(method))
                .and_then(Value::as_str)
        };
        match bound("jkt") {
            Some(jkt) if scheme.eq_ignore_ascii_case("dpop") => self.must_prove(caller, token, jkt)?,
            None if scheme.eq_ignore_ascii_case("bearer") => {}
            _ => return Err(Refused::token()),
        }
        if let Some(x5t) = bound("x5t#S256") {
            let shown = caller.certificate.map(|der| base64url(Sha256::digest(der)));
            if shown.as_deref() != Some(x5t) {
                return Err(Refused::token());
            }
        }
        Ok(claims)
    }

    fn verified(&self, token: &str) -> Option<Claims> {
        let (header, claims, signed, signature) = parts(token)?;
        if header["typ"] != "at+jwt" || header["alg"] != "ES256" {
            return None;
        }
        let keys = self.keys["keys"].as_array()?;
        let key = keys.iter().find(|key| key["kid"] == header["kid"])?;
        verify(key, signed, &signature)?;
        let is_audience = match &claims["aud"] {
            Value::Array(several) => several.iter().any(|one| *one == *self.resource),
            one => *one == *self.resource,
        };
        let is_live = claims["exp"].as_i64()? > chance::now();
        (claims["iss"] == *self.issuer && is_audience && is_live).then_some(claims.as_object()?.clone())
    }

    fn must_prove(&self, caller: &Caller<'_>, token: &str, jkt: &str) -> Result<(), Refused> {
        let proof = caller.sole("dpop").and_then(parts).ok_or_else(Refused::proof)?;
        let (header, claims, signed, signature) = proof;
        let key = &header["jwk"];
        let fits = header["typ"] == "dpop+jwt"
            && header["alg"] == "ES256"
            && key.get("d").is_none()
            && thumbprint(key).as_deref() == Some(jkt)
            && verify(key, signed, &signature).is_some()
            && claims["htm"] == caller.method
            && claims["htu"] == format!("{}{}", self.url, caller.path)
            && claims["ath"] == sha256(token)
            && claims["iat"]
                .as_i64()
                .is_some_and(|iat| (chance::now() - iat).abs() <= 60);
        if !fits {
            return Err(Refused::proof());
        }
        if claims["nonce"] != *self.nonce {
            return Err(Refused {
                nonce: Some(self.nonce.clone()),
                ..Refused::new(401, "use_dpop_nonce")
            });
        }
        let jti = claims["jti"].as_str().ok_or_else(Refused::proof)?;
        if self.used.lock().unwrap().insert(format!("{jkt} {jti}")) {
            Ok(())
        } else {
            Err(Refused::proof())
        }
    }
}

/// Header, claims, what is signed, the signature.
fn parts(token: &str) -> Option<(Value, Value, &str, Vec<u8>)> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let json = |text: &str| serde_json::from_slice(&decoded(text)?).ok();
    Some((json(header)?, json(claims)?, signed, decoded(signature)?))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

fn verify(key: &Value, signed: &str, signature: &[u8]) -> Option<()> {
    let coordinate = |name: &str| decoded(key[name].as_str()?);
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), signature).ok()
}

/// RFC 7638 §3.
fn thumbprint(key: &Value) -> Option<String> {
    let text = |name: &str| key[name].as_str();
    let (crv, kty, x, y) = (text("crv")?, text("kty")?, text("x")?, text("y")?);
    Some(sha256(&format!(
        r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#
    )))
}
