//! Binding data (RFC 10027 §6.1.17): typed at both ends, shown at neither, guessed three times at most.

use http::StatusCode;
use serde_json::{Value, json};

use super::pages::browser::Browser;
use super::world::{Answer, Key, World, with_profiles};

const BOUND: &str = r#"
name = "bound"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "whoever phishes the data first"
[approval]
by = "anyone"
software_keys = true
starter = ["same_address"]
[mitigations]
X17 = true
"#;

const SERIAL: &str = "SN-4711 x";

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn bound(test: impl AsyncFn(&World, &Key)) {
    with_profiles(&[BOUND], async |world| {
        world.client("cli", json!({ "profile": "bound" })).await;
        let alice = world.approver("alice").await;
        test(world, &alice).await;
    });
}

async fn ask(world: &World, data: &str) -> Answer {
    let form = [("client_id", "cli"), ("scope", "read"), ("binding_data", data)];
    world.post("/device_authorization", &form).await
}

async fn approve(world: &World, view: &Answer, key: &Key, data: &str) -> Answer {
    let mut body = key.decision(&view.body);
    body["binding_data"] = json!(data);
    world.call("/approver/approve", &body, key).await
}

#[test]
fn x17_without_binding_data_there_is_no_code() {
    bound(async |world, _| {
        for data in ["", "abc", " a b c ", "caf\u{e9}s", &"a".repeat(65)] {
            let asked = ask(world, data).await;
            assert_eq!(
                (asked.status, asked.error()),
                (StatusCode::BAD_REQUEST, "invalid_request"),
                "{data}"
            );
        }
        assert!(world.events("device.requested").await.is_empty());
        let understood = ask(world, SERIAL).await.body["waypass_parameters_understood"].clone();
        assert!(
            understood.as_array().unwrap().contains(&json!("binding_data")),
            "{understood}"
        );
    });
}

#[test]
fn x17_what_was_typed_there_is_typed_here_in_any_case_and_spacing() {
    bound(async |world, alice| {
        let asked = ask(world, SERIAL).await;
        let view = world.view(&asked.text("user_code"), alice).await;
        assert_eq!(view.body["asks_binding_data"], true);
        assert!(!view.html.to_lowercase().contains("4711"), "it is shown: {}", view.html);
        let decided = approve(world, &view, alice, "sn-4711X").await;
        assert_eq!(decided.text("state"), "approved", "{}", decided.body);
        assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);
        let all = world.administer("GET", "/local/events", &Value::Null).await.html;
        assert!(!all.to_lowercase().contains("4711"), "it is in an event: {all}");
    });
}

#[test]
fn x17_wrong_data_is_refused_and_counted_and_the_third_ends_it() {
    bound(async |world, alice| {
        let asked = ask(world, SERIAL).await;
        let view = world.view(&asked.text("user_code"), alice).await;
        let missing = world
            .call("/approver/approve", &alice.decision(&view.body), alice)
            .await;
        assert_eq!(missing.error(), "invalid_request", "none at all is no guess");
        for wrong in ["sn-4712x", "x"] {
            assert_eq!(approve(world, &view, alice, wrong).await.error(), "refused", "{wrong}");
        }
        // Opening it again gives no new tries.
        world.view(&asked.text("user_code"), alice).await;
        assert_eq!(approve(world, &view, alice, "sn-4713x").await.error(), "refused");
        assert_eq!(approve(world, &view, alice, SERIAL).await.error(), "unknown_code");
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "access_denied");
        let refused = world.events("device.refused").await;
        assert_eq!(
            (refused.len(), &refused[0]["detail"]["reason"]),
            (3, &json!("binding_data_wrong"))
        );
        assert_eq!(
            world.events("device.cancelled").await[0]["detail"]["because"],
            "binding_failed"
        );
    });
}

#[test]
fn x17_eight_guesses_at_once_are_three() {
    bound(async |world, alice| {
        let asked = ask(world, SERIAL).await;
        let view = world.view(&asked.text("user_code"), alice).await;
        let one = || approve(world, &view, alice, "guess");
        let (a, b) = tokio::join!(async { tokio::join!(one(), one(), one(), one()) }, async {
            tokio::join!(one(), one(), one(), one())
        },);
        for answer in [a.0, a.1, a.2, a.3, b.0, b.1, b.2, b.3] {
            assert!(["refused", "unknown_code"].contains(&answer.error()), "{}", answer.body);
        }
        assert_eq!(world.events("device.refused").await.len(), 3);
        assert_eq!(approve(world, &view, alice, SERIAL).await.error(), "unknown_code");
    });
}

/// A try costs a signature: whoever cannot approve cannot spend the tries of who can.
#[test]
fn x17_a_guess_without_a_good_signature_is_not_counted() {
    bound(async |world, alice| {
        let asked = ask(world, SERIAL).await;
        let view = world.view(&asked.text("user_code"), alice).await;
        for _ in 0..4 {
            let mut body = Key::new().decision(&view.body);
            body["binding_data"] = json!("guess");
            assert_eq!(world.call("/approver/approve", &body, alice).await.error(), "refused");
        }
        assert_eq!(approve(world, &view, alice, SERIAL).await.text("state"), "approved");
    });
}

/// Under a profile that does not demand it, what is sent is understood and then demanded.
#[test]
fn x17_data_sent_under_another_profile_is_demanded_too() {
    with_profiles(&[], async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = ask(world, SERIAL).await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        assert_eq!(approve(world, &view, &alice, "sn-4712x").await.error(), "refused");
        assert_eq!(approve(world, &view, &alice, SERIAL).await.text("state"), "approved");
    });
}

#[test]
fn x17_the_page_asks_says_what_was_wrong_and_lets_try_again() {
    bound(async |world, _| {
        let (browser, passkey) = Browser::enrolled(world, "bob").await;
        let asked = ask(world, SERIAL).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let shown = browser.get(&page).await;
        assert!(shown.html.contains("id=\"binding-data\"") && !shown.html.contains("4711"));
        let sign = async || passkey.get(&browser.get(&page).await.decision_options()).to_string();
        let approve = format!("{page}/approve");
        let credential = sign().await;
        let wrong = browser
            .post(&approve, &[("credential", &credential), ("binding_data", "guess")])
            .await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        assert!(wrong.html.contains("not what was typed") && wrong.html.contains("id=\"binding-data\""));
        let credential = sign().await;
        let right = browser
            .post(&approve, &[("credential", &credential), ("binding_data", SERIAL)])
            .await;
        assert_eq!(right.location(), page);
        assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);

        let asked = ask(world, SERIAL).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let mut last = None;
        for _ in 0..3 {
            let credential = passkey.get(&browser.get(&page).await.decision_options()).to_string();
            let form = [("credential", &*credential), ("binding_data", "guess")];
            last = Some(browser.post(&format!("{page}/approve"), &form).await);
        }
        assert!(last.unwrap().html.contains("wrong three times"));
    });
}
