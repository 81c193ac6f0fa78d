//! What is one's own: passkeys, sessions, grants; and that it is nobody else's.

use http::StatusCode;
use serde_json::json;

use super::browser::Browser;
use super::passkey::Passkey;
use crate::tests::world::{Answer, on_both};

async fn add(browser: &Browser<'_>, passkey: &Passkey, label: &str) -> Answer {
    let csrf = browser.csrf().await;
    let started = browser.call("/account/passkeys/start", &json!({ "csrf": csrf })).await;
    if started.status != StatusCode::OK {
        return started;
    }
    let credential = passkey.create(&started.body["options"]);
    let ceremony = &started.body["ceremony"];
    let finish = json!({ "csrf": csrf, "ceremony": ceremony, "label": label, "credential": credential });
    browser.call("/account/passkeys/finish", &finish).await
}

async fn remove(browser: &Browser<'_>, passkey: &Passkey) -> Answer {
    browser
        .post(&format!("/account/passkeys/{}/remove", passkey.id), &[])
        .await
}

#[test]
fn passkeys_come_and_go_but_the_last_one_stays() {
    on_both(async |world| {
        let (browser, first) = Browser::enrolled(world, "alice").await;
        assert!(
            !browser.get("/account").await.html.contains("/remove\""),
            "the only one cannot be removed"
        );
        let refused = remove(&browser, &first).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.html.contains("This is your last passkey"), "{}", refused.html);

        let second = Passkey::new();
        let added = add(&browser, &second, "  <b>Key</b> \u{202e} ").await;
        assert_eq!(added.body["next"], "/account?done=passkey-added");
        let account = browser.get("/account?done=passkey-added").await;
        assert!(account.html.contains("The passkey was added."));
        assert!(
            account.html.contains("&#60;b&#62;Key&#60;/b&#62; &#60;U+202E&#62;"),
            "{}",
            account.html
        );
        assert_eq!(
            add(&browser, &second, "").await.error(),
            "refused",
            "registered already"
        );

        for _ in 0..2 {
            assert_eq!(
                remove(&browser, &first).await.location(),
                "/account?done=passkey-removed"
            );
        }
        assert_eq!(remove(&browser, &second).await.status, StatusCode::FORBIDDEN);
        assert_eq!(
            world.events("approver.key_removed").await.len(),
            1,
            "pressed twice, removed once"
        );
        assert_eq!(browser.sign_in(&first).await.error(), "refused");
        assert_eq!(browser.sign_in(&second).await.status, StatusCode::OK);
    });
}

/// A session left open, or its cookie stolen, must not be enough to add a key that outlives it.
#[test]
fn passkeys_change_only_within_ten_minutes_of_signing_in() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let second = Passkey::new();
        add(&browser, &second, "").await;
        let csrf = browser.csrf().await;
        let begun = browser
            .call("/account/passkeys/start", &json!({ "csrf": csrf }))
            .await
            .body;
        world.advance(600);
        assert!(
            browser
                .get("/account")
                .await
                .html
                .contains("Sign in again</a> with a passkey to add or remove passkeys")
        );
        assert_eq!(
            add(&browser, &Passkey::new(), "").await.text("error_description"),
            "Sign in again to do this."
        );
        let credential = Passkey::new().create(&begun["options"]);
        let finish = json!({ "csrf": csrf, "ceremony": begun["ceremony"], "credential": credential });
        assert_eq!(
            browser.call("/account/passkeys/finish", &finish).await.error(),
            "refused",
            "begun before"
        );
        let refused = remove(&browser, &second).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(
            refused.html.contains("href=\"/sign-in?next=%2Faccount\""),
            "{}",
            refused.html
        );

        browser.sign_in(&passkey).await;
        assert_eq!(
            remove(&browser, &second).await.location(),
            "/account?done=passkey-removed"
        );
    });
}

#[test]
fn a_session_is_ended_by_its_owner_alone() {
    on_both(async |world| {
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        let second = Browser::new(world);
        second.sign_in(&passkey).await;
        let account = browser.get("/account").await.html;
        let end = account.split("action=\"").find(|part| part.contains("/end\"")).unwrap();
        let end = end.split('"').next().unwrap();
        assert_eq!(
            bob.post(end, &[]).await.location(),
            "/account?done=session-ended",
            "and learns nothing"
        );
        assert_eq!(second.get("/account").await.status, StatusCode::OK);
        assert_eq!(browser.post(end, &[]).await.location(), "/account?done=session-ended");
        second.get("/account").await.location();
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(world.events("approver.signed_out").await.len(), 1);
    });
}

#[test]
fn a_grant_is_revoked_by_its_approver_alone_and_takes_its_tokens_with_it() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        browser.approve(&page, &passkey).await.location();
        let tokens = world.poll(&asked.text("device_code")).await;
        let account = browser.get("/account").await.html;
        let revoke = account
            .split("action=\"")
            .find(|part| part.contains("/revoke\""))
            .unwrap();
        let revoke = revoke.split('"').next().unwrap();

        assert_eq!(bob.post(revoke, &[]).await.status, StatusCode::NOT_FOUND);
        assert!(world.is_active(&tokens.text("access_token")).await);
        for _ in 0..2 {
            assert_eq!(browser.post(revoke, &[]).await.location(), "/account?done=revoked");
        }
        assert!(!world.is_active(&tokens.text("access_token")).await);
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert!(browser.get("/account").await.html.contains("Nothing acts for you now."));
        let ended = world.events("grant.ended").await;
        assert_eq!(
            (ended.len(), &ended[0]["detail"]["because"]),
            (1, &json!("revoked_by_approver"))
        );
        let told = browser.get(&page).await.html;
        assert!(
            told.contains("<h1>Approved, and over</h1>"),
            "what was approved no longer stands: {told}"
        );
    });
}

#[test]
fn a_notice_says_only_what_this_server_can_say() {
    on_both(async |world| {
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let plain = browser.get("/account").await.html;
        assert_eq!(browser.get("/account?done=Call%20555-1234").await.html, plain);
    });
}
