use expect_test::expect;
use serde_json::json;

use super::*;
use crate::jwt::tests::TestKey;

fn terms(evidence: Evidence) -> Terms {
    Terms {
        evidence,
        owner: "approver_1".to_owned(),
        environment: Some("prod".to_owned()),
        lifetime: Lifetime::from_seconds(3600),
    }
}

fn oidc(issuer: &str, audience: &str, subject: &str) -> Terms {
    terms(Evidence::Oidc {
        issuer: issuer.to_owned(),
        audience: audience.to_owned(),
        subject: subject.to_owned(),
        jwks: None,
    })
}

#[test]
fn nhi6_a_subject_is_one_subject_and_every_mistake_is_named() {
    let mut table = String::new();
    for (issuer, audience, subject) in [
        (
            "https://token.actions.githubusercontent.com",
            "https://server.example",
            "repo:org/app:ref:refs/heads/main",
        ),
        ("http://localhost:8080", "a", "s"),
        ("http://[::1]:8080/realm", "a", "s"),
        ("http://issuer.example", "a", "s"),
        ("https://issuer.example?x", "a", "s"),
        ("https://issuer.example#x", "a", "s"),
        ("https://user@issuer.example", "a", "s"),
        ("https://*.example", "a", "s"),
        ("issuer", "a", "s"),
        ("https://issuer.example", "", "s"),
        ("https://issuer.example", "*", "s"),
        ("https://issuer.example", "a", " "),
        ("https://issuer.example", "a", "repo:org/*"),
        ("https://issuer.example", "a", "repo:org/app:ref:refs/heads/?"),
        ("http://issuer.example", "", "*"),
    ] {
        let mistakes = oidc(issuer, audience, subject).mistakes();
        let mistakes: Vec<&str> = mistakes.iter().map(|flaw| flaw.0).collect();
        let told = format!("{issuer} | {audience} | {subject}\n    {}", mistakes.join("; "));
        table.push_str(told.trim_end());
        table.push('\n');
    }
    expect![[r#"
        https://token.actions.githubusercontent.com | https://server.example | repo:org/app:ref:refs/heads/main
        http://localhost:8080 | a | s
        http://[::1]:8080/realm | a | s
        http://issuer.example | a | s
            an issuer is an https URL without query and fragment, or http on loopback
        https://issuer.example?x | a | s
            an issuer is an https URL without query and fragment, or http on loopback
        https://issuer.example#x | a | s
            an issuer is an https URL without query and fragment, or http on loopback
        https://user@issuer.example | a | s
            an issuer is an https URL without query and fragment, or http on loopback
        https://*.example | a | s
            an issuer is an https URL without query and fragment, or http on loopback
        issuer | a | s
            an issuer is an https URL without query and fragment, or http on loopback
        https://issuer.example |  | s
            the audience is empty or too long
        https://issuer.example | * | s
            the audience has a wildcard
        https://issuer.example | a |  
            the subject is empty or too long
        https://issuer.example | a | repo:org/*
            the subject has a wildcard: admit each subject by its whole name
        https://issuer.example | a | repo:org/app:ref:refs/heads/?
            the subject has a wildcard: admit each subject by its whole name
        http://issuer.example |  | *
            an issuer is an https URL without query and fragment, or http on loopback; the audience is empty or too long; the subject has a wildcard: admit each subject by its whole name
    "#]].assert_eq(&table);
}

#[test]
fn an_instance_let_in_so_always_ends() {
    for (seconds, count) in [
        (59, 1),
        (60, 0),
        (366 * 24 * 3600, 0),
        (366 * 24 * 3600 + 1, 1),
        (-1, 1),
    ] {
        let lifetime = Lifetime::from_seconds(seconds);
        let terms = Terms {
            lifetime,
            ..oidc("https://issuer.example", "a", "s")
        };
        assert_eq!(terms.mistakes().len(), count, "{seconds}");
    }
}

#[test]
fn each_kind_is_read_back_as_it_was_stored() {
    let jwks = Jwks::parse(&json!({"keys": [TestKey::es256().public().to_value()]})).unwrap();
    let bundle = TrustBundle {
        jwt: Some(jwks.clone()),
        x509: Vec::new(),
    };
    let subject = SpiffeId::parse("spiffe://example.org/app").unwrap();
    let name = "https://attester.example".to_owned();
    for evidence in [
        Evidence::Attester { name, jwks },
        Evidence::Spiffe { subject, bundle },
        oidc("https://issuer.example", "a", "s").evidence,
    ] {
        let terms = terms(evidence);
        assert!(terms.mistakes().is_empty());
        let stored = serde_json::to_string(&terms).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&stored).unwrap(), terms);
    }
    let wild = json!({"kind": "spiffe", "subject": "spiffe://example.org/*", "bundle": {"jwt": null, "x509": []}});
    assert!(serde_json::from_value::<Evidence>(wild).is_err());
}
