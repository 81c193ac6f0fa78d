use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base64url;
use crate::jwt::tests::TestKey;

const HTU: &str = "https://server.example/as/token";
static KEY: LazyLock<NonceKey> = LazyLock::new(|| NonceKey::new(&[1; 32]));
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn expectation() -> ProofExpectation<'static> {
    ProofExpectation {
        htm: "POST",
        htu: HTU,
        alias: None,
        access_token: None,
        nonce: NonceRule::Optional(&KEY),
    }
}

fn with_nonce_required() -> ProofExpectation<'static> {
    ProofExpectation {
        nonce: NonceRule::Required(&KEY),
        ..expectation()
    }
}

fn header(key: &TestKey, alg: &str) -> Value {
    json!({"typ": "dpop+jwt", "alg": alg, "jwk": key.public().to_value()})
}

fn claims() -> Value {
    json!({"jti": "n4aR8yWc", "htm": "POST", "htu": HTU, "iat": NOW.seconds()})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A proof by one fresh key with these claims.
fn proof(claims: &Value) -> String {
    let key = TestKey::es256();
    key.token(&header(&key, "ES256"), claims)
}

/// Why a proof does not fit its request. Naming the reason keeps each negative test on its own rule.
fn flaw(proof: &str, expected: &ProofExpectation<'_>) -> &'static str {
    assert_eq!(verify(&[proof], expected, NOW).unwrap_err(), Refusal::DpopProofInvalid);
    Proof::read(proof, expected).map_or_else(|flaw| flaw.0, |_| "fits")
}

fn claims_flaw(claims: &Value) -> &'static str {
    flaw(&proof(claims), &expectation())
}

#[test]
fn a_proof_of_each_algorithm_is_accepted() {
    let keys = [
        (TestKey::es256(), "ES256"),
        (TestKey::ed25519(), "EdDSA"),
        (TestKey::rsa(), "RS256"),
        (TestKey::rsa(), "PS256"),
    ];
    for (key, alg) in keys {
        let proof = key.token(&header(&key, alg), &claims());
        let verified = verify(&[&proof], &expectation(), NOW).unwrap();
        assert_eq!(verified.thumbprint(), key.public().thumbprint());
        assert!(verified.public_key().is_same_key(&key.public()));
        assert_eq!(verified.issued_at(), NOW);
        assert_eq!(verified.replayable_until(), NOW + Lifetime::from_seconds(300));
    }
}

/// RFC 9449 §4.1, Figure 1.
#[test]
fn rfc9449_4_1_its_proof_is_accepted_in_its_time() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let expected = ProofExpectation {
        htu: "https://server.example.com/token",
        alias: None,
        ..expectation()
    };
    let verified = verify(&[proof], &expected, Timestamp::from_seconds(1_562_262_616)).unwrap();
    assert_eq!(verified.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(verify(&[proof], &expected, NOW).unwrap_err(), Refusal::DpopProofInvalid);
}

#[test]
fn p01_exactly_one_header_with_one_proof() {
    let proof = proof(&claims());
    let refusal = |headers: &[&str]| verify(headers, &expectation(), NOW).unwrap_err();
    assert_eq!(refusal(&[]), Refusal::DpopProofMissing);
    assert_eq!(refusal(&[&proof, &proof]), Refusal::DpopProofInvalid);
    assert_eq!(refusal(&[&format!("{proof},{proof}")]), Refusal::DpopProofInvalid);
    assert_eq!(refusal(&[""]), Refusal::DpopProofInvalid);
    assert!(verify(&[&proof], &expectation(), NOW).is_ok());
}

#[test]
fn p02_the_typ_is_dpop_jwt() {
    let key = TestKey::es256();
    for typ in [json!("JWT"), json!("at+jwt"), json!("")] {
        let proof = key.token(&with(header(&key, "ES256"), "typ", typ), &claims());
        assert_eq!(flaw(&proof, &expectation()), "the typ is not dpop+jwt");
    }
    let proof = key.token(&without(header(&key, "ES256"), "typ"), &claims());
    assert_eq!(flaw(&proof, &expectation()), "the typ is not dpop+jwt");
}

#[test]
fn p02_the_algorithm_is_asymmetric_and_the_keys_own() {
    let key = TestKey::es256();
    for alg in ["none", "HS256"] {
        let proof = key.token(&header(&key, alg), &claims());
        assert_eq!(flaw(&proof, &expectation()), "the alg is none, a MAC, or not used here");
    }
    let proof = key.token(&header(&key, "EdDSA"), &claims());
    assert_eq!(flaw(&proof, &expectation()), "the signature does not fit");
}

#[test]
fn p02_the_jwk_is_there_public_and_the_signers() {
    let key = TestKey::es256();
    let proof = key.token(&without(header(&key, "ES256"), "jwk"), &claims());
    assert_eq!(flaw(&proof, &expectation()), "no jwk");

    let private = with(key.public().to_value(), "d", json!("AA"));
    let proof = key.token(&with(header(&key, "ES256"), "jwk", private), &claims());
    assert_eq!(flaw(&proof, &expectation()), "the key carries private members");

    let proof = key.token(&header(&TestKey::es256(), "ES256"), &claims());
    assert_eq!(flaw(&proof, &expectation()), "the signature does not fit");
}

#[test]
fn p02_every_claim_is_required_and_of_its_type() {
    for name in ["jti", "htm", "htu", "iat"] {
        assert_eq!(
            claims_flaw(&without(claims(), name)),
            "a required claim is missing",
            "{name}"
        );
    }
    for name in ["jti", "htm", "htu", "nonce"] {
        assert_eq!(
            claims_flaw(&with(claims(), name, json!(1))),
            "a member is no string",
            "{name}"
        );
    }
    for iat in [json!("1700000000"), json!(null), json!(-1)] {
        assert_eq!(claims_flaw(&with(claims(), "iat", iat)), "a claim is no instant");
    }
    assert_eq!(claims_flaw(&with(claims(), "jti", json!(""))), "the jti is empty");
}

#[test]
fn p02_the_method_and_uri_are_this_requests() {
    for htm in ["GET", "post", "POST "] {
        assert_eq!(
            claims_flaw(&with(claims(), "htm", json!(htm))),
            "the htm is another method"
        );
    }
    for htu in ["https://server.example/as/revoke", "http://server.example/as/token"] {
        assert_eq!(
            claims_flaw(&with(claims(), "htu", json!(htu))),
            "the htu is another URI"
        );
    }
    assert_eq!(claims_flaw(&with(claims(), "htu", json!("token"))), "the htu is no URI");
}

#[test]
fn p03_the_htu_is_compared_in_normal_form() {
    for htu in [
        "HTTPS://Server.Example:443/as/token",
        "https://server.example/as/%74oken",
        "https://server.example/as/token?a=b#c",
    ] {
        assert!(verify(&[&proof(&with(claims(), "htu", json!(htu)))], &expectation(), NOW).is_ok());
    }
}

#[test]
fn p04_without_a_nonce_the_iat_lies_within_300_seconds() {
    let verdict = |shift: i64| {
        let claims = with(claims(), "iat", json!(NOW.seconds() + shift));
        verify(&[&proof(&claims)], &expectation(), NOW).map(|proof| proof.issued_at())
    };
    for shift in [-299, 0, 300] {
        assert!(verdict(shift).is_ok(), "{shift}");
    }
    for shift in [-300, -100_000, 301, 100_000] {
        assert_eq!(verdict(shift), Err(Refusal::DpopProofInvalid), "{shift}");
    }
}

#[test]
fn p04_a_jti_is_remembered_by_digest_for_its_key_and_uri() {
    let key = TestKey::es256();
    let digest = |key: &TestKey, claims: &Value, expected: &ProofExpectation<'_>| {
        let proof = key.token(&header(key, "ES256"), claims);
        verify(&[&proof], expected, NOW)
            .unwrap()
            .jti_digest()
            .as_str()
            .to_owned()
    };
    let first = digest(&key, &claims(), &expectation());
    let respelled = with(claims(), "htu", json!("https://SERVER.example/as/token?x"));
    assert_eq!(
        first,
        digest(&key, &respelled, &expectation()),
        "a respelled htu is no way around it"
    );

    assert_ne!(first, digest(&TestKey::es256(), &claims(), &expectation()));
    assert_ne!(
        first,
        digest(&key, &with(claims(), "jti", json!("other")), &expectation())
    );
    let other_uri = ProofExpectation {
        htu: "https://server.example/as/revoke",
        alias: None,
        ..expectation()
    };
    assert_ne!(
        first,
        digest(&key, &with(claims(), "htu", json!(other_uri.htu)), &other_uri)
    );

    let long = digest(&key, &with(claims(), "jti", json!("j".repeat(4000))), &expectation());
    assert_eq!(long.len(), first.len());
}

#[test]
fn p04_a_megabyte_of_jti_is_refused_before_anything_is_decoded() {
    let proof = proof(&with(claims(), "jti", json!("j".repeat(1_000_000))));
    assert_eq!(flaw(&proof, &expectation()), "the proof is too long");
}

#[test]
fn p09_with_an_access_token_the_ath_is_its_digest() {
    // RFC 9449 §7.1, Figure 12 and 13.
    let expected = ProofExpectation {
        access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        ..expectation()
    };
    let good = with(claims(), "ath", json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"));
    assert!(verify(&[&proof(&good)], &expected, NOW).is_ok());
    assert_eq!(flaw(&proof(&claims()), &expected), "a required claim is missing");
    let other = with(claims(), "ath", json!(base64url::encode(&[0; 32])));
    assert_eq!(flaw(&proof(&other), &expected), "the ath is of another token");
    assert_eq!(
        flaw(&proof(&with(claims(), "ath", json!(""))), &expected),
        "the ath is of another token"
    );
}

#[test]
fn p11_a_missing_foreign_or_stale_nonce_asks_for_a_fresh_one() {
    let verdict = |nonce: &str, expected: &ProofExpectation<'_>| {
        let claims = with(claims(), "nonce", json!(nonce));
        verify(&[&proof(&claims)], expected, NOW).map(|proof| proof.replayable_until())
    };
    let fresh = KEY.issue(NOW);
    let stale = KEY.issue(NOW - Lifetime::from_seconds(400));
    let foreign = NonceKey::new(&[2; 32]).issue(NOW);
    for expected in [expectation(), with_nonce_required()] {
        assert!(verdict(&fresh, &expected).is_ok());
        for nonce in [stale.as_str(), foreign.as_str(), ""] {
            assert_eq!(verdict(nonce, &expected), Err(Refusal::DpopNonceRequired), "{nonce}");
        }
    }
    assert_eq!(
        verify(&[&proof(&claims())], &with_nonce_required(), NOW).unwrap_err(),
        Refusal::DpopNonceRequired
    );
}

#[test]
fn p11_a_proof_that_is_wrong_otherwise_is_not_invited_to_retry_with_a_nonce() {
    let wrong = proof(&with(claims(), "htm", json!("GET")));
    assert_eq!(
        verify(&[&wrong], &with_nonce_required(), NOW).unwrap_err(),
        Refusal::DpopProofInvalid
    );
}

#[test]
fn p14_with_a_fresh_nonce_a_client_whose_clock_is_wrong_gets_through() {
    for drift in [-1_000_000, 1_000_000] {
        let claims = with(claims(), "iat", json!(NOW.seconds() + drift));
        let claims = with(claims, "nonce", json!(KEY.issue(NOW)));
        let verified = verify(&[&proof(&claims)], &with_nonce_required(), NOW).unwrap();
        assert!(
            verified.replayable_until() > NOW,
            "remembered as long as the nonce lives"
        );
        let later = verified.replayable_until();
        assert_eq!(
            verify(&[&proof(&claims)], &with_nonce_required(), later).unwrap_err(),
            Refusal::DpopNonceRequired
        );
    }
}

proptest! {
    #[test]
    fn no_header_makes_the_check_panic(headers in proptest::collection::vec("[A-Za-z0-9_.-]{0,60}|.{0,60}", 0..3), claims in "\\PC{0,60}") {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        prop_assert!(verify(&headers, &expectation(), NOW).is_err());
        let key = TestKey::ed25519();
        prop_assert!(verify(&[&key.token(&header(&key, "EdDSA"), &Value::from(claims))], &expectation(), NOW).is_err());
    }
}
