//! Limits: guesses at user codes, and who may look at a request at all. RFC 8628 §5.1.

use http::StatusCode;
use serde_json::json;

use super::world::{on_both, with_limits};

#[test]
fn d28_ten_wrong_codes_and_the_approver_waits_for_the_next_window() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let bob = world.approver("bob").await;
        for _ in 0..10 {
            assert_eq!(world.view("BBBB-BBBB", &alice).await.error(), "unknown_code");
        }
        let asked = world.ask("cli").await;
        let throttled = world.view(&asked.text("user_code"), &alice).await;
        assert_eq!(
            (throttled.status, throttled.error()),
            (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
        );
        assert_eq!(
            world.view(&asked.text("user_code"), &bob).await.status,
            StatusCode::OK,
            "nobody else waits"
        );
        world.advance(600);
        let later = world.ask("cli").await;
        assert_eq!(
            world.view(&later.text("user_code"), &alice).await.status,
            StatusCode::OK
        );
    });
}

#[test]
fn a_right_code_is_given_back_and_never_resets_the_count() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        for _ in 0..9 {
            world.view("BBBB-BBBB", &alice).await;
        }
        for _ in 0..3 {
            let asked = world.ask("cli").await;
            assert_eq!(
                world.view(&asked.text("user_code"), &alice).await.status,
                StatusCode::OK
            );
        }
        assert_eq!(world.view("BBBB-BBBB", &alice).await.error(), "unknown_code");
        assert_eq!(world.view("BBBB-BBBB", &alice).await.error(), "rate_limited");
    });
}

/// better-auth GHSA-cq3f-vc6p-68fh, and a second signed-in user at Rauthy.
#[test]
fn only_the_approver_who_viewed_a_request_decides_it() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let bob = world.approver("bob").await;
        let asked = world.ask("cli").await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        assert_eq!(world.view(&asked.text("user_code"), &bob).await.error(), "unknown_code");
        for (path, body) in [
            ("/approver/approve", bob.decision(&view.body)),
            ("/approver/deny", json!({ "request_id": view.text("request_id") })),
        ] {
            assert_eq!(world.call(path, &body, &bob).await.error(), "unknown_code", "{path}");
        }
        assert_eq!(
            world
                .call("/approver/approve", &alice.decision(&view.body), &alice)
                .await
                .status,
            StatusCode::OK
        );
        let again = world
            .call("/approver/approve", &alice.decision(&view.body), &alice)
            .await;
        assert_eq!(again.error(), "unknown_code", "decided once");
    });
}

#[test]
fn a_decision_changed_on_the_way_is_refused_and_the_request_stays_open() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        let mut wider = view.body.clone();
        wider["decision"]["granted"]["scope"] = json!("openid offline_access read admin");
        assert_eq!(
            world
                .call("/approver/approve", &alice.decision(&wider), &alice)
                .await
                .error(),
            "refused"
        );
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        assert_eq!(
            world
                .call("/approver/approve", &alice.decision(&view.body), &alice)
                .await
                .status,
            StatusCode::OK
        );
    });
}

#[test]
fn an_unknown_key_decides_nothing() {
    on_both(async |world| {
        world.cli().await;
        let asked = world.ask("cli").await;
        let stranger = super::world::Key::new();
        assert_eq!(world.view(&asked.text("user_code"), &stranger).await.error(), "refused");
    });
}

#[test]
fn an_enrollment_link_serves_once_and_ten_minutes() {
    on_both(async |world| {
        let link = world
            .administer("POST", "/local/approvers", &json!({ "name": "alice" }))
            .await
            .text("enrollment_link");
        let token = json!({ "enrollment_token": link.split_once('#').unwrap().1 });
        let (first, second) = (super::world::Key::new(), super::world::Key::new());
        assert_eq!(
            world.call("/approver/enroll", &token, &first).await.status,
            StatusCode::OK
        );
        assert_eq!(world.call("/approver/enroll", &token, &second).await.error(), "refused");
        let link = world
            .administer("POST", "/local/approvers/alice/relink", &json!({}))
            .await
            .text("enrollment_link");
        let asked = json!({ "user_code": "BBBB-BBBB" });
        assert_eq!(
            world.call("/approver/view", &asked, &first).await.error(),
            "refused",
            "relinking ends the old key"
        );
        world.advance(600);
        let token = json!({ "enrollment_token": link.split_once('#').unwrap().1 });
        assert_eq!(world.call("/approver/enroll", &token, &second).await.error(), "refused");
    });
}

/// The last place is one place, however many reach for it at once (X11).
#[test]
fn x11_many_requests_at_once_share_the_places_that_there_are() {
    with_limits(
        "open_requests_per_client = 3\nopen_requests_per_source = 2\nrequests_per_source = \"off\"",
        async |world| {
            world.cli().await;
            let form = [("client_id", "cli")];
            let ask = || world.post("/device_authorization", &form);
            let (first, second, third, fourth) = tokio::join!(ask(), ask(), ask(), ask());
            let answers = [first, second, third, fourth];
            assert_eq!(
                answers.iter().filter(|answer| answer.status == StatusCode::OK).count(),
                2
            );
            assert!(answers.iter().any(|answer| answer.error() == "rate_limited"));
            world.advance(600);
            assert_eq!(ask().await.status, StatusCode::OK, "what has expired holds no place");
        },
    );
}

#[test]
fn a_requester_is_never_its_own_approver() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world
            .post_by("/device_authorization", &[("client_id", "cli")], &alice)
            .await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        assert_eq!((view.status, view.error()), (StatusCode::FORBIDDEN, "refused"));
    });
}
