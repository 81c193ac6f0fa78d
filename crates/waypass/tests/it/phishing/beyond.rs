//! Beyond the campaigns: attackers who hold an enrolled key, sit behind the victim's address, borrow it through
//! the victim's browser, or are helped along by a person in another way. What is left is said as it is.

use serde_json::json;

use super::attacker::{Attacker, Bait, Loot, NAME, Way};
use super::front::{ATTACKER, OFFICE, PHONE};
use super::on_stage;
use super::play::Stage;
use super::site::Site;
use super::terminal::register;
use super::victim::{self, Did};
use crate::approver::Approver;
use crate::database::Database;
use crate::world::SCOPES;

async fn client(stage: &Stage<'_>, profile: &str) -> String {
    let flags = ["--public", "--profile", profile, "--scope", SCOPES];
    stage.world.client(&flags).await
}

/// The obedient victim, with a code that the attacker has.
async fn obeys(stage: &Stage<'_>, bait: &Bait) -> Did {
    victim::type_code(&stage.person, stage.world, bait.code()).await;
    victim::approve(&stage.person).await
}

#[test]
fn x07_x40_an_enrolled_key_of_somebody_else_cannot_ask_the_victim() {
    on_stage(Database::Sqlite, async |stage| {
        for profile in ["standard", "privileged"] {
            let attacker = Attacker::of(stage.world, &client(stage, profile).await);
            let insider = stage.world.new_approver().await;
            let key = stage.world.file(&attacker.key.jwk().to_string());
            register(stage.world, &attacker.client, &insider.name, &key).await;
            let bait = attacker.asks_in(Way::WithKey, &[]).await.unwrap();
            let did = obeys(stage, &bait).await;
            assert!(matches!(did, Did::Refused(_)), "{profile}: {did:?}");
            assert_eq!(attacker.polls(&bait).await.err().unwrap(), "authorization_pending");
        }
    });
}

#[test]
fn x01_a_carriers_address_is_shared_with_strangers_and_proves_nothing() {
    on_stage(Database::Sqlite, async |stage| {
        stage.front.browser_at(PHONE);
        let attacker = Attacker::of(stage.world, &client(stage, "standard").await).at(PHONE);
        let bait = attacker.asks_in(Way::Enrollment, &[]).await.unwrap();
        let did = obeys(stage, &bait).await;
        assert!(matches!(did, Did::Refused(_)), "{did:?}");
        assert_eq!(attacker.polls(&bait).await.err().unwrap(), "authorization_pending");
    });
}

/// The attacker's page in the victim's browser asks from the victim's address, as far as browsers let it.
#[test]
fn x01_a_page_in_the_victims_browser_lends_nobody_its_address() {
    on_stage(Database::Sqlite, async |stage| {
        let client = client(stage, "standard").await;
        let site = Site::open().await;
        let browser = &stage.person.browser;
        let page = lending(&stage.world.server.issuer, &client);
        tokio::join!(browser.open(&site.origin), async {
            site.visit("/").await.shows(&page).await;
        });
        browser.wait_for_text("refused by the browser").await;
        browser.click("button").await;
        browser.wait_for_text("invalid_dpop_proof").await;
        let instances = stage.world.local(&["instance", "list", "--json"]).await.expect_code(0);
        assert!(!instances.stdout.contains(NAME), "{}", instances.stdout);
        // Were the page on the server's own name by a trick of DNS, the mark of a browser would still be there.
        let attacker = Attacker::of(stage.world, &client).at(OFFICE);
        let bait = attacker.asks_from_a_page().await;
        let did = obeys(stage, &bait).await;
        assert!(matches!(did, Did::Refused(_)), "{did:?}");
    });
}

/// A script that asks with a key, which a browser sends nowhere without leave, and a form, which has none.
fn lending(issuer: &str, client: &str) -> String {
    let body = format!("client_id={client}&name={NAME}");
    format!(
        "<p id=told></p><form method=post action='{issuer}/enrollment'>
        <input name=client_id value='{client}'><input name=name value='{NAME}'><button>Go on</button></form>
        <script>fetch('{issuer}/enrollment', {{method: 'POST', body: new URLSearchParams('{body}'),
            headers: {{DPoP: 'a.b.c'}}}}).then(() => 'answered', () => 'refused by the browser')
            .then((text) => told.textContent = text)</script>"
    )
}

/// The risk that is left, as docs/rfc10027.md says it: behind the victim's own address an attacker can be enrolled
/// by a victim who obeys, and then ask. `privileged` knows no such ceremony.
#[test]
fn x01_behind_the_victims_own_address_the_obedient_victim_enrolls_the_attacker() {
    on_stage(Database::Sqlite, async |stage| {
        let attacker = Attacker::of(stage.world, &client(stage, "standard").await).at(OFFICE);
        let bait = attacker.asks_in(Way::Enrollment, &[]).await.unwrap();
        assert!(matches!(obeys(stage, &bait).await, Did::Approved(_)));
        let Ok(Loot::Instance(instance)) = attacker.polls(&bait).await else {
            panic!("this is less than docs/rfc10027.md says is left")
        };
        let asked = attacker.asks_in(Way::WithKey, &[]).await.unwrap();
        assert!(matches!(obeys(stage, &asked).await, Did::Approved(_)));
        let Ok(Loot::Tokens(tokens)) = attacker.polls(&asked).await else {
            panic!("this is less than docs/rfc10027.md says is left")
        };
        let id = instance["instance_id"].as_str().unwrap();
        stage.world.local(&["instance", "remove", id]).await.expect_code(0);
        assert!(!stage.world.is_active(&tokens["access_token"]).await);
        assert_eq!(attacker.refreshes(&tokens).await.error(), "invalid_grant");
        let strict = Attacker::of(stage.world, &client(stage, "privileged").await).at(OFFICE);
        assert_eq!(strict.asks_in(Way::Enrollment, &[]).await.err().unwrap(), "refused");
    });
}

/// Left over: an insider offers the machine whose key they hold, the obedient victim takes it, and approves what
/// it asks. It takes an approver's own account, and ends with the instance.
#[test]
fn x40_an_insider_elsewhere_cannot_hand_a_machine_to_a_victim_who_takes_it() {
    on_stage(Database::Sqlite, async |stage| {
        let (victim, insider) = (&stage.person, stage.colleague().await);
        let attacker = Attacker::of(stage.world, &client(stage, "standard").await);
        let key = stage.world.file(&attacker.key.jwk().to_string());
        register(stage.world, &attacker.client, &insider.name, &key).await;
        let instances = stage.world.local(&["instance", "list", "--json"]).await.expect_code(0);
        let id = instances.json()[0]["instance_id"].as_str().unwrap().to_owned();
        let device = format!("/account/devices/{id}");
        stage.front.browser_at(ATTACKER);
        insider.browser.open(&stage.world.htu(&device)).await;
        insider.browser.type_into("#to", &victim.name).await;
        insider.browser.click("form[action$='/offer'] button").await;
        insider.browser.find("[role=status]").await;
        stage.front.browser_at(OFFICE);
        victim.browser.open(&stage.world.htu("/account/devices")).await;
        victim.browser.click("form[action$='/take'] button").await;
        victim.browser.wait_for_text("Nothing proves").await;
        let bait = attacker.asks_in(Way::WithKey, &[]).await.unwrap();
        let did = obeys(stage, &bait).await;
        assert!(matches!(did, Did::Refused(_)), "{did:?}");
        assert_eq!(attacker.polls(&bait).await.err().unwrap(), "authorization_pending");
    });
}

/// A mail filter, or whoever got the mail and knew better, says so: what came of the code ends (X06).
#[test]
fn x05_x06_a_reported_code_ends_the_tokens_that_came_of_it() {
    on_stage(Database::Sqlite, async |stage| {
        let attacker = Attacker::of(stage.world, &client(stage, "open").await);
        let bait = attacker.asks_in(Way::WithKey, &[]).await.unwrap();
        assert!(matches!(obeys(stage, &bait).await, Did::Approved(_)));
        let Ok(Loot::Tokens(tokens)) = attacker.polls(&bait).await else {
            panic!("`open` is open")
        };
        assert!(stage.world.is_active(&tokens["access_token"]).await);
        let report = ["request", "report-code", bait.code(), "--seen-in", "mail"];
        stage.world.local(&report).await.expect_code(0);
        assert!(!stage.world.is_active(&tokens["access_token"]).await);
        assert_eq!(attacker.refreshes(&tokens).await.error(), "invalid_grant");
    });
}

/// Left over as well: an enrollment link is for whoever has it. It serves once, so that the person whose it was
/// finds it used, and a new link ends what came of the old one.
#[test]
fn an_enrollment_link_that_was_passed_on_is_noticed_and_taken_back() {
    on_stage(Database::Sqlite, async |stage| {
        let link = stage.world.enrollment_link("newcomer").await;
        let attacker = Approver::new("newcomer");
        attacker.enroll(&stage.world.server, &link).await.expect(200);
        let late = Approver::new("newcomer").enroll(&stage.world.server, &link).await;
        assert!(late.status >= 400, "the link served twice: {late:?}");
        let relinked = stage.world.local(&["approver", "relink", "newcomer", "--json"]).await;
        let link = relinked.expect_code(0).json()["enrollment_link"]
            .as_str()
            .unwrap()
            .to_owned();
        stage.world.remember(link.split_once('#').unwrap().1);
        let body = json!({"user_code": "BCDF-GHJK"});
        let answer = attacker.call(&stage.world.server, "view", &body).await;
        assert_eq!(answer.error(), "refused", "the attacker's key still decides");
    });
}
