//! A DPoP proof for each request (RFC 9449 §4.2), by one ES256 key, with the newest nonce that an answer brought.

use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::json;

pub struct Prover {
    key: EcdsaKeyPair,
    random: SystemRandom,
    header: String,
    base: String,
    run: u128,
    count: Cell<u64>,
    nonce: RefCell<Option<String>>,
}

impl Prover {
    /// `host`: as in the server's own addresses, which proofs name.
    pub fn new(host: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        let jwk = json!({ "kty": "EC", "crv": "P-256",
            "x": BASE64URL.encode(&point[1..33]), "y": BASE64URL.encode(&point[33..65]) });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk }).to_string();
        Self {
            header: BASE64URL.encode(header),
            random: SystemRandom::new(),
            base: format!("http://{host}"),
            run: now().as_nanos(),
            count: Cell::new(0),
            nonce: RefCell::new(None),
            key,
        }
    }

    pub fn proof(&self, path: &str) -> HeaderValue {
        self.count.set(self.count.get() + 1);
        let mut claims = json!({ "jti": format!("{}-{}", self.run, self.count.get()), "htm": "POST",
            "htu": format!("{}{path}", self.base), "iat": now().as_secs() });
        if let Some(nonce) = &*self.nonce.borrow() {
            claims["nonce"] = json!(nonce);
        }
        let input = format!("{}.{}", self.header, BASE64URL.encode(claims.to_string()));
        let signature = self.key.sign(&self.random, input.as_bytes()).unwrap();
        HeaderValue::from_str(&format!("{input}.{}", BASE64URL.encode(signature))).unwrap()
    }

    pub fn saw(&self, headers: &HeaderMap) {
        if let Some(nonce) = headers.get("dpop-nonce").and_then(|nonce| nonce.to_str().ok()) {
            *self.nonce.borrow_mut() = Some(nonce.to_owned());
        }
    }
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
