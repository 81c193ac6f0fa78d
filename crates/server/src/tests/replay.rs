//! What is presented twice: device codes, refresh tokens, proofs. design decisions of the life of a
//! request; RFC 9700 §4.14.2, RFC 9449 §11.1.

use http::StatusCode;

use super::world::{Answer, Key, World, on_both, poll_form, refresh_form};

/// Dex: a completed device code returned the same stored token until it expired.
#[test]
fn a_redeemed_code_is_dead_and_a_quick_retry_only_recorded() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        world.approve(&asked.text("user_code"), &alice).await;
        let access_token = world.poll(&asked.text("device_code")).await.text("access_token");
        world.advance(30);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "invalid_grant");
        assert!(
            world.is_active(&access_token).await,
            "within 30 s it may be the client's own retry"
        );
        world.advance(1);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "invalid_grant");
        assert!(!world.is_active(&access_token).await, "later it is somebody else's");
        let replays = world.events("device.replayed").await;
        assert_eq!(
            replays
                .iter()
                .map(|event| event["detail"]["grant.ended"] == true)
                .collect::<Vec<_>>(),
            [false, true]
        );
    });
}

#[test]
fn s02_an_unbound_refresh_token_presented_twice_ends_its_grant() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let first = world.tokens(&alice).await;
        let second = world.refresh(&first.text("refresh_token")).await;
        assert_eq!(second.status, StatusCode::OK);
        assert_eq!(
            world.refresh(&first.text("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(
            world.refresh(&second.text("refresh_token")).await.error(),
            "invalid_grant",
            "the family is dead"
        );
        for answer in [&first, &second] {
            assert!(!world.is_active(&answer.text("access_token")).await);
        }
        assert_eq!(world.events("token.reused").await.len(), 1);
    });
}

async fn bound(world: &World, key: &Key) -> Answer {
    world.cli().await;
    let alice = world.approver("alice").await;
    let form = [("client_id", "cli"), ("scope", "offline_access read")];
    let asked = world.post_by("/device_authorization", &form, key).await;
    world.approve(&asked.text("user_code"), &alice).await;
    world
        .post_by("/token", &poll_form(&asked.text("device_code")), key)
        .await
}

#[test]
fn a_bound_clients_lost_answer_is_forgiven_once_within_a_minute() {
    on_both(async |world| {
        let key = Key::new();
        let first = bound(world, &key).await.text("refresh_token");
        let lost = world
            .post_by("/token", &refresh_form(&first), &key)
            .await
            .text("refresh_token");
        world.advance(60);
        let again = world.post_by("/token", &refresh_form(&first), &key).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.body);
        // The lost one was voided: refused, recorded, and it ends nothing.
        assert_eq!(
            world.post_by("/token", &refresh_form(&lost), &key).await.error(),
            "invalid_grant"
        );
        let next = world
            .post_by("/token", &refresh_form(&again.text("refresh_token")), &key)
            .await;
        assert_eq!(next.status, StatusCode::OK, "{}", next.body);
        // Its successor is in use now: the old one means theft.
        assert_eq!(
            world.post_by("/token", &refresh_form(&first), &key).await.error(),
            "invalid_grant"
        );
        let dead = world
            .post_by("/token", &refresh_form(&next.text("refresh_token")), &key)
            .await;
        assert_eq!(dead.error(), "invalid_grant");
    });
}

#[test]
fn p06_another_key_cannot_refresh_and_ends_nothing() {
    on_both(async |world| {
        let key = Key::new();
        let token = bound(world, &key).await.text("refresh_token");
        assert_eq!(
            world
                .post_by("/token", &refresh_form(&token), &Key::new())
                .await
                .error(),
            "invalid_grant"
        );
        assert_eq!(world.refresh(&token).await.error(), "invalid_grant", "no proof");
        assert_eq!(
            world.post_by("/token", &refresh_form(&token), &key).await.status,
            StatusCode::OK
        );
    });
}

#[test]
fn p04_a_proof_serves_once_pending_or_not() {
    on_both(async |world| {
        world.cli().await;
        let key = Key::new();
        let asked = world
            .post_by("/device_authorization", &[("client_id", "cli")], &key)
            .await;
        let nonce = asked.headers["dpop-nonce"].to_str().unwrap();
        let proof = key.proof("/token", world.app.now(), Some(nonce));
        let form = poll_form(asked.body["device_code"].as_str().unwrap());
        assert_eq!(
            world.post_with("/token", &form, Some(&proof)).await.error(),
            "authorization_pending"
        );
        assert_eq!(
            world.post_with("/token", &form, Some(&proof)).await.error(),
            "invalid_dpop_proof"
        );
    });
}

#[test]
fn b06_a_refresh_token_is_its_clients_and_never_wider() {
    on_both(async |world| {
        world.cli().await;
        world.client("other", serde_json::json!({ "profile": "open" })).await;
        let alice = world.approver("alice").await;
        let token = world.tokens(&alice).await.text("refresh_token");
        let other = [
            ("client_id", "other"),
            ("grant_type", "refresh_token"),
            ("refresh_token", &*token),
        ];
        assert_eq!(world.post("/token", &other).await.error(), "invalid_grant");
        let wider = [&refresh_form(&token)[..], &[("scope", "openid profile")]].concat();
        assert_eq!(world.post("/token", &wider).await.error(), "invalid_scope");
        let narrower = [&refresh_form(&token)[..], &[("scope", "read")]].concat();
        assert_eq!(world.post("/token", &narrower).await.text("scope"), "read");
    });
}

#[test]
fn no_token_outlives_its_grant() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let mut token = world.tokens(&alice).await.text("refresh_token");
        for _ in 0..47 {
            world.advance(600);
            token = world.refresh(&token).await.text("refresh_token");
        }
        world.advance(540);
        let last = world.refresh(&token).await;
        assert_eq!(
            last.body["expires_in"], 60,
            "the grant ends eight hours after the request"
        );
        world.advance(60);
        assert_eq!(
            world.refresh(&last.text("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert!(!world.is_active(&last.text("access_token")).await);
    });
}
