//! Ten honest stories: what the same rules that end a campaign ask of people who did start what they approve.
//! Every act of the person is counted where it is done; docs/rfc10027.md tells them beside the campaigns.

use super::front::{OFFICE, PHONE};
use super::play::Stage;
use super::terminal::{Asking, Home};
use super::victim;
use super::walk::Walk;
use crate::browser::person::Person;
use crate::world::SCOPES;

const HOME: &str = "198.51.100.201";
const ABROAD: &str = "203.0.113.90";
const VPN: &str = "198.51.100.250";

/// Who plays, with the client that they use.
pub struct Story<'a> {
    pub stage: &'a Stage<'a>,
    pub walk: Walk,
    client: String,
    home: Home,
}

impl<'a> Story<'a> {
    pub async fn begin(stage: &'a Stage<'a>) -> Self {
        let flags = ["--public", "--profile", "standard", "--scope", SCOPES];
        Self {
            stage,
            client: stage.world.client(&flags).await,
            home: Home::new(),
            walk: Walk::begin(),
        }
    }

    fn at(&self, terminal: &str, browser: &str) {
        self.stage.front.terminal_at(terminal);
        self.stage.front.browser_at(browser);
    }

    /// Types the code that a terminal shows, compares its words, and approves.
    async fn approves(&self, person: &Person, asking: &Asking) {
        let browser = &person.browser;
        browser.open(&self.stage.world.htu("/device")).await;
        self.walk.opens();
        self.walk.types(person, "#user-code", &asking.user_code).await;
        self.walk.clicks(person, "main form button[type=submit]").await;
        browser.find(victim::ANSWERED).await;
        let page = browser.text().await;
        assert!(page.contains(&asking.key_words.replace(' ', "\n")), "the same words: {page}");
        self.walk.signs(person, "approve").await;
        browser.find(victim::DECIDED).await;
    }

    async fn enrolls(&self, person: &Person) {
        self.walk.commands();
        let asking = self.home.enroll(self.stage.world, &self.client, "laptop").await;
        self.approves(person, &asking).await;
        let (code, printed) = asking.ends().await;
        assert_eq!(code, Some(0), "{printed}");
    }

    async fn logs_in(&self, person: &Person) {
        self.walk.commands();
        let asking = self.home.login(self.stage.world, &self.client).await;
        self.approves(person, &asking).await;
        let (code, printed) = asking.ends().await;
        assert_eq!(code, Some(0), "{printed}");
        self.home.run(&["token"]).await.expect_code(0);
    }
}

/// Terminal and browser on the office network, the first time: the machine is enrolled, then asks.
pub async fn office(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    story.enrolls(&story.stage.person).await;
    story.logs_in(&story.stage.person).await;
}

/// The phone joins the network at home for the enrollment, and approves on mobile data from then on.
pub async fn home_and_phone(story: &Story<'_>) {
    story.at(HOME, HOME);
    story.enrolls(&story.stage.person).await;
    story.at(HOME, PHONE);
    story.logs_in(&story.stage.person).await;
}

/// A jump host in another country, registered by an administrator.
pub async fn jump_host(story: &Story<'_>) {
    story.at(ABROAD, OFFICE);
    story.walk.commands();
    story.walk.commands();
    let (world, person) = (story.stage.world, &story.stage.person);
    story.home.registered(world, &story.client, &person.name).await;
    story.walk.runs_own_enrollment(&story.home, world, &story.client).await;
    story.logs_in(person).await;
}

/// The laptop leaves through a VPN, the browser does not; both networks are listed.
pub async fn vpn(story: &Story<'_>) {
    story.at(VPN, OFFICE);
    story.enrolls(&story.stage.person).await;
    story.logs_in(&story.stage.person).await;
}
