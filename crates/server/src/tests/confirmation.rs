//! Digits carried back (RFC 10027 §6.1.16): nothing is issued without them, and three wrong tries end it.

use http::StatusCode;
use serde_json::{Value, json};

use super::pages::browser::Browser;
use super::world::{Answer, DEVICE_CODE, Key, World, poll_form, with_profiles};

const CONFIRM: &str = r#"
name = "confirm"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "whoever reads digits aloud"
[approval]
by = "anyone"
software_keys = true
starter = ["carried_back"]
[mitigations]
X16 = true
"#;

/// On both databases, with a client `cli` and an approver.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn confirmed_back(test: impl AsyncFn(&World, &Key)) {
    with_profiles(&[CONFIRM], async |world| {
        world.client("cli", json!({ "profile": "confirm" })).await;
        let alice = world.approver("alice").await;
        test(world, &alice).await;
    });
}

async fn send(world: &World, device_code: &str, digits: &str) -> Answer {
    let form = [&poll_form(device_code)[..], &[("confirmation", digits)]].concat();
    world.post("/token", &form).await
}

/// Asked and approved: the device code, and the digits as the approver sees them.
async fn approved(world: &World, alice: &Key) -> (String, String) {
    let asked = world.ask("cli").await;
    let decided = world.approve(&asked.text("user_code"), alice).await;
    assert_eq!(decided.text("state"), "approved");
    (asked.text("device_code"), decided.text("confirmation"))
}

fn wrong(digits: &str) -> String {
    let last = if digits.ends_with('0') { "1" } else { "0" };
    let (first, _) = digits.split_at(5);
    format!("{first}{last}")
}

fn tries(answer: &Answer) -> (&str, Option<u64>) {
    (answer.error(), answer.body["confirmation_tries"].as_u64())
}

#[test]
fn x16_nothing_is_issued_before_the_digits_come_back() {
    confirmed_back(async |world, alice| {
        let asked = world.ask("cli").await;
        let (code, user_code) = (asked.text("device_code"), asked.text("user_code"));
        assert_eq!(tries(&world.poll(&code).await), ("authorization_pending", None));
        let digits = world.approve(&user_code, alice).await.text("confirmation");
        assert!(
            digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{digits}"
        );

        world.advance(5);
        for _ in 0..3 {
            let waiting = world.poll(&code).await;
            assert_eq!(tries(&waiting), ("authorization_pending", Some(3)));
            world.advance(5);
        }
        let (first, second) = digits.split_at(3);
        let tokens = send(world, &code, &format!("{first}-{second} ")).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        assert!(world.is_active(&tokens.text("access_token")).await);
        let events = world.events("device.confirmed").await;
        assert_eq!((events.len(), &events[0]["outcome"]), (1, &json!("success")));
        let all = world.administer("GET", "/local/events", &Value::Null).await.html;
        assert!(!all.contains(&digits), "the digits are in an event: {all}");

        assert_eq!(send(world, &code, &digits).await.error(), "invalid_grant", "once");
    });
}

#[test]
fn x16_a_wrong_try_is_told_and_the_right_one_still_serves() {
    confirmed_back(async |world, alice| {
        let (code, digits) = approved(world, alice).await;
        for left in [2, 1] {
            let answer = send(world, &code, &wrong(&digits)).await;
            assert_eq!(tries(&answer), ("invalid_confirmation", Some(left)));
        }
        assert_eq!(tries(&world.poll(&code).await), ("authorization_pending", Some(1)));
        assert_eq!(send(world, &code, &digits).await.status, StatusCode::OK);
    });
}

#[test]
fn x16_after_three_wrong_tries_the_right_digits_come_too_late() {
    confirmed_back(async |world, alice| {
        let (code, digits) = approved(world, alice).await;
        for bad in [wrong(&digits), "1234567".to_owned(), "no digits".to_owned()] {
            send(world, &code, &bad).await;
        }
        for answer in [send(world, &code, &digits).await, world.poll(&code).await] {
            assert_eq!(tries(&answer), ("access_denied", None));
        }
        let events = world.events("device.confirmed").await;
        assert!(events.iter().all(|event| event["outcome"] == "failure") && events.len() == 3);
        let cancelled = &world.events("device.cancelled").await[0];
        assert_eq!(cancelled["detail"]["because"], "confirmation_failed");
    });
}

#[test]
fn x16_eight_guessers_at_once_have_three_tries_in_all() {
    confirmed_back(async |world, alice| {
        for _ in 0..3 {
            let before = world.events("device.confirmed").await.len();
            let (code, digits) = approved(world, alice).await;
            let bad = wrong(&digits);
            let one = || send(world, &code, &bad);
            let (a, b, c, d) = tokio::join!(
                async { tokio::join!(one(), one()) },
                async { tokio::join!(one(), one()) },
                async { tokio::join!(one(), one()) },
                async { tokio::join!(one(), one()) },
            );
            for answer in [a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1] {
                assert!(
                    ["invalid_confirmation", "access_denied"].contains(&answer.error()),
                    "{}",
                    answer.body
                );
            }
            assert_eq!(world.events("device.confirmed").await.len() - before, 3);
            assert_eq!(send(world, &code, &digits).await.error(), "access_denied");
        }
    });
}

#[test]
fn x16_of_eight_with_the_right_digits_one_gets_the_token() {
    confirmed_back(async |world, alice| {
        let (code, digits) = approved(world, alice).await;
        let one = || send(world, &code, &digits);
        let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
        let won = [a, b, c, d]
            .iter()
            .filter(|answer| answer.status == StatusCode::OK)
            .count();
        assert_eq!(won, 1);
    });
}

/// A device that does not know of digits polls as RFC 8628 says, and sending some changes nothing about that.
#[test]
fn x16_the_interval_holds_before_and_after_the_approval() {
    confirmed_back(async |world, alice| {
        let asked = world.ask("cli").await;
        let code = asked.text("device_code");
        send(world, &code, "000000").await;
        assert_eq!(send(world, &code, "000000").await.error(), "slow_down");
        let (code, digits) = approved(world, alice).await;
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
        let early = world.poll(&code).await;
        assert_eq!((early.error(), &early.body["interval"]), ("slow_down", &json!(10)));
        let tokens = send(world, &code, &digits).await;
        assert_eq!(tokens.status, StatusCode::OK, "digits are no poll: {}", tokens.body);
    });
}

#[test]
fn x16_digits_of_one_request_are_worth_nothing_for_another_and_end_with_it() {
    confirmed_back(async |world, alice| {
        let (first, digits) = approved(world, alice).await;
        let (second, others) = approved(world, alice).await;
        if digits != others {
            assert_eq!(send(world, &second, &digits).await.error(), "invalid_confirmation");
        }
        world.advance(600);
        assert_eq!(send(world, &first, &digits).await.error(), "expired_token");
    });
}

/// A stock client never gets on under such a profile: it is told to wait until the code has expired.
#[test]
fn x16_a_stock_client_waits_until_the_end_and_gets_nothing() {
    confirmed_back(async |world, alice| {
        let (code, _) = approved(world, alice).await;
        for _ in 0..9 {
            world.advance(60);
            let answer = world.poll(&code).await;
            assert_eq!(answer.error(), "authorization_pending");
        }
        world.advance(60);
        assert_eq!(world.poll(&code).await.error(), "expired_token");
    });
}

#[test]
fn x16_the_page_shows_the_digits_to_who_opened_it_at_every_reload_and_to_nobody_else() {
    confirmed_back(async |world, _| {
        let (browser, passkey) = Browser::enrolled(world, "bob").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        assert!(!browser.get(&page).await.html.contains("Type these digits"));
        browser.approve(&page, &passkey).await;
        let shown = browser.get(&page).await.html;
        let digits = shown
            .split("The six digits: </span>")
            .nth(1)
            .and_then(|rest| rest.split('<').next())
            .unwrap_or_else(|| panic!("{shown}"))
            .to_owned();
        assert_eq!(browser.get(&page).await.html, shown);
        let (other, _) = Browser::enrolled(world, "carol").await;
        assert!(!other.get(&page).await.html.contains(&digits));

        let tokens = send(world, &asked.text("device_code"), &digits).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        let after = browser.get(&page).await.html;
        assert!(
            after.contains("<h1>Approved</h1>") && !after.contains(&digits),
            "{after}"
        );
    });
}

/// The device code, the approver and the client are asked again, as without digits.
#[test]
fn x16_what_no_longer_stands_is_not_saved_by_the_right_digits() {
    confirmed_back(async |world, alice| {
        let (code, digits) = approved(world, alice).await;
        world
            .administer("POST", "/local/approvers/alice/disable", &Value::Null)
            .await;
        let form = [
            ("client_id", "cli"),
            ("grant_type", DEVICE_CODE),
            ("device_code", &code),
            ("confirmation", &digits),
        ];
        assert_eq!(world.post("/token", &form).await.error(), "invalid_grant");
    });
}

/// A session that a stolen upstream account opened sees what the person does, and not the digits.
#[test]
fn x16_the_digits_are_shown_where_it_was_approved_and_in_no_other_session() {
    with_profiles(&[CONFIRM], async |world| {
        world.client("cli", json!({ "profile": "confirm" })).await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        browser.approve(&page, &passkey).await.location();
        assert!(browser.get(&page).await.html.contains("The six digits"));
        let other = Browser::new(world);
        other.sign_in(&passkey).await;
        assert!(!other.get(&page).await.html.contains("The six digits"));
        assert!(browser.get(&page).await.html.contains("The six digits"));
    });
}
