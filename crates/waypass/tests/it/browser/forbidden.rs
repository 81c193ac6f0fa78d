//! What an approver reads where a policy refuses: its name, at the code and at the click. Looked at as in `looks`.

use super::driver::Browser;
use super::looks::look;
use super::person::Person;
use crate::database::Database;
use crate::server::{Folder, Setup};
use crate::tools;
use crate::world::{SCOPES, World, alone_with};

/// Two at once, one with a name as long as people make them.
const NO_VIEW: &str = r#"@id("working-hours") forbid (principal, action == Action::"view", resource);
@id("no-requests-while-the-release-of-the-payment-service-is-frozen")
forbid (principal, action == Action::"view", resource);"#;
const NO_APPROVAL: &str = r#"@id("two-person-rule") forbid (principal, action == Action::"approve", resource);"#;
const NO_RENEWAL: &str = r#"@id("no-renewal") forbid (principal, action == Action::"refresh", resource);"#;

#[test]
fn the_page_that_refuses_names_the_policies_and_nothing_is_used_up() {
    let folder = Folder::new();
    let file = folder.join("a.cedar");
    std::fs::write(&file, NO_VIEW).unwrap();
    let setup = Setup {
        arguments: vec![format!("--policies={}", folder.path().display())],
        ..Setup::default()
    };
    alone_with(Database::Sqlite, &setup, async |world: &World| {
        if tools::node().is_none() {
            return;
        }
        let Some(alice) = Person::enrolled(world).await else {
            return;
        };
        let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
        alice.type_code(world, &started.user_code).await;
        for name in ["working-hours", "no-requests-while-the-release"] {
            alice.browser.wait_for_text(name).await;
        }
        refused(&alice.browser, "forbidden-view").await;

        std::fs::write(&file, NO_APPROVAL).unwrap();
        world.local(&["policy", "reload"]).await.expect_code(0);
        alice.view(world, &started).await;
        alice.browser.click("[data-passkey=approve]").await;
        alice.browser.wait_for_text("two-person-rule").await;
        refused(&alice.browser, "forbidden-approve").await;
        world.poll(&started).await.refused("authorization_pending");

        std::fs::write(&file, NO_RENEWAL).unwrap();
        world.local(&["policy", "reload"]).await.expect_code(0);
        alice.view(world, &started).await;
        alice.approve().await;
        world.poll(&started).await.expect(200);
    });
}

async fn refused(browser: &Browser, name: &str) {
    let text = browser.text().await;
    assert!(text.contains("Forbidden by a policy"), "{text}");
    assert!(text.contains("An administrator can change it."), "{text}");
    look(browser, name, true).await;
}
