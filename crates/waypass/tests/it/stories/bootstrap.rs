//! A bootstrap script on a jump host: one command, five minutes, a passkey for the secrets, and nothing that serves twice.

use serde_json::json;

use super::tap::{Heard, sends};
use super::telling::Record;
use super::terminal::Terminal;
use super::{Stage, presents, uses};
use crate::keys::{Key, sha256};
use crate::resource_server::ResourceServer;

const RUN: &str = r#"waypass call https://jump-1.example.com/run --data "$(cat docs/stories/acts/bootstrap.json)""#;
const VAULT: &str = "waypass call https://jump-1.example.com/vault";

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    let Some(alice) = told.person("alice").await else {
        return;
    };
    let (admin, bob, jump) = (Terminal::new(told), Terminal::new(told), Terminal::new(told));
    bob.enrolls_approver("bob").await;
    let host = stage.serves("https://jump-1.example.com").await;
    set_up(stage, &admin, &jump).await;

    // Bob is on duty, in his terminal.
    let asking = jump
        .asks("waypass login --user-code --scope offline_access --details @docs/stories/asks/bootstrap.json")
        .await;
    told.block("asks");
    let decide = format!("{} --server http://localhost:8628 --key-file bob.key", asking.user_code);
    bob.types(&format!("waypass show {decide}")).await.expect_code(0);
    bob.types(&format!("waypass approve {decide}")).await.expect_code(0);
    told.block("bob");
    assert_eq!(asking.ends().await, Some(0));
    jump.types(RUN).await.expect_code(0);
    told.block("runs");
    lasts_five_minutes(stage).await;
    let first = stage.tap.heard("/token", "device_code=");

    // The secrets want a passkey: the command asks for that by itself, and Bob has none.
    let asking = jump.asks(VAULT).await;
    told.block("wants more");
    let inbox = "waypass inbox --server http://localhost:8628 --key-file bob.key";
    let listed = bob.types(inbox).await.expect_code(0);
    let request = listed.stdout.lines().next().unwrap();
    let approve = format!("waypass approve {request} --server http://localhost:8628 --key-file bob.key");
    told.fresh_events().await;
    bob.types(&approve).await.expect_code(5);
    told.block("too weak");
    let what = "an approval by a software key where a passkey is demanded";
    told.is_refused(what, (&bob, &approve), "refused", Record::Nothing)
        .await;
    alice.opens_waiting(told.world, &asking.words).await;
    told.page(&alice, "page").await;
    alice.approve().await;
    assert_eq!(asking.ends().await, Some(0));
    told.block("steps up");

    replays(stage, &jump, &host, &first).await;
    let copy = jump.copied().await;
    jump.types("waypass logout").await.expect_code(0);
    told.block("ends");
    copy.ages();
    told.fresh_events().await;
    let what = "a copy of all that the host kept, key included, after the end";
    told.is_refused(what, (&copy, "waypass token"), "login_required", Record::Nothing)
        .await;
}

async fn set_up(stage: &Stage<'_>, admin: &Terminal<'_>, jump: &Terminal<'_>) {
    for line in [
        "waypass group add operators alice --data data",
        "waypass group add operators bob --data data",
        "waypass client add bootstrap --data data --public --profile bootstrap --scope offline_access \\
    --resource https://jump-1.example.com --details docs/stories/ceilings/bootstrap.json",
    ] {
        admin.types(line).await.expect_code(0);
    }
    stage.telling.block("setup");
    let key = "waypass instance key --server http://localhost:8628 --client-id bootstrap > jump-1.jwk";
    jump.types(key).await.expect_code(0);
    let add =
        "waypass instance add bootstrap --data data --owner alice --name jump-1 --jwk-file jump-1.jwk --expires 30d";
    admin.types(add).await.expect_code(0);
    jump.types("waypass enroll --name jump-1").await.expect_code(0);
    stage.telling.block("registered");
}

async fn lasts_five_minutes(stage: &Stage<'_>) {
    let events = stage.telling.fresh_events().await;
    let of = |action: &str| events.iter().find(|event| event["action"] == action).unwrap();
    let (requested, approved) = (of("device.requested"), of("device.approved"));
    let ends = approved["detail"]["granted.expires_at"].as_i64().unwrap();
    let lasts = ends - requested["at"].as_i64().unwrap() / 1000;
    assert!((0..=300).contains(&lasts), "{lasts} s");
}

/// Somebody reads every line between the host and the servers, and sends it again.
async fn replays(stage: &Stage<'_>, jump: &Terminal<'_>, host: &ResourceServer, first: &Heard) {
    let (told, thief) = (&stage.telling, Key::new());
    let world = told.world;
    let redeemed = stage.tap.heard("/token", "auth_req_id=");
    world.remember(&redeemed.field("auth_req_id"));
    world.remember(&first.field("device_code"));
    told.fresh_events().await;
    let again = redeemed.again(world).await;
    told.refuses(
        "what was redeemed again, to the letter",
        &again.error(),
        Record::Nothing,
    )
    .await;
    let again = first.by(world, &thief).await;
    let (what, record) = (
        "an earlier device code, by another key: what came of it ends",
        Record::Event("device.replayed", "invalid_grant"),
    );
    told.refuses(what, &again.error(), record).await;

    let url = format!("{}/vault", host.url);
    let call = ("GET", url.as_str());
    let (good, [token, proof]) = uses(jump, "", call, "").await;
    assert_eq!(good.status, 200, "{good:?}");
    let again = presents(call, "DPoP", &token, &proof, "").await;
    told.refuses(
        "the same request at the resource, to the letter",
        &again.error(),
        Record::Elsewhere,
    )
    .await;
    let own = thief.proof("GET", &url, &json!({ "ath": sha256(&token) }));
    let other = presents(call, "DPoP", &token, &own, "").await;
    told.refuses("the token with another key", &other.error(), Record::Elsewhere)
        .await;
    let bare = presents(call, "Bearer", &token, &own, "").await;
    told.refuses("the token as a bearer token", &bare.error(), Record::Elsewhere)
        .await;

    for (what, from, to) in [
        ("the token for another command", "berlin-2", "berlin-3"),
        ("the token for a changed program", "1ccd", "2dde"),
    ] {
        let act = std::fs::read_to_string(crate::document::folder().join("stories/acts/bootstrap.json")).unwrap();
        let file = jump.file(&act.replace(from, to));
        let run = RUN.replace("docs/stories/acts/bootstrap.json", &file);
        let error = "insufficient_authorization_details";
        told.is_refused(what, (jump, &run), error, Record::Elsewhere).await;
    }

    let kept = jump.kept();
    let refresh_token = kept["tokens"]["refresh_token"].as_str().unwrap();
    world.remember(refresh_token);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", "bootstrap"),
    ];
    let other = sends(world, "/token", &form, &thief).await;
    told.refuses("the refresh token by another key", &other.error(), Record::Nothing)
        .await;
}
