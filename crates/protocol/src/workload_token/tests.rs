use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::jwt::tests::TestKey;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const SUBJECT: &str = "repo:org/app:ref:refs/heads/main";

struct World {
    key: TestKey,
    keys: Jwks,
}

impl World {
    fn new() -> Self {
        let key = TestKey::rsa();
        let keys = Jwks::parse(&json!({"keys": [key.public().to_value()]})).unwrap();
        Self { key, keys }
    }

    fn verdict(&self, header: &Value, claims: &Value) -> &'static str {
        let expected = WorkloadExpectation {
            issuer: "https://issuer.example",
            audience: "https://server.example",
            subject: SUBJECT,
            keys: &self.keys,
        };
        let token = self.key.token(header, claims);
        let judged = judge(&token, &expected, NOW);
        let refusal = judged.as_ref().err().map(|_| Refusal::WorkloadTokenInvalid);
        assert_eq!(verify(&token, &expected, NOW).err(), refusal);
        judged.map_or_else(|flaw| flaw.0, |_| "accepted")
    }
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT"})
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "sub": SUBJECT, "aud": "https://server.example",
        "iat": NOW.seconds(), "nbf": NOW.seconds() - 5, "exp": NOW.seconds() + 600, "repository": "org/app"
    })
}

#[test]
fn nhi6_each_rule_of_a_workload_token_refuses_by_itself() {
    let world = World::new();
    assert_eq!(world.verdict(&header(), &claims()), "accepted");
    let cases = [
        ("typ", Value::Null, true),
        ("typ", json!("at+jwt"), true),
        ("alg", json!("HS256"), true),
        ("alg", json!("ES256"), true),
        ("crit", json!(["exp"]), true),
        ("iss", json!("https://issuer.example/"), false),
        ("iss", Value::Null, false),
        ("sub", json!("repo:org/app:ref:refs/heads/other"), false),
        ("sub", json!("repo:org/app"), false),
        ("sub", json!("REPO:org/app:ref:refs/heads/main"), false),
        ("sub", Value::Null, false),
        ("aud", json!(["https://server.example"]), false),
        ("aud", json!(["https://server.example", "b"]), false),
        ("aud", json!("https://other.example"), false),
        ("aud", json!([]), false),
        ("aud", Value::Null, false),
        ("exp", json!(NOW.seconds()), false),
        ("exp", json!("1700000600"), false),
        ("exp", Value::Null, false),
        ("exp", json!(NOW.seconds() + 86_401), false),
        ("iat", json!(NOW.seconds() + 31), false),
        ("iat", Value::Null, false),
        ("nbf", json!(NOW.seconds() + 31), false),
        ("nbf", Value::Null, false),
    ];
    let mut table = String::new();
    for (name, value, is_header) in cases {
        let (mut header, mut claims) = (header(), claims());
        let object = if is_header { &mut header } else { &mut claims };
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
        table.push_str(&format!(
            "{name:4} {:38} {}\n",
            value.to_string(),
            world.verdict(&header, &claims)
        ));
    }
    expect![[r#"
        typ  null                                   accepted
        typ  "at+jwt"                               the typ is of another kind of JWT
        alg  "HS256"                                the alg is none, a MAC, or not used here
        alg  "ES256"                                no key of the set can have signed it
        crit ["exp"]                                the header has crit
        iss  "https://issuer.example/"              the iss is another issuer
        iss  null                                   a required claim is missing
        sub  "repo:org/app:ref:refs/heads/other"    the sub is another workload
        sub  "repo:org/app"                         the sub is another workload
        sub  "REPO:org/app:ref:refs/heads/main"     the sub is another workload
        sub  null                                   a required claim is missing
        aud  ["https://server.example"]             accepted
        aud  ["https://server.example","b"]         the aud is not the configured one alone
        aud  "https://other.example"                the aud is not the configured one alone
        aud  []                                     the aud is not the configured one alone
        aud  null                                   the aud is not the configured one alone
        exp  1700000000                             the token has expired
        exp  "1700000600"                           a claim is no instant
        exp  null                                   a required claim is missing
        exp  1700086401                             the token lives longer than a day
        iat  1700000031                             the iat or nbf lies in the future
        iat  null                                   a required claim is missing
        nbf  1700000031                             the iat or nbf lies in the future
        nbf  null                                   accepted
    "#]]
    .assert_eq(&table);
}

#[test]
fn another_issuers_key_signs_nothing_here() {
    let (world, stranger) = (World::new(), World::new());
    let other_key = World {
        key: stranger.key,
        keys: world.keys,
    };
    assert_eq!(other_key.verdict(&header(), &claims()), "the signature does not fit");
}

#[test]
fn what_a_token_claims_finds_its_admission_and_proves_nothing() {
    let world = World::new();
    let token = world.key.token(&json!({"alg": "RS256", "kid": "k1"}), &claims());
    let claimed = claimed(&token).unwrap();
    assert_eq!(claimed.issuer, "https://issuer.example");
    assert_eq!(
        (claimed.subject.as_str(), claimed.kid.as_deref()),
        (SUBJECT, Some("k1"))
    );
    assert_eq!(super::claimed("no token"), None);
}
