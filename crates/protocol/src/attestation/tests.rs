use std::sync::LazyLock;

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::dpop::{self, NonceRule, ProofExpectation};
use crate::jwt::tests::TestKey;

const ISSUER: &str = "https://server.example/as";
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
static CHALLENGES: LazyLock<NonceKey> = LazyLock::new(|| NonceKey::new(&[7; 32]));

/// An attester, and an instance of the client `app`.
struct World {
    attester: TestKey,
    keys: Jwks,
    instance: TestKey,
}

impl World {
    fn new() -> Self {
        let attester = TestKey::es256();
        let keys = Jwks::parse(&json!({"keys": [attester.public().to_value()]})).unwrap();
        Self {
            attester,
            keys,
            instance: TestKey::es256(),
        }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": "https://attester.example", "sub": "app",
            "iat": NOW.seconds() - 3600, "exp": NOW.seconds() + 3600,
            "cnf": {"jwk": self.instance.public().to_value()},
            "key_storage": ["hardware", "tpm"], "device_model": "X1", "device_os": 7, "unknown": "ignored"
        })
    }

    fn attester(&self) -> Attester<'_> {
        Attester {
            name: "https://attester.example",
            keys: &self.keys,
        }
    }

    fn attestation(&self) -> Attestation {
        let text = self.attester.token(&header(), &self.claims());
        verify(&text, "app", &[self.attester()], NOW).unwrap()
    }

    /// `fresh`, `old`, or the one rule that was broken.
    fn verdict(&self, header: &Value, claims: &Value) -> &'static str {
        let text = self.attester.token(header, claims);
        let verdict = match read(&text, "app", self.attester(), NOW) {
            Ok((_, true)) => "fresh",
            Ok((_, false)) => "old",
            Err(flaw) => flaw.0,
        };
        let refusal = match verdict {
            "fresh" => None,
            "old" => Some(Refusal::AttestationNotFresh),
            _ => Some(Refusal::AttestationInvalid),
        };
        assert_eq!(verify(&text, "app", &[self.attester()], NOW).err(), refusal);
        verdict
    }

    fn pop_verdict(&self, header: &Value, claims: &Value) -> String {
        let pop = self.instance.token(header, claims);
        let proven = self.attestation().proven_by_pop(&pop, ISSUER, &CHALLENGES, NOW);
        match (proven, self.attestation().read_pop(&pop, ISSUER)) {
            (Ok(_), Ok(_)) => "accepted".to_owned(),
            (Err(refusal), Ok(_)) => refusal.code().as_str().to_owned(),
            (Err(refusal), Err(flaw)) => format!("{}: {flaw}", refusal.code().as_str()),
            (Ok(_), Err(flaw)) => panic!("accepted although {flaw}"),
        }
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": "oauth-client-attestation+jwt"})
}

fn pop_claims() -> Value {
    json!({"aud": ISSUER, "jti": "one", "iat": NOW.seconds(), "challenge": CHALLENGES.issue(NOW)})
}

fn pop_header() -> Value {
    json!({"alg": "ES256", "typ": "oauth-client-attestation-pop+jwt"})
}

/// The object with that member, or without it where the value is null.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        object.as_object_mut().unwrap().remove(name);
    } else {
        object[name] = value;
    }
    object
}

#[test]
fn c20_an_attested_instance_is_told_by_its_key_its_attester_and_what_that_states() {
    let world = World::new();
    let pop = world.instance.token(&pop_header(), &pop_claims());
    let proven = world
        .attestation()
        .proven_by_pop(&pop, ISSUER, &CHALLENGES, NOW)
        .unwrap();
    assert_eq!(
        (proven.client_id(), proven.attester()),
        ("app", "https://attester.example")
    );
    assert_eq!(proven.thumbprint(), world.instance.public().thumbprint());
    assert!(proven.key().is_same_key(&world.instance.public()));
    assert_eq!(proven.expires_at(), NOW + Lifetime::from_seconds(3600));
    let facts = proven.facts().iter();
    let facts: Vec<String> = facts
        .map(|fact| format!("{} {} {}", fact.name, fact.value, fact.source.as_str()))
        .collect();
    assert_eq!(
        facts,
        ["device.model X1 proven", "device.key_storage hardware tpm proven"]
    );
    let mark = proven.proof().unwrap();
    assert_eq!(mark.jti_digest.as_str().len(), 43);
    assert!(mark.replayable_until > NOW);
}

#[test]
fn c20_each_rule_of_the_attestation_refuses_by_itself() {
    let world = World::new();
    let stranger = TestKey::es256().public().to_value();
    let with_private_key = with(stranger, "d", json!("AA"));
    let cases = [
        ("typ", json!("JWT"), true),
        ("typ", json!("oauth-client-attestation-pop+jwt"), true),
        ("typ", Value::Null, true),
        ("alg", json!("HS256"), true),
        ("alg", json!("none"), true),
        ("alg", json!("EdDSA"), true),
        ("crit", json!(["b64"]), true),
        ("iss", json!("https://other.example"), false),
        ("iss", Value::Null, false),
        ("sub", json!("other"), false),
        ("sub", Value::Null, false),
        ("cnf", Value::Null, false),
        ("cnf", json!({"jkt": "thumbprint"}), false),
        ("cnf", json!({"jwk": {"kty": "oct", "k": "AA"}}), false),
        ("cnf", json!({"jwk": with_private_key}), false),
        ("exp", Value::Null, false),
        ("exp", json!("tomorrow"), false),
        ("exp", json!(NOW.seconds()), false),
        ("iat", json!(NOW.seconds() + 60), false),
        ("nbf", json!(NOW.seconds() + 60), false),
        ("iat", json!(NOW.seconds() - 90_000), false),
        ("iat", Value::Null, false),
    ];
    let mut table = String::new();
    for (name, value, is_header) in cases {
        let verdict = if is_header {
            world.verdict(&with(header(), name, value.clone()), &world.claims())
        } else {
            world.verdict(&header(), &with(world.claims(), name, value.clone()))
        };
        let mut shown = value.to_string();
        shown.truncate(34);
        table.push_str(&format!("{name:4} {shown:35} {verdict}\n"));
    }
    let table = table.replace(&(NOW.seconds() + 60).to_string(), "in a minute");
    let eternal = with(
        with(world.claims(), "iat", Value::Null),
        "exp",
        json!(NOW.seconds() + 90_000),
    );
    assert_eq!(world.verdict(&header(), &eternal), "old", "nobody can tell its age");
    expect![[r#"
        typ  "JWT"                               the typ is not oauth-client-attestation+jwt
        typ  "oauth-client-attestation-pop+jwt"  the typ is not oauth-client-attestation+jwt
        typ  null                                the typ is not oauth-client-attestation+jwt
        alg  "HS256"                             the alg is none, a MAC, or not used here
        alg  "none"                              the alg is none, a MAC, or not used here
        alg  "EdDSA"                             no key of the set can have signed it
        crit ["b64"]                             the header has crit
        iss  "https://other.example"             the iss is not the attester
        iss  null                                fresh
        sub  "other"                             the sub is not the client
        sub  null                                a required claim is missing
        cnf  null                                no cnf with a jwk
        cnf  {"jkt":"thumbprint"}                no cnf with a jwk
        cnf  {"jwk":{"kty":"oct","k":"AA"}}      the key carries private members
        cnf  {"jwk":{"kty":"EC","crv":"P-256","  the key carries private members
        exp  null                                a required claim is missing
        exp  "tomorrow"                          a claim is no instant
        exp  1700000000                          old
        iat  in a minute                          the iat or nbf lies in the future
        nbf  in a minute                          the iat or nbf lies in the future
        iat  1699910000                          old
        iat  null                                fresh
    "#]]
    .assert_eq(&table);
}

#[test]
fn c20_only_the_configured_attesters_keys_count() {
    let world = World::new();
    let text = world.attester.token(&header(), &world.claims());
    let stranger = World::new();
    assert_eq!(verify(&text, "app", &[], NOW).err(), Some(Refusal::AttestationInvalid));
    let refused = verify(&text, "app", &[stranger.attester()], NOW);
    assert_eq!(refused.err(), Some(Refusal::AttestationInvalid));
    let found = verify(&text, "app", &[stranger.attester(), world.attester()], NOW);
    assert!(found.is_ok(), "any of several");
    let by_itself = world.instance.token(&header(), &world.claims());
    let refused = verify(&by_itself, "app", &[world.attester()], NOW);
    assert_eq!(
        refused.err(),
        Some(Refusal::AttestationInvalid),
        "an instance attests nothing of itself"
    );
    assert_eq!(client_id_claimed(&text).as_deref(), Some("app"));
    assert_eq!(client_id_claimed("no token"), None);
}

#[test]
fn c20_c22_each_rule_of_the_proof_refuses_by_itself_and_the_challenge_last() {
    let world = World::new();
    let old = CHALLENGES.issue(NOW - Lifetime::from_seconds(400));
    let cases = [
        ("typ", json!("dpop+jwt"), true),
        ("typ", Value::Null, true),
        ("alg", json!("HS256"), true),
        ("aud", json!([ISSUER]), false),
        ("aud", json!("https://other.example"), false),
        ("aud", json!([ISSUER, "https://other.example"]), false),
        ("aud", Value::Null, false),
        ("jti", json!(""), false),
        ("jti", Value::Null, false),
        ("iat", Value::Null, false),
        ("iat", json!(0), false),
        ("challenge", json!(1), false),
        ("challenge", Value::Null, false),
        ("challenge", json!("made up"), false),
        ("challenge", json!(old), false),
    ];
    let mut table = String::new();
    for (name, value, is_header) in cases {
        let verdict = if is_header {
            world.pop_verdict(&with(pop_header(), name, value.clone()), &pop_claims())
        } else {
            world.pop_verdict(&pop_header(), &with(pop_claims(), name, value.clone()))
        };
        let shown = value.to_string().replace(&old, "an old one");
        table.push_str(&format!("{name:9} {shown:55} {verdict}\n"));
    }
    let stale_and_wrong = with(with(pop_claims(), "challenge", json!(old)), "aud", json!("x"));
    assert!(
        world
            .pop_verdict(&pop_header(), &stale_and_wrong)
            .starts_with("invalid_client_attestation")
    );
    expect![[r#"
        typ       "dpop+jwt"                                              invalid_client_attestation: the typ is not oauth-client-attestation-pop+jwt
        typ       null                                                    invalid_client_attestation: the typ is not oauth-client-attestation-pop+jwt
        alg       "HS256"                                                 invalid_client_attestation: the alg is none, a MAC, or not used here
        aud       ["https://server.example/as"]                           accepted
        aud       "https://other.example"                                 invalid_client_attestation: the aud is not this server alone
        aud       ["https://server.example/as","https://other.example"]   invalid_client_attestation: the aud is not this server alone
        aud       null                                                    invalid_client_attestation: the aud is not this server alone
        jti       ""                                                      invalid_client_attestation: the jti is empty
        jti       null                                                    invalid_client_attestation: a required claim is missing
        iat       null                                                    invalid_client_attestation: a required claim is missing
        iat       0                                                       accepted
        challenge 1                                                       invalid_client_attestation: a member is no string
        challenge null                                                    use_attestation_challenge
        challenge "made up"                                               use_attestation_challenge
        challenge "an old one"                                            use_attestation_challenge
    "#]].assert_eq(&table);
}

#[test]
fn c20_a_proof_by_another_key_is_none() {
    let world = World::new();
    let pop = TestKey::es256().token(&pop_header(), &pop_claims());
    let refused = world.attestation().proven_by_pop(&pop, ISSUER, &CHALLENGES, NOW);
    assert_eq!(refused.err(), Some(Refusal::AttestationInvalid));
}

#[test]
fn c21_in_combined_mode_the_dpop_proof_is_by_the_attested_key() {
    let world = World::new();
    let proof_by = |key: &TestKey| {
        let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": key.public().to_value()});
        let claims = json!({
            "htm": "POST", "htu": "https://server.example/as/token", "jti": "one",
            "iat": NOW.seconds(), "nonce": CHALLENGES.issue(NOW)
        });
        let expected = ProofExpectation {
            htm: "POST",
            htu: "https://server.example/as/token",
            alias: None,
            access_token: None,
            nonce: NonceRule::Required(&CHALLENGES),
        };
        dpop::verify(&[&key.token(&header, &claims)], &expected, NOW).unwrap()
    };
    let proven = world.attestation().proven_by_dpop(&proof_by(&world.instance)).unwrap();
    assert_eq!(proven.thumbprint(), world.instance.public().thumbprint());
    assert!(proven.proof().is_none(), "the DPoP proof has its own mark");
    let refused = world.attestation().proven_by_dpop(&proof_by(&TestKey::es256()));
    assert_eq!(refused.err(), Some(Refusal::AttestationInvalid));
}
