//! The way a decision goes: enroll, sign in, type, see, approve, decline, report. RFC 8628 §3.3.

use serde_json::json;

use super::person::Person;
use crate::keys::claims;
use crate::world::{SCOPES, World};

on_both!(
    an_enrolled_person_signs_in_and_out_by_passkey,
    d12_a_person_types_the_code_and_approves,
    d13_declining_is_told_to_both_sides,
    d17_a_complete_link_still_asks_for_the_code,
    d31_the_page_says_who_asks_for_what_and_warns,
    a_report_declines_and_raises_an_event,
    enter_never_approves,
    the_decision_of_a_passkey_is_kept_as_evidence,
);

async fn an_enrolled_person_signs_in_and_out_by_passkey(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    assert_eq!(person.browser.passkeys().await.len(), 1);
    let url = person.browser.url().await;
    assert!(
        !url.contains('#'),
        "the enrollment token stays in the address bar: {url}"
    );
    person.sign_out(world).await;
    person.browser.open(&world.htu("/account")).await;
    person.browser.find("[data-passkey=sign-in]").await;
    person.sign_in(world).await;
}

async fn d12_a_person_types_the_code_and_approves(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    person.sign_out(world).await;
    // Sign in first, then type: the page asks for it by itself.
    person.browser.open(&world.htu("/device")).await;
    person.browser.click("[data-passkey=sign-in]").await;
    person.browser.find("#user-code").await;
    person.view(world, &started).await;
    world.poll(&started).await.refused("authorization_pending");
    person.approve().await;
    let tokens = world.poll(&started).await.expect(200).json();
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["acr"], "phr");
    assert!(!claims["amr"].as_array().unwrap().contains(&json!("swk")), "{claims}");
}

async fn d13_declining_is_told_to_both_sides(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    let order = "const all = [...document.querySelectorAll('button.decline, [data-passkey=approve]')];
        return all.map(button => button.textContent.trim())";
    let order = person.browser.script(order, &[]).await;
    assert!(
        order[0].as_str().unwrap().starts_with("Decline"),
        "Decline comes first: {order}"
    );
    person.decline().await;
    person.browser.wait_for_text("Go back to your device").await;
    world.poll(&started).await.refused("access_denied");
}

/// A server cannot tell a scanned code from a mailed link: the second half is typed, and a GET looks nothing up.
async fn d17_a_complete_link_still_asks_for_the_code(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    let complete = started.body["verification_uri_complete"].as_str().unwrap();
    person.browser.open(complete).await;
    person.browser.find("#user-code").await;
    let (first, second) = started.user_code.split_once('-').unwrap();
    let text = person.browser.text().await;
    assert!(text.contains(first) && !text.contains(second), "{text}");
    assert!(!text.contains(&started.client), "the link alone showed the request");
    let other = complete.replace(second, "ZZZZ");
    person.browser.open(&other).await;
    person.browser.find("#user-code").await;
    assert_eq!(
        person.browser.text().await,
        text,
        "an unknown code looks like a known one"
    );
    person.browser.type_into("#user-code", second).await;
    person.browser.click("main form button[type=submit]").await;
    person.browser.find("[data-passkey=approve]").await;
    person.approve().await;
    world.poll(&started).await.expect(200);
}

async fn d31_the_page_says_who_asks_for_what_and_warns(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let hostile = "<img src=x onerror=alert(1)> \u{202e}evil";
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        SCOPES,
        "--owner",
        "Build team",
        "--purpose",
        hostile,
    ];
    let client = world.client(&flags).await;
    let started = world.start(&client, &[("scope", "read profile")]).await;
    person.view(world, &started).await;
    let text = person.browser.text().await;
    for needle in [
        client.as_str(),
        "Build team",
        "127.0.0.1",
        "read",
        "profile",
        "left to decide",
        "Decline",
        "8 hours",
    ] {
        assert!(text.contains(needle), "{needle:?} is missing: {text}");
    }
    assert!(
        text.contains("<img") && !text.contains('\u{202e}'),
        "hostile text is shown escaped: {text}"
    );
    assert_eq!(
        person.browser.script("return document.images.length", &[]).await,
        1,
        "only our own mark"
    );
    for source in ["proven", "claimed"] {
        assert!(
            text.to_lowercase().contains(source),
            "facts are labelled {source}: {text}"
        );
    }
    assert!(!text.contains(&started.device_code), "D15");
}

async fn a_report_declines_and_raises_an_event(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    person.browser.click("button.report").await;
    person.browser.wait_for_text("reported").await;
    world.poll(&started).await.refused("access_denied");
    let events = world.events().await;
    let reported = events.iter().any(|event| {
        event["client_id"] == started.client.as_str()
            && (event["action"].as_str().unwrap().contains("report") || event["detail"].to_string().contains("report"))
    });
    assert!(reported, "{events:?}");
}

async fn enter_never_approves(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    let enter = "\u{E007}";
    person.browser.press(enter).await;
    person
        .browser
        .script("document.querySelector('[data-passkey=approve]').focus()", &[])
        .await;
    person.browser.press(enter).await;
    person.browser.press(enter).await;
    world.poll(&started).await.refused("authorization_pending");
    assert!(!person.browser.text().await.contains("Approved"));
    // The button works all the same.
    person.approve().await;
    world.poll(&started).await.expect(200);
}

async fn the_decision_of_a_passkey_is_kept_as_evidence(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    person.approve().await;
    world.poll(&started).await.expect(200);
    let exported = world.exported_grant(&started.client).await;
    for needle in ["waypass-decision/1", "authenticator", "client", "signature"] {
        assert!(
            exported["evidence"].to_string().contains(needle),
            "{needle} is missing: {exported}"
        );
    }
    world.verify_decision(&exported).await.expect_code(0);
}
