use expect_test::expect;
use serde_json::json;

use super::x509::tests::certificate;
use super::*;
use crate::jwt::tests::TestKey;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const ISSUER: &str = "https://server.example";

#[test]
fn c30_a_spiffe_id_is_read_letter_by_letter() {
    let mut table = String::new();
    for text in [
        "spiffe://example.org/ns/prod/sa/app",
        "spiffe://a_b-1/x",
        "SPIFFE://example.org/x",
        "https://example.org/x",
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe:///x",
        "spiffe://Example.org/x",
        "spiffe://user@example.org/x",
        "spiffe://example.org:8080/x",
        "spiffe://example.org/x/",
        "spiffe://example.org//x",
        "spiffe://example.org/../x",
        "spiffe://example.org/x?y",
        "spiffe://example.org/*",
        "spiffe://example.org/x%20y",
    ] {
        let verdict = SpiffeId::parse(text).map_or_else(|flaw| flaw.to_string(), |id| id.trust_domain().to_owned());
        table.push_str(&format!("{text:36} {verdict}\n"));
    }
    assert!(SpiffeId::parse(&format!("spiffe://a/{}", "x".repeat(2048))).is_err());
    expect![[r#"
        spiffe://example.org/ns/prod/sa/app  example.org
        spiffe://a_b-1/x                     a_b-1
        SPIFFE://example.org/x               a SPIFFE ID begins with spiffe://
        https://example.org/x                a SPIFFE ID begins with spiffe://
        spiffe://example.org                 a workload's SPIFFE ID has a path
        spiffe://example.org/                the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
        spiffe:///x                          a trust domain has lower case letters, digits, dots, dashes and underscores
        spiffe://Example.org/x               a trust domain has lower case letters, digits, dots, dashes and underscores
        spiffe://user@example.org/x          a trust domain has lower case letters, digits, dots, dashes and underscores
        spiffe://example.org:8080/x          a trust domain has lower case letters, digits, dots, dashes and underscores
        spiffe://example.org/x/              the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
        spiffe://example.org//x              the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
        spiffe://example.org/../x            the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
        spiffe://example.org/x?y             the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
        spiffe://example.org/*               the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
        spiffe://example.org/x%20y           the path of a SPIFFE ID has segments of letters, digits, dots, dashes and underscores
    "#]].assert_eq(&table);
}

#[test]
fn c30_a_bundle_gives_each_key_its_one_use() {
    let key = |purpose: &str, x5c: Value| {
        let mut key = TestKey::es256().public().to_value();
        key["use"] = purpose.into();
        if !x5c.is_null() {
            key["x5c"] = x5c;
        }
        key
    };
    let read = |keys: Value| TrustBundle::parse(&json!({"keys": keys, "spiffe_sequence": 1}));
    let both = read(json!([
        key("jwt-svid", Value::Null),
        key("x509-svid", json!([certificate("authority")])),
        key("other", json!(1))
    ]));
    let both = both.unwrap();
    assert_eq!(both.authorities().len(), 1);
    assert!(both.jwt.is_some());
    let stored: TrustBundle = serde_json::from_value(serde_json::to_value(&both).unwrap()).unwrap();
    assert_eq!(stored, both);
    for (keys, mistake) in [
        (
            json!([]),
            "the trust bundle has no key with the use jwt-svid or x509-svid",
        ),
        (
            json!([key("sig", Value::Null)]),
            "the trust bundle has no key with the use jwt-svid or x509-svid",
        ),
        (
            json!([key("x509-svid", Value::Null)]),
            "an x509-svid key has one certificate in x5c",
        ),
        (
            json!([key("x509-svid", json!([certificate("authority"), certificate("leaf")]))]),
            "an x509-svid key has one certificate in x5c",
        ),
        (
            json!([key("x509-svid", json!(["not base64"]))]),
            "a certificate in the trust bundle cannot be read",
        ),
    ] {
        assert_eq!(read(keys).unwrap_err().0, mistake);
    }
}

#[test]
fn c30_each_rule_of_a_jwt_svid_refuses_by_itself() {
    let (own, other) = (TestKey::es256(), TestKey::es256());
    let keys = Jwks::parse(&json!({"keys": [own.public().to_value()]})).unwrap();
    let subject = SpiffeId::parse("spiffe://example.org/app").unwrap();
    let expected = SvidExpectation {
        subject: &subject,
        keys: &keys,
        issuer: ISSUER,
    };
    let verdict = |key: &TestKey, header: &Value, claims: &Value| {
        let token = key.token(header, claims);
        let judged = judge(&token, &expected, NOW);
        let refusal = judged.as_ref().err().map(|_| Refusal::WorkloadTokenInvalid);
        assert_eq!(verify(&token, &expected, NOW).err(), refusal);
        judged.map_or_else(|flaw| flaw.0, |_| "accepted")
    };
    let header = json!({"alg": "ES256", "typ": "JWT"});
    // No `iss`, no `jti`, no `iat`: none is required.
    let claims = json!({"sub": subject.as_str(), "aud": [ISSUER], "exp": NOW.seconds() + 300});
    assert_eq!(verdict(&own, &header, &claims), "accepted");
    let mut table = format!("another trust domain's key: {}\n", verdict(&other, &header, &claims));
    for (name, value) in [
        ("sub", json!("spiffe://example.org/other")),
        ("sub", json!("spiffe://other.org/app")),
        ("sub", Value::Null),
        ("aud", json!(ISSUER)),
        ("aud", json!([ISSUER, "spiffe://example.org/other"])),
        ("aud", json!(format!("{ISSUER}/token"))),
        ("aud", json!([])),
        ("exp", json!(NOW.seconds())),
        ("exp", json!(NOW.seconds() + 86_401)),
        ("exp", Value::Null),
        ("iat", json!(NOW.seconds() + 31)),
        ("nbf", json!(NOW.seconds() + 31)),
    ] {
        let mut claims = claims.clone();
        claims[name] = value.clone();
        table.push_str(&format!(
            "{name} {:57} {}\n",
            value.to_string(),
            verdict(&own, &header, &claims)
        ));
    }
    for alg in ["HS256", "none", "EdDSA"] {
        let header = json!({"alg": alg});
        table.push_str(&format!("alg {alg:57} {}\n", verdict(&own, &header, &claims)));
    }
    let typ = verdict(&own, &json!({"alg": "ES256", "typ": "at+jwt"}), &claims);
    table.push_str(&format!("typ {:57} {typ}\n", "at+jwt"));
    expect![[r#"
        another trust domain's key: the signature does not fit
        sub "spiffe://example.org/other"                              the sub is another workload
        sub "spiffe://other.org/app"                                  the sub is another workload
        sub null                                                      a member is no string
        aud "https://server.example"                                  accepted
        aud ["https://server.example","spiffe://example.org/other"]   the aud is not this server alone
        aud "https://server.example/token"                            the aud is not this server alone
        aud []                                                        the aud is not this server alone
        exp 1700000000                                                the SVID has expired
        exp 1700086401                                                the exp lies more than a day ahead
        exp null                                                      a claim is no instant
        iat 1700000031                                                the iat or nbf lies in the future
        nbf 1700000031                                                the iat or nbf lies in the future
        alg HS256                                                     the alg is none, a MAC, or not used here
        alg none                                                      the alg is none, a MAC, or not used here
        alg EdDSA                                                     no key of the set can have signed it
        typ at+jwt                                                    the typ is of another kind of JWT
    "#]]
    .assert_eq(&table);
}
