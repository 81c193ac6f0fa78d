//! An authenticator in software: as much of WebAuthn Level 3 §6 as a browser passes on, with one ES256 key.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

/// Present, and verified to be the person.
const VERIFIED: u8 = 0x05;
const ATTESTED: u8 = 0x40;
const ID_LENGTH: u8 = 16;

pub struct Passkey {
    key: EcdsaKeyPair,
    random: SystemRandom,
    id: Vec<u8>,
    user: String,
    origin: String,
}

impl Passkey {
    pub fn new(origin: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let mut id = sha256(key.public_key().as_ref());
        id.truncate(ID_LENGTH.into());
        Self {
            key,
            random: SystemRandom::new(),
            id,
            user: String::new(),
            origin: origin.into(),
        }
    }

    /// `RegistrationResponseJSON`, without an attestation.
    pub fn create(&mut self, options: &Value) -> Value {
        self.user = text(&options["user"]["id"]).into();
        let mut data = authenticator_data(text(&options["rp"]["id"]), VERIFIED | ATTESTED);
        data.extend([0; 16]);
        data.extend([0, ID_LENGTH]);
        data.extend(&self.id);
        data.extend(self.cose_key());
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": bytes}, and no more than 255 of them.
        let length = u8::try_from(data.len()).unwrap();
        let head: &[u8] = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58";
        let object = [head, &[length], &data].concat();
        let client_data = self.client_data("webauthn.create", options);
        self.answer(&json!({
            "attestationObject": BASE64URL.encode(object),
            "clientDataJSON": BASE64URL.encode(client_data),
            "transports": ["internal"],
        }))
    }

    /// `AuthenticationResponseJSON`. The counter stays zero, as that of a passkey on several devices does.
    pub fn get(&self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", options);
        let data = authenticator_data(text(&options["rpId"]), VERIFIED);
        let message = [data.as_slice(), &sha256(client_data.as_bytes())].concat();
        let signature = self.key.sign(&self.random, &message).unwrap();
        self.answer(&json!({
            "authenticatorData": BASE64URL.encode(data),
            "clientDataJSON": BASE64URL.encode(client_data),
            "signature": BASE64URL.encode(signature),
            "userHandle": self.user,
        }))
    }

    fn answer(&self, response: &Value) -> Value {
        let id = BASE64URL.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    /// CBOR (RFC 9053 §7.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
    }
}

fn authenticator_data(rp_id: &str, flags: u8) -> Vec<u8> {
    let mut data = sha256(rp_id.as_bytes());
    data.push(flags);
    data.extend([0; 4]);
    data
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
