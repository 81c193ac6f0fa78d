//! Authenticated initiation (RFC 10027 §6.1.15): no code before somebody has signed at the device that asks.

use http::StatusCode;
use protocol::jwt::signing_input;
use serde_json::{Value, json};

use super::world::{Answer, ISSUER, Key, World, with_profiles};

const INITIATED: &str = r#"
name = "initiated"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "session transfer"
[approval]
by = "anyone"
software_keys = true
starter = ["same_address"]
[mitigations]
X15 = true
"#;

const STRONG: &str = r#"
name = "strong"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "session transfer"
[approval]
by = "anyone"
acr = "phr"
software_keys = true
starter = ["same_address"]
[mitigations]
X15 = true
"#;

fn thumbprint(key: &Key) -> String {
    protocol::jwk::PublicJwk::parse(&key.jwk()).unwrap().thumbprint()
}

/// By the approver's software key, for the key that asks.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its values written in place"
)]
fn assertion(world: &World, approver: &Key, asking: &Key, changes: Value) -> String {
    let now = world.app.now().seconds();
    let kid = thumbprint(approver);
    let header = json!({ "typ": "waypass-initiator+jwt", "alg": "ES256", "kid": kid });
    let mut claims = json!({
        "iss": kid, "aud": ISSUER, "iat": now, "exp": now + 60,
        "jti": format!("initiated at {now}"), "cnf": { "jkt": thumbprint(asking) },
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    let input = signing_input(&header, &claims);
    let signature = approver.sign(input.as_bytes());
    format!("{input}.{signature}")
}

async fn ask(world: &World, assertion: &str, asking: &Key) -> Answer {
    let form = [
        ("client_id", "cli"),
        ("scope", "read"),
        ("initiator_assertion", assertion),
    ];
    world.post_by("/device_authorization", &form, asking).await
}

/// On both databases, with a client and two approvers.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn initiated(test: impl AsyncFn(&World, &Key, &Key)) {
    with_profiles(&[INITIATED, STRONG], async |world| {
        world.client("cli", json!({ "profile": "initiated" })).await;
        let (alice, bob) = (world.approver("alice").await, world.approver("bob").await);
        test(world, &alice, &bob).await;
    });
}

#[test]
fn x15_without_a_signature_of_an_approver_there_is_no_code() {
    initiated(async |world, alice, _| {
        let (device, stranger) = (Key::new(), Key::new());
        let good = assertion(world, alice, &device, json!({}));
        for (what, sent) in [
            ("none", String::new()),
            ("no JWT", "initiator".to_owned()),
            ("a stranger's", assertion(world, &stranger, &device, json!({}))),
            (
                "for another server",
                assertion(world, alice, &device, json!({ "aud": "https://other.example" })),
            ),
            (
                "expired",
                assertion(world, alice, &device, json!({ "exp": world.app.now().seconds() })),
            ),
            ("for another key", assertion(world, alice, &stranger, json!({}))),
        ] {
            let asked = ask(world, &sent, &device).await;
            assert_eq!(
                (asked.status, asked.error()),
                (StatusCode::BAD_REQUEST, "invalid_request"),
                "{what}"
            );
        }
        let unbound = [("client_id", "cli"), ("initiator_assertion", &*good)];
        let asked = world.post("/device_authorization", &unbound).await;
        assert_eq!(asked.error(), "invalid_dpop_proof", "it names a key: that key asks");
        assert!(world.events("device.requested").await.is_empty());
        assert_eq!(ask(world, &good, &device).await.status, StatusCode::OK);
    });
}

#[test]
fn x15_the_initiator_decides_and_nobody_else() {
    initiated(async |world, alice, bob| {
        let device = Key::new();
        let asked = ask(world, &assertion(world, alice, &device, json!({})), &device).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let code = asked.text("user_code");
        assert_eq!(world.view(&code, bob).await.error(), "unknown_code");
        let view = world.view(&code, alice).await;
        let started = view.body["facts"]
            .as_array()
            .unwrap()
            .iter()
            .find(|fact| fact["name"] == "initiator.approver");
        let started = started.unwrap_or_else(|| panic!("{}", view.body));
        assert_eq!(
            (&started["value"], &started["source"]),
            (&json!("alice"), &json!("proven"))
        );
        let decided = world
            .call("/approver/approve", &alice.decision(&view.body), alice)
            .await;
        assert_eq!(decided.text("state"), "approved");
    });
}

#[test]
fn x15_an_assertion_serves_once() {
    initiated(async |world, alice, _| {
        let device = Key::new();
        let sent = assertion(world, alice, &device, json!({}));
        let (one, other) = tokio::join!(ask(world, &sent, &device), ask(world, &sent, &device));
        let mut statuses = [one.status, other.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::BAD_REQUEST]);
        assert_eq!(ask(world, &sent, &device).await.error(), "invalid_request");
        assert_eq!(world.events("device.requested").await.len(), 1);
    });
}

#[test]
fn x15_a_disabled_approver_starts_nothing_and_an_approvers_key_never_asks() {
    initiated(async |world, alice, bob| {
        let own = assertion(world, alice, alice, json!({}));
        assert_eq!(ask(world, &own, alice).await.error(), "invalid_request");
        let device = Key::new();
        world
            .administer("POST", "/local/approvers/bob/disable", &Value::Null)
            .await;
        let sent = assertion(world, bob, &device, json!({}));
        assert_eq!(ask(world, &sent, &device).await.error(), "invalid_request");
    });
}

/// A software key at the start is not phishing-resistant: where the profile asks for a passkey, the decision needs one.
#[test]
fn x15_initiation_by_a_software_key_does_not_lower_what_the_decision_needs() {
    initiated(async |world, alice, _| {
        world.client("strong", json!({ "profile": "strong" })).await;
        let device = Key::new();
        let sent = assertion(world, alice, &device, json!({}));
        let form = [
            ("client_id", "strong"),
            ("scope", "read"),
            ("initiator_assertion", &*sent),
        ];
        let asked = world.post_by("/device_authorization", &form, &device).await;
        let decided = world.approve(&asked.text("user_code"), alice).await;
        assert_eq!(decided.error(), "refused", "{}", decided.body);
    });
}

/// Under a profile that does not demand it, a good one is held to and a bad one refused.
#[test]
fn x15_an_assertion_under_another_profile_counts_too() {
    initiated(async |world, alice, bob| {
        world.client("stock", json!({ "profile": "open" })).await;
        let device = Key::new();
        let sent = assertion(world, alice, &device, json!({}));
        let form = |sent| [("client_id", "stock"), ("scope", "read"), ("initiator_assertion", sent)];
        let asked = world.post_by("/device_authorization", &form(&sent), &device).await;
        assert_eq!(world.view(&asked.text("user_code"), bob).await.error(), "unknown_code");
        let bad = world.post_by("/device_authorization", &form("bad"), &device).await;
        assert_eq!(bad.error(), "invalid_request");
    });
}
