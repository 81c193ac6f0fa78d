//! Profiles, permissions that nobody uses, changes of clients, and the posture that tells of all of it.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Key, World, on_both, with_profiles};
use crate::unused;

const DAY: i64 = 24 * 3_600;

/// Any key, an approve click and a carried value; from one network, two scopes.
const NARROW: &str = r#"
name = "narrow"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "little"
[approval]
by = "anyone"
software_keys = true
starter = ["same_address"]
[mitigations]
X02 = 60
X08 = ["192.0.2.0/24", "127.0.0.0/8"]
X09 = "openid read"
X10 = { token = 120, refresh = 600, grant = 900 }
"#;

const ELSEWHERE: &str = r#"
name = "elsewhere"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "little"
[approval]
by = "anyone"
software_keys = true
starter = ["same_address"]
[mitigations]
X08 = ["198.51.100.0/24"]
"#;

async fn change(world: &World, client_id: &str, body: Value) -> StatusCode {
    let path = format!("/local/clients/{client_id}/change");
    world.administer("POST", &path, &body).await.status
}

async fn posture(world: &World, client_id: &str) -> Value {
    let posture = world.administer("GET", "/local/posture", &Value::Null).await.body;
    let clients = posture["clients"].as_array().unwrap();
    clients
        .iter()
        .find(|client| client["client_id"] == client_id)
        .unwrap()
        .clone()
}

#[test]
fn x08_a_request_from_outside_the_listed_networks_gets_no_code() {
    with_profiles(&[ELSEWHERE], async |world| {
        world.client("cli", json!({ "profile": "elsewhere" })).await;
        let asked = world.post("/device_authorization", &[("client_id", "cli")]).await;
        assert_eq!(
            (asked.status, asked.error()),
            (StatusCode::BAD_REQUEST, "unauthorized_client")
        );
        assert!(asked.body["error_description"].as_str().unwrap().contains("network"));
        assert_eq!(world.events("device.requested").await.len(), 0);
    });
}

#[test]
fn x09_x10_what_is_granted_is_narrower_and_shorter_and_says_so() {
    with_profiles(&[NARROW], async |world| {
        world.client("cli", json!({ "profile": "narrow" })).await;
        let approver = world.approver("alice").await;
        let form = [("client_id", "cli"), ("scope", "openid offline_access profile read")];
        let asked = world.post("/device_authorization", &form).await;
        assert_eq!(asked.body["expires_in"], 60, "{}", asked.body);
        assert_eq!(
            world.approve(&asked.text("user_code"), &approver).await.status,
            StatusCode::OK
        );
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(tokens.text("scope"), "openid read");
        assert_eq!(tokens.body["expires_in"], 120);
        assert_eq!(
            tokens.body.get("refresh_token"),
            None,
            "offline_access is not of this profile"
        );
        assert!(world.is_active(&tokens.text("access_token")).await);
    });
}

#[test]
fn x23_a_client_is_given_no_profile_that_is_not_there() {
    on_both(async |world| {
        let added = world.client("cli", json!({ "profile": "lenient" })).await;
        assert_eq!(added.status, StatusCode::BAD_REQUEST);
        let known = "there is no profile of this name; known: break-glass, open, privileged, standard";
        assert_eq!(added.body["error_description"], known);
        let profiles = world.administer("GET", "/local/profiles", &Value::Null).await.body;
        for profile in profiles.as_array().unwrap() {
            assert!(!profile["mitigations"].as_array().unwrap().is_empty(), "{profile}");
            assert!(!profile["risk"].as_str().unwrap().is_empty(), "X20: {profile}");
        }
        let shown = world.administer("GET", "/local/profiles/standard", &Value::Null).await;
        assert!(shown.text("toml").contains("[mitigations]"));
    });
}

#[test]
fn a_change_of_a_client_voids_what_was_asked_of_it_and_nothing_that_was_given() {
    on_both(async |world| {
        world.cli().await;
        let approver = world.approver("alice").await;
        let tokens = world.tokens(&approver).await;
        let (waiting, approved) = (world.ask("cli").await, world.ask("cli").await);
        world.approve(&approved.text("user_code"), &approver).await;

        let changed = change(world, "cli", json!({ "scope": "openid offline_access read" })).await;
        assert_eq!(changed, StatusCode::OK);

        for asked in [&waiting, &approved] {
            let poll = world.poll(&asked.text("device_code")).await;
            assert_eq!(poll.error(), "access_denied");
        }
        let view = world.view(&waiting.text("user_code"), &approver).await;
        assert_eq!(view.error(), "unknown_code");
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.status,
            StatusCode::OK
        );
        let event = &world.events("client.changed").await[0];
        assert_eq!(event["detail"]["requests.voided"], 2);
        assert_eq!(world.events("device.cancelled").await.len(), 2);
    });
}

#[test]
fn a_change_that_makes_no_sense_changes_nothing() {
    on_both(async |world| {
        world.cli().await;
        let waiting = world.ask("cli").await;
        let wrong = [
            json!({ "profile": "lenient" }),
            json!({ "scope": "a\"b" }),
            json!({ "resource": ["not a uri"] }),
            json!({ "jwks": { "keys": [] } }),
            json!({ "colour": "green" }),
        ];
        for body in wrong {
            assert_eq!(
                change(world, "cli", body.clone()).await,
                StatusCode::BAD_REQUEST,
                "{body}"
            );
        }
        assert_eq!(
            change(world, "nobody", json!({ "scope": "read" })).await,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            world.poll(&waiting.text("device_code")).await.error(),
            "authorization_pending"
        );
        assert_eq!(world.events("client.changed").await.len(), 0);
    });
}

#[test]
fn a_permission_that_nobody_uses_is_reported_and_then_goes() {
    on_both(async |world| {
        world.cli().await;
        let review = async |days: i64| {
            world.advance(days * DAY);
            unused::review(&world.app).await.unwrap();
            posture(world, "cli").await["device_grant"].as_str().unwrap().to_owned()
        };
        assert_eq!(review(29).await, "allowed");
        assert_eq!(review(1).await, "report");
        world.ask("cli").await;
        assert_eq!(review(29).await, "report", "asking is not using");
        assert_eq!(review(1).await, "blocked");

        let blocked = posture(world, "cli").await;
        assert_eq!(blocked["because"], "unused");
        assert_eq!(blocked["since"], world.app.now().millis());
        let refused = world.post("/device_authorization", &[("client_id", "cli")]).await;
        assert_eq!(refused.error(), "unauthorized_client");
        assert!(
            refused.body["error_description"]
                .as_str()
                .unwrap()
                .contains("did not use it")
        );

        assert_eq!(change(world, "cli", json!({ "profile": "open" })).await, StatusCode::OK);
        assert_eq!(review(1).await, "allowed", "given again, it begins anew");
        let standings: Vec<Value> = world.events("client.unused").await;
        let standings: Vec<&Value> = standings
            .iter()
            .map(|event| &event["detail"]["client.device_grant"])
            .collect();
        assert_eq!(standings, ["report", "off"]);
    });
}

#[test]
fn using_a_reported_permission_keeps_it() {
    on_both(async |world| {
        world.cli().await;
        let approver = world.approver("alice").await;
        world.advance(31 * DAY);
        unused::review(&world.app).await.unwrap();
        assert_eq!(posture(world, "cli").await["device_grant"], "report");
        world.tokens(&approver).await;
        unused::review(&world.app).await.unwrap();
        let told = posture(world, "cli").await;
        assert_eq!(told["device_grant"], "allowed");
        assert_eq!(told["last_used_at"], world.app.now().millis());
    });
}

#[test]
fn n19_the_posture_says_what_is_blocked_for_whom_and_why() {
    on_both(async |world| {
        world.cli().await;
        world.client("none", json!({})).await;
        world.client("known", json!({ "profile": "standard" })).await;
        world
            .administer("POST", "/local/clients/known/disable", &json!({}))
            .await;
        let posture = world.administer("GET", "/local/posture", &Value::Null).await.body;
        let told: Vec<String> = posture["clients"].as_array().unwrap().iter().map(line).collect();
        assert_eq!(
            told,
            [
                "cli open allowed null 7",
                "known standard blocked \"disabled\" 13",
                "none null blocked \"no_profile\" 0",
            ]
        );
        let ids: Vec<&str> = posture["statement"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["X20", "X21", "X22", "X23", "X24", "X25"]);
    });
}

fn line(client: &Value) -> String {
    let name = |member: &str| client[member].as_str().unwrap_or("null").to_owned();
    let count = client["mitigations"].as_array().unwrap().len();
    format!(
        "{} {} {} {} {count}",
        name("client_id"),
        name("profile"),
        name("device_grant"),
        client["because"]
    )
}

/// A client under a stricter profile keeps nothing that it would not get now.
#[test]
fn what_was_given_under_open_ends_when_known_keys_are_demanded() {
    on_both(async |world| {
        world.cli().await;
        let approver = world.approver("alice").await;
        let tokens = world.tokens(&approver).await;
        let approved = world.ask("cli").await;
        world.approve(&approved.text("user_code"), &approver).await;
        assert!(world.is_active(&tokens.text("access_token")).await);
        assert_eq!(
            change(world, "cli", json!({ "profile": "standard" })).await,
            StatusCode::OK
        );
        assert!(!world.is_active(&tokens.text("access_token")).await);
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.error(),
            "invalid_grant"
        );
    });
}

#[test]
fn a_resource_that_is_withdrawn_takes_its_grants_along() {
    on_both(async |world| {
        let resource = json!({ "profile": "open", "resource": ["https://api.example", "https://other.example"] });
        world.client("cli", resource).await;
        let approver = world.approver("alice").await;
        let form = [
            ("client_id", "cli"),
            ("scope", "offline_access read"),
            ("resource", "https://api.example"),
        ];
        let asked = world.post("/device_authorization", &form).await;
        world.approve(&asked.text("user_code"), &approver).await;
        let tokens = world.poll(&asked.text("device_code")).await;
        let kept = change(world, "cli", json!({ "resource": ["https://api.example"] })).await;
        assert_eq!(kept, StatusCode::OK);
        let refreshed = world.refresh(&tokens.text("refresh_token")).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
        let withdrawn = change(world, "cli", json!({ "resource": ["https://other.example"] })).await;
        assert_eq!(withdrawn, StatusCode::OK);
        let refused = world.refresh(&refreshed.text("refresh_token")).await;
        assert_eq!(refused.error(), "invalid_target");
    });
}

/// X11: whoever asks to be enrolled uses up nothing of those who are.
#[test]
fn x11_strangers_enrollments_leave_the_places_of_enrolled_instances_free() {
    const ONE: &str = r#"
name = "one"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "little"
[approval]
by = "owner"
starter = ["own_instance"]
[mitigations]
X07 = { ceremony = "with_network" }
X11 = { open_requests = 1 }
"#;
    with_profiles(&[ONE], async |world| {
        world.client("cli", json!({ "profile": "one" })).await;
        world.approver("alice").await;
        let own = world.enrolled("cli", "alice").await;
        let enroll = [("client_id", "cli"), ("name", "stranger")];
        let strangers = [Key::new(), Key::new()];
        let first = world.post_by("/enrollment", &enroll, &strangers[0]).await;
        assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.body);
        let full = world.post_by("/enrollment", &enroll, &strangers[1]).await;
        assert_eq!(full.error(), "rate_limited");
        let ask = [("client_id", "cli")];
        assert_eq!(
            world.post_by("/device_authorization", &ask, &own).await.status,
            StatusCode::OK
        );
        assert_eq!(
            world.post_by("/device_authorization", &ask, &own).await.error(),
            "rate_limited"
        );
    });
}
