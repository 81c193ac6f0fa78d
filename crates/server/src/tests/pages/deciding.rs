//! From the code to the decision, on the pages. RFC 8628 §3.3.

use http::StatusCode;
use serde_json::json;

use super::browser::Browser;
use crate::tests::world::{Answer, on_both};

async fn user_code(browser: &Browser<'_>) -> (Answer, String) {
    let asked = browser.world.ask("cli").await;
    let code = asked.text("user_code");
    (asked, code)
}

#[test]
fn d12_a_code_is_typed_seen_and_approved_by_passkey() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (asked, code) = user_code(&browser).await;
        let page = browser.type_code(&code.to_lowercase().replace('-', " ")).await;
        let shown = browser.get(&page).await;
        assert!(
            shown.html.contains("Allow “<bdi>cli</bdi>” to act for you?"),
            "{}",
            shown.html
        );
        assert!(!shown.html.contains(&asked.text("device_code")), "D15");
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );

        assert_eq!(browser.approve(&page, &passkey).await.location(), page);
        world.advance(5);
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        let approved = &world.events("device.approved").await[0]["detail"];
        assert_eq!(
            (&approved["auth.acr"], &approved["auth.amr"]),
            (&json!("phr"), &json!(["pop", "user"]))
        );
        let after = browser.get(&page).await;
        assert!(
            after.html.contains("Go back to your device"),
            "also after redemption: {}",
            after.html
        );
    });
}

/// A lost answer: the same act again leads to the same page and does nothing again.
#[test]
fn a_decision_sent_again_finds_the_same_page() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (_, code) = user_code(&browser).await;
        let page = browser.type_code(&code).await;
        let credential = passkey.get(&browser.get(&page).await.decision_options()).to_string();
        for _ in 0..2 {
            let answer = browser
                .post(&format!("{page}/approve"), &[("credential", &credential)])
                .await;
            assert_eq!(answer.location(), page);
        }
        assert_eq!(browser.post(&format!("{page}/deny"), &[]).await.location(), page);
        assert!(
            browser.get(&page).await.html.contains("<h1>Approved</h1>"),
            "it was approved, and stays so"
        );
        assert_eq!(world.events("device.approved").await.len(), 1);
        assert!(world.events("device.denied").await.is_empty());
    });
}

#[test]
fn d13_declining_and_reporting_need_no_key_and_are_told_to_both_sides() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        for (form, title, reports) in [
            (&[][..], "<h1>Declined</h1>", 0),
            (&[("report", "true")][..], "<h1>Declined and reported</h1>", 1),
        ] {
            let (asked, code) = user_code(&browser).await;
            let page = browser.type_code(&code).await;
            let credential = passkey.get(&browser.get(&page).await.decision_options()).to_string();
            for _ in 0..2 {
                assert_eq!(browser.post(&format!("{page}/deny"), form).await.location(), page);
            }
            assert_eq!(world.poll(&asked.text("device_code")).await.error(), "access_denied");
            let late = browser
                .post(&format!("{page}/approve"), &[("credential", &credential)])
                .await;
            assert_eq!(late.location(), page);
            let shown = browser.get(&page).await;
            assert!(
                shown.html.contains(title),
                "what is said after a late approval: {}",
                shown.html
            );
            assert_eq!(world.events("device.reported").await.len(), reports);
        }
        assert_eq!(world.events("device.denied").await.len(), 2);
    });
}

/// Unknown, malformed, empty, used, expired, seen elsewhere: one answer, byte for byte.
#[test]
fn d28_every_code_that_does_not_work_gets_the_same_page() {
    on_both(async |world| {
        world.cli().await;
        world
            .client("short", json!({ "profile": "open", "code_lifetime": 15 }))
            .await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let (other, _) = Browser::enrolled(world, "bob").await;
        let expired = world.ask("short").await.text("user_code");
        world.advance(15);
        let (_, elsewhere) = user_code(&browser).await;
        other.type_code(&elsewhere).await;
        let (_, used) = user_code(&browser).await;
        let page = browser.type_code(&used).await;
        browser.post(&format!("{page}/deny"), &[]).await;
        let (_, disabled) = user_code(&browser).await;
        world.administer("POST", "/local/clients/cli/disable", &json!({})).await;

        let mut answers = Vec::new();
        for code in ["BBBB-BBBB", "hello", "", &expired, &elsewhere, &used, &disabled] {
            let answer = browser.post("/device", &[("user_code", code)]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{code}");
            answers.push(answer.html);
        }
        assert!(
            answers[0].contains("unknown, expired, used, open in another browser, or not yours to decide"),
            "{}",
            answers[0]
        );
        answers.dedup();
        assert_eq!(answers.len(), 1);
    });
}

#[test]
fn d28_guesses_are_counted_before_anything_is_looked_up() {
    on_both(async |world| {
        world.cli().await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        for guess in 0..10 {
            let code = ["BBBB-BBBB", "no code at all"][guess % 2];
            assert_eq!(
                browser.post("/device", &[("user_code", code)]).await.status,
                StatusCode::NOT_FOUND
            );
        }
        let (asked, code) = user_code(&browser).await;
        let throttled = browser.post("/device", &[("user_code", &code)]).await;
        assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(throttled.html.contains("Your code is not lost"), "{}", throttled.html);
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        world.advance(600);
        let (_, code) = user_code(&browser).await;
        browser.type_code(&code).await;
    });
}

/// G4: a server cannot tell a scanned code from a mailed link.
#[test]
fn d17_a_link_brings_half_of_the_code_and_looks_nothing_up() {
    on_both(async |world| {
        world.cli().await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let (asked, code) = user_code(&browser).await;
        let (first, last) = code.split_once('-').unwrap();
        let complete = asked.text("verification_uri_complete");
        let complete = complete.strip_prefix("http://localhost:8628").unwrap();
        let page = browser.get(complete).await;
        assert_eq!(page.field("first_half"), first);
        assert!(!page.html.contains(last));
        let unknown = browser.get(&format!("/device?user_code={first}-BBBB")).await;
        assert_eq!(unknown.html, page.html, "known or not, it looks the same");
        let hostile = browser.get("/device?user_code=%3Cscript%3E").await;
        assert!(
            !hostile.html.contains("first_half"),
            "what is no code is no half of one"
        );

        let form = [("first_half", first), ("user_code", "BBBB")];
        let wrong = browser.post("/device", &form).await;
        assert_eq!(
            (wrong.status, wrong.field("first_half").as_str()),
            (StatusCode::NOT_FOUND, first)
        );
        let form = [("first_half", first), ("user_code", last)];
        let page = browser.post("/device", &form).await.location().to_owned();
        assert!(browser.get(&page).await.html.contains("Allow “"));
        assert_eq!(world.events("device.viewed").await[0]["detail"]["code.entry"], "link");

        world.advance(1);
        let (_, whole) = user_code(&browser).await;
        browser
            .post("/device", &[("first_half", first), ("user_code", &whole)])
            .await
            .location();
        assert_eq!(world.events("device.viewed").await[1]["detail"]["code.entry"], "typed");
    });
}

#[test]
fn whoever_is_not_signed_in_signs_in_first_and_comes_back_with_the_code() {
    on_both(async |world| {
        let stranger = Browser::new(world);
        let sent = stranger.get("/device?user_code=BBBB-CCCC&more=1").await;
        assert_eq!(sent.location(), "/sign-in?next=%2Fdevice%3Fuser_code%3DBBBB-CCCC");
        let page = stranger.get(sent.location()).await;
        assert!(
            page.html.contains("data-next=\"/device?user_code=BBBB-CCCC\""),
            "{}",
            page.html
        );
        let posted = stranger
            .post_raw("/device/some-request/approve", &[("credential", "{}")])
            .await;
        assert_eq!(posted.location(), "/sign-in?next=%2Fdevice%2Fsome-request");
    });
}

#[test]
fn only_the_browser_that_opened_a_request_sees_and_decides_it() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (asked, code) = user_code(&browser).await;
        let page = browser.type_code(&code).await;
        let second = Browser::new(world);
        second.sign_in(&passkey).await;
        let (bob, bobs) = Browser::enrolled(world, "bob").await;
        let options = browser.get(&page).await.decision_options();
        for (other, key) in [(&second, &passkey), (&bob, &bobs)] {
            assert_eq!(other.get(&page).await.status, StatusCode::NOT_FOUND);
            let credential = key.get(&options).to_string();
            let answer = other
                .post(&format!("{page}/approve"), &[("credential", &credential)])
                .await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert_eq!(
                other.post(&format!("{page}/deny"), &[]).await.status,
                StatusCode::NOT_FOUND
            );
        }
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        browser.approve(&page, &passkey).await.location();
        assert_eq!(
            bob.get(&page).await.status,
            StatusCode::NOT_FOUND,
            "nor how it was decided"
        );
        world.advance(5);
        assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);
        assert_eq!(
            bob.get(&page).await.status,
            StatusCode::NOT_FOUND,
            "nor what came of it"
        );
    });
}

#[test]
fn a_signature_counts_for_one_request_by_one_approver_s_own_verified_passkey() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (_, bobs) = Browser::enrolled(world, "bob").await;
        let (asked, code) = user_code(&browser).await;
        let page = browser.type_code(&code).await;
        let (_, other) = user_code(&browser).await;
        let other = browser.type_code(&other).await;
        let options = browser.get(&page).await.decision_options();
        let of_other = browser.get(&other).await.decision_options();
        let mut drawn = options.clone();
        drawn["challenge"] = browser.call("/sign-in/start", &json!({})).await.body["options"]["challenge"].clone();

        let mut refused = vec![
            (passkey.get(&of_other).to_string(), "another request"),
            (passkey.get(&drawn).to_string(), "a challenge for signing in"),
            (bobs.get(&options).to_string(), "another approver's passkey"),
            ("{}".to_owned(), "nothing"),
            ("no JSON".to_owned(), "no JSON"),
        ];
        passkey.skip_verification();
        refused.push((passkey.get(&options).to_string(), "a touch alone"));
        for (credential, what) in refused {
            let answer = browser
                .post(&format!("{page}/approve"), &[("credential", &credential)])
                .await;
            assert!(answer.status.is_client_error(), "{what}: {}", answer.html);
            assert!(answer.html.contains("<h1>"), "{what} is told on a page");
        }
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        assert!(world.events("device.approved").await.is_empty());
    });
}

#[test]
fn a_request_that_expires_on_the_page_is_over_there_too() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (_, code) = user_code(&browser).await;
        let page = browser.type_code(&code).await;
        let credential = passkey.get(&browser.get(&page).await.decision_options()).to_string();
        world.advance(600);
        let late = browser
            .post(&format!("{page}/approve"), &[("credential", &credential)])
            .await;
        assert_eq!(late.status, StatusCode::NOT_FOUND);
        assert!(browser.get(&page).await.html.contains("Not open here"));
    });
}

#[test]
fn an_approval_nobody_fetched_in_time_is_not_said_to_stand() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (_, code) = user_code(&browser).await;
        let page = browser.type_code(&code).await;
        browser.approve(&page, &passkey).await.location();
        assert!(browser.get(&page).await.html.contains("<h1>Approved</h1>"));
        world.advance(600);
        assert_eq!(browser.get(&page).await.status, StatusCode::NOT_FOUND);
    });
}

/// A short command is done before the page has come.
#[test]
fn an_approval_that_was_used_and_ended_is_told_to_whoever_gave_it() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (asked, code) = user_code(&browser).await;
        let page = browser.type_code(&code).await;
        browser.approve(&page, &passkey).await.location();
        let tokens = world.poll(&asked.text("device_code")).await;
        let ended = [("token", &*tokens.text("refresh_token")), ("client_id", "cli")];
        assert_eq!(world.post("/revoke", &ended).await.status, StatusCode::OK);
        let told = browser.get(&page).await.html;
        assert!(told.contains("<h1>Approved, and over</h1>"), "{told}");
        let (other, _) = Browser::enrolled(world, "bob").await;
        assert_eq!(other.get(&page).await.status, StatusCode::NOT_FOUND);
    });
}
