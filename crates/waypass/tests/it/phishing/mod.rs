//! RFC 10027 played out: the campaigns of the last years and the exploits B1 to B9, each against each profile
//! and both kinds of victim, with a real browser and an attacker's own client. What is measured stands in
//! docs/rfc10027.md. Under every profile but `open` even the obedient victim yields nothing.

mod attacker;
mod beyond;
mod campaigns;
mod exploits;
pub mod front;
mod inbox;
mod mirror;
mod play;
mod site;
mod stories;
mod table;
mod terminal;
mod victim;
mod walk;

use std::net::TcpListener;

use self::front::Front;
use self::play::{Outcome, Play, Stage};
use self::stories::{By, Story};
use self::table::{Row, Told};
use self::victim::Victim;
use crate::browser::person::Person;
use crate::database::{Database, postgres};
use crate::server::Setup;
use crate::world::alone_with;

/// Many wrong codes come from one person; one network is the company's, another is shared by strangers.
const CONFIG: &str = "
[limits]
guesses_per_approver = 100
guesses_per_source = 1000
guesses_total = 100000

[network]
trusted_networks = [\"198.51.100.192/26\"]
shared_networks = [\"192.0.2.0/24\"]
";

/// A server behind a front, with a victim before a browser.
fn on_stage(database: Database, body: impl AsyncFnOnce(&Stage<'_>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup {
        issuer: Some(format!("http://localhost:{}", listener.local_addr().unwrap().port())),
        arguments: vec!["--trusted-proxy=127.0.0.0/8".to_owned()],
        config: CONFIG,
        ..Setup::default()
    };
    alone_with(database, &setup, async |world| {
        let front = Front::open(listener, world.server.port);
        if let Some(person) = Person::enrolled(world).await {
            body(&Stage::new(world, front, person)).await;
        }
    });
}

/// Each script by its name in the table, in the order of the table.
macro_rules! scripts {
    ($($name:literal => $script:path),+ $(,)?) => {
        /// Every script against one profile, with both victims.
        async fn every_script(stage: &Stage<'_>, profile: &'static str) -> Vec<Row> {
            let mut rows = Vec::new();
            $(for victim in Victim::BOTH {
                let mut play = Play::begin(stage, profile, victim).await;
                $script(&mut play).await;
                rows.push(Row { campaign: $name, victim, ending: play.ends().await });
            })+
            rows
        }
    };
}

scripts! {
    "Storm-2372: a code in a chat, then stronger credentials" => campaigns::storm_2372,
    "CozyLarch: a conversation with ever fresh codes" => campaigns::cozylarch,
    "UTA0352, UTA0355: the victim pastes back what their program got" => campaigns::uta0352,
    "UNC6040: a call from the helpdesk" => campaigns::unc6040,
    "SquarePhish, Graphish: a link whose code is made at the click" => campaigns::graphish,
    "TA2723, UNK_AcademicFlare: a page that shows a code made at the visit" => campaigns::academic_flare,
    "EvilTokens: a hosted page that fills the clipboard" => campaigns::evil_tokens,
    "Kali365: bound to the attacker's key, then a device registration" => campaigns::kali365,
    "Tycoon: a page in between, then a code" => campaigns::tycoon,
    "B1 streaming: one QR image mailed to many" => exploits::streaming,
    "B2 productivity: a mail with a deadline" => exploits::productivity,
    "B3 physical assets: the attacker's label over the honest one" => exploits::swapped_label,
    "B4.1 transactions: requests for a list of names" => exploits::bulk,
    "B4.2 transactions: a false helpdesk" => exploits::false_helpdesk,
    "B5 network join: the victim sends the code of their own device" => exploits::network_join,
    "B6 onboarding: a code on the first day" => exploits::onboarding,
    "B7 application bootstrap: the victim sends the token of their own device" => campaigns::own_token,
    "B8 account takeover: a page that shows each fresh code" => exploits::takeover,
    "B9 overload: request upon request" => exploits::overload,
}

#[test]
fn x38_the_campaigns_under_open_end_with_a_token_a_warning_and_a_record() {
    on_stage(Database::Sqlite, async |stage| {
        table::compare("open", &every_script(stage, "open").await);
    });
}

#[test]
fn x38_under_standard_the_obedient_victim_yields_neither_token_nor_instance() {
    on_stage(Database::Sqlite, async |stage| {
        table::compare("standard", &every_script(stage, "standard").await);
    });
}

#[test]
fn x38_under_privileged_the_obedient_victim_yields_neither_token_nor_instance() {
    on_stage(Database::Sqlite, async |stage| {
        table::compare("privileged", &every_script(stage, "privileged").await);
    });
}

/// One of the two who have to decide. Two who both obey, and read digits aloud to one caller, are what the
/// profile is for: docs/rfc10027.md says so. A sample, since ten prompts an hour are all that one person gets.
#[test]
fn x38_under_break_glass_one_obedient_member_yields_neither_token_nor_instance() {
    on_stage(Database::Sqlite, async |stage| {
        stage.colleague().await;
        let mut rows = Vec::new();
        for victim in Victim::BOTH {
            let mut play = Play::begin(stage, "break-glass", victim).await;
            campaigns::unc6040(&mut play).await;
            let campaign = "UNC6040: a call from the helpdesk";
            rows.push(Row {
                campaign,
                victim,
                ending: play.ends().await,
            });
            let mut play = Play::begin(stage, "break-glass", victim).await;
            campaigns::graphish(&mut play).await;
            let campaign = "SquarePhish, Graphish: a link whose code is made at the click";
            rows.push(Row {
                campaign,
                victim,
                ending: play.ends().await,
            });
        }
        table::compare("break-glass", &rows);
    });
}

/// The same rules on the other database: a sample, since what is played is not the database.
#[test]
fn x38_on_postgresql_the_obedient_victim_yields_as_little() {
    let Some(database) = postgres() else { return };
    on_stage(database, async |stage| {
        for profile in ["standard", "privileged"] {
            for is_call in [true, false] {
                let mut play = Play::begin(stage, profile, Victim::Obedient).await;
                if is_call {
                    campaigns::unc6040(&mut play).await;
                } else {
                    campaigns::graphish(&mut play).await;
                }
                assert_eq!(play.ends().await.outcome, Outcome::Prevented, "{profile}");
            }
        }
    });
}

/// Each story by its name in the table.
macro_rules! stories {
    ($($name:literal => $story:path),+ $(,)?) => {
        async fn every_story(stage: &Stage<'_>, by: By) -> Vec<Told> {
            let mut told = Vec::new();
            $({
                let story = Story::begin(stage, by).await;
                $story(&story).await;
                let (acts, seconds) = story.walk.ends();
                told.push(Told { story: $name, by, acts, seconds });
            })+
            told
        }
    };
}

stories! {
    "one request of a laptop that is enrolled" => stories::once_more,
    "office: laptop and browser on one network" => stories::office,
    "home, and the phone on mobile data" => stories::home_and_phone,
    "a jump host in another country" => stories::jump_host,
    "a laptop behind the company's VPN" => stories::vpn,
    "CI: a machine that nobody sits at" => stories::ci,
    "two people behind one address" => stories::shared_address,
    "an approver on holiday" => stories::on_holiday,
    "a lost passkey" => stories::lost_passkey,
    "a re-installed machine" => stories::reinstalled,
    "an instance handed over" => stories::handed_over,
}

#[test]
fn honest_people_get_through_and_every_step_of_theirs_is_counted() {
    // A server for each way: thirty prompts an hour are all that one person gets.
    let told = By::BOTH.map(|by| {
        let mut told = Vec::new();
        on_stage(Database::Sqlite, async |stage| told = every_story(stage, by).await);
        told
    });
    let [codes, inboxes] = told;
    // Where there is no browser there are none.
    if !inboxes.is_empty() {
        let pairs = codes.into_iter().zip(inboxes);
        table::compare_stories(&pairs.flat_map(|(code, inbox)| [code, inbox]).collect::<Vec<_>>());
    }
}
