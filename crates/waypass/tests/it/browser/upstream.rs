//! Signing in through somebody else's OpenID provider (npm `oidc-provider`) with a real browser: it says who
//! somebody is, and approving still takes the passkey.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::json;

use super::driver::Browser;
use super::looks::look;
use super::person::Person;
use crate::database::Database;
use crate::server::{Folder, Setup};
use crate::tools;
use crate::world::{SCOPES, World, alone_with};

const SECRET: &str = "a secret between this server and the provider";

/// Ended by its process id.
struct Provider {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
    folder: Folder,
}

impl Provider {
    fn start() -> Option<Self> {
        let node = tools::node()?;
        let setting = json!({ "client_id": "waypass", "client_secret": SECRET, "groups": ["their operators", "all"] });
        let mut child = Command::new(node)
            .arg(tools::foreign().join("oidc_provider.mjs"))
            .arg(setting.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut provider = Self {
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
            port: 0,
            folder: Folder::new(),
        };
        provider.port = provider.line().parse().unwrap();
        Some(provider)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// A server that knows it. The settings live as long as the tests.
    fn setup(&self) -> Setup {
        let secret = self.folder.join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let config = format!(
            "[upstream]\nissuer = \"http://localhost:{}\"\nclient_id = \"waypass\"\nclient_secret_file = {:?}\n\
             label = \"Example\"\nscopes = [\"profile\"]\n[upstream.groups]\n\"their operators\" = \"operators\"\n",
            self.port,
            secret.to_str().unwrap(),
        );
        Setup {
            config: Box::leak(config.into_boxed_str()),
            ..Setup::default()
        }
    }

    /// From now on it answers, for this server.
    fn serve(&mut self, world: &World) {
        world.remember(SECRET);
        let redirect_uri = world.htu("/sign-in/upstream/callback");
        let mut stdin = self.child.stdin.as_ref().unwrap();
        writeln!(stdin, "{redirect_uri}").unwrap();
        assert_eq!(self.line(), "ready");
    }

    /// Signs in there as somebody, and lets us know who that is.
    async fn sign_in(&self, browser: &Browser, login: &str) {
        browser.type_into("input[name=login]", login).await;
        browser.type_into("input[name=password]", "any").await;
        browser.click("button[type=submit]").await;
        // What is asked there only once: whether we may know.
        browser
            .find("form button[type=submit], form[action$='/sign-out'] button")
            .await;
        if browser.url().await.contains("/interaction/") {
            browser.click("form button[type=submit]").await;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// With a browser, on a server that knows a provider. Nothing where one of them is not installed.
fn with_provider(test: impl AsyncFnOnce(&World, &Provider, Browser)) {
    let Some(mut provider) = Provider::start() else { return };
    alone_with(Database::Sqlite, &provider.setup(), async |world: &World| {
        provider.serve(world);
        if let Some(browser) = Browser::start().await {
            test(world, &provider, browser).await;
        }
    });
}

#[test]
fn whoever_signs_in_upstream_looks_and_approves_with_the_passkey_alone() {
    with_provider(async |world, provider, browser| {
        let alice = Person {
            name: "alice".to_owned(),
            browser,
        };
        alice.enroll(&world.enrollment_link("alice").await).await;
        alice.browser.click("[data-passkey=upstream]").await;
        provider.sign_in(&alice.browser, "alice-there").await;
        alice.browser.wait_for_text("The account is linked.").await;
        alice.browser.complaints().await;
        look(&alice.browser, "account-upstream", false).await;
        alice.sign_out(world).await;

        // Her browser is still signed in there: nothing is asked.
        alice.browser.open(&world.htu("/sign-in?next=/account")).await;
        alice.browser.click("[data-passkey=upstream]").await;
        alice.browser.wait_for_text("Your groups: operators").await;
        let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
        alice.view(world, &started).await;
        alice.approve().await;
        world.poll(&started).await.expect(200);

        let Some(browser) = Browser::start().await else { return };
        thief(world, provider, &browser).await;
    });
}

/// Somebody with her account there and without her passkey.
async fn thief(world: &World, provider: &Provider, browser: &Browser) {
    browser.open(&world.htu("/sign-in?next=/account")).await;
    browser.click("[data-passkey=upstream]").await;
    provider.sign_in(browser, "alice-there").await;
    browser.wait_for_text("Signed in as alice").await;
    let adds =
        "return document.querySelectorAll('[data-passkey], form[action*=passkeys], form[action*=unlink]').length";
    assert_eq!(browser.script(adds, &[]).await, 0, "no way to another key");
    browser.complaints().await;
    look(browser, "account-by-upstream", false).await;
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    browser.open(&world.htu("/device")).await;
    browser.type_into("#user-code", &started.user_code).await;
    browser.click("main form button[type=submit]").await;
    browser.click("[data-passkey=approve]").await;
    browser.wait_for_text("Nothing was approved.").await;
    world.poll(&started).await.refused("authorization_pending");
    browser.click("button.decline").await;
    browser.wait_for_text("Declined").await;
}

#[test]
fn an_invitation_and_a_sign_in_there_lead_to_the_first_passkey() {
    with_provider(async |world, provider, browser| {
        browser.open(&world.htu("/sign-in")).await;
        look(&browser, "sign-in-upstream", false).await;
        browser
            .open(&world.htu("/sign-in/upstream/callback?code=c&state=s"))
            .await;
        browser.wait_for_text("did not come back as it began").await;
        assert!(!browser.url().await.contains("code="), "it leaves the address bar");
        look(&browser, "upstream-refused", true).await;
        browser
            .open(&world.htu("/sign-in/upstream/callback?error=access_denied"))
            .await;
        browser.wait_for_text("Not signed in").await;
        browser.complaints().await;

        browser.open(&world.enrollment_link("bob").await).await;
        browser.find("[data-passkey=enroll-upstream]").await;
        look(&browser, "enroll-upstream", false).await;
        browser.click("[data-passkey=enroll-upstream]").await;
        provider.sign_in(&browser, "bob-there").await;
        browser.wait_for_text("You have no passkey").await;
        browser.complaints().await;
        look(&browser, "account-invited", false).await;

        let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
        browser.open(&world.htu("/device")).await;
        browser.type_into("#user-code", &started.user_code).await;
        browser.click("main form button[type=submit]").await;
        browser.wait_for_text("Approving takes a passkey").await;
        look(&browser, "decide-no-passkey", false).await;

        let bob = Person {
            name: "bob".to_owned(),
            browser,
        };
        bob.browser.open(&world.htu("/account")).await;
        bob.browser.type_into("#label", "This laptop").await;
        bob.browser.click("[data-passkey=add]").await;
        bob.browser.wait_for_text("The passkey was added.").await;
        bob.view(world, &started).await;
        bob.approve().await;
        world.poll(&started).await.expect(200);
    });
}
