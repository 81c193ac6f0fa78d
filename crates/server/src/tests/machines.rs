//! Client credentials: a machine that an administrator lets ask nobody gets what its client may have and no more,
//! bound to its key, and everything that ends an instance ends this too.

use http::StatusCode;
use protocol::base64url;
use serde_json::{Value, json};

use super::pages::browser::Browser;
use super::policies::with_policies;
use super::posture::stated;
use super::world::{Answer, Key, World, on_both, with_profiles};
use crate::unused;

const DAY: i64 = 86_400;

/// A client `nightly` whose enrolled machines ask nobody, and one of them.
async fn machine(world: &World, more: Value) -> Key {
    world.approver("alice").await;
    machine_of_alice(world, more).await
}

async fn machine_of_alice(world: &World, more: Value) -> Key {
    let mut registration = json!({
        "instance_key": true, "profile": "standard", "grants": ["client_credentials"],
        "scope": "openid offline_access profile read write"
    });
    let members = registration.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let added = world.client("nightly", registration).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    world.enrolled("nightly", "alice").await
}

async fn ask(world: &World, key: &Key, more: &[(&str, &str)]) -> Answer {
    let assertion = key.assertion("nightly", world.app.now());
    let form = [&form(&assertion), more].concat();
    world.post_by("/token", &form, key).await
}

fn form(assertion: &str) -> [(&str, &str); 3] {
    [
        ("grant_type", "client_credentials"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
    ]
}

async fn token(world: &World, key: &Key) -> String {
    let given = ask(world, key, &[]).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    given.text("access_token")
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

async fn grants(world: &World) -> Vec<Value> {
    let listed = world.administer("GET", "/local/grants", &Value::Null).await.body;
    listed.as_array().unwrap().clone()
}

#[test]
fn a14_s07_a_machine_gets_a_token_of_its_own_bound_to_its_key() {
    on_both(async |world| {
        let key = machine(world, json!({})).await;
        let given = ask(world, &key, &[]).await;
        assert_eq!(given.status, StatusCode::OK, "{}", given.body);
        assert_eq!(given.body["token_type"], "DPoP");
        assert_eq!(
            given.body["scope"], "profile read write",
            "what needs a person is left out"
        );
        assert!(given.body.get("refresh_token").is_none() && given.body.get("id_token").is_none());

        let claims = claims(&given.text("access_token"));
        let instance = world.instance_of(&key).await;
        assert_eq!(claims["sub"], instance["instance_id"], "never a person's");
        assert!(claims["sub"].as_str().unwrap().starts_with("instance_"));
        assert_eq!(claims["client_id"], "nightly");
        assert_eq!(claims["cnf"]["jkt"], key.thumbprint());
        for name in ["acr", "amr", "auth_time"] {
            assert!(claims.get(name).is_none(), "RFC 9068 §2.2.1: {name} is of a person");
        }
        assert!(world.is_active(&given.text("access_token")).await);

        let grants = grants(world).await;
        assert_eq!(grants[0]["origin"], "client_credentials");
        assert_eq!(
            (&grants[0]["approver"], &grants[0]["request_id"]),
            (&json!("alice"), &Value::Null)
        );
        let events = world.events("token.issued").await;
        let detail = &events[0]["detail"];
        assert_eq!(detail["grant.origin"], "client_credentials");
        assert_eq!(detail["instance.id"], claims["sub"]);
        assert_eq!(detail["token.id"], claims["jti"]);
        assert_eq!(world.events("device.requested").await.len(), 0, "nobody was asked");
    });
}

#[test]
fn the_two_grants_are_two_permissions_and_neither_is_given_by_the_other() {
    on_both(async |world| {
        let key = machine(world, json!({ "grants": ["device_code"] })).await;
        let refused = ask(world, &key, &[]).await;
        assert_eq!(refused.error(), "unauthorized_client");
        assert!(
            refused
                .text("error_description")
                .contains("An administrator of this server can allow it")
        );

        let change = async |grants: Value| {
            let body = json!({ "grants": grants });
            let changed = world.administer("POST", "/local/clients/nightly/change", &body).await;
            assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        };
        change(json!(["client_credentials"])).await;
        let access_token = token(world, &key).await;
        let assertion = key.assertion("nightly", world.app.now());
        let form = [
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &*assertion),
        ];
        let asked = world.post_by("/device_authorization", &form, &key).await;
        assert_eq!(
            asked.error(),
            "unauthorized_client",
            "a machine that asks nobody asks nobody"
        );

        change(json!(["device_code"])).await;
        assert_eq!(ask(world, &key, &[]).await.error(), "unauthorized_client");
        assert!(
            !world.is_active(&access_token).await,
            "what it had goes with the permission"
        );
        change(json!(["device_code", "client_credentials"])).await;
        token(world, &key).await;
    });
}

#[test]
fn who_proves_nothing_gets_no_tokens_without_a_person() {
    on_both(async |world| {
        let public = world
            .client(
                "public",
                json!({ "public": true, "profile": "standard", "grants": ["client_credentials"] }),
            )
            .await;
        assert_eq!(
            public.status,
            StatusCode::BAD_REQUEST,
            "RFC 6749 §4.4: confidential clients only"
        );
        let without = world
            .client(
                "without",
                json!({ "instance_key": true, "grants": ["client_credentials"] }),
            )
            .await;
        assert_eq!(without.status, StatusCode::BAD_REQUEST, "and under a profile");

        let key = machine(world, json!({})).await;
        assert_eq!(
            ask(world, &Key::new(), &[]).await.error(),
            "invalid_client",
            "an unknown key"
        );
        let assertion = key.assertion("nightly", world.app.now());
        let form = [
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &*assertion),
        ];
        assert_eq!(
            world.post("/token", &form).await.error(),
            "invalid_dpop_proof",
            "no proof"
        );
        let by_another = world.post_by("/token", &form, &Key::new()).await;
        assert_eq!(by_another.error(), "invalid_client", "one key, for both");

        // A client with a secret, and a key that is nobody's.
        let secret = json!({ "secret": "a secret of a service", "profile": "open", "grants": ["client_credentials"] });
        assert_eq!(world.client("service", secret).await.status, StatusCode::CREATED);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "service"),
            ("client_secret", "a secret of a service"),
        ];
        assert_eq!(world.post("/token", &form).await.error(), "invalid_dpop_proof");
        let stranger = world.post_by("/token", &form, &Key::new()).await;
        assert_eq!(
            (stranger.error(), &stranger.body["needs"]),
            ("unauthorized_client", &json!("enrollment"))
        );
        let known = world.enrolled("service", "alice").await;
        assert_eq!(world.post_by("/token", &form, &known).await.status, StatusCode::OK);
        assert!(world.events("token.issued").await.len() == 1);
    });
}

#[test]
fn nhi5_a_machine_gets_nothing_beyond_its_clients_ceiling_and_its_profile() {
    let narrow = include_str!("../../profiles/standard.toml")
        .replace("name = \"standard\"", "name = \"narrow\"")
        .replace(
            "X10 = { token = 600, refresh = 28800, grant = 28800 }",
            "X08 = [\"127.0.0.0/8\"]\nX09 = \"read\"\nX10 = { token = 120, grant = 600 }",
        );
    with_profiles(&[&narrow], async |world| {
        let key = machine(
            world,
            json!({ "resource": ["https://api.example"], "profile": "narrow" }),
        )
        .await;
        for scope in ["read admin", "openid", "offline_access"] {
            assert_eq!(
                ask(world, &key, &[("scope", scope)]).await.error(),
                "invalid_scope",
                "{scope}"
            );
        }
        let other = ask(world, &key, &[("resource", "https://other.example")]).await;
        assert_eq!(other.error(), "invalid_target");
        let given = ask(
            world,
            &key,
            &[("scope", "read write"), ("resource", "https://api.example")],
        )
        .await;
        assert_eq!(given.body["scope"], "read", "X09");
        assert_eq!(given.body["expires_in"], 120, "X10");
        let claims = claims(&given.text("access_token"));
        assert_eq!(claims["aud"], "https://api.example");

        let assertion = key.assertion("nightly", world.app.now());
        let elsewhere = world.post_from([192, 0, 2, 1], "/token", &form(&assertion), &key).await;
        assert_eq!(elsewhere.error(), "unauthorized_client", "X08");
        assert!(elsewhere.text("error_description").contains("from this network"));
    });
}

#[test]
fn one_grant_gives_the_same_until_it_ends_and_old_ones_are_swept() {
    on_both(async |world| {
        let key = machine(world, json!({})).await;
        for _ in 0..5 {
            token(world, &key).await;
            world.advance(60);
        }
        assert_eq!(grants(world).await.len(), 1, "one for all that is alike");
        assert_eq!(ask(world, &key, &[("scope", "read")]).await.body["scope"], "read");
        assert_eq!(grants(world).await.len(), 2, "and one for what is not");
        assert_eq!(world.events("token.issued").await.len(), 6);

        // A token never ends early because its grant is about to.
        world.advance(28_800 - 300 - 599);
        assert_eq!(ask(world, &key, &[]).await.body["expires_in"], 600);
        assert_eq!(grants(world).await.len(), 3);

        world.advance(3 * DAY);
        let swept = store::Batch::default().sweep(world.app.now());
        world.app.store.commit(swept).await.unwrap();
        assert_eq!(grants(world).await.len(), 1, "the last one shows when it was used");
    });
}

/// Everything that ends an instance, and so what it got without a person.
#[test]
fn what_ends_a_machine_ends_its_tokens_and_gives_no_new_ones() {
    for (act, error) in [
        ("/local/clients/nightly/disable", "invalid_client"),
        ("/local/approvers/alice/disable", "unauthorized_client"),
        ("suspend", "unauthorized_client"),
        ("remove", "unauthorized_client"),
    ] {
        on_both(async |world| {
            let key = machine(world, json!({})).await;
            let access_token = token(world, &key).await;
            assert!(world.is_active(&access_token).await);
            let done = if act.starts_with('/') {
                world.administer("POST", act, &Value::Null).await
            } else {
                world.act_on(&key, act).await
            };
            assert!(done.status.is_success(), "{act}: {}", done.body);
            assert!(!world.is_active(&access_token).await, "{act}");
            let refused = ask(world, &key, &[]).await;
            assert_eq!(refused.error(), error, "{act}: {}", refused.body);
        });
    }
}

#[test]
fn a_machines_grant_is_revoked_like_any_other() {
    on_both(async |world| {
        let key = machine(world, json!({})).await;
        let first = token(world, &key).await;
        let id = grants(world).await[0]["grant_id"].as_str().unwrap().to_owned();
        let revoked = world
            .administer("POST", &format!("/local/grants/{id}/revoke"), &Value::Null)
            .await;
        assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.body);
        assert!(!world.is_active(&first).await);
        let second = token(world, &key).await;
        assert_ne!(
            claims(&second)["grant_id"],
            json!(id),
            "what has ended gives nothing more"
        );

        let assertion = key.assertion("nightly", world.app.now());
        let form = [
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &*assertion),
            ("token", &*second),
        ];
        assert_eq!(world.post_by("/revoke", &form, &key).await.status, StatusCode::OK);
        assert!(!world.is_active(&second).await);
    });
}

#[test]
fn nhi10_a_machines_token_is_nobodys_at_userinfo() {
    on_both(async |world| {
        let key = machine(world, json!({})).await;
        let access_token = token(world, &key).await;
        let request = http::Request::get("/userinfo").header("authorization", format!("DPoP {access_token}"));
        let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn its_owner_sees_what_a_machine_got_and_can_end_it() {
    on_both(async |world| {
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let key = machine_of_alice(world, json!({})).await;
        let access_token = token(world, &key).await;
        let account = browser.get("/account").await.html;
        assert!(account.contains("A device of yours got this by itself."), "{account}");
        let id = grants(world).await[0]["grant_id"].as_str().unwrap().to_owned();
        browser.post(&format!("/account/grants/{id}/revoke"), &[]).await;
        assert!(!world.is_active(&access_token).await);
    });
}

#[test]
fn a_permission_to_ask_nobody_goes_when_nobody_uses_it() {
    on_both(async |world| {
        let key = machine(world, json!({ "grants": ["device_code", "client_credentials"] })).await;
        let posture = async || {
            let told = world.administer("GET", "/local/posture", &Value::Null).await.body;
            told["clients"][0].clone()
        };
        world.advance(29 * DAY);
        token(world, &key).await;
        world.advance(DAY);
        unused::review(&world.app).await.unwrap();
        let told = posture().await;
        assert_eq!(told["device_grant"], "report", "the other one was not used");
        assert_eq!(told["client_credentials"]["standing"], "allowed");
        assert_eq!(
            told["client_credentials"]["last_used_at"],
            (world.app.now() - protocol::time::Lifetime::from_seconds(DAY)).millis()
        );

        for days in [29, 30] {
            world.advance(days * DAY);
            unused::review(&world.app).await.unwrap();
        }
        let told = posture().await;
        assert_eq!(told["client_credentials"]["standing"], "blocked", "{told}");
        assert_eq!(told["client_credentials"]["because"], "unused");
        let refused = ask(world, &key, &[]).await;
        assert!(
            refused.text("error_description").contains("taken away"),
            "{}",
            refused.body
        );
        let again = json!({ "grants": ["client_credentials"] });
        world.administer("POST", "/local/clients/nightly/change", &again).await;
        token(world, &key).await;
    });
}

#[test]
fn a05_a_machine_gets_no_details_beyond_its_clients_ceiling() {
    on_both(async |world| {
        let api = |method: &str, path: &str| json!([{ "type": "api", "resource": "https://crm.example.com", "methods": [method], "paths": [path] }]);
        let key = machine(world, json!({ "authorization_details": api("GET", "/customers/*") })).await;
        let wanted = api("GET", "/customers/17");
        let given = ask(world, &key, &[("authorization_details", &wanted.to_string())]).await;
        assert_eq!(given.status, StatusCode::OK, "{}", given.body);
        assert_eq!(given.body["authorization_details"], wanted);
        assert_eq!(claims(&given.text("access_token"))["authorization_details"], wanted);
        let other = api("DELETE", "/customers/17").to_string();
        let refused = ask(world, &key, &[("authorization_details", &other)]).await;
        assert_eq!(refused.error(), "invalid_authorization_details");
        ask(world, &key, &[]).await;
        assert_eq!(grants(world).await.len(), 2, "a grant for each that is not alike");
    });
}

/// All of them end in one batch when the instance is suspended: there is a bound on how many there are.
#[test]
fn a_machine_that_asks_for_ever_other_things_is_stopped_and_ends_whole() {
    on_both(async |world| {
        let key = machine(world, json!({ "authorization_details": [{ "type": "tool_call" }] })).await;
        let call = |number: i64| {
            json!([{ "type": "tool_call", "server": "s", "tool": "t", "arguments": { "n": number } }]).to_string()
        };
        for number in 0..64 {
            let given = ask(world, &key, &[("authorization_details", &call(number))]).await;
            assert_eq!(given.status, StatusCode::OK, "{number}: {}", given.body);
        }
        let refused = ask(world, &key, &[("authorization_details", &call(64))]).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.body);
        let again = ask(world, &key, &[("authorization_details", &call(7))]).await;
        assert_eq!(again.status, StatusCode::OK, "what it has it may ask for again");
        let instance = world.instance_of(&key).await;
        let path = format!("/local/instances/{}/suspend", instance["instance_id"].as_str().unwrap());
        assert_eq!(
            world.administer("POST", &path, &Value::Null).await.status,
            StatusCode::OK
        );
        assert!(!world.is_active(&again.text("access_token")).await);
    });
}

#[test]
fn policies_decide_what_a_machine_gets_by_its_posture_of_now() {
    let encrypted = r#"@id("encrypted") forbid (principal, action == Action::"redeem", resource)
        unless { context.claimed.hasTag("posture.disk_encrypted") &&
                 context.claimed.getTag("posture.disk_encrypted") == "true" };"#;
    with_policies(encrypted, async |world, _| {
        let key = machine(world, json!({})).await;
        for (posture, expected) in [
            (None, "access_denied"),
            (Some(false), "access_denied"),
            (Some(true), "none"),
        ] {
            let stated = posture.map(|is| stated(world, &key, &json!({ "disk_encrypted": is })));
            let form: Vec<_> = stated.iter().map(|stated| ("posture", stated.as_str())).collect();
            assert_eq!(ask(world, &key, &form).await.error(), expected, "{posture:?}");
        }
        let refused = world.refused("token.refused", "redeem").await;
        assert_eq!(refused["client_id"], "nightly");
        let issued = &world.events("token.issued").await[0]["detail"];
        assert_eq!(issued["policy.decision"], "permit");
        assert_eq!(issued["policy.input"]["origin"], "client_credentials");
    });
}
