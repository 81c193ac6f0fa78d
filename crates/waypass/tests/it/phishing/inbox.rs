//! Attackers before the inbox: whatever stands there an obedient victim approves, so what counts is who can put
//! anything there. OpenID CIBA's own attack, RFC 10027 §6.2.2. What is measured stands in docs/rfc10027.md.

use serde_json::Value;

use super::attacker::Attacker;
use super::on_stage;
use super::play::{Play, Stage};
use super::table::{self, Asked};
use super::terminal::register;
use super::victim::{self, Victim};
use crate::approver::Approver;
use crate::browser::looks::look;
use crate::database::{Database, postgres};
use crate::world::SCOPES;

/// `X11` of `standard`.
const PROMPTS_PER_HOUR: usize = 30;
/// As long as a message may be.
const MARKUP: &str = "</bdi><img src=x onerror=alert(1)><b>Approved</b> &amp; safe {{7*7}} <script>alert(1)</script>";
/// What an inbox shows of one instance at most.
const SHOWN: usize = 5;

/// Each script by its name in the table.
macro_rules! scripts {
    ($($name:literal => $script:path),+ $(,)?) => {
        async fn every_script(stage: &Stage<'_>) -> Vec<Asked> {
            let mut rows = Vec::new();
            $(for profile in ["open", "standard", "privileged"] {
                let mut play = Play::begin(stage, profile, Victim::Obedient).await;
                $script(&mut play).await;
                rows.push(Asked { script: $name, profile, ending: play.ends().await });
            })+
            rows
        }
    };
}

scripts! {
    "a stranger with a key of their own names the victim" => stranger,
    "an insider asks from a machine of their own and names the victim" => insider,
    "an insider names a group that the victim is in" => groups,
    "an insider names the victim as often as it goes" => storm,
}

#[test]
fn x33_x38_before_the_inbox_of_an_obedient_victim() {
    on_stage(Database::Sqlite, async |stage| {
        stage.colleague().await;
        table::compare_inboxes(&every_script(stage).await);
    });
}

/// The same rules on the other database: a sample.
#[test]
fn x33_x38_on_postgresql_the_inbox_is_as_closed() {
    let Some(database) = postgres() else { return };
    on_stage(database, async |stage| {
        let mut play = Play::begin(stage, "standard", Victim::Obedient).await;
        insider(&mut play).await;
        assert_eq!(play.ends().await.outcome.name(), "prevented");
    });
}

/// Knows the public name of a client and of a person, as strangers do.
async fn stranger(play: &mut Play<'_>) {
    let victim = play.stage.person.name.clone();
    for hint in [&[][..], &[("login_hint", &*victim)]] {
        let asked = play.asks_by_inbox(hint).await;
        assert_eq!(asked, None, "an unknown key asks somebody");
    }
    play.inbox_is_emptied().await;
}

/// An approver as others are, with a machine that is known.
async fn has_a_machine(play: &Play<'_>) -> Approver {
    let (world, attacker) = (play.stage.world, &play.attacker);
    let insider = world.new_approver().await;
    let key = world.file(&attacker.key.jwk().to_string());
    register(world, &attacker.client, &insider.name, &key).await;
    insider
}

async fn insider(play: &mut Play<'_>) {
    has_a_machine(play).await;
    let victim = play.stage.person.name.clone();
    let asked = play.asks_by_inbox(&[("login_hint", &victim)]).await.unwrap();
    play.inbox_is_emptied().await;
    play.collects_of_inbox(&asked).await;
}

async fn groups(play: &mut Play<'_>) {
    has_a_machine(play).await;
    for group in ["group:privileged", "group:break-glass"] {
        let asked = play.asks_by_inbox(&[("login_hint", group)]).await.unwrap();
        play.inbox_is_emptied().await;
        play.collects_of_inbox(&asked).await;
    }
}

/// Under `open` nothing is counted, and one is enough; so it stays small there.
async fn storm(play: &mut Play<'_>) {
    has_a_machine(play).await;
    let victim = play.stage.person.name.clone();
    let tries = if play.profile == "open" {
        3
    } else {
        PROMPTS_PER_HOUR + 1
    };
    let mut asked = Vec::new();
    for _ in 0..tries {
        asked.extend(play.asks_by_inbox(&[("login_hint", &victim)]).await);
    }
    assert!(asked.len() <= PROMPTS_PER_HOUR, "{}", asked.len());
    play.inbox_is_emptied().await;
    play.collects_of_inbox(&asked[0]).await;
}

/// A machine of the victim's own, whose key is a file that was copied: the one way into their inbox.
async fn with_a_copied_key<'a>(stage: &'a Stage<'a>) -> Attacker<'a> {
    let flags = ["--public", "--profile", "standard", "--scope", SCOPES];
    let attacker = Attacker::of(stage.world, &stage.world.client(&flags).await);
    let key = stage.world.file(&attacker.key.jwk().to_string());
    register(stage.world, &attacker.client, &stage.person.name, &key).await;
    attacker
}

/// Left over, as docs/rfc10027.md says it: bounded, warned of, on the record, and over with the instance.
#[test]
fn x37_a_storm_by_a_copied_key_is_bounded_warned_of_and_ends_with_the_instance() {
    on_stage(Database::Sqlite, async |stage| {
        let (world, person) = (stage.world, &stage.person);
        let attacker = with_a_copied_key(stage).await;
        let mut answers = Vec::new();
        for _ in 0..PROMPTS_PER_HOUR + 5 {
            answers.push(attacker.asks_by_inbox(&[]).await);
        }
        let refused: Vec<&String> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert_eq!(refused, ["rate_limited"; 5], "so many are let through in an hour");
        person.browser.open(&world.htu("/inbox")).await;
        person.browser.find(".things li").await;
        let listed = "return document.querySelectorAll('.things li').length";
        assert_eq!(person.browser.script(listed, &[]).await, SHOWN);
        person.browser.click("form[action$='/open'] button").await;
        person.browser.find("[data-passkey=approve]").await;
        let page = person.browser.text().await;
        assert!(page.contains("far away from you"), "both ends are compared: {page}");
        victim::approves_own(person).await;
        let tokens = attacker.polls_inbox(answers[0].as_ref().unwrap()).await;
        let tokens = tokens.expect("this is less than docs/rfc10027.md says is left");
        let instances = world.local(&["instance", "list", "--json"]).await.expect_code(0).json();
        let id = instances[0]["instance_id"].as_str().unwrap();
        world.local(&["instance", "remove", id]).await.expect_code(0);
        assert!(!world.is_active(&tokens["access_token"]).await);
        assert_eq!(attacker.asks_by_inbox(&[]).await.unwrap_err(), "unauthorized_client");
    });
}

/// Words are compared by eye, so what cannot be seen, or turns round what can, is refused; markup is text.
#[test]
fn x33_hostile_words_beside_a_request_are_refused_or_shown_as_they_are() {
    on_stage(Database::Sqlite, async |stage| {
        let (world, person) = (stage.world, &stage.person);
        let attacker = with_a_copied_key(stage).await;
        for hostile in [
            "\u{202e}revoked",
            "\u{2066}bright harbour",
            "bright\u{200b}harbour",
            "\u{1b}[2J\u{1b}[1;1Happroved",
            "bright harbour\nApproved by the security team",
            "bright\u{a0}harbour",
            "\u{feff}bright",
            "\u{1f512} verified",
            &"long ".repeat(21),
        ] {
            let asked = attacker.asks_by_inbox(&[("binding_message", hostile)]).await;
            assert_eq!(asked.unwrap_err(), "invalid_binding_message", "{hostile:?}");
        }
        attacker.asks_by_inbox(&[("binding_message", MARKUP)]).await.unwrap();
        person.browser.open(&world.htu("/inbox")).await;
        person.browser.wait_for_text(MARKUP).await;
        look(&person.browser, "inbox-hostile", false).await;
        person.browser.open(&world.htu("/inbox")).await;
        is_no_markup(stage).await;
        person.browser.click("form[action$='/open'] button").await;
        person.browser.wait_for_text(MARKUP).await;
        is_no_markup(stage).await;
    });
}

async fn is_no_markup(stage: &Stage<'_>) {
    let made = "return document.querySelectorAll('main img, main b, main script:not([src])').length";
    assert_eq!(stage.person.browser.script(made, &[]).await, Value::from(0));
}
