use serde_json::{Value, json};

use super::*;
use crate::jwt::tests::TestKey;
use crate::time::Lifetime;

const ISSUER: &str = "https://server.example/as";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn approver(disabled_at: Option<Timestamp>) -> Approver {
    Approver {
        id: "approver_alice".to_owned(),
        name: "alice".to_owned(),
        created_at: NOW,
        disabled_at,
        version: 1,
    }
}

fn header(key: &TestKey) -> Value {
    json!({"alg": "ES256", "typ": TYPE, "kid": key.public().thumbprint()})
}

fn claims(key: &TestKey) -> Value {
    json!({
        "iss": key.public().thumbprint(), "aud": ISSUER, "cnf": {"jkt": JKT}, "jti": "a",
        "iat": NOW.seconds(), "exp": NOW.seconds() + 60,
    })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

/// `accepted`, or the one rule that was broken.
fn verdict(key: &TestKey, header: &Value, claims: &Value) -> &'static str {
    let (approver, public) = (approver(None), key.public());
    let expected = InitiatorExpectation {
        approver: &approver,
        key: &public,
        issuer: ISSUER,
        jkt: JKT,
    };
    let assertion = key.token(header, claims);
    let judged = judge(&assertion, &expected, NOW);
    assert_eq!(
        verify(&assertion, &expected, NOW).err(),
        judged.as_ref().err().map(|_| Refusal::InitiatorInvalid)
    );
    judged.map_or_else(|flaw| flaw.0, |_| "accepted")
}

#[test]
fn x15_an_assertion_of_an_approver_for_this_key_is_accepted_and_ends_when_it_says() {
    let (key, approver) = (TestKey::es256(), approver(None));
    let public = key.public();
    let expected = InitiatorExpectation {
        approver: &approver,
        key: &public,
        issuer: ISSUER,
        jkt: JKT,
    };
    let assertion = key.token(&header(&key), &claims(&key));
    assert_eq!(kid_claimed(&assertion), Some(public.thumbprint()));
    let verified = verify(&assertion, &expected, NOW).unwrap();
    assert_eq!(verified.expires_at(), NOW + Lifetime::from_seconds(60));
    assert_eq!(verified.jti_digest().as_str().len(), 43);
}

#[test]
fn x15_every_other_claim_breaks_its_own_rule() {
    let key = TestKey::es256();
    let iss = "the iss is not this key's thumbprint";
    let cnf = "the cnf is not the key that asks";
    let audience = "the aud is not this server alone";
    let missing = "a required claim is missing";
    for (name, value, flaw) in [
        ("iss", json!("approver_alice"), iss),
        ("iss", json!(JKT), iss),
        ("sub", json!("approver_bob"), "the sub is not this approver"),
        ("sub", json!("approver_alice"), "accepted"),
        ("aud", json!("https://other.example"), audience),
        ("aud", json!(format!("{ISSUER}/token")), audience),
        ("aud", json!([ISSUER, "https://other.example"]), audience),
        ("cnf", json!({"jkt": "another-key"}), cnf),
        ("cnf", json!({"jkt": [JKT]}), cnf),
        ("cnf", json!(JKT), cnf),
        ("jti", json!(""), "the jti is empty"),
        ("exp", json!(NOW.seconds()), "the assertion has expired"),
        (
            "exp",
            json!(NOW.seconds() + 400),
            "the exp lies more than five minutes ahead",
        ),
        ("exp", json!("soon"), "a claim is no instant"),
        ("iat", json!(NOW.seconds() + 60), "the iat or nbf lies in the future"),
        ("nbf", json!(NOW.seconds() + 60), "the iat or nbf lies in the future"),
    ] {
        let changed = with(claims(&key), name, value.clone());
        assert_eq!(verdict(&key, &header(&key), &changed), flaw, "{name}: {value}");
    }
    for (name, flaw) in [
        ("iss", missing),
        ("aud", audience),
        ("cnf", cnf),
        ("jti", missing),
        ("exp", missing),
    ] {
        assert_eq!(
            verdict(&key, &header(&key), &without(claims(&key), name)),
            flaw,
            "{name}"
        );
    }
}

/// A DPoP proof, a client assertion or a decision is none, whoever signed it.
#[test]
fn x15_a_jwt_that_was_made_for_something_else_is_none() {
    let key = TestKey::es256();
    let typ = "the typ is of another kind of JWT";
    for other in [
        "JWT",
        "dpop+jwt",
        "client-authentication+jwt",
        "application/waypass-initiator+jwt",
        "",
    ] {
        let changed = with(header(&key), "typ", json!(other));
        assert_eq!(verdict(&key, &changed, &claims(&key)), typ, "{other}");
    }
    assert_eq!(verdict(&key, &without(header(&key), "typ"), &claims(&key)), typ);
    let kid = "the kid is not this key's thumbprint";
    assert_eq!(
        verdict(&key, &with(header(&key), "kid", json!(JKT)), &claims(&key)),
        kid
    );
    assert_eq!(verdict(&key, &without(header(&key), "kid"), &claims(&key)), kid);
}

#[test]
fn x15_only_the_registered_key_of_an_active_approver_signs_and_only_es256() {
    let (key, other) = (TestKey::es256(), TestKey::es256());
    let public = key.public();
    let judged = |approver: &Approver, token: &str| {
        let expected = InitiatorExpectation {
            approver,
            key: &public,
            issuer: ISSUER,
            jkt: JKT,
        };
        verify(token, &expected, NOW).map(|_| ())
    };
    let good = key.token(&header(&key), &claims(&key));
    assert_eq!(judged(&approver(None), &good), Ok(()));
    assert_eq!(judged(&approver(Some(NOW)), &good), Err(Refusal::InitiatorInvalid));
    let forged = other.token(&header(&key), &claims(&key));
    assert_eq!(judged(&approver(None), &forged), Err(Refusal::InitiatorInvalid));

    let ed25519 = TestKey::ed25519();
    let header = with(header(&ed25519), "alg", json!("EdDSA"));
    assert_eq!(
        verdict(&ed25519, &header, &claims(&ed25519)),
        "the algorithm is not allowed here"
    );
}

#[test]
fn x15_the_approvers_own_key_never_asks() {
    let (key, approver) = (TestKey::es256(), approver(None));
    let public = key.public();
    let jkt = public.thumbprint();
    let expected = InitiatorExpectation {
        approver: &approver,
        key: &public,
        issuer: ISSUER,
        jkt: &jkt,
    };
    let assertion = key.token(&header(&key), &with(claims(&key), "cnf", json!({"jkt": jkt})));
    assert_eq!(
        judge(&assertion, &expected, NOW).unwrap_err().0,
        "the key that asks is the approver's"
    );
}
