//! How an approver is told, in a real browser: the button of the inbox, the worker that shows a notice, the lines of the
//! account page. Headless Chromium has no push service to subscribe at: its `PushManager` is stood in for, and the
//! message is handed to the worker by DevTools. What is in a real message is read in `server/tests/notices/push.rs`.

use serde_json::{Value, json};

use super::driver::Browser;
use super::looks::look;
use super::person::Person;
use crate::chance::within;
use crate::database::Database;
use crate::server::Setup;
use crate::tools;
use crate::world::{World, alone_with};

/// A subscription as a push service would give one out, with a key of the curve.
const STAND_IN: &str = "
    const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
    const point = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    const text = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    const subscription = {
        endpoint: 'http://127.0.0.1:1/push/a-browser',
        unsubscribe: async () => true,
        toJSON: () => ({ endpoint: subscription.endpoint, keys: { p256dh: text(point), auth: text(new Uint8Array(16)) } }),
    };
    let current = null;
    PushManager.prototype.getSubscription = async () => current;
    PushManager.prototype.subscribe = async (options) => {
        if (!options.userVisibleOnly || options.applicationServerKey.length !== 65) throw new Error('options');
        return current = subscription;
    };";

const SHOWN: &str = "
    const registration = await navigator.serviceWorker.getRegistration(document.querySelector('[data-push]').dataset.worker);
    return (await registration.getNotifications()).map((notice) => `${notice.title}: ${notice.body}`);";

/// Alone: the picture of the account shows what an administrator set up for all.
#[test]
fn a_person_is_told_by_the_browser_they_asked_and_turns_it_off() {
    let setup = Setup {
        config: "[mail]\nserver = \"127.0.0.1\"\nencryption = \"none\"\nfrom = \"waypass@example.com\"\n",
        ..Setup::default()
    };
    alone_with(Database::Sqlite, &setup, async |world: &World| {
        if tools::node().is_none() {
            return;
        }
        let Some(browser) = Browser::start().await else { return };
        let person = Person {
            name: "alice".to_owned(),
            browser,
        };
        person.enroll(&world.enrollment_link(&person.name).await).await;
        turned_on(world, &person.browser).await;
        shown(&person.browser).await;
        listed(world, &person.browser).await;
    });
}

async fn turned_on(world: &World, browser: &Browser) {
    browser.open(&world.htu("/inbox")).await;
    browser.find("[data-push] button").await;
    look(browser, "inbox", false).await;
    let asked = browser.script("return Notification.permission", &[]).await;
    assert_ne!(asked, "granted", "nobody pressed anything");
    browser.permit("notifications").await;
    browser.script(STAND_IN, &[]).await;
    browser.click("[data-push] button").await;
    browser
        .wait_for_text("This browser tells you when something waits")
        .await;
    look(browser, "inbox-told", false).await;
}

/// By the worker that was registered, whatever its page does. DevTools loses a message for a worker that the browser has
/// not written down yet, without a word: it is handed over until it is shown, and of several the last one stands.
async fn shown(browser: &Browser) {
    let message = json!({ "title": "Waypass at localhost", "body": "1 request waits for alice." });
    let found = within(super::driver::PATIENCE, async || {
        browser.push(&message.to_string()).await;
        let shown = browser.script(SHOWN, &[]).await;
        (shown != json!([])).then_some(shown)
    });
    let shown: Option<Value> = found.await;
    assert_eq!(
        shown.expect("no notice is shown"),
        json!(["Waypass at localhost: 1 request waits for alice."])
    );
}

async fn listed(world: &World, browser: &Browser) {
    let hook = ["notice", "webhook", "add", "http://127.0.0.1:1/hook"];
    world
        .local(&[&hook[..], &["--approver", "alice"]].concat())
        .await
        .expect_code(0);
    let added = world.local(&hook).await.expect_code(0).stdout;
    let id = added.split_whitespace().next().unwrap();
    let tested = world.local(&["notice", "webhook", "test", id]).await.expect_code(69);
    assert!(
        tested.stderr.contains("did not take it: unreachable"),
        "{}",
        tested.stderr
    );
    let mail = ["approver", "mail", "alice", "alice@example.com"];
    world.local(&mail).await.expect_code(0);
    browser.open(&world.htu("/account")).await;
    browser.wait_for_text("Browser: Chrome on Linux").await;
    browser.click("form[action$='/notices/off'] button").await;
    browser.wait_for_text("You are no longer told that way.").await;
    look(browser, "account-notices", false).await;
    browser.click("form[action$='/notices/remove'] button").await;
    browser.wait_for_text("That browser is no longer told.").await;
    browser.open(&world.htu("/inbox")).await;
    browser.find("[data-push] button").await;
}
