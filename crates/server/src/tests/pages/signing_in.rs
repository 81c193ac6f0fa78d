//! Enrolling and signing in: links, ceremonies, passkeys, cookies.

use http::StatusCode;
use http::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::browser::Browser;
use super::passkey::Passkey;
use crate::tests::world::{on_both, with_issuer};

#[test]
fn a_link_makes_one_passkey_and_a_session() {
    on_both(async |world| {
        let browser = Browser::new(world);
        let token = browser.link("alice").await;
        let started = browser
            .call("/enroll/start", &json!({ "enrollment_token": token }))
            .await;
        assert_eq!(started.body["approver"], "alice");
        let options = &started.body["options"];
        assert_eq!(
            options["authenticatorSelection"],
            json!({ "residentKey": "required", "requireResidentKey": true, "userVerification": "required" })
        );
        assert_eq!(options["attestation"], "none");
        let algorithms: Vec<i64> = options["pubKeyCredParams"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["alg"].as_i64().unwrap())
            .collect();
        assert_eq!(algorithms, [-7, -257]);

        let answer = browser.enroll(&token, &Passkey::new()).await;
        assert_eq!(answer.body, json!({ "next": "/account" }));
        let account = browser.get("/account").await;
        assert!(account.html.contains("Signed in as <bdi>alice</bdi>") && account.html.contains("Laptop"));
        assert_eq!(world.events("approver.key_added").await.len(), 1);
        assert_eq!(world.events("approver.signed_in").await.len(), 1);

        let again = Browser::new(world)
            .call("/enroll/start", &json!({ "enrollment_token": token }))
            .await;
        assert_eq!(
            (again.status, again.error()),
            (StatusCode::FORBIDDEN, "refused"),
            "the link serves once"
        );
    });
}

#[test]
fn two_browsers_with_one_link_make_one_passkey() {
    on_both(async |world| {
        let browser = Browser::new(world);
        let token = browser.link("alice").await;
        let start = json!({ "enrollment_token": token });
        let mut finishes = Vec::new();
        for passkey in [Passkey::new(), Passkey::new()] {
            let started = browser.call("/enroll/start", &start).await;
            let credential = passkey.create(&started.body["options"]);
            finishes.push(
                json!({ "ceremony": started.body["ceremony"], "enrollment_token": token, "credential": credential }),
            );
        }
        let (one, two) = (Browser::new(world), Browser::new(world));
        let (first, second) = tokio::join!(
            one.call("/enroll/finish", &finishes[0]),
            two.call("/enroll/finish", &finishes[1])
        );
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
    });
}

#[test]
fn a_passkey_of_a_kind_that_decisions_cannot_be_checked_with_is_refused_by_name() {
    on_both(async |world| {
        let browser = Browser::new(world);
        let token = browser.link("alice").await;
        let answer = browser.enroll(&token, &Passkey::p384()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text("error_description").contains("ES256"), "{}", answer.html);
        assert_eq!(
            browser.enroll(&token, &Passkey::new()).await.status,
            StatusCode::OK,
            "the link is still good"
        );
    });
}

#[test]
fn who_is_not_verified_by_the_authenticator_neither_enrolls_nor_signs_in() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        passkey.skip_verification();
        assert_eq!(browser.sign_in(&passkey).await.error(), "refused");
        let token = browser.link("bob").await;
        let touched = Passkey::new();
        touched.skip_verification();
        assert_eq!(browser.enroll(&token, &touched).await.error(), "refused");
    });
}

/// A token that somebody planted before is worth nothing after.
#[test]
fn signing_in_makes_a_new_session_and_ends_the_one_before() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let before = browser.cookie().unwrap();
        assert_eq!(browser.sign_in(&passkey).await.status, StatusCode::OK);
        assert_ne!(browser.cookie().unwrap(), before);
        assert_eq!(
            browser.get("/account").await.html.matches("/end\"").count(),
            0,
            "one session is left"
        );
        browser.set_cookie(Some(before));
        assert_eq!(browser.get("/account").await.location(), "/sign-in?next=%2Faccount");

        browser.set_cookie(Some("waypass-8628=planted".to_owned()));
        assert_eq!(browser.sign_in(&passkey).await.status, StatusCode::OK);
        assert_ne!(browser.cookie().unwrap(), "waypass-8628=planted");
    });
}

#[test]
fn a_ceremony_serves_once_for_its_purpose_and_five_minutes() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        passkey.counts.set(false);
        let start = async || browser.call("/sign-in/start", &json!({})).await.body;
        let finish = |started: &Value| json!({ "ceremony": started["ceremony"], "next": "", "credential": passkey.get(&started["options"]) });
        let first = finish(&start().await);
        assert_eq!(browser.call("/sign-in/finish", &first).await.status, StatusCode::OK);
        assert_eq!(browser.call("/sign-in/finish", &first).await.error(), "refused", "used");

        let late = finish(&start().await);
        world.advance(300);
        assert_eq!(
            browser.call("/sign-in/finish", &late).await.error(),
            "refused",
            "expired"
        );

        let csrf = browser.csrf().await;
        let adding = browser
            .call("/account/passkeys/start", &json!({ "csrf": csrf }))
            .await
            .body;
        let options = json!({ "challenge": adding["options"]["challenge"], "rpId": "localhost" });
        let misused = json!({ "ceremony": adding["ceremony"], "next": "", "credential": passkey.get(&options) });
        assert_eq!(
            browser.call("/sign-in/finish", &misused).await.error(),
            "refused",
            "begun for another end"
        );

        let added = Passkey::new();
        let finish =
            json!({ "csrf": csrf, "ceremony": adding["ceremony"], "credential": added.create(&adding["options"]) });
        let (other, _) = Browser::enrolled(world, "bob").await;
        let stolen =
            json!({ "csrf": other.csrf().await, "ceremony": finish["ceremony"], "credential": finish["credential"] });
        assert_eq!(
            other.call("/account/passkeys/finish", &stolen).await.error(),
            "refused",
            "of another session"
        );
        assert_eq!(
            browser.call("/account/passkeys/finish", &finish).await.status,
            StatusCode::OK
        );
    });
}

#[test]
fn a_passkey_that_is_unknown_copied_or_used_elsewhere_does_not_sign_in() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let stranger = Passkey::new();
        stranger.user.replace(passkey.user.borrow().clone());
        assert_eq!(browser.sign_in(&stranger).await.error(), "refused", "unknown");

        passkey.origin.replace("http://localhost:1".to_owned());
        assert_eq!(
            browser.sign_in(&passkey).await.error(),
            "refused",
            "signed on another page"
        );
        passkey.origin.replace(crate::tests::world::ISSUER.to_owned());

        assert_eq!(browser.sign_in(&passkey).await.status, StatusCode::OK);
        passkey.counter.set(passkey.counter.get() - 1);
        assert_eq!(
            browser.sign_in(&passkey).await.error(),
            "refused",
            "a counter that does not grow"
        );
    });
}

/// The counter that decisions moved holds for signing in as well.
#[test]
fn a_copy_made_before_a_decision_does_not_sign_in_after_it() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let copy = passkey.counter.get();
        let page = browser.type_code(&world.ask("cli").await.text("user_code")).await;
        browser.approve(&page, &passkey).await.location();
        passkey.counter.set(copy);
        assert_eq!(browser.sign_in(&passkey).await.error(), "refused");
    });
}

#[test]
fn a_disabled_approver_is_signed_out_and_stays_out() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        world
            .administer("POST", "/local/approvers/alice/disable", &json!({}))
            .await;
        browser.get("/account").await.location();
        assert_eq!(browser.sign_in(&passkey).await.error(), "refused");
        world
            .administer("POST", "/local/approvers/alice/enable", &json!({}))
            .await;
        browser.get("/account").await.location();
        assert_eq!(browser.sign_in(&passkey).await.status, StatusCode::OK);
        world
            .administer("POST", "/local/approvers/alice/disable", &json!({}))
            .await;
        browser.slip_in("alice").await;
        browser.get("/account").await.location();
    });
}

#[test]
fn a_session_ends_with_its_time_and_by_signing_out() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        world.advance(world.app.config.lifetimes.browser_session.seconds() - 1);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        world.advance(1);
        browser.get("/account").await.location();

        browser.sign_in(&passkey).await;
        let kept = browser.cookie();
        assert_eq!(browser.post("/sign-out", &[]).await.location(), "/");
        assert_eq!(browser.cookie(), None, "the browser forgets it");
        browser.set_cookie(kept);
        browser.get("/account").await.location();
        assert_eq!(world.events("approver.signed_out").await.len(), 1);
    });
}

#[test]
fn an_https_issuer_with_a_path_has_its_own_cookie_and_addresses() {
    with_issuer("https://id.example.org/as", async |world| {
        let browser = Browser::new(world);
        let token = browser.link("alice").await;
        let passkey = Passkey::new();
        passkey.origin.replace("https://id.example.org".to_owned());
        let started = browser
            .call("/as/enroll/start", &json!({ "enrollment_token": token }))
            .await;
        assert_eq!(started.body["options"]["rp"]["id"], "id.example.org");
        let credential = passkey.create(&started.body["options"]);
        let finish =
            json!({ "ceremony": started.body["ceremony"], "enrollment_token": token, "credential": credential });
        let answer = browser.call("/as/enroll/finish", &finish).await;
        assert_eq!(answer.body["next"], "/as/account");
        let cookie = answer.headers[SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.starts_with("__Host-waypass.as=") && cookie.contains("; Path=/;"),
            "{cookie}"
        );
        assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let account = browser.get("/as/account").await;
        assert!(account.html.contains("action=\"/as/sign-out\""));
        assert_eq!(account.headers["strict-transport-security"], "max-age=31536000");
        assert_eq!(
            Browser::new(world).get("/as/device").await.location(),
            "/as/sign-in?next=%2Fas%2Fdevice"
        );
        for path in ["/as", "/as/"] {
            assert_eq!(browser.get(path).await.status, StatusCode::OK, "{path}");
        }
    });
}

#[test]
fn the_cookie_is_looked_for_among_others() {
    on_both(async |world| {
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let line = format!("other=1; {}; more=2", browser.cookie().unwrap());
        let request = http::Request::get("/account").header(COOKIE, line);
        let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
    });
}
