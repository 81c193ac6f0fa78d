//! A support engineer on one host for two hours: a managed machine, two people, and the second gives less.

use super::Stage;
use super::telling::Record;
use super::terminal::Terminal;
use crate::browser::person::Person;
use crate::keys::claims;
use crate::server::Folder;

const LOGIN: &str = "waypass login --scope offline_access --details @docs/stories/asks/support.json";

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    let (Some(erin), Some(lee)) = (told.person("erin").await, told.person("lee").await) else {
        return;
    };
    let (admin, laptop) = (Terminal::new(told), Terminal::new(told));
    let key = set_up(stage, &admin, &laptop).await;
    let states = |is_sound: bool, ago: i64| write(&told.world.server.folder, &stage.posture(&key, is_sound, ago));

    // The management knows of an unlocked screen: nobody is even asked.
    states(false, 0);
    told.fresh_events().await;
    laptop.types(LOGIN).await.expect_code(5);
    let what = "a machine that is not as demanded asks";
    let record = Record::Event("device.refused", "posture_unmet");
    told.is_refused(what, (&laptop, LOGIN), "unauthorized_client", record)
        .await;
    told.block("unsound");

    states(true, 0);
    let asking = laptop.asks(LOGIN).await;
    erin.opens_waiting(told.world, &asking.words).await;
    told.page(&erin, "first").await;
    erin.browser.click("[data-passkey=approve]").await;
    erin.browser.wait_for_text("1 more person").await;
    must_be_another(stage, &erin).await;
    gives_less(stage, &lee).await;
    assert_eq!(asking.ends().await, Some(0));
    told.block("approved");
    one_host_for_two_hours(stage, &laptop).await;

    // Found unsound while it works: no more tokens, until it is mended.
    states(false, 0);
    laptop.ages();
    told.fresh_events().await;
    laptop.types("waypass token").await.expect_code(5);
    let what = "a refresh after the machine fell out of posture";
    let record = Record::Event("token.refused", "posture_unmet");
    told.is_refused(what, (&laptop, "waypass token"), "unauthorized_client", record)
        .await;
    told.block("falls out");
    states(true, 3700);
    let what = "a refresh with what was true an hour ago";
    let record = Record::Event("token.refused", "posture_stale");
    told.is_refused(what, (&laptop, "waypass token"), "invalid_request", record)
        .await;
    states(true, 0);
    laptop.token("").await;
}

/// Their public key, as the management knows it.
async fn set_up(stage: &Stage<'_>, admin: &Terminal<'_>, laptop: &Terminal<'_>) -> String {
    let told = &stage.telling;
    for line in [
        "waypass group add support-leads lee --data data",
        "waypass client add support --data data --public --profile support --scope offline_access --details-type ssh",
    ] {
        admin.types(line).await.expect_code(0);
    }
    told.block("setup");
    let key =
        "waypass instance key --server http://localhost:8628 --client-id support --posture-jwt mdm.jwt > laptop.jwk";
    laptop.types(key).await.expect_code(0);
    let add =
        "waypass instance add support --data data --owner erin --name erin-laptop --jwk-file laptop.jwk --expires 30d";
    admin.types(add).await.expect_code(0);
    laptop.types("waypass enroll --name erin-laptop").await.expect_code(0);
    told.block("registered");
    std::fs::read_to_string(told.world.server.folder.join("laptop.jwk")).unwrap()
}

fn write(folder: &Folder, posture: &str) {
    std::fs::write(folder.join("mdm.jwt"), posture).unwrap();
}

/// Whoever has approved is not also the second.
async fn must_be_another(stage: &Stage<'_>, erin: &Person) {
    erin.browser.open(&stage.telling.world.htu("/")).await;
    erin.browser.find("main").await;
    let waiting = "return document.querySelectorAll(\"form[action$='/open']\").length";
    assert_eq!(erin.browser.script(waiting, &[]).await, 0, "it waits for somebody else");
}

/// The lead leaves one host of two.
async fn gives_less(stage: &Stage<'_>, lee: &Person) {
    let browser = &lee.browser;
    browser.open(&stage.telling.world.htu("/")).await;
    browser.click("form[action$='/open'] button").await;
    browser.click("details.less summary").await;
    browser.click("#less input[name=detail][value='1']").await;
    stage.telling.picture(lee, "less").await;
    browser.click("#less button[type=submit]").await;
    browser.wait_for_text("Less than was asked for").await;
    stage.telling.page(lee, "second").await;
    browser.click("[data-passkey=approve]").await;
    browser.wait_for_text("nothing more for you to do").await;
}

async fn one_host_for_two_hours(stage: &Stage<'_>, laptop: &Terminal<'_>) {
    let token = laptop.token("").await;
    let granted = claims(&token)["authorization_details"].clone();
    assert_eq!(granted.as_array().unwrap().len(), 1, "{granted}");
    assert_eq!(granted[0]["hosts"][0], "db-3.example.com");
    let events = stage.telling.world.events().await;
    let of = |action: &str| events.iter().find(|event| event["action"] == action).unwrap();
    let (first, second) = (of("device.endorsed"), of("device.approved"));
    assert_ne!(first["approver_id"], second["approver_id"]);
    assert_eq!(second["detail"]["narrowed"], true);
    let lasts = second["detail"]["granted.expires_at"].as_i64().unwrap() - second["at"].as_i64().unwrap() / 1000;
    assert!((0..=7200).contains(&lasts), "{lasts} s");
}
