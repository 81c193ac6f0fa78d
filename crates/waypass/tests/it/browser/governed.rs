//! What profiles beyond `open` bring to the pages: a device that becomes known, its owner's pages, a second
//! person, six digits, and a word typed on both sides. Each page is looked at as in `looks`.

use serde_json::Value;

use super::driver::Browser;
use super::looks::look;
use super::person::Person;
use crate::database::Database;
use crate::http::Answer;
use crate::keys::Key;
use crate::server::{Folder, Setup};
use crate::tools;
use crate::world::{DEVICE_CODE, SCOPES, Started, World, alone_with, started};

const CLIENT: &str = "release-robot";

/// Any key, an approver at the same address, and a word that was typed where it was started.
const WITH_A_WORD: &str = r#"
name = "with-a-word"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "little"
[approval]
by = "anyone"
starter = ["same_address"]
[mitigations]
X17 = true
"#;

/// A world with two people, and a browser each; nothing where there is no browser.
fn governed(body: impl AsyncFnOnce(&World, Person, Person)) {
    let folder = Folder::new();
    std::fs::write(folder.join("word.toml"), WITH_A_WORD).unwrap();
    let setup = Setup {
        arguments: vec![format!("--profiles={}", folder.path().display())],
        ..Setup::default()
    };
    alone_with(Database::Sqlite, &setup, async |world: &World| {
        if tools::node().is_none() {
            return;
        }
        let (Some(one), Some(other)) = (Browser::start().await, Browser::start().await) else {
            return;
        };
        let (alice, bob) = (named("alice", one), named("bob", other));
        for person in [&alice, &bob] {
            let link = world.enrollment_link(&person.name).await;
            person.enroll(&link).await;
        }
        body(world, alice, bob).await;
    });
}

fn named(name: &str, browser: Browser) -> Person {
    Person {
        name: name.to_owned(),
        browser,
    }
}

async fn client(world: &World, profile: &str) {
    let known = ["--display-name", "Release robot", "--owner", "Build team"];
    let flags = [
        "client",
        "add",
        CLIENT,
        "--public",
        "--profile",
        profile,
        "--scope",
        SCOPES,
    ];
    world.local(&[&flags[..], &known].concat()).await.expect_code(0);
}

/// A form with a proof by `key`, its nonce asked for first.
async fn sends(world: &World, path: &str, pairs: &[(&str, &str)], key: &Key) -> Answer {
    let mut claims = Value::Null;
    loop {
        let proof = key.proof("POST", &world.htu(path), &claims);
        let answer = world.post_with(path, pairs, &[("DPoP", &proof)]).await;
        match answer.header("dpop-nonce") {
            Some(nonce) if answer.error() == "use_dpop_nonce" => claims = serde_json::json!({ "nonce": nonce }),
            _ => return answer,
        }
    }
}

async fn asks(world: &World, key: &Key, further: &[(&str, &str)]) -> Started {
    let pairs = [&[("client_id", CLIENT), ("scope", SCOPES)], further].concat();
    let answer = sends(world, "/device_authorization", &pairs, key).await;
    started(CLIENT, &answer.expect(200))
}

async fn redeems(world: &World, key: &Key, asked: &Started, digits: &str) -> Answer {
    let pairs = [
        ("client_id", CLIENT),
        ("grant_type", DEVICE_CODE),
        ("device_code", asked.device_code.as_str()),
        ("confirmation", digits),
    ];
    sends(world, "/token", &pairs, key).await
}

#[test]
fn x07_a_device_becomes_known_by_a_ceremony_and_is_its_owners_from_then_on() {
    governed(async |world, alice, bob| {
        client(world, "standard").await;
        let key = Key::new();
        let form = [("client_id", CLIENT), ("name", "Build host 7"), ("key_storage", "tpm")];
        let asked = sends(world, "/enrollment", &form, &key).await.expect(202);
        let asked = started(CLIENT, &asked);
        alice.view(world, &asked).await;
        look(&alice.browser, "decide-device", false).await;
        alice.approve().await;
        look(&alice.browser, "device-known", false).await;
        let form = [("client_id", CLIENT), ("device_code", asked.device_code.as_str())];
        let known = sends(world, "/enrollment/finish", &form, &key).await.expect(200).json();
        assert_eq!(
            (&known["owner"], &known["way_in"]),
            (&"alice".into(), &"ceremony".into())
        );

        let asked = asks(world, &key, &[]).await;
        bob.type_code(world, &asked.user_code).await;
        bob.browser.find("#problem").await;
        assert!(bob.browser.text().await.contains("not yours to decide"));
        alice.browser.open(&world.htu("/account/devices")).await;
        look(&alice.browser, "devices", false).await;
        let device = format!("/account/devices/{}", known["instance_id"].as_str().unwrap());
        alice.browser.open(&world.htu(&device)).await;
        look(&alice.browser, "device", false).await;
        alice.browser.open(&world.htu(&format!("{device}/remove"))).await;
        look(&alice.browser, "device-remove", false).await;
        alice.browser.click("form[action$='/remove'] button").await;
        alice.browser.find("[role=status]").await;
        assert_eq!(redeems(world, &key, &asked, "").await.error(), "access_denied");
    });
}

#[test]
fn x16_two_people_approve_and_six_digits_go_back_before_anything_is_given() {
    governed(async |world, alice, bob| {
        client(world, "privileged").await;
        let key = Key::new();
        let file = world.file(&key.jwk().to_string());
        let owned = ["--owner", "alice", "--name", "Build host 7", "--expires", "30d"];
        let add = ["instance", "add", CLIENT, "--jwk-file", &file];
        world.local(&[&add[..], &owned].concat()).await.expect_code(0);
        for name in ["alice", "bob"] {
            world.local(&["group", "add", "privileged", name]).await.expect_code(0);
        }

        let asked = asks(world, &key, &[]).await;
        alice.view(world, &asked).await;
        look(&alice.browser, "decide-two", false).await;
        alice.browser.click("[data-passkey=approve]").await;
        alice.browser.wait_for_text("1 more person").await;
        look(&alice.browser, "approved-by-one", false).await;

        bob.browser.open(&world.htu("/")).await;
        bob.browser.wait_for_text("Waiting for you").await;
        look(&bob.browser, "waiting", false).await;
        bob.browser.click("form[action$='/open'] button").await;
        bob.browser.find("[data-passkey=approve]").await;
        look(&bob.browser, "decide-second", false).await;
        bob.browser.click("[data-passkey=approve]").await;
        bob.browser.wait_for_text("nothing more for you to do").await;
        look(&bob.browser, "approved-for-another", false).await;

        alice.browser.open(&world.htu("/account")).await;
        alice.browser.back().await;
        alice.browser.reload().await;
        alice.browser.find("p.code").await;
        look(&alice.browser, "digits", false).await;
        let shown = "return document.querySelector('p.code').lastChild.textContent.trim()";
        let digits = alice.browser.script(shown, &[]).await.as_str().unwrap().to_owned();
        let wrong = if digits == "000 000" { "111 111" } else { "000 000" };
        assert_eq!(
            redeems(world, &key, &asked, wrong).await.error(),
            "invalid_confirmation"
        );
        redeems(world, &key, &asked, &digits).await.expect(200);
    });
}

#[test]
fn x17_the_word_that_was_typed_at_the_start_is_typed_on_the_page() {
    governed(async |world, alice, _| {
        client(world, "with-a-word").await;
        let key = Key::new();
        let asked = asks(world, &key, &[("binding_data", "blue heron")]).await;
        alice.view(world, &asked).await;
        look(&alice.browser, "decide-word", false).await;
        alice.browser.type_into("#binding-data", "grey heron").await;
        alice.browser.click("[data-passkey=approve]").await;
        alice.browser.wait_for_text("not what was typed").await;
        look(&alice.browser, "decide-word-wrong", true).await;
        alice.browser.type_into("#binding-data", "Blue Heron").await;
        alice.approve().await;
        redeems(world, &key, &asked, "").await.expect(200);
    });
}
