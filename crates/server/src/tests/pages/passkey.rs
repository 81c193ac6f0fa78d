//! An authenticator in software: as much of WebAuthn Level 3 §6 as a browser would pass on.

use std::cell::{Cell, RefCell};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use protocol::base64url;
use protocol::digest::Digest;
use serde_json::{Value, json};

use crate::tests::world::{ISSUER, random};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const ATTESTED: u8 = 0x40;

pub struct Passkey {
    pair: EcdsaKeyPair,
    is_p384: bool,
    pub id: String,
    pub user: RefCell<String>,
    pub counter: Cell<u32>,
    /// A passkey that lives on several devices has no counter: it says zero for ever.
    pub counts: Cell<bool>,
    pub flags: Cell<u8>,
    pub origin: RefCell<String>,
    /// Made by a maker of keys, who says so where it is asked for.
    pub has_maker: Cell<bool>,
}

impl Passkey {
    pub fn new() -> Self {
        Self::of(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(), false)
    }

    /// Of a kind that is not accepted.
    pub fn p384() -> Self {
        Self::of(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap(), true)
    }

    fn of(pair: EcdsaKeyPair, is_p384: bool) -> Self {
        let id = sha256(pair.public_key().as_ref());
        Self {
            id: base64url::encode(&id[..16]),
            pair,
            is_p384,
            user: RefCell::default(),
            counter: Cell::new(0),
            counts: Cell::new(true),
            flags: Cell::new(PRESENT | VERIFIED),
            origin: RefCell::new(ISSUER.to_owned()),
            has_maker: Cell::new(false),
        }
    }

    /// A touch, and nobody knows whose.
    pub fn skip_verification(&self) {
        self.flags.set(PRESENT);
    }

    /// Of the maker whose certificates are in `testdata/attestation`.
    pub fn made() -> Self {
        let passkey = Self::new();
        passkey.has_maker.set(true);
        passkey
    }

    /// A passkey that its provider keeps on several devices.
    pub fn is_synchronised(&self) {
        self.flags.set(PRESENT | VERIFIED | BACKUP_ELIGIBLE);
    }

    /// `RegistrationResponseJSON`.
    pub fn create(&self, options: &Value) -> Value {
        *self.user.borrow_mut() = options["user"]["id"].as_str().unwrap().to_owned();
        let client_data = self.client_data("webauthn.create", options);
        let mut data = self.authenticator_data(options["rp"]["id"].as_str().unwrap(), self.flags.get() | ATTESTED);
        let id = base64url::decode(&self.id).unwrap();
        data.extend([0; 16]);
        data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        data.extend(&id);
        data.extend(self.cose_key());
        // CBOR: {"fmt": text, "attStmt": map, "authData": bytes}
        let wanted = self.has_maker.get() && options["attestation"] == "direct";
        let statement = match wanted {
            false => b"\x64none\x67attStmt\xa0".to_vec(),
            true => packed(&[data.as_slice(), &sha256(client_data.as_bytes())].concat()),
        };
        let object = [b"\xa3\x63fmt", statement.as_slice(), b"\x68authData", &bytes(&data)].concat();
        let response = json!({
            "attestationObject": base64url::encode(&object),
            "clientDataJSON": base64url::encode(client_data.as_bytes()),
            "transports": ["internal"],
        });
        self.answer(&response)
    }

    /// `AuthenticationResponseJSON`.
    pub fn get(&self, options: &Value) -> Value {
        self.counter.set(self.counter.get() + u32::from(self.counts.get()));
        let client_data = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(options["rpId"].as_str().unwrap(), self.flags.get());
        let message = [data.as_slice(), &sha256(client_data.as_bytes())].concat();
        let response = json!({
            "authenticatorData": base64url::encode(&data),
            "clientDataJSON": base64url::encode(client_data.as_bytes()),
            "signature": base64url::encode(self.pair.sign(random(), &message).unwrap().as_ref()),
            "userHandle": *self.user.borrow(),
        });
        self.answer(&response)
    }

    fn answer(&self, response: &Value) -> Value {
        json!({ "id": self.id, "rawId": self.id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let origin = self.origin.borrow();
        json!({ "type": kind, "challenge": options["challenge"], "origin": *origin, "crossOrigin": false }).to_string()
    }

    fn authenticator_data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let mut data = sha256(rp_id.as_bytes());
        data.push(flags);
        data.extend(self.counter.get().to_be_bytes());
        data
    }

    /// CBOR (RFC 9053 §7.1): {1: 2, 3: alg, -1: crv, -2: x, -3: y}
    fn cose_key(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at((point.len() - 1) / 2);
        let length = u8::try_from(x.len()).unwrap();
        let head: &[u8] = if self.is_p384 {
            &[0xa5, 1, 2, 3, 0x38, 0x22, 0x20, 2]
        } else {
            &[0xa5, 1, 2, 3, 0x26, 0x20, 1]
        };
        [head, &[0x21, 0x58, length], x, &[0x22, 0x58, length], y].concat()
    }
}

/// WebAuthn §8.2 in CBOR: {"alg": -7, "sig": bytes, "x5c": [bytes]}, by the maker's certificate.
fn packed(message: &[u8]) -> Vec<u8> {
    let decoded = |text: &str| base64url::decode(text.trim()).unwrap();
    let certificate = decoded(include_str!("../../../testdata/attestation/leaf.txt"));
    let key = decoded(include_str!("../../../testdata/attestation/leaf_key.txt"));
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key).unwrap();
    let signature = pair.sign(random(), message).unwrap();
    let head: &[u8] = b"\x66packed\x67attStmt\xa3\x63alg\x26\x63sig";
    [head, &bytes(signature.as_ref()), b"\x63x5c\x81", &bytes(&certificate)].concat()
}

/// A byte string of CBOR, its length in two bytes.
fn bytes(bytes: &[u8]) -> Vec<u8> {
    [&[0x59], &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    base64url::decode(Digest::of(bytes).as_str()).unwrap()
}
