//! Codes in other hands than their own: X04 (others present them), X05 and X06 (somebody reports them).

use expect_test::expect;
use http::StatusCode;
use serde_json::json;

use super::{HOME, LINUX, profile, told, under};
use crate::tests::world::{World, on_both};

const ENDS: &str = "X04 = { presenters = 2, then = \"end\" }";
const FILTER: [(&str, &str); 2] = [("client_id", "filter"), ("client_secret", "secret of the filter")];

#[test]
fn x04_a_code_that_others_present_is_reported_under_open_and_goes_on() {
    on_both(async |world| {
        world.cli().await;
        let (alice, bob) = (world.approver("alice").await, world.approver("bob").await);
        let asked = world.ask("cli").await;
        let code = asked.text("user_code");
        assert_eq!(world.view(&code, &alice).await.status, StatusCode::OK);
        assert_eq!(world.view(&code, &alice).await.status, StatusCode::OK);
        assert_eq!(world.events("device.code_repeated").await.len(), 0);
        let presented = world.view(&code, &bob).await;
        assert_eq!(
            (presented.status, presented.error()),
            (StatusCode::NOT_FOUND, "unknown_code")
        );
        expect![[r#"
            code.presenters: 1
            code.ended: false
        "#]]
        .assert_eq(&told(world, "device.code_repeated", &["code.presenters", "code.ended"]).await);
        assert_eq!(world.approve(&code, &alice).await.status, StatusCode::OK);
        assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);
    });
}

#[test]
fn x04_a_code_that_others_present_ends_with_what_came_of_it() {
    under(
        "repeated",
        &profile("\"same_address\"", ENDS),
        "",
        async |world, alice| {
            let (bob, carol) = (world.approver("bob").await, world.approver("carol").await);
            let home = world.at(HOME, LINUX);
            let elsewhere = world.at("203.0.113.7", LINUX);

            let waiting = home.ask().await;
            home.view(&waiting, alice).await;
            for _ in 0..3 {
                elsewhere.view(&waiting, &bob).await;
            }
            assert_eq!(
                world.poll(&waiting.text("device_code")).await.error(),
                "authorization_pending"
            );
            elsewhere.view(&waiting, &carol).await;
            assert_eq!(world.poll(&waiting.text("device_code")).await.error(), "access_denied");

            let (asked, redeemed) = home.tokens(alice).await;
            let token = redeemed.text("access_token");
            elsewhere.view(&asked, &bob).await;
            assert!(world.is_active(&token).await);
            elsewhere.view(&asked, &carol).await;
            assert!(!world.is_active(&token).await);
            assert_eq!(
                world.refresh(&redeemed.text("refresh_token")).await.error(),
                "invalid_grant"
            );
            assert_eq!(
                told(world, "grant.ended", &["because"]).await,
                "because: \"code_repeated\"\n"
            );
            assert_eq!(
                told(world, "device.cancelled", &["because"]).await,
                "because: \"code_repeated\"\n"
            );
        },
    );
}

#[test]
fn x04_an_old_code_that_somebody_types_ends_nothing() {
    under(
        "old",
        &profile("\"same_address\"", "X04 = { presenters = 1, then = \"end\" }"),
        "",
        async |world, alice| {
            let bob = world.approver("bob").await;
            let home = world.at(HOME, LINUX);
            let (asked, _) = home.tokens(alice).await;
            world.advance(8 * 3600);
            home.view(&asked, &bob).await;
            assert_eq!(world.events("device.code_repeated").await.len(), 0);
        },
    );
}

async fn filter(world: &World, more: serde_json::Value) {
    let mut registered = json!({ "secret": "secret of the filter", "report_codes": true });
    registered
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    assert_eq!(world.client("filter", registered).await.status, StatusCode::CREATED);
}

async fn report(world: &World, code: &str, seen_in: &str) -> crate::tests::world::Answer {
    let report = [("user_code", code), ("seen_in", seen_in)];
    world.post("/code_reports", &[&FILTER[..], &report].concat()).await
}

#[test]
fn x05_a_reported_code_ends_its_request_and_the_reporter_learns_nothing() {
    on_both(async |world| {
        world.cli().await;
        filter(world, json!({})).await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        let code = asked.text("user_code");
        world.view(&code, &alice).await;
        let mut answers = Vec::new();
        for code in [&*code, &code, "BBBB-BBBB", "no code at all"] {
            let answer = report(world, code, "mail").await;
            answers.push((answer.status, answer.html));
        }
        answers.dedup();
        assert_eq!(answers, [(StatusCode::NO_CONTENT, String::new())]);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "access_denied");
        assert_eq!(world.view(&code, &alice).await.error(), "unknown_code");
        let events = world.events("device.code_reported").await;
        let known = events.iter().filter(|event| !event["request_id"].is_null()).count();
        assert_eq!((known, events.len()), (2, 4));
        for event in &events {
            assert_eq!(event["detail"]["code.seen_in"], "mail");
            assert_eq!(event["detail"]["reported_by"], "client:filter");
        }
        assert_eq!(
            told(world, "device.cancelled", &["because"]).await,
            "because: \"code_reported\"\n"
        );
    });
}

#[test]
fn x05_only_a_client_registered_for_it_reports_codes() {
    on_both(async |world| {
        world.cli().await;
        let asked = world.ask("cli").await;
        let code = asked.text("user_code");
        let refused = world.client("filter", json!({ "report_codes": true })).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "a public one: {}",
            refused.body
        );
        filter(world, json!({ "report_codes": false })).await;
        let refusals = [
            report(world, &code, "mail").await,
            world
                .post("/code_reports", &[("client_id", "cli"), ("user_code", &code)])
                .await,
            world.post("/code_reports", &[("user_code", &code)]).await,
            world
                .post(
                    "/code_reports",
                    &[FILTER[0], ("client_secret", "a guess"), ("user_code", &code)],
                )
                .await,
        ];
        let told: Vec<String> = refusals
            .iter()
            .map(|refused| format!("{} {}", refused.status, refused.error()))
            .collect();
        expect![[r#"
            403 Forbidden unauthorized_client
            401 Unauthorized invalid_client
            401 Unauthorized invalid_client
            401 Unauthorized invalid_client"#]]
        .assert_eq(&told.join("\n"));
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
    });
    on_both(async |world| {
        filter(world, json!({})).await;
        assert_eq!(report(world, "BBBB-BBBB", "a dream").await.error(), "invalid_request");
        assert_eq!(world.post("/code_reports", &FILTER).await.error(), "invalid_request");
    });
}

#[test]
fn x06_a_reported_code_takes_back_everything_that_came_of_it() {
    on_both(async |world| {
        world.cli().await;
        filter(world, json!({})).await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        world.approve(&asked.text("user_code"), &alice).await;
        let redeemed = world.poll(&asked.text("device_code")).await;
        let refreshed = world.refresh(&redeemed.text("refresh_token")).await;
        let tokens = [redeemed.text("access_token"), refreshed.text("access_token")];
        for token in &tokens {
            assert!(world.is_active(token).await);
        }
        report(world, &asked.text("user_code"), "chat").await;
        for token in &tokens {
            assert!(!world.is_active(token).await);
        }
        assert_eq!(
            world.refresh(&refreshed.text("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(
            told(world, "grant.ended", &["because"]).await,
            "because: \"code_reported\"\n"
        );

        let approved = world.ask("cli").await;
        world.approve(&approved.text("user_code"), &alice).await;
        report(world, &approved.text("user_code"), "call").await;
        assert_eq!(world.poll(&approved.text("device_code")).await.error(), "access_denied");
    });
}

#[test]
fn x06_an_administrator_who_reports_a_code_is_told_what_ended() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let waiting = world.ask("cli").await.text("user_code");
        let asked = world.ask("cli").await;
        world.approve(&asked.text("user_code"), &alice).await;
        world.poll(&asked.text("device_code")).await;
        let redeemed = asked.text("user_code");
        let mut told = Vec::new();
        for code in [&*waiting, &waiting, &redeemed, "BBBB-BBBB"] {
            let body = json!({ "user_code": code, "seen_in": "text_message" });
            let answer = world.administer("POST", "/local/codes/report", &body).await.body;
            told.push(format!("{} {}", answer["ended"], answer["request_id"].is_string()));
        }
        assert_eq!(
            told,
            [
                "\"request\" true",
                "\"nothing\" true",
                "\"grant\" true",
                "\"nothing\" false"
            ]
        );
        let wrong = json!({ "user_code": waiting, "seen_in": "a dream" });
        let refused = world.administer("POST", "/local/codes/report", &wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.text("error_description").contains("text_message"));
    });
}

/// What hangs on a request goes with it, whenever it was noted.
#[test]
fn x04_a_code_presented_late_does_not_keep_anything_from_being_swept() {
    on_both(async |world| {
        world.cli().await;
        let (alice, bob) = (world.approver("alice").await, world.approver("bob").await);
        let asked = world.ask("cli").await;
        world.view(&asked.text("user_code"), &alice).await;
        world.advance(1_800);
        world.view(&asked.text("user_code"), &bob).await;
        assert_eq!(world.events("device.code_repeated").await.len(), 1);
        world.advance(24 * 3_600 - 600);
        let now = world.app.now();
        world
            .app
            .store
            .commit(store::Batch::default().sweep(now))
            .await
            .unwrap();
        let requests = world
            .administer("GET", "/local/requests", &serde_json::Value::Null)
            .await
            .body;
        assert_eq!(requests, json!([]));
    });
}

#[test]
fn x04_of_two_who_present_it_at_once_the_second_counts_the_first() {
    under(
        "at-once",
        &profile("\"same_address\"", ENDS),
        "",
        async |world, alice| {
            let (bob, carol) = (world.approver("bob").await, world.approver("carol").await);
            let home = world.at(HOME, LINUX);
            let elsewhere = world.at("203.0.113.7", LINUX);
            let waiting = home.ask().await;
            home.view(&waiting, alice).await;
            tokio::join!(elsewhere.view(&waiting, &bob), elsewhere.view(&waiting, &carol));
            assert_eq!(world.poll(&waiting.text("device_code")).await.error(), "access_denied");
        },
    );
}
