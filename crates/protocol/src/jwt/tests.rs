use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A signer for the tests of this crate, which itself only verifies.
pub(crate) enum TestKey {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl TestKey {
    pub(crate) fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn public(&self) -> PublicJwk {
        match self {
            Self::Es256(pair) => PublicJwk::p256(pair.public_key().as_ref()),
            Self::EdDsa(pair) => PublicJwk::ed25519(pair.public_key().as_ref()),
            Self::Rsa(pair) => PublicJwk::rsa_2048(pair.public_key().as_ref()),
        }
        .unwrap()
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(pair) => pair.sign_digest(&digest(&SHA256, message)).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, &digest(&SHA256, message), &mut signature)
                    .unwrap();
                signature
            }
        }
    }

    /// A token of any header and claims, properly signed.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().and_then(Algorithm::parse);
        let input = signing_input(header, claims);
        let signature = self.sign(algorithm.unwrap_or(Algorithm::Es256), input.as_bytes());
        format!("{input}.{}", base64url::encode(&signature))
    }
}

fn flaw(token: &str) -> &'static str {
    match Unverified::parse(token) {
        Ok(_) => "parsed",
        Err(flaw) => flaw.0,
    }
}

/// A token with that header text, whatever it is.
fn with_header(header: &str) -> String {
    format!("{}.e30.AA", base64url::encode(header.as_bytes()))
}

#[test]
fn a_token_signed_with_each_algorithm_verifies_and_only_as_that() {
    let keys = [
        (TestKey::es256(), Algorithm::Es256),
        (TestKey::ed25519(), Algorithm::EdDsa),
        (TestKey::rsa(), Algorithm::Rs256),
        (TestKey::rsa(), Algorithm::Ps256),
    ];
    for (key, algorithm) in &keys {
        let token = key.token(&json!({"alg": algorithm.as_str(), "kid": "k"}), &json!({"sub": "s"}));
        let parsed = || Unverified::parse(&token).unwrap();
        let verified = parsed().verify(&key.public(), &Algorithm::ALL).unwrap();
        assert_eq!(verified.claims().text("sub"), Ok(Some("s")));
        assert_eq!(verified.header().kid.as_deref(), Some("k"));

        let others: Vec<_> = Algorithm::ALL.into_iter().filter(|other| other != algorithm).collect();
        let refused = parsed().verify(&key.public(), &others).unwrap_err();
        assert_eq!(refused.0, "the algorithm is not allowed here");
        for (stranger, _) in keys.iter().filter(|(_, other)| other != algorithm) {
            let refused = parsed().verify(&stranger.public(), &Algorithm::ALL).unwrap_err();
            assert_eq!(refused.0, "the signature does not fit");
        }
    }
}

#[test]
fn rfc7515_a_3_its_token_verifies() {
    let key = PublicJwk::parse(&json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    }))
    .unwrap();
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let verified = Unverified::parse(token)
        .unwrap()
        .verify(&key, &[Algorithm::Es256])
        .unwrap();
    assert_eq!(
        verified.claims().instant("exp"),
        Ok(Some(Timestamp::from_seconds(1_300_819_380)))
    );
}

#[test]
fn p02_none_and_macs_are_no_algorithms() {
    for alg in ["none", "None", "HS256", "HS512", "ES384", "es256", ""] {
        assert_eq!(
            flaw(&with_header(&format!(r#"{{"alg":"{alg}"}}"#))),
            "the alg is none, a MAC, or not used here"
        );
    }
    for header in [r#"{"alg":1}"#, "{}", r#"{"alg":["ES256"]}"#] {
        assert_eq!(flaw(&with_header(header)), "no alg");
    }
}

#[test]
fn any_crit_is_refused() {
    for crit in ["[\"b64\"]", "[]", "null"] {
        assert_eq!(
            flaw(&with_header(&format!(r#"{{"alg":"ES256","crit":{crit}}}"#))),
            "the header has crit"
        );
    }
}

#[test]
fn a_repeated_member_in_header_or_payload_is_refused() {
    assert_eq!(
        flaw(&with_header(r#"{"alg":"ES256","alg":"EdDSA"}"#)),
        "the header is not one JSON object without repeated members"
    );
    let key = TestKey::es256();
    let input = format!(
        "{}.{}",
        base64url::encode(br#"{"alg":"ES256"}"#),
        base64url::encode(br#"{"sub":"a","sub":"b"}"#)
    );
    let signature = base64url::encode(&key.sign(Algorithm::Es256, input.as_bytes()));
    let token = format!("{input}.{signature}");
    let refused = Unverified::parse(&token)
        .unwrap()
        .verify(&key.public(), &Algorithm::ALL)
        .unwrap_err();
    assert_eq!(refused.0, "the payload is not one JSON object without repeated members");
}

#[test]
fn what_is_no_compact_jws_is_refused() {
    let good = TestKey::es256().token(&json!({"alg": "ES256"}), &json!({}));
    assert_eq!(flaw(&good), "parsed");
    for token in ["", "a", "a.b", "a.b.c.d", &format!("{good}.x")] {
        assert_ne!(flaw(token), "parsed", "{token:?}");
    }
    assert_eq!(flaw(&format!("{good}=")), "the signature is not base64url");
    assert_eq!(flaw(&format!("{good} ")), "the signature is not base64url");
    assert_eq!(flaw(&"a".repeat(LONGEST + 1)), "the token is too long");
    assert_eq!(
        flaw(&with_header(r#"{"alg":"ES256","typ":1}"#)),
        "a member is no string"
    );
    assert_eq!(
        flaw(&with_header(r#"{"alg":"ES256","kid":["a"]}"#)),
        "a member is no string"
    );
    assert_eq!(
        flaw(&with_header(r#"{"alg":"ES256","jwk":{"kty":"EC","d":"AA"}}"#)),
        "the key carries private members"
    );
}

#[test]
fn a_signed_text_of_four_parts_is_refused() {
    let key = TestKey::es256();
    let input = signing_input(&json!({"alg": "ES256"}), &json!({})) + ".e30";
    let signature = base64url::encode(&key.sign(Algorithm::Es256, input.as_bytes()));
    let token = format!("{input}.{signature}");
    let verified = Unverified::parse(&token).and_then(|token| token.verify(&key.public(), &Algorithm::ALL));
    assert!(verified.is_err());
}

#[test]
fn every_changed_character_of_a_token_is_refused() {
    let key = TestKey::es256();
    let token = key.token(&json!({"alg": "ES256", "typ": "JWT"}), &json!({"sub": "abc"}));
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let verified = Unverified::parse(&changed).and_then(|token| token.verify(&key.public(), &Algorithm::ALL));
        assert!(verified.is_err(), "position {position}");
    }
}

#[test]
fn a_claim_of_the_wrong_type_is_a_flaw_and_not_an_absent_claim() {
    let claims = |value: Value| Claims(json!({"c": value}).as_object().unwrap().clone());
    for value in [json!("1700000000"), json!(null), json!([1]), json!(true), json!({})] {
        assert!(claims(value.clone()).instant("c").is_err(), "{value}");
    }
    for value in [json!(-1), json!(u64::MAX), json!(1e300), json!(-0.5), json!(i64::MAX)] {
        assert!(claims(value.clone()).instant("c").is_err(), "{value}");
    }
    for value in [json!(1), json!(null), json!(["a"])] {
        assert!(claims(value.clone()).text("c").is_err(), "{value}");
    }
    assert_eq!(
        claims(json!(1_700_000_000.25)).instant("c"),
        Ok(Some(Timestamp::from_millis(1_700_000_000_250)))
    );
    assert_eq!(claims(json!(0)).instant("other"), Ok(None));
    assert!(claims(json!(0)).required_instant("other").is_err());
    assert!(claims(json!("x")).required_text("other").is_err());
}

proptest! {
    #[test]
    fn no_token_makes_the_parser_panic(token in "[A-Za-z0-9_.-]{0,80}|.{0,80}", header in ".{0,80}", payload in proptest::collection::vec(any::<u8>(), 0..80)) {
        let built = format!("{}.{}.AA", base64url::encode(header.as_bytes()), base64url::encode(&payload));
        let with_good_header = format!("eyJhbGciOiJFUzI1NiJ9.{}.AA", base64url::encode(&payload));
        for token in [token, built, with_good_header] {
            if let Ok(token) = Unverified::parse(&token) {
                let _ = token.claims_unproven();
            }
        }
    }
}
