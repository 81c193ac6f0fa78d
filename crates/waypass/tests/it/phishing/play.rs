//! One script played: who plays it, what stood in the way, what was carried off, and so how it ended.

use std::fmt;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::attacker::{Attacker, Bait, Loot, NAME, Way};
use super::front::{ATTACKER, Front, OFFICE, PHONE};
use super::terminal::Home;
use super::victim::{self, Did, Victim};
use crate::browser::person::Person;
use crate::world::{SCOPES, Started, World, started};

/// What all plays of one server share.
pub struct Stage<'a> {
    pub world: &'a World,
    pub front: Front,
    /// The victim at the victim's own browser.
    pub person: Person,
    colleague: OnceCell<Person>,
}

impl<'a> Stage<'a> {
    pub fn new(world: &'a World, front: Front, person: Person) -> Self {
        Self {
            world,
            front,
            person,
            colleague: OnceCell::new(),
        }
    }

    /// The second of two who have to approve; then the first has six digits to carry back.
    pub async fn with_colleague(&self, home: &Home) {
        let colleague = self.colleague().await;
        colleague.browser.open(&self.world.htu("/account")).await;
        // What attackers asked for waits there too: the colleague was told which it is.
        let id = self.person.browser.url().await.rsplit('/').next().unwrap().to_owned();
        let own = format!("form[action$='/{id}/open'] button");
        colleague.browser.click(&own).await;
        victim::approves_own(colleague).await;
        self.person.browser.reload().await;
        self.person.browser.find("p.code").await;
        let digits = "return document.querySelector('p.code').lastChild.textContent";
        let digits = self.person.browser.script(digits, &[]).await;
        std::fs::write(home.path("digits"), digits.as_str().unwrap().trim()).unwrap();
    }

    /// Somebody else with a browser, who is one of the groups that decide together, as the victim is.
    pub async fn colleague(&self) -> &Person {
        self.colleague.get_or_init(|| self.member_of_groups()).await
    }

    async fn member_of_groups(&self) -> Person {
        let colleague = Person::enrolled(self.world).await.unwrap();
        for name in [&self.person.name, &colleague.name] {
            for group in ["privileged", "break-glass"] {
                self.world.local(&["group", "add", group, name]).await.expect_code(0);
            }
        }
        colleague
    }
}

pub struct Play<'a> {
    pub stage: &'a Stage<'a>,
    pub profile: &'static str,
    pub victim: Victim,
    pub attacker: Attacker<'a>,
    stops: Vec<Stop>,
    tokens: Vec<Value>,
    instances: Vec<Value>,
    is_taken_back: bool,
}

/// What stood in the attacker's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The server gave nothing to pass on.
    NoCode(Way, String),
    /// The server would not take the victim's approval, in these words of the page.
    NoApproval(String),
    /// The server asks nobody for it.
    NotAsked(String),
    /// The request stands on nobody's page.
    NobodyAsked,
    /// The server gave nothing for it.
    NoUse(String),
    /// A token of the victim's own serves nobody else.
    NoToken(String),
    /// A code joins only the key that asked for it.
    NoJoin(String),
    /// The victim did.
    Reported,
    /// The victim kept it.
    Withheld,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server gave nothing, whatever the victim did.
    Prevented,
    /// The victim, or the attempt itself, ended it: it can be tried again.
    Disrupted,
    /// Tokens were given out, and are dead.
    Recovered,
    /// Tokens were given out, under the profile that is for it, with warning and record.
    OpenOnPurpose,
    /// Tokens were given out where none may be.
    Yielded,
}

pub struct Ending {
    pub outcome: Outcome,
    pub because: String,
}

impl<'a> Play<'a> {
    pub async fn begin(stage: &'a Stage<'a>, profile: &'static str, victim: Victim) -> Self {
        let flags = ["--public", "--profile", profile, "--scope", SCOPES];
        let client = stage.world.client(&flags).await;
        stage.front.browser_at(OFFICE);
        stage.front.terminal_at(OFFICE);
        Self {
            stage,
            profile,
            victim,
            attacker: Attacker::of(stage.world, &client),
            stops: Vec::new(),
            tokens: Vec::new(),
            instances: Vec::new(),
            is_taken_back: false,
        }
    }

    pub fn stopped_by(&mut self, stop: Stop) {
        if !self.stops.contains(&stop) {
            self.stops.push(stop);
        }
    }

    /// The attacker asks in every way it knows.
    pub async fn obtains(&mut self) -> Option<Bait> {
        self.obtains_in(&Way::ALL, &[]).await
    }

    /// In the name of somebody who is to be asked.
    pub async fn obtains_for(&mut self, person: &str) -> Option<Bait> {
        self.obtains_in(&Way::ALL, &[("login_hint", person)]).await
    }

    /// With a key from the start, as a kit does that means to keep what it gets.
    pub async fn obtains_with_a_key(&mut self) -> Option<Bait> {
        self.obtains_in(&Way::ALL[1..], &[]).await
    }

    async fn obtains_in(&mut self, ways: &[Way], further: &[(&str, &str)]) -> Option<Bait> {
        let (bait, refusals) = self.attacker.asks(ways, further).await;
        for (way, error) in refusals {
            self.stopped_by(Stop::NoCode(way, error));
        }
        bait
    }

    /// The victim types the code at the true page and goes on from there by nature.
    pub async fn is_typed(&mut self, bait: &Bait) {
        victim::type_code(&self.stage.person, self.stage.world, bait.code()).await;
        self.is_decided().await;
    }

    pub async fn is_opened(&mut self, bait: &Bait) {
        victim::open_link(&self.stage.person, bait.link(), bait.code()).await;
        self.is_decided().await;
    }

    /// The victim stands where the link led, by a click elsewhere.
    pub async fn is_finished(&mut self, bait: &Bait) {
        victim::finish_link(&self.stage.person, bait.code()).await;
        self.is_decided().await;
    }

    /// In a conversation that convinces anybody: both natures approve.
    pub async fn is_talked_through(&mut self, bait: &Bait) {
        victim::type_code(&self.stage.person, self.stage.world, bait.code()).await;
        let did = victim::approve(&self.stage.person).await;
        self.note(did);
    }

    /// As the attacker wishes, to be believed the next time.
    pub async fn is_declined(&mut self, bait: &Bait) {
        victim::type_code(&self.stage.person, self.stage.world, bait.code()).await;
        if let Some(words) = victim::problem(&self.stage.person).await {
            return self.stopped_by(Stop::NoApproval(words));
        }
        self.stage.person.decline().await;
        self.must_answer(bait, "access_denied").await;
    }

    /// The victim stands before what a code led to.
    pub async fn is_decided(&mut self) {
        let did = self.victim.decides(&self.stage.person).await;
        self.note(did);
    }

    fn note(&mut self, did: Did) {
        match did {
            Did::Approved(page) => {
                let warns = page.contains("Be careful");
                let is_lenient = ["open", "break-glass"].contains(&self.profile);
                assert_eq!(warns, is_lenient, "where any key may ask the page warns: {page}");
            }
            Did::Reported => self.stopped_by(Stop::Reported),
            Did::Refused(words) => self.stopped_by(Stop::NoApproval(words)),
        }
    }

    /// The attacker polls, and keeps what it gets: the tokens, if that is what came.
    pub async fn collects(&mut self, bait: &Bait) -> Option<Value> {
        match self.attacker.polls(bait).await {
            Ok(Loot::Tokens(tokens)) => {
                self.tokens.push(tokens.clone());
                return Some(tokens);
            }
            Ok(Loot::Instance(instance)) => self.instances.push(instance),
            Err(error) if error == "access_denied" && self.stops.contains(&Stop::Reported) => {}
            // What was never approved gives nothing: that is no second obstacle.
            Err(_) if self.stops.iter().any(|stop| matches!(stop, Stop::NoApproval(_))) => {}
            Err(error) => self.stopped_by(Stop::NoUse(error)),
        }
        None
    }

    /// Nothing for the attacker, and this error.
    pub async fn must_answer(&self, bait: &Bait, error: &str) {
        let polled = self.attacker.polls(bait).await;
        assert_eq!(polled.err().as_deref(), Some(error));
    }

    /// Into the inbox of whoever this leads to.
    pub async fn asks_by_inbox(&mut self, further: &[(&str, &str)]) -> Option<String> {
        match self.attacker.asks_by_inbox(further).await {
            Ok(auth_req_id) => Some(auth_req_id),
            Err(error) => {
                self.stopped_by(Stop::NotAsked(error));
                None
            }
        }
    }

    /// The victim approves whatever stands in the inbox.
    pub async fn inbox_is_emptied(&mut self) {
        if victim::approves_everything(&self.stage.person, self.stage.world).await == 0 {
            self.stopped_by(Stop::NobodyAsked);
        }
    }

    pub async fn collects_of_inbox(&mut self, auth_req_id: &str) {
        match self.attacker.polls_inbox(auth_req_id).await {
            Ok(tokens) => self.tokens.push(tokens),
            // What nobody was asked for gives nothing: that is no second obstacle.
            Err(error) => {
                assert_eq!(error, "authorization_pending");
                assert!(self.stops.contains(&Stop::NobodyAsked), "{:?}", self.stops);
            }
        }
    }

    /// The victim's own machine, known where the profile asks for that.
    pub async fn own_machine(&self) -> Home {
        let (home, world) = (Home::new(), self.stage.world);
        if ["standard", "privileged"].contains(&self.profile) {
            home.is_registered(world, &self.attacker.client, &self.stage.person.name)
                .await;
        }
        home
    }

    /// A request of the victim's own, by a program that knows no keys. None where the profile has no such.
    pub async fn victim_asks_with_stock_program(&self) -> Option<Started> {
        let client = &self.attacker.client;
        let answer = self
            .stage
            .world
            .post_with(
                "/device_authorization",
                &[("client_id", client)],
                &[("X-Forwarded-For", OFFICE)],
            )
            .await;
        (answer.status == 200).then(|| started(client, &answer))
    }

    /// The victim sends a token on, or does not.
    pub async fn is_pasted(&mut self, token: &str) {
        if self.victim == Victim::Careful {
            return self.stopped_by(Stop::Withheld);
        }
        match self.attacker.uses(token).await {
            Ok(()) => self.tokens.push(json!({"access_token": token})),
            Err(refusals) => {
                for error in refusals {
                    self.stopped_by(Stop::NoToken(error));
                }
            }
        }
    }

    /// The victim sends on the code that their own device shows, or does not.
    pub async fn joins_with(&mut self, user_code: &str) {
        if self.victim == Victim::Careful {
            return self.stopped_by(Stop::Withheld);
        }
        let answer = self.attacker.approves(user_code).await;
        self.stopped_by(Stop::NoJoin(answer.error()));
    }

    /// With the first token to something stronger: never let in.
    pub async fn mints_more(&self, tokens: &Value) {
        let let_in = self.attacker.mints_more(tokens).await;
        assert_eq!(
            let_in,
            Vec::<&str>::new(),
            "a token of a device grant made more than itself"
        );
    }

    /// The careful one rings back whoever is said to have called, and takes everything back.
    pub async fn thinks_again(&mut self) {
        if self.victim == Victim::Obedient || self.tokens.is_empty() {
            return;
        }
        victim::revoke_everything(&self.stage.person, self.stage.world).await;
        for tokens in &self.tokens {
            assert!(!self.stage.world.is_active(&tokens["access_token"]).await);
            assert_eq!(self.attacker.refreshes(tokens).await.error(), "invalid_grant");
        }
        self.is_taken_back = true;
    }

    pub async fn ends(self) -> Ending {
        let instances = self.stage.world.local(&["instance", "list", "--json"]).await;
        let enrolled = instances.expect_code(0).stdout.contains(NAME);
        assert_eq!(
            enrolled,
            !self.instances.is_empty(),
            "the list of instances and the attacker agree"
        );
        if self.tokens.is_empty() && self.instances.is_empty() {
            return self.ends_empty();
        }
        let (outcome, because) = if !self.instances.is_empty() {
            (Outcome::Yielded, "an enrolled instance")
        } else if self.profile != "open" {
            (Outcome::Yielded, "a token")
        } else {
            self.is_on_record().await;
            if self.is_taken_back {
                (Outcome::Recovered, "revoked on the account page: the tokens are dead")
            } else {
                victim::revoke_everything(&self.stage.person, self.stage.world).await;
                (
                    Outcome::OpenOnPurpose,
                    "a token; warned of on the page, both addresses in `device.approved`",
                )
            }
        };
        Ending {
            outcome,
            because: because.to_owned(),
        }
    }

    fn ends_empty(self) -> Ending {
        assert!(!self.stops.is_empty(), "nothing stopped it, and it got nothing");
        let is_by_victim = |stop: &Stop| matches!(stop, Stop::Reported | Stop::Withheld);
        let outcome = if self.stops.iter().any(is_by_victim) {
            Outcome::Disrupted
        } else {
            Outcome::Prevented
        };
        let because: Vec<String> = self.stops.iter().map(ToString::to_string).collect();
        Ending {
            outcome,
            because: because.join("; "),
        }
    }

    /// Who asked from where and who approved from where, for whoever looks into it later.
    async fn is_on_record(&self) {
        let mut events = self.stage.world.events().await;
        events.retain(|event| event["client_id"] == self.attacker.client.as_str());
        for action in ["device.requested", "device.approved", "device.redeemed"] {
            assert!(events.iter().any(|event| event["action"] == action), "no {action}");
        }
        let approved = events
            .iter()
            .find(|event| event["action"] == "device.approved")
            .unwrap();
        let detail = &approved["detail"];
        let facts = detail["facts"].to_string();
        assert!(facts.contains(ATTACKER) || facts.contains(OFFICE), "{approved}");
        assert!(
            [OFFICE, PHONE].map(Value::from).contains(&detail["approver.ip"]),
            "{approved}"
        );
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCode(Way::Plain, error) => write!(f, "no code without a key (`{error}`)"),
            Self::NoCode(Way::WithKey, error) => write!(f, "no code for an unknown key (`{error}`)"),
            Self::NoCode(Way::Enrollment, error) => write!(f, "no enrollment of it (`{error}`)"),
            Self::NoApproval(words) => {
                let first = words.split(['.', ':']).next().unwrap_or_default();
                write!(f, "the page refuses (“{}”)", first.trim())
            }
            Self::NotAsked(error) => write!(f, "it asks nobody (`{error}`)"),
            Self::NobodyAsked => f.write_str("nobody is asked"),
            Self::NoUse(error) => write!(f, "nothing is given out (`{error}`)"),
            Self::NoToken(error) => write!(f, "the victim's token serves no other key (`{error}`)"),
            Self::NoJoin(error) => write!(f, "a code joins only the key that asked (`{error}`)"),
            Self::Reported => f.write_str("declined and reported"),
            Self::Withheld => f.write_str("the victim sends nothing on"),
        }
    }
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Prevented => "prevented",
            Self::Disrupted => "disrupted",
            Self::Recovered => "recovered",
            Self::OpenOnPurpose => "open on purpose",
            Self::Yielded => "YIELDED",
        }
    }
}
