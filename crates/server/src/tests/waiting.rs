//! Polling: intervals, expiry, nonces, and what a waiting client is told. RFC 8628 §3.5.

use http::StatusCode;
use serde_json::json;

use super::world::{Key, on_both, poll_form};

#[test]
fn d21_slow_down_adds_five_seconds_for_good_and_is_stored() {
    on_both(async |world| {
        world.cli().await;
        let code = world.ask("cli").await.text("device_code");
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
        let early = world.poll(&code).await;
        assert_eq!(
            (early.error(), early.body["interval"].as_i64()),
            ("slow_down", Some(10))
        );
        world.advance(5);
        assert_eq!(world.poll(&code).await.body["interval"], 15);
        world.advance(15);
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
        // Another node, or this one after a restart, knows the raised interval.
        let request = world.app.store.recent_requests(1).await.unwrap().remove(0);
        assert_eq!(request.interval.seconds(), 15);
        assert_eq!(world.events("device.polled_early").await.len(), 2);
    });
}

#[test]
fn polling_harder_than_slow_down_can_say_writes_no_more() {
    on_both(async |world| {
        world.cli().await;
        let code = world.ask("cli").await.text("device_code");
        for _ in 0..40 {
            world.poll(&code).await;
        }
        assert_eq!(world.poll(&code).await.body["interval"], 60);
        assert_eq!(world.events("device.polled_early").await.len(), 11);
    });
}

#[test]
fn d23_after_its_time_a_code_is_expired_for_client_and_approver() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        world.advance(599);
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        world.advance(1);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "expired_token");
        assert_eq!(
            world.view(&asked.text("user_code"), &alice).await.error(),
            "unknown_code"
        );
    });
}

#[test]
fn an_approval_that_is_not_redeemed_in_time_is_worth_nothing() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        world.approve(&asked.text("user_code"), &alice).await;
        world.advance(600);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "expired_token");
    });
}

#[test]
fn d22_a_denied_request_says_so_at_the_next_poll() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        let view = world.view(&asked.text("user_code"), &alice).await;
        let deny = json!({ "request_id": view.text("request_id"), "report": true });
        assert_eq!(world.call("/approver/deny", &deny, &alice).await.status, StatusCode::OK);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "access_denied");
        assert_eq!(world.events("device.reported").await.len(), 1);
    });
}

#[test]
fn p25_a_poll_loop_with_rotating_nonces_never_dies() {
    on_both(async |world| {
        world.cli().await;
        let key = Key::new();
        let form = [("client_id", "cli")];
        let proof = key.proof("/device_authorization", world.app.now(), None);
        let asked = world.post_with("/device_authorization", &form, Some(&proof)).await;
        let code = asked.text("device_code");
        let mut nonce = asked.headers["dpop-nonce"].to_str().unwrap().to_owned();
        for poll in 0..100 {
            let proof = key.proof("/token", world.app.now(), Some(&nonce));
            let answer = world.post_with("/token", &poll_form(&code), Some(&proof)).await;
            assert_eq!(answer.error(), "authorization_pending", "poll {poll}");
            nonce = answer.headers["dpop-nonce"].to_str().unwrap().to_owned();
            world.advance(5);
        }
    });
}

#[test]
fn p25_asking_for_a_nonce_does_not_count_as_a_poll() {
    on_both(async |world| {
        world.cli().await;
        let key = Key::new();
        let asked = world
            .post_by("/device_authorization", &[("client_id", "cli")], &key)
            .await;
        let code = asked.text("device_code");
        for _ in 0..5 {
            let bare = key.proof("/token", world.app.now(), None);
            let refused = world.post_with("/token", &poll_form(&code), Some(&bare)).await;
            assert_eq!(
                (refused.status, refused.error()),
                (StatusCode::BAD_REQUEST, "use_dpop_nonce")
            );
        }
        assert_eq!(
            world.post_by("/token", &poll_form(&code), &key).await.error(),
            "authorization_pending"
        );
    });
}

#[test]
fn p22_another_key_is_refused_before_and_after_approval_and_consumes_nothing() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let (key, thief) = (Key::new(), Key::new());
        let asked = world
            .post_by("/device_authorization", &[("client_id", "cli")], &key)
            .await;
        let code = asked.text("device_code");
        assert_eq!(
            world.post_by("/token", &poll_form(&code), &thief).await.error(),
            "invalid_grant"
        );
        assert_eq!(world.poll(&code).await.error(), "invalid_grant", "no proof at all");
        world.approve(&asked.text("user_code"), &alice).await;
        assert_eq!(
            world.post_by("/token", &poll_form(&code), &thief).await.error(),
            "invalid_grant"
        );
        let own = world.post_by("/token", &poll_form(&code), &key).await;
        assert_eq!(
            (own.status, own.body["token_type"].as_str()),
            (StatusCode::OK, Some("DPoP"))
        );
    });
}

#[test]
fn d38_another_clients_code_is_as_unknown_as_none() {
    on_both(async |world| {
        world.cli().await;
        world.client("other", json!({ "profile": "open" })).await;
        let code = world.ask("other").await.text("device_code");
        let strange = world.poll(&code).await;
        let unknown = world.poll("no code of ours").await;
        assert_eq!((strange.status, &strange.body), (unknown.status, &unknown.body));
        assert_eq!(strange.error(), "invalid_grant");
    });
}

#[test]
fn malformed_codes_of_every_length_get_a_clean_error() {
    on_both(async |world| {
        world.cli().await;
        for code in [
            "x",
            "é",
            "\u{1F511}",
            "a b",
            &"x".repeat(60_000),
            "../../etc",
            "%00",
            "'; DROP TABLE client; --",
        ] {
            assert_eq!(world.poll(code).await.error(), "invalid_grant", "{code:.20}");
        }
        assert_eq!(
            world.poll("a\0b").await.error(),
            "invalid_grant",
            "no column holds a NUL"
        );
    });
}
