//! RFC 10027 played out: the campaigns of the last years and the exploits B1 to B9, each against each profile
//! and both kinds of victim, with a real browser and an attacker's own client. What is measured stands in
//! docs/rfc10027.md. Under every profile but `open` even the obedient victim yields nothing.

mod attacker;
mod campaigns;
mod exploits;
mod front;
mod mirror;
mod play;
mod site;
mod table;
mod terminal;
mod victim;
mod walk;

use std::net::TcpListener;

use self::front::Front;
use self::play::{Play, Stage};
use self::table::Row;
use self::victim::Victim;
use crate::browser::person::Person;
use crate::database::Database;
use crate::server::Setup;
use crate::world::alone_with;

/// A server behind a front, with a victim before a browser.
fn on_stage(database: Database, body: impl AsyncFnOnce(&Stage<'_>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup {
        issuer: Some(format!("http://localhost:{}", listener.local_addr().unwrap().port())),
        arguments: vec!["--trusted-proxy=127.0.0.0/8".to_owned()],
        ..Setup::busy()
    };
    alone_with(database, &setup, async |world| {
        let front = Front::open(listener, world.server.port);
        if let Some(person) = Person::enrolled(world).await {
            body(&Stage { world, front, person }).await;
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
