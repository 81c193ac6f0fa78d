//! What administrators do to instances, and what ends with it.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::world::{Answer, Key, World, on_both};
use super::{approve, ask, poll, refresh, standard, tokens};
use crate::tests::pages::browser::Browser;

async fn hand_over(world: &World, key: &Key, to: &str) -> Answer {
    let id = world.instance_of(key).await["instance_id"].as_str().unwrap().to_owned();
    world
        .administer(
            "POST",
            &format!("/local/instances/{id}/hand-over"),
            &json!({ "to": to }),
        )
        .await
}

async fn because(world: &World, action: &str) -> Vec<Value> {
    let events = world.events(action).await;
    events.iter().map(|event| event["detail"]["because"].clone()).collect()
}

#[test]
fn nhi1_a_disabled_owner_s_instances_stand_still_until_somebody_else_answers_for_them() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let first = tokens(&alice, &passkey, &key).await;
        let waiting = ask(world, "cli", &key).await;

        world
            .administer("POST", "/local/approvers/alice/disable", &json!({}))
            .await;
        assert_eq!(world.instance_of(&key).await["standing"], "orphaned");
        assert_eq!(refresh(world, &first, &key).await.error(), "invalid_grant");
        assert_eq!(ask(world, "cli", &key).await.error(), "unauthorized_client");
        assert_eq!(
            poll(world, &waiting.text("device_code"), &key).await.error(),
            "access_denied"
        );
        assert_eq!(because(world, "grant.ended").await, ["owner_disabled"]);
        assert_eq!(because(world, "device.cancelled").await, ["owner_disabled"]);

        let (bob, passkey) = Browser::enrolled(world, "bob").await;
        let handed = hand_over(world, &key, "bob").await;
        assert_eq!(
            (handed.text("owner"), handed.text("standing")),
            ("bob".into(), "active".into())
        );
        assert_eq!(
            refresh(world, &first, &key).await.error(),
            "invalid_grant",
            "a new approval is needed"
        );
        assert_eq!(tokens(&bob, &passkey, &key).await.status, StatusCode::OK);

        world
            .administer("POST", "/local/approvers/alice/enable", &json!({}))
            .await;
        assert_eq!(
            refresh(world, &first, &key).await.error(),
            "invalid_grant",
            "what ended has ended"
        );
    });
}

#[test]
fn handing_over_ends_what_the_one_before_approved() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let first = tokens(&alice, &passkey, &key).await;
        let asked = ask(world, "cli", &key).await;
        approve(&alice, &passkey, &asked).await;
        let (bob, bobs) = Browser::enrolled(world, "bob").await;

        assert_eq!(hand_over(world, &key, "nobody").await.status, StatusCode::NOT_FOUND);
        assert_eq!(hand_over(world, &key, "bob").await.status, StatusCode::OK);
        assert_eq!(refresh(world, &first, &key).await.error(), "invalid_grant");
        assert_eq!(
            poll(world, &asked.text("device_code"), &key).await.error(),
            "access_denied"
        );
        let event = &world.events("instance.handed_over").await[0];
        assert_ne!(event["detail"]["instance.owner.before"], event["approver_id"]);

        let asked = ask(world, "cli", &key).await;
        let refused = alice.post("/device", &[("user_code", &asked.text("user_code"))]).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "no longer alice's to decide");
        approve(&bob, &bobs, &asked).await;
    });
}

#[test]
fn suspending_ends_what_there_is_and_resuming_brings_nothing_back() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let first = tokens(&alice, &passkey, &key).await;
        let waiting = ask(world, "cli", &key).await;
        for _ in 0..2 {
            assert_eq!(world.act_on(&key, "suspend").await.text("standing"), "suspended");
        }
        assert_eq!(
            world.events("instance.suspended").await.len(),
            1,
            "pressed twice, done once"
        );
        assert_eq!(refresh(world, &first, &key).await.error(), "invalid_grant");
        assert!(!world.is_active(&first.text("access_token")).await);
        let refused = ask(world, "cli", &key).await;
        assert!(
            refused.text("error_description").contains("can resume it"),
            "{}",
            refused.body
        );
        let code = waiting.text("user_code");
        assert_eq!(
            alice.post("/device", &[("user_code", &code)]).await.status,
            StatusCode::NOT_FOUND
        );

        assert_eq!(world.act_on(&key, "resume").await.text("standing"), "active");
        assert_eq!(refresh(world, &first, &key).await.error(), "invalid_grant");
        assert_eq!(
            poll(world, &waiting.text("device_code"), &key).await.error(),
            "access_denied"
        );
        assert_eq!(tokens(&alice, &passkey, &key).await.status, StatusCode::OK);
    });
}

#[test]
fn what_was_removed_or_has_expired_asks_for_nothing_and_keeps_its_name_and_key() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let first = tokens(&alice, &passkey, &key).await;
        let id = world.instance_of(&key).await["instance_id"].clone();
        assert_eq!(world.act_on(&key, "remove").await.text("standing"), "removed");
        assert_eq!(world.act_on(&key, "remove").await.status, StatusCode::OK);
        for act in ["suspend", "resume"] {
            assert_eq!(world.act_on(&key, act).await.error(), "invalid", "{act}");
        }
        assert_eq!(refresh(world, &first, &key).await.error(), "invalid_grant");
        assert_eq!(world.instance_of(&key).await["instance_id"], id, "and its row stays");
        assert_eq!(because(world, "grant.ended").await, ["instance_removed"]);

        let other = world.enrolled("cli", "alice").await;
        assert_ne!(world.instance_of(&other).await["instance_id"], id);
        world.advance(90 * 86_400);
        assert_eq!(world.instance_of(&other).await["standing"], "expired");
        let refused = ask(world, "cli", &other).await;
        assert!(
            refused.text("error_description").contains("has expired"),
            "{}",
            refused.body
        );
    });
}

#[test]
fn an_administrator_is_told_what_is_wrong_with_an_instance() {
    on_both(async |world| {
        let _owner = standard(world, "alice").await;
        let key = Key::new();
        let end = world.app.now().millis() + 86_400_000;
        let whole =
            json!({ "client_id": "cli", "owner": "alice", "name": "Host", "jwk": key.jwk(), "expires_at": end });
        let mut private = key.jwk();
        private["d"] = json!("c2VjcmV0");
        for (member, value, error) in [
            ("client_id", json!("nobody"), "invalid_client"),
            ("owner", json!("nobody"), "not_found"),
            ("name", json!(" "), "invalid"),
            ("environment", json!("\u{7}"), "invalid"),
            ("jwk", private, "invalid"),
            ("jwk", json!({ "kty": "oct" }), "invalid"),
            ("expires_at", json!(0), "invalid"),
            ("expires_at", json!(end + 400 * 86_400_000_i64), "invalid"),
        ] {
            let mut body = whole.clone();
            body[member] = value;
            let answer = world.administer("POST", "/local/instances", &body).await;
            assert_eq!(answer.error(), error, "{member}: {}", answer.body);
        }
        let added = world.administer("POST", "/local/instances", &whole).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        let path = format!("/local/instances/{}", added.text("instance_id"));
        assert_eq!(world.administer("GET", &path, &json!({})).await.body, added.body);
        let renamed = world
            .administer("POST", &format!("{path}/rename"), &json!({ "name": "Build host" }))
            .await;
        assert_eq!(renamed.text("name"), "Build host");
        let missing = world
            .administer("GET", "/local/instances/instance_none", &json!({}))
            .await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
    });
}
