//! Honest stories: what the same rules that end a campaign ask of people who did start what they approve, each by a
//! code and by the owner's inbox. Every act of a person is counted where it is done; docs/rfc10027.md tells them beside
//! the campaigns.

use super::front::{OFFICE, PHONE};
use super::play::Stage;
use super::terminal::{Asking, Home, register};
use super::victim;
use super::walk::Walk;
use crate::browser::person::Person;
use crate::world::SCOPES;

const AT_HOME: &str = "198.51.100.77";
const ABROAD: &str = "203.0.113.90";
/// Of the company's own networks, which an administrator has listed.
const VPN: &str = "198.51.100.250";
const HEADQUARTERS: &str = "198.51.100.200";

/// How an enrolled machine asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Code,
    Inbox,
}

/// One person, one machine, one client under `standard`.
pub struct Story<'a> {
    pub stage: &'a Stage<'a>,
    pub walk: Walk,
    by: By,
    client: String,
    home: Home,
}

impl<'a> Story<'a> {
    pub async fn begin(stage: &'a Stage<'a>, by: By) -> Self {
        let flags = ["--public", "--profile", "standard", "--scope", SCOPES];
        Self {
            stage,
            by,
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
    async fn approves(&self, person: &Person, asking: Asking) {
        let browser = &person.browser;
        browser.open(&self.stage.world.htu("/device")).await;
        self.walk.opens();
        self.walk.types(person, "#user-code", &asking.user_code).await;
        self.walk.clicks(person, "main form button[type=submit]").await;
        self.decides(person, asking).await;
    }

    /// Opens the inbox, finds the words that the terminal shows, and approves.
    async fn approves_in_inbox(&self, person: &Person, asking: Asking) {
        let browser = &person.browser;
        assert_eq!(asking.user_code, "", "an enrolled machine shows a code");
        browser.open(&self.stage.world.htu("/inbox")).await;
        self.walk.opens();
        browser.wait_for_text(&asking.words).await;
        let opens = person.waiting_with(&asking.words).await;
        self.walk.clicks(person, &opens).await;
        self.decides(person, asking).await;
    }

    async fn decides(&self, person: &Person, asking: Asking) {
        let browser = &person.browser;
        browser.find(victim::ANSWERED).await;
        let page = browser.text().await;
        assert!(
            page.contains(&asking.key_words.replace(' ', "\n")),
            "the same words: {page}"
        );
        self.walk.signs(person, "approve").await;
        browser.find(victim::DECIDED).await;
        let (code, printed) = asking.ends().await;
        assert_eq!(code, Some(0), "{printed}");
    }

    /// `waypass enroll`, and a person who answers for it.
    async fn is_enrolled_by(&self, person: &Person, home: &Home) {
        self.walk.commands();
        let asking = home.enroll(self.stage.world, &self.client, "laptop").await;
        self.approves(person, asking).await;
    }

    async fn asks(&self, home: &Home) -> Asking {
        let world = self.stage.world;
        match self.by {
            By::Code => home.login(world, &self.client).await,
            By::Inbox => home.asks_owner(world, &self.client).await,
        }
    }

    /// `waypass login` on an enrolled machine, and its owner.
    async fn logs_in(&self, person: &Person) {
        self.walk.commands();
        let asking = self.asks(&self.home).await;
        match self.by {
            By::Code => self.approves(person, asking).await,
            By::Inbox => self.approves_in_inbox(person, asking).await,
        }
        self.home.run(&["token"]).await.expect_code(0);
    }
}

impl By {
    pub const BOTH: [Self; 2] = [Self::Code, Self::Inbox];

    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Inbox => "inbox",
        }
    }
}

/// A laptop that was enrolled long ago: one request, and nothing else.
pub async fn once_more(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    let person = &story.stage.person;
    story
        .home
        .is_registered(story.stage.world, &story.client, &person.name)
        .await;
    story.walk.begins_here();
    story.logs_in(person).await;
}

/// Terminal and browser on one office network.
pub async fn office(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    story.is_enrolled_by(&story.stage.person, &story.home).await;
    story.logs_in(&story.stage.person).await;
}

/// The phone is on the network at home for the enrollment, and on mobile data from then on.
pub async fn home_and_phone(story: &Story<'_>) {
    story.at(AT_HOME, AT_HOME);
    story.is_enrolled_by(&story.stage.person, &story.home).await;
    story.at(AT_HOME, PHONE);
    story.stage.person.browser.size(390, 844).await;
    story.logs_in(&story.stage.person).await;
    story.stage.person.browser.size(1280, 900).await;
}

/// No browser is near a jump host in another country: an administrator registers its key.
pub async fn jump_host(story: &Story<'_>) {
    story.at(ABROAD, OFFICE);
    // The key printed there, registered here, and the host told.
    (0..3).for_each(|_| story.walk.commands());
    let (world, person) = (story.stage.world, &story.stage.person);
    story.home.is_registered(world, &story.client, &person.name).await;
    story.logs_in(person).await;
}

/// The laptop leaves through the company's VPN, the browser sits in its office: both networks are listed.
pub async fn vpn(story: &Story<'_>) {
    story.at(VPN, HEADQUARTERS);
    story.is_enrolled_by(&story.stage.person, &story.home).await;
    story.logs_in(&story.stage.person).await;
}

/// A machine that nobody sits at, registered once; by a code its owner types what stands in the job's log.
pub async fn ci(story: &Story<'_>) {
    story.at(ABROAD, OFFICE);
    (0..2).for_each(|_| story.walk.commands());
    let (world, person) = (story.stage.world, &story.stage.person);
    let key = story.home.key(world, &story.client).await;
    register(world, &story.client, &person.name, &key).await;
    if story.by == By::Inbox {
        // Only who knows that it is enrolled asks so.
        story.walk.commands();
        story.home.run(&["enroll", "--name", "laptop"]).await.expect_code(0);
    }
    story.logs_in(person).await;
}

/// Two people ask from one address at once; nobody can take the other's request.
pub async fn shared_address(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    let (world, person) = (story.stage.world, &story.stage.person);
    story.is_enrolled_by(person, &story.home).await;
    let (other, neighbour) = (Home::new(), world.new_approver().await);
    other.is_registered(world, &story.client, &neighbour.name).await;
    let theirs = story.asks(&other).await;
    match story.by {
        By::Code => {
            victim::type_code(person, world, &theirs.user_code).await;
            assert!(victim::problem(person).await.is_some(), "a neighbour's request opened");
        }
        By::Inbox => {
            person.browser.open(&world.htu("/inbox")).await;
            person.browser.wait_for_text("Nothing waits for you").await;
        }
    }
    story.logs_in(person).await;
}

/// The owner is away: an administrator lets a colleague answer for the machine.
pub async fn on_holiday(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    let (world, person) = (story.stage.world, &story.stage.person);
    let away = world.new_approver().await;
    story.home.is_registered(world, &story.client, &away.name).await;
    let id = story.home.instance().await;
    story.walk.commands();
    let hand_over = ["instance", "hand-over", &id, "--to", &person.name];
    world.local(&hand_over).await.expect_code(0);
    story.logs_in(person).await;
}

/// A new link by an administrator, a new passkey, and what was enrolled is still theirs.
pub async fn lost_passkey(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    let (world, person) = (story.stage.world, &story.stage.person);
    story.home.is_registered(world, &story.client, &person.name).await;
    person.browser.forget_passkeys().await;
    story.walk.commands();
    let relinked = world.local(&["approver", "relink", &person.name, "--json"]).await;
    let link = relinked.expect_code(0).json()["enrollment_link"]
        .as_str()
        .unwrap()
        .to_owned();
    world.remember(link.split_once('#').unwrap().1);
    person.browser.open(&link).await;
    story.walk.opens();
    story.walk.types(person, "#label", "New laptop").await;
    story.walk.signs(person, "enroll").await;
    person
        .browser
        .wait_for_text(&format!("Signed in as {}", person.name))
        .await;
    story.logs_in(person).await;
}

/// The old key is gone with the old system: the machine is enrolled anew, the old instance removed.
pub async fn reinstalled(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    let (world, person) = (story.stage.world, &story.stage.person);
    let before = Home::new();
    before.is_registered(world, &story.client, &person.name).await;
    story.is_enrolled_by(person, &story.home).await;
    let old = before.instance().await;
    person
        .browser
        .open(&world.htu(&format!("/account/devices/{old}/remove")))
        .await;
    story.walk.opens();
    story.walk.clicks(person, "form[action$='/remove'] button").await;
    person.browser.find("[role=status]").await;
    story.logs_in(person).await;
}

/// The owner offers the machine on a page, and the other takes it on theirs.
pub async fn handed_over(story: &Story<'_>) {
    story.at(OFFICE, OFFICE);
    let (world, person) = (story.stage.world, &story.stage.person);
    story.home.is_registered(world, &story.client, &person.name).await;
    let other = story.stage.colleague().await;
    let device = format!("/account/devices/{}", story.home.instance().await);
    // Both signed in with their passkeys not ten minutes ago.
    person.browser.open(&world.htu(&device)).await;
    story.walk.opens();
    story.walk.types(person, "#to", &other.name).await;
    story.walk.clicks(person, "form[action$='/offer'] button").await;
    person.browser.find("[role=status]").await;
    other.browser.open(&world.htu("/account/devices")).await;
    story.walk.opens();
    story.walk.clicks(other, "form[action$='/take'] button").await;
    other.browser.find("[role=status]").await;
    story.logs_in(other).await;
}
