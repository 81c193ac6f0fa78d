//! The victim: an approver with a real browser and a real passkey, in one of two minds. The obedient one
//! does whatever the attacker says; the careful one looks at what the page says first.

use serde_json::Value;

use crate::browser::person::Person;
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// Types any code, opens any link, passes any ceremony, approves, reads any number aloud.
    Obedient,
    /// Started nothing, and so declines and reports what asks in their name.
    Careful,
}

/// What became of a code in the victim's hands.
#[derive(Debug)]
pub enum Did {
    /// And what the page said while it asked.
    Approved(String),
    Reported,
    /// The server would not have it, in these words.
    Refused(String),
}

/// The page asks for a decision, tells of one, or complains.
pub const ANSWERED: &str = "[data-passkey=approve], p.seal, p.code, .problem:not(:empty), h1 + .lede + .acts";

/// The same after a decision.
pub const DECIDED: &str = "p.seal, p.code, .problem:not(:empty), h1 + .lede + .acts";

impl Victim {
    pub const BOTH: [Self; 2] = [Self::Obedient, Self::Careful];

    pub fn name(self) -> &'static str {
        match self {
            Self::Obedient => "obedient",
            Self::Careful => "careful",
        }
    }

    /// Before the page that a typed code or an opened link led to.
    pub async fn decides(self, person: &Person) -> Did {
        match self {
            Self::Obedient => approve(person).await,
            Self::Careful => report(person).await,
        }
    }
}

/// The code as it was told: small letters and no dash, for nobody spells a dash on the telephone.
pub async fn type_code(person: &Person, world: &World, code: &str) {
    let told = code.replace('-', "").to_lowercase();
    person.type_code(world, &told).await;
    person.browser.find(ANSWERED).await;
}

/// Opens a link, and types what the attacker says is the rest of it.
pub async fn open_link(person: &Person, link: &str, code: &str) {
    person.browser.open(link).await;
    finish_link(person, code).await;
}

pub async fn finish_link(person: &Person, code: &str) {
    person.browser.find("#user-code").await;
    let wants_half = person
        .browser
        .script("return !!document.querySelector('[name=first_half]')", &[]);
    let rest = if wants_half.await == Value::Bool(true) {
        code.split_once('-').unwrap().1
    } else {
        code
    };
    person.browser.type_into("#user-code", rest).await;
    person.browser.click("main form button[type=submit]").await;
    person.browser.find(ANSWERED).await;
}

/// Approves whatever stands there.
pub async fn approve(person: &Person) -> Did {
    let browser = &person.browser;
    if let Some(problem) = problem(person).await {
        return Did::Refused(problem);
    }
    let said = browser.text().await;
    browser.click("[data-passkey=approve]").await;
    browser.find(DECIDED).await;
    match problem(person).await {
        Some(problem) => Did::Refused(problem),
        None => Did::Approved(said),
    }
}

/// Approves whatever stands in the inbox, until nothing does. How much that was.
pub async fn approves_everything(person: &Person, world: &World) -> usize {
    let mut approved = 0;
    loop {
        person.browser.open(&world.htu("/inbox")).await;
        person.browser.find("[data-inbox]").await;
        let count = "return Number(document.querySelector('[data-inbox]').dataset.count)";
        if person.browser.script(count, &[]).await == 0 {
            return approved;
        }
        person.browser.click("form[action$='/open'] button").await;
        approves_own(person).await;
        approved += 1;
    }
}

/// What the person did start, which nothing may stand in the way of.
pub async fn approves_own(person: &Person) {
    let did = approve(person).await;
    assert!(matches!(did, Did::Approved(_)), "{did:?}");
}

async fn report(person: &Person) -> Did {
    if let Some(problem) = problem(person).await {
        return Did::Refused(problem);
    }
    person.browser.click("button.report").await;
    person.browser.wait_for_text("Declined and reported").await;
    Did::Reported
}

/// What the page complains of.
pub async fn problem(person: &Person) -> Option<String> {
    let browser = &person.browser;
    browser.find(ANSWERED).await;
    let script = "const e = document.querySelector('.problem:not(:empty), .lede:has(+ .acts)');
        return e ? e.innerText : null;";
    let text = browser.script(script, &[]).await;
    text.as_str().map(str::to_owned)
}

/// Everything that acts for the person, taken back on the account page.
pub async fn revoke_everything(person: &Person, world: &World) {
    let browser = &person.browser;
    let grants = "return document.querySelectorAll(\"form[action$='/revoke'] button\").length";
    loop {
        // Opened anew, without the notice of the last act.
        browser.open(&world.htu("/account")).await;
        browser.find("#grants").await;
        if browser.script(grants, &[]).await == 0 {
            return;
        }
        browser.click("form[action$='/revoke'] button").await;
        browser.find("[role=status]").await;
    }
}
