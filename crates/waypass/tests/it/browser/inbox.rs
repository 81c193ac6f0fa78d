//! The inbox in a browser: what a machine asks appears by itself, is opened, decided, and gone.

use super::driver::Browser;
use super::looks::look;
use super::person::Person;
use crate::approver::Approver;
use crate::database::Database;
use crate::flows::inbox::Machine;
use crate::server::Setup;
use crate::tools;
use crate::world::{World, alone_with};

#[test]
fn x32_what_a_machine_asks_appears_in_its_owners_inbox_by_itself() {
    alone_with(Database::Sqlite, &Setup::default(), async |world: &World| {
        if tools::node().is_none() {
            return;
        }
        let Some(browser) = Browser::start().await else { return };
        let alice = Person {
            name: "alice".to_owned(),
            browser,
        };
        alice.enroll(&world.enrollment_link("alice").await).await;
        alice.browser.open(&world.htu("/inbox")).await;
        alice.browser.wait_for_text("This page keeps itself up to date").await;
        look(&alice.browser, "inbox-empty", false).await;
        alice.browser.open(&world.htu("/inbox")).await;
        alice.browser.wait_for_text("This page keeps itself up to date").await;

        let machine = Machine::of(world, Approver::new("unused"), "alice").await;
        let login = machine.login(&[]).await;
        let words = login.asked["binding_message"].as_str().unwrap();
        // Nobody has loaded the page again.
        alice.browser.wait_for_text(words).await;
        look(&alice.browser, "inbox", false).await;
        alice.browser.open(&world.htu("/inbox")).await;
        alice.browser.click("form[action$='/open'] button").await;
        alice.browser.wait_for_text(words).await;
        look(&alice.browser, "decide-inbox", false).await;
        alice.approve().await;
        let (code, printed) = login.ends().await;
        assert_eq!(code, Some(0), "{printed}");
        alice.browser.open(&world.htu("/inbox")).await;
        alice.browser.wait_for_text("Nothing waits for you").await;

        let mut logins = Vec::new();
        for _ in 0..6 {
            logins.push(machine.login(&[]).await);
        }
        alice.browser.wait_for_text("1 more waits").await;
        look(&alice.browser, "inbox-more", false).await;
    });
}
