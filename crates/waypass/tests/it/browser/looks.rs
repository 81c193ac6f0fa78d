//! Every page in the eyes of axe-core (WCAG 2.2 AA) and of the console, at two widths, light and dark. With
//! `WAYPASS_SCREENSHOTS=FOLDER` each is kept as a picture, for people to look at.

use std::path::PathBuf;

use serde_json::Value;

use super::driver::Browser;
use super::person::Person;
use crate::database::Database;
use crate::keys::Key;
use crate::server::Setup;
use crate::tools;
use crate::world::{SCOPES, World, alone_with};

const VIEWS: [(u32, u32, &str); 4] = [
    (360, 740, "light"),
    (360, 740, "dark"),
    (1280, 800, "light"),
    (1280, 800, "dark"),
];

/// The client in the pictures.
const ROBOT: &str = "release-robot";

/// Alone: the pictures show one client with a name for people, and wrong codes are typed.
#[test]
fn every_page_is_accessible_and_quiet_at_every_size() {
    alone_with(Database::Sqlite, &Setup::default(), async |world: &World| {
        let Some(browser) = Browser::start().await else { return };
        if tools::node().is_none() {
            return;
        }
        let person = Person {
            name: "alice".to_owned(),
            browser,
        };
        register(world).await;
        strangers(world, &person).await;
        asked(world, &person).await;
        decided(world, &person).await;
    });
}

/// What everybody sees.
async fn strangers(world: &World, person: &Person) {
    for (path, name) in [
        ("/", "home"),
        ("/sign-in", "sign-in"),
        ("/authorize", "authorize"),
        ("/no/such/page", "not-found"),
        ("/enroll", "enroll-without-link"),
    ] {
        person.browser.open(&world.htu(path)).await;
        look(&person.browser, name, name == "not-found").await;
    }
    let link = world.enrollment_link(&person.name).await;
    person.browser.open(&link).await;
    person.browser.find("[data-passkey=enroll]").await;
    look(&person.browser, "enroll", false).await;
    person.enroll(&link).await;
}

/// The code, right, wrong and half; the page that asks.
async fn asked(world: &World, person: &Person) {
    let browser = &person.browser;
    let started = world.start(ROBOT, &[("scope", SCOPES)]).await;
    browser.open(&world.htu("/device")).await;
    look(browser, "code", false).await;
    browser
        .open(started.body["verification_uri_complete"].as_str().unwrap())
        .await;
    look(browser, "code-half", false).await;
    person.type_code(world, "ZZZZ-ZZZZ").await;
    browser.find("#problem").await;
    look(browser, "code-wrong", true).await;
    person.view(world, &started).await;
    look(browser, "decide", false).await;
    narrowed(browser).await;
    let bound = bound_request(world).await;
    person.view(world, &bound).await;
    look(browser, "decide-bound", false).await;
}

/// The same request with less. What is ticked and not shown yet cannot be approved.
async fn narrowed(browser: &Browser) {
    let is_off = "return document.querySelector('[data-passkey=approve]').disabled";
    browser.click(".less summary").await;
    browser.click("#less input[value=offline_access]").await;
    assert_eq!(
        browser.script(is_off, &[]).await,
        true,
        "another decision than is shown"
    );
    browser.click("#less input[value=offline_access]").await;
    assert_eq!(browser.script(is_off, &[]).await, false, "as it was");
    browser.click("#less input[value=offline_access]").await;
    browser.click("#less button").await;
    browser.wait_for_text("Less than was asked for.").await;
    look(browser, "decide-narrowed", false).await;
}

async fn register(world: &World) {
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        SCOPES,
        "--display-name",
        "Release robot",
        "--owner",
        "Build team",
    ];
    let mut arguments = vec![
        "client",
        "add",
        ROBOT,
        "--purpose",
        "Publishes what was built and tested",
    ];
    arguments.extend(flags);
    world.local(&arguments).await.expect_code(0);
}

async fn bound_request(world: &World) -> crate::world::Started {
    let proof = Key::new().proof("POST", &world.htu("/device_authorization"), &Value::Null);
    let pairs = [("client_id", ROBOT), ("scope", SCOPES)];
    let answer = world
        .post_with("/device_authorization", &pairs, &[("DPoP", &proof)])
        .await
        .expect(200);
    crate::world::started(ROBOT, &answer)
}

/// The three ends, the account, and the pause after too many guesses.
async fn decided(world: &World, person: &Person) {
    let browser = &person.browser;
    for (name, button) in [
        ("declined", "button.decline"),
        ("reported", "button.report"),
        ("approved", "[data-passkey=approve]"),
    ] {
        let started = world.start(ROBOT, &[("scope", SCOPES)]).await;
        person.view(world, &started).await;
        browser.click(button).await;
        browser.wait_for_text("You can close this page").await;
        look(browser, name, false).await;
        world.poll(&started).await;
    }
    browser.open(&world.htu("/account")).await;
    look(browser, "account", false).await;
    for _ in 0..60 {
        person.type_code(world, "ZZZZ-ZZZZ").await;
        browser.find("#problem").await;
        if browser.text().await.contains("Try again") {
            break;
        }
    }
    look(browser, "code-throttled", true).await;
}

/// One page in all four views. `is_error`: the console may name the status of the page itself.
pub async fn look(browser: &Browser, name: &str, is_error: bool) {
    for (width, height, scheme) in VIEWS {
        browser.size(width, height).await;
        browser.scheme(scheme).await;
        let overflow = browser
            .script("return document.documentElement.scrollWidth > innerWidth", &[])
            .await;
        assert_eq!(overflow, false, "{name} scrolls sideways at {width} px");
        axe(browser, &format!("{name} at {width} px, {scheme}")).await;
        if let Some(folder) = std::env::var_os("WAYPASS_SCREENSHOTS") {
            let folder = PathBuf::from(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(
                folder.join(format!("{name}-{width}-{scheme}.png")),
                browser.screenshot().await,
            )
            .unwrap();
        }
    }
    let complaints = browser.complaints().await;
    assert!(
        is_error || complaints.is_empty(),
        "the console complains on {name}: {complaints:?}"
    );
}

async fn axe(browser: &Browser, page: &str) {
    let source = std::fs::read_to_string(tools::foreign().join("node_modules/axe-core/axe.min.js")).unwrap();
    browser.script(&source, &[]).await;
    let run = "return axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
        .then(found => found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')))";
    let violations = browser.script(run, &[]).await;
    assert_eq!(violations, serde_json::json!([]), "axe-core on {page}");
}
