//! What a signed-in person manages alone: own passkeys, own sessions, own grants.

use super::driver::Browser;
use super::person::Person;
use crate::world::{SCOPES, World};

on_both!(
    a_person_adds_and_removes_passkeys_but_never_the_last,
    a_person_ends_another_session_of_theirs,
    a_person_revokes_what_acts_for_them,
);

async fn a_person_adds_and_removes_passkeys_but_never_the_last(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let browser = &person.browser;
    browser.open(&world.htu("/account")).await;
    assert_eq!(removable(browser).await, 0, "the only passkey can be removed");
    // Another authenticator: the one in use holds a passkey already.
    let kept = browser.passkeys().await;
    browser.forget_passkeys().await;
    browser.type_into("#label", "Second key").await;
    browser.click("[data-passkey=add]").await;
    browser.wait_for_text("Second key").await;
    assert_eq!((kept.len(), removable(browser).await), (1, 2));
    browser.click("form[action*='/account/passkeys/'] button").await;
    browser.wait_until_gone("form[action$='/remove']").await;
    browser.find("#label").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

async fn removable(browser: &Browser) -> u64 {
    let script = "return document.querySelectorAll(\"form[action$='/remove']\").length";
    browser.script(script, &[]).await.as_u64().unwrap()
}

async fn a_person_ends_another_session_of_theirs(world: &World) {
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
    person.browser.open(&world.htu("/account")).await;
    person.browser.click("form[action$='/end'] button").await;
    person.browser.wait_until_gone("form[action$='/end']").await;
    second.browser.open(&world.htu("/account")).await;
    second.browser.find("[data-passkey=sign-in]").await;
    person.browser.open(&world.htu("/account")).await;
    person.browser.wait_for_text(&person.name).await;
}

async fn a_person_revokes_what_acts_for_them(world: &World) {
    let Some(person) = Person::enrolled(world).await else {
        return;
    };
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    person.view(world, &started).await;
    person.approve().await;
    let tokens = world.poll(&started).await.expect(200).json();
    person.browser.open(&world.htu("/account")).await;
    person.browser.click("form[action$='/revoke'] button").await;
    person.browser.wait_for_text("Nothing acts for you now").await;
    assert!(!world.is_active(&tokens["access_token"]).await);
    world.refresh(&started.client, &tokens).await.refused("invalid_grant");
}
