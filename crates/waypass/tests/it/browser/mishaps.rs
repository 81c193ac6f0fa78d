//! What goes wrong at a page: wrong and expired codes, two windows, the back button, a double click, a lost
//! passkey. Nothing of it may decide anything, and each tells the person what happened.

use std::time::Duration;

use super::driver::Browser;
use super::person::Person;
use crate::chance::until;
use crate::world::{SCOPES, World};

on_both!(
    a_wrong_code_and_a_malformed_one_look_the_same,
    an_expired_code_is_over_on_the_page_too,
    a_second_session_of_the_same_person_is_refused,
    the_back_button_decides_nothing,
    a_double_click_decides_once,
    a_reload_changes_nothing,
    a_relinked_person_starts_anew,
    a_passkey_that_says_no_leaves_the_request_open,
    a_page_of_somebody_signed_out_decides_nothing,
);

async fn a_wrong_code_and_a_malformed_one_look_the_same(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let mut texts = Vec::new();
    let used = world.start(&world.stock_client().await, &[]).await;
    world.approve(&used.user_code).await;
    for code in ["ZZZZ-ZZZZ", "AAAA", &used.user_code] {
        person.type_code(world, code).await;
        person.browser.find("#problem").await;
        texts.push(person.browser.text().await);
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
}

async fn an_expired_code_is_over_on_the_page_too(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let short = [
        "--public",
        "--profile",
        "open",
        "--code-lifetime",
        "15",
        "--scope",
        SCOPES,
    ];
    let started = world.start(&world.client(&short).await, &[]).await;
    person.view(world, &started).await;
    person.browser.wait_for_text("Expired").await;
    let disabled = person
        .browser
        .script("return document.querySelector('[data-passkey=approve]').disabled", &[])
        .await;
    assert_eq!(disabled, true);
    until("the server agrees", Duration::from_secs(10), async || {
        (world.poll(&started).await.error() == "expired_token").then_some(())
    })
    .await;
    person.type_code(world, &started.user_code).await;
    person.browser.find("#problem").await;
}

async fn a_second_session_of_the_same_person_is_refused(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let Some(second) = Browser::start().await else { return };
    second.take_passkeys_of(&person.browser).await;
    let second = Person {
        name: person.name.clone(),
        browser: second,
    };
    second.sign_in(world).await;
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    let page = person.browser.url().await;
    second.type_code(world, &started.user_code).await;
    second.browser.find("#problem").await;
    second.browser.open(&page).await;
    let offered = second
        .browser
        .script("return document.querySelectorAll('[data-passkey=approve]').length", &[])
        .await;
    assert_eq!(
        offered,
        0,
        "the second browser may decide: {}",
        second.browser.text().await
    );
    world.poll(&started).await.refused("authorization_pending");
    // A counter that goes back is a cloned passkey: the one authenticator is at the first browser again.
    person.browser.forget_passkeys().await;
    person.browser.take_passkeys_of(&second.browser).await;
    person.approve().await;
    world.poll(&started).await.expect(200);
}

async fn the_back_button_decides_nothing(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    person.decline().await;
    person.browser.back().await;
    let offered =
        "const e = document.querySelector('[data-passkey=approve]'); return document.readyState === 'complete' && !e";
    until("the page knows that it is over", Duration::from_secs(20), async || {
        (person.browser.script(offered, &[]).await == true).then_some(())
    })
    .await;
    world.poll(&started).await.refused("access_denied");
}

async fn a_double_click_decides_once(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    person
        .browser
        .script(
            "const e = document.querySelector('[data-passkey=approve]'); e.click(); e.click(); e.click()",
            &[],
        )
        .await;
    person.browser.wait_for_text("Go back to your device").await;
    person.browser.wait_for_text("Approved").await;
    world.poll(&started).await.expect(200);
    let denied = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &denied).await;
    person
        .browser
        .script(
            "const e = document.querySelector('button.decline'); e.click(); e.click()",
            &[],
        )
        .await;
    person.browser.wait_for_text("Declined").await;
    world.poll(&denied).await.refused("access_denied");
}

async fn a_reload_changes_nothing(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    for _ in 0..2 {
        person.browser.reload().await;
        person.browser.find("[data-passkey=approve]").await;
    }
    world.poll(&started).await.refused("authorization_pending");
    person.approve().await;
    person.browser.reload().await;
    person.browser.wait_for_text("Approved").await;
    world.poll(&started).await.expect(200);
    world.poll(&started).await.refused("invalid_grant");
}

async fn a_relinked_person_starts_anew(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let link = world
        .local(&["approver", "relink", &person.name, "--json"])
        .await
        .expect_code(0)
        .json();
    let link = link["enrollment_link"].as_str().unwrap().to_owned();
    world.remember(link.split_once('#').unwrap().1);
    person.browser.open(&world.htu("/account")).await;
    person.browser.click("[data-passkey=sign-in]").await;
    until("the lost passkey is refused", Duration::from_secs(20), async || {
        let problem = person
            .browser
            .script("return document.getElementById('problem')?.textContent", &[])
            .await;
        problem.as_str().is_some_and(|text| !text.is_empty()).then_some(())
    })
    .await;
    person.browser.forget_passkeys().await;
    person.enroll(&link).await;
}

async fn a_passkey_that_says_no_leaves_the_request_open(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    person.browser.forget_passkeys().await;
    person.browser.click("[data-passkey=approve]").await;
    person.browser.wait_for_text("Nothing was approved").await;
    world.poll(&started).await.refused("authorization_pending");
    person.decline().await;
}

async fn a_page_of_somebody_signed_out_decides_nothing(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[]).await;
    person.view(world, &started).await;
    let page = person.browser.url().await;
    world.local(&["approver", "disable", &person.name]).await.expect_code(0);
    person
        .browser
        .script("document.querySelector('button.decline').click()", &[])
        .await;
    person.browser.open(&page).await;
    let offered = person
        .browser
        .script("return document.querySelectorAll('[data-passkey=approve]').length", &[])
        .await;
    assert_eq!(offered, 0, "{}", person.browser.text().await);
    world.poll(&started).await.refused("authorization_pending");
}
