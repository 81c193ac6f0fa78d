use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jwt::tests::TestKey;

const ISSUER: &str = "https://server.example/as";
const TOKEN_ENDPOINT: &str = "https://server.example/as/token";
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// A client with one ES256 key.
struct World {
    key: TestKey,
    jwks: Jwks,
}

impl World {
    fn new() -> Self {
        let key = TestKey::es256();
        let jwks = Jwks::parse(&json!({"keys": [key.public().to_value()]})).unwrap();
        Self { key, jwks }
    }

    fn expectation(&self, audience: AudienceRule<'static>) -> AssertionExpectation<'_> {
        AssertionExpectation {
            client_id: "svc",
            jwks: &self.jwks,
            issuer: ISSUER,
            audience,
        }
    }

    /// `accepted`, or the one rule that was broken.
    fn verdict(&self, header: &Value, claims: &Value, audience: AudienceRule<'static>) -> &'static str {
        let assertion = self.key.token(header, claims);
        let expected = self.expectation(audience);
        let judged = judge(&assertion, &expected, NOW);
        assert_eq!(
            verify(&assertion, &expected, NOW).err(),
            judged.as_ref().err().map(|_| Refusal::AssertionInvalid)
        );
        judged.map_or_else(|flaw| flaw.0, |_| "accepted")
    }

    fn claims_verdict(&self, claims: &Value) -> &'static str {
        self.verdict(&header(), claims, AudienceRule::IssuerOnly)
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": "client-authentication+jwt"})
}

fn claims() -> Value {
    json!({"iss": "svc", "sub": "svc", "aud": ISSUER, "exp": NOW.seconds() + 60, "iat": NOW.seconds(), "jti": "a"})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

const LEGACY: AudienceRule<'static> = AudienceRule::Legacy {
    token_endpoint: TOKEN_ENDPOINT,
};
const WRONG_AUDIENCE: &str = "the aud is not this server alone";

#[test]
fn an_assertion_of_the_client_is_accepted_and_ends_when_it_says() {
    let world = World::new();
    let assertion = world.key.token(&header(), &claims());
    let verified = verify(&assertion, &world.expectation(AudienceRule::IssuerOnly), NOW).unwrap();
    assert_eq!(verified.expires_at(), NOW + Lifetime::from_seconds(60));
    assert_eq!(verified.jti_digest().as_str().len(), 43);
    assert_eq!(client_id_claimed(&assertion).as_deref(), Some("svc"));
}

#[test]
fn s10_the_issuer_as_string_or_only_element_is_the_audience() {
    let world = World::new();
    for aud in [json!(ISSUER), json!([ISSUER])] {
        assert_eq!(world.claims_verdict(&with(claims(), "aud", aud)), "accepted");
    }
    for aud in [
        json!(TOKEN_ENDPOINT),
        json!([TOKEN_ENDPOINT]),
        json!([ISSUER, TOKEN_ENDPOINT]),
        json!([ISSUER, ISSUER]),
        json!([ISSUER, "https://other.example"]),
        json!([]),
        json!([[ISSUER]]),
        json!(format!("{ISSUER}/")),
        json!("https://other.example"),
        json!(null),
    ] {
        assert_eq!(
            world.claims_verdict(&with(claims(), "aud", aud.clone())),
            WRONG_AUDIENCE,
            "{aud}"
        );
    }
    assert_eq!(world.claims_verdict(&without(claims(), "aud")), WRONG_AUDIENCE);
}

#[test]
fn s10_a_legacy_client_may_also_name_the_token_endpoint_and_nothing_else() {
    let world = World::new();
    let verdict = |aud: Value| world.verdict(&header(), &with(claims(), "aud", aud), LEGACY);
    for aud in [
        json!(ISSUER),
        json!(TOKEN_ENDPOINT),
        json!([TOKEN_ENDPOINT]),
        json!([ISSUER, TOKEN_ENDPOINT]),
    ] {
        assert_eq!(verdict(aud), "accepted");
    }
    for aud in [
        json!([TOKEN_ENDPOINT, "https://other.example"]),
        json!("https://other.example"),
        json!([]),
        json!(null),
    ] {
        assert_eq!(verdict(aud), WRONG_AUDIENCE);
    }
}

#[test]
fn s10_the_typ_is_the_new_one_or_a_plain_one() {
    let world = World::new();
    let verdict = |header: &Value| world.verdict(header, &claims(), AudienceRule::IssuerOnly);
    for typ in [
        "client-authentication+jwt",
        "JWT",
        "jwt",
        "application/client-authentication+jwt",
    ] {
        assert_eq!(verdict(&with(header(), "typ", json!(typ))), "accepted", "{typ}");
    }
    assert_eq!(verdict(&without(header(), "typ")), "accepted");
    for typ in ["dpop+jwt", "at+jwt", "logout+jwt", ""] {
        assert_eq!(
            verdict(&with(header(), "typ", json!(typ))),
            "the typ is of another kind of JWT",
            "{typ}"
        );
    }
}

#[test]
fn iss_and_sub_are_both_the_client() {
    let world = World::new();
    assert_eq!(
        world.claims_verdict(&with(claims(), "iss", json!("other"))),
        "the iss is not the client"
    );
    assert_eq!(
        world.claims_verdict(&with(claims(), "sub", json!("other"))),
        "the sub is not the client"
    );
}

#[test]
fn every_required_claim_is_missed_and_of_its_type() {
    let world = World::new();
    for name in ["iss", "sub", "exp", "jti"] {
        assert_eq!(
            world.claims_verdict(&without(claims(), name)),
            "a required claim is missing",
            "{name}"
        );
    }
    for name in ["iss", "sub", "jti"] {
        assert_eq!(
            world.claims_verdict(&with(claims(), name, json!(["svc"]))),
            "a member is no string",
            "{name}"
        );
    }
    for name in ["exp", "iat", "nbf"] {
        assert_eq!(
            world.claims_verdict(&with(claims(), name, json!("1700000060"))),
            "a claim is no instant",
            "{name}"
        );
    }
    assert_eq!(
        world.claims_verdict(&with(claims(), "jti", json!(""))),
        "the jti is empty"
    );
}

#[test]
fn an_assertion_ends_soon_and_has_begun() {
    let world = World::new();
    let verdict = |name: &str, shift: i64| world.claims_verdict(&with(claims(), name, json!(NOW.seconds() + shift)));
    for shift in [1, 300, 330] {
        assert_eq!(verdict("exp", shift), "accepted");
    }
    for shift in [331, 3600] {
        assert_eq!(verdict("exp", shift), "the exp lies more than five minutes ahead");
    }
    for shift in [0, -1, -3600] {
        assert_eq!(verdict("exp", shift), "the assertion has expired");
    }
    for name in ["iat", "nbf"] {
        assert_eq!(verdict(name, 30), "accepted");
        assert_eq!(verdict(name, 31), "the iat or nbf lies in the future");
    }
    assert_eq!(world.claims_verdict(&without(claims(), "iat")), "accepted");
}

#[test]
fn the_signature_is_by_a_registered_key() {
    let world = World::new();
    let stranger = World::new();
    let assertion = stranger.key.token(&header(), &claims());
    let flaw = |jwks: &Jwks, assertion: &str| {
        let expected = AssertionExpectation {
            jwks,
            ..world.expectation(AudienceRule::IssuerOnly)
        };
        judge(assertion, &expected, NOW).unwrap_err().0
    };
    assert_eq!(flaw(&world.jwks, &assertion), "the signature does not fit");

    let rsa = Jwks::parse(&json!({"keys": [TestKey::rsa().public().to_value()]})).unwrap();
    assert_eq!(flaw(&rsa, &assertion), "no key of the set can have signed it");

    // A key that the assertion brings itself counts for nothing.
    let brought = with(header(), "jwk", stranger.key.public().to_value());
    let assertion = stranger.key.token(&brought, &claims());
    assert_eq!(flaw(&world.jwks, &assertion), "the signature does not fit");

    let unsigned = stranger.key.token(&json!({"alg": "none"}), &claims());
    assert_eq!(flaw(&world.jwks, &unsigned), "the alg is none, a MAC, or not used here");
}

#[test]
fn of_several_keys_the_one_that_signed_is_found() {
    let keys = [TestKey::es256(), TestKey::es256(), TestKey::rsa()];
    let jwks =
        Jwks::parse(&json!({"keys": keys.iter().map(|key| key.public().to_value()).collect::<Vec<_>>()})).unwrap();
    let expected = AssertionExpectation {
        client_id: "svc",
        jwks: &jwks,
        issuer: ISSUER,
        audience: AudienceRule::IssuerOnly,
    };
    for (key, alg) in keys.iter().zip(["ES256", "ES256", "PS256"]) {
        let assertion = key.token(&json!({"alg": alg, "kid": "unregistered"}), &claims());
        assert!(verify(&assertion, &expected, NOW).is_ok());
    }
}

#[test]
fn a_jti_is_remembered_for_its_client() {
    let world = World::new();
    let digest = |claims: &Value, client_id: &'static str| {
        let expected = AssertionExpectation {
            client_id,
            ..world.expectation(AudienceRule::IssuerOnly)
        };
        verify(&world.key.token(&header(), claims), &expected, NOW)
            .unwrap()
            .jti_digest()
            .clone()
    };
    let first = digest(&claims(), "svc");
    assert_eq!(first, digest(&with(claims(), "exp", json!(NOW.seconds() + 90)), "svc"));
    assert_ne!(first, digest(&with(claims(), "jti", json!("b")), "svc"));
    let other = with(with(claims(), "iss", json!("other")), "sub", json!("other"));
    assert_ne!(first, digest(&other, "other"));
}

proptest! {
    #[test]
    fn no_assertion_makes_the_check_panic(assertion in "[A-Za-z0-9_.-]{0,80}|.{0,80}") {
        let world = World::new();
        prop_assert!(verify(&assertion, &world.expectation(LEGACY), NOW).is_err());
        let _ = client_id_claimed(&assertion);
    }
}
