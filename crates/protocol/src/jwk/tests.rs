use proptest::prelude::*;

use super::*;

/// RFC 7638 §3.1.
fn rsa() -> Value {
    json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29"
    })
}

/// RFC 7515 §A.3.1.
fn p256() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    })
}

/// RFC 8037 §A.2.
fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn without(mut key: Value, name: &str) -> Value {
    key.as_object_mut().unwrap().remove(name);
    key
}

fn flaw(value: &Value) -> &'static str {
    PublicJwk::parse(value).unwrap_err().0
}

#[test]
fn rfc7638_3_1_and_rfc8037_a_3_thumbprints() {
    let thumbprint = |key: Value| PublicJwk::parse(&key).unwrap().thumbprint();
    assert_eq!(thumbprint(rsa()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(thumbprint(ed25519()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// RFC 9449 §6.1: the key of the example proof and its thumbprint.
#[test]
fn p08_rfc9449_6_1_thumbprint() {
    let key = json!({
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256"
    });
    assert_eq!(
        PublicJwk::parse(&key).unwrap().thumbprint(),
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    );
}

#[test]
fn rfc7515_a_3_and_rfc8037_a_4_signatures_verify_and_a_changed_byte_does_not() {
    let es256 = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    for (key, algorithm, jws) in [(p256(), Algorithm::Es256, es256), (ed25519(), Algorithm::EdDsa, eddsa)] {
        let key = PublicJwk::parse(&key).unwrap();
        let (message, signature) = jws.rsplit_once('.').unwrap();
        let signature = base64url::decode(signature).unwrap();
        assert!(key.verify(algorithm, message.as_bytes(), &signature));
        for position in 0..signature.len() {
            let mut changed = signature.clone();
            changed[position] ^= 1;
            assert!(
                !key.verify(algorithm, message.as_bytes(), &changed),
                "position {position}"
            );
        }
        assert!(!key.verify(algorithm, &message.as_bytes()[1..], &signature));
        assert!(!key.verify(algorithm, message.as_bytes(), &signature[1..]));
        for other in Algorithm::ALL.into_iter().filter(|&other| other != algorithm) {
            assert!(!key.verify(other, message.as_bytes(), &signature), "{other:?}");
        }
    }
}

#[test]
fn a_key_reads_back_as_it_was_written() {
    for key in [rsa(), p256(), ed25519(), with(p256(), "kid", json!("a"))] {
        let parsed = PublicJwk::parse(&key).unwrap();
        assert_eq!(parsed.to_value(), key);
    }
}

#[test]
fn p02_a_private_or_symmetric_key_is_refused() {
    for name in PRIVATE_MEMBERS {
        for key in [rsa(), p256(), ed25519()] {
            assert_eq!(flaw(&with(key, name, json!("AQAB"))), "the key carries private members");
        }
    }
    assert_eq!(
        flaw(&json!({"kty": "oct", "k": "AQAB"})),
        "the key carries private members"
    );
    assert_eq!(
        flaw(&json!({"kty": "oct"})),
        "the key is of a kind that is not used here"
    );
}

#[test]
fn a_coordinate_of_another_length_or_off_the_curve_is_refused() {
    let short = base64url::encode(&[1; 31]);
    let long = base64url::encode(&[1; 33]);
    assert_eq!(flaw(&with(p256(), "x", json!(short))), "wrong length of a coordinate");
    assert_eq!(flaw(&with(p256(), "y", json!(long))), "wrong length of a coordinate");
    assert_eq!(
        flaw(&with(ed25519(), "x", json!(short))),
        "wrong length of a coordinate"
    );
    assert_eq!(
        flaw(&with(p256(), "y", json!(base64url::encode(&[1; 32])))),
        "the point is not on the curve"
    );
    assert_eq!(
        flaw(&with(p256(), "x", json!("A".repeat(1_000_000)))),
        "a member is too long"
    );
    assert_eq!(
        flaw(&with(
            p256(),
            "x",
            json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=")
        )),
        "a member is not base64url"
    );
}

#[test]
fn an_rsa_key_outside_the_bounds_is_refused() {
    let modulus = |bytes: &[u8]| with(rsa(), "n", json!(base64url::encode(bytes)));
    let exponent = |bytes: &[u8]| with(rsa(), "e", json!(base64url::encode(bytes)));
    let mut zero_first = vec![0xff; 257];
    zero_first[0] = 0;
    let mut bits_2047 = vec![0xff; 256];
    bits_2047[0] = 0x7f;
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;

    assert_eq!(flaw(&modulus(&zero_first)), "a leading zero octet");
    for n in [bits_2047, even, vec![0xff; 128]] {
        assert_eq!(flaw(&modulus(&n)), "the modulus is not of 2048 to 8192 bits, or even");
    }
    assert_eq!(flaw(&modulus(&[0xff; 1030])), "a member is too long");
    assert!(PublicJwk::parse(&modulus(&[0xff; 1024])).is_ok());
    assert_eq!(flaw(&modulus(&[])), "the modulus is empty");
    assert_eq!(flaw(&exponent(&[])), "the exponent is empty");
    assert_eq!(flaw(&exponent(&[0, 1, 0, 1])), "a leading zero octet");
    for e in [&[1_u8][..], &[2], &[1, 0, 0]] {
        assert_eq!(flaw(&exponent(e)), "the exponent is not usable");
    }
}

#[test]
fn a_key_for_something_else_is_refused() {
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!(1)),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
    ] {
        assert_eq!(flaw(&with(p256(), name, value)), "the key is not meant for signatures");
    }
    for alg in [json!("RS256"), json!("HS256"), json!("none"), json!(7)] {
        assert_eq!(
            flaw(&with(p256(), "alg", alg)),
            "the key's alg is not used here, or does not fit its kind"
        );
    }
    for key in [
        with(p256(), "crv", json!("P-384")),
        with(ed25519(), "crv", json!("X25519")),
        with(p256(), "kty", json!("ec")),
    ] {
        assert_eq!(flaw(&key), "the key is of a kind that is not used here");
    }
    assert_eq!(
        flaw(&with(p256(), "kid", json!("k".repeat(257)))),
        "the kid is no string, or too long"
    );
    assert_eq!(
        flaw(&with(p256(), "kid", json!(1))),
        "the kid is no string, or too long"
    );
    assert_eq!(flaw(&without(p256(), "y")), "a required member is missing or no string");
    assert_eq!(flaw(&json!([])), "a key is a JSON object");
}

#[test]
fn a_declared_algorithm_admits_no_other() {
    let declared = PublicJwk::parse(&rsa()).unwrap();
    assert!(declared.speaks(Algorithm::Rs256) && !declared.speaks(Algorithm::Ps256));
    let open = PublicJwk::parse(&without(rsa(), "alg")).unwrap();
    assert!(open.speaks(Algorithm::Rs256) && open.speaks(Algorithm::Ps256));
}

#[test]
fn a_key_set_gives_the_keys_that_can_have_signed() {
    let set = json!({"keys": [rsa(), with(p256(), "kid", json!("a")), p256(), {"kty": "oct"}, with(p256(), "use", json!("enc"))]});
    let set = Jwks::parse(&set).unwrap();
    let count = |kid, algorithm| set.candidates(kid, algorithm).count();
    assert_eq!(count(None, Algorithm::Es256), 2);
    assert_eq!(count(Some("a"), Algorithm::Es256), 2, "a key without a kid may be it");
    assert_eq!(count(Some("b"), Algorithm::Es256), 1);
    assert_eq!(count(Some("2011-04-29"), Algorithm::Rs256), 1);
    assert_eq!(count(Some("2011-04-30"), Algorithm::Rs256), 0);
    assert_eq!(count(None, Algorithm::Ps256), 0);
    assert_eq!(Jwks::parse(&set.to_value()), Ok(set));
}

#[test]
fn a_key_set_that_is_empty_too_large_or_leaks_is_refused() {
    let refused = |value: Value| Jwks::parse(&value).unwrap_err().0;
    assert_eq!(refused(json!({"keys": []})), "the key set is empty");
    assert_eq!(
        refused(json!({"keys": [{"kty": "oct"}]})),
        "the key is of a kind that is not used here"
    );
    assert_eq!(refused(json!({"keys": vec![p256(); 17]})), "more than 16 keys");
    assert_eq!(
        refused(json!({"keys": [p256(), with(p256(), "d", json!("AQ"))]})),
        "the key carries private members"
    );
    assert_eq!(refused(json!([])), "a key set is an object with an array `keys`");
    assert_eq!(refused(p256()), "a key set is an object with an array `keys`");
}

proptest! {
    #[test]
    fn no_members_make_the_parser_panic(x in ".{0,60}", n in proptest::collection::vec(any::<u8>(), 0..300), kty in "EC|RSA|OKP|.{0,4}") {
        let key = json!({"kty": kty, "crv": "P-256", "x": x, "y": x, "n": base64url::encode(&n), "e": base64url::encode(&n[..n.len().min(4)])});
        if let Ok(key) = PublicJwk::parse(&key) {
            prop_assert_eq!(PublicJwk::parse(&key.to_value()).unwrap().thumbprint(), key.thumbprint());
            for algorithm in Algorithm::ALL {
                prop_assert!(!key.verify(algorithm, x.as_bytes(), &n));
            }
        }
    }
}
