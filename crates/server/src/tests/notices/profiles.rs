//! A profile says on which channels its requests may be told of.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::backchannel::CREW;
use super::super::pages::browser::Browser;
use super::super::quorum::joined;
use super::super::world::{Key, World, with_profiles};
use super::mail::{set, with_mail};
use super::push::Subscription;
use super::{Receiver, hook, told};

pub fn profile(name: &str, notices: &str) -> String {
    format!(
        r#"
name = "{name}"
purpose = "a test"
[assessment]
risk = "a chat that strangers read"
residual = "a push service learns that there is something"
[approval]
by = "owner"
notices = {notices}
starter = ["own_instance"]
[mitigations]
X07 = {{ ceremony = "off" }}
"#
    )
}

/// One instance of alice's under each profile; the client has the profile's name.
async fn instance(world: &World, profile: &str) -> Key {
    instance_of(world, profile, "alice").await
}

async fn instance_of(world: &World, profile: &str, owner: &str) -> Key {
    world.client(profile, json!({ "profile": profile })).await;
    world.enrolled(profile, owner).await
}

async fn ask(world: &World, client_id: &str, key: &Key) {
    let form = [("client_id", client_id), ("scope", "openid")];
    let asked = world.post_by("/backchannel_authentication", &form, key).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    told(world).await;
}

/// Who was told by webhook, and what the browser was told.
fn heard(hook: &Receiver, browser: &Subscription) -> (Vec<(String, u64)>, Vec<Value>) {
    let pushed = browser.service.got().into_iter();
    let texts = pushed.map(|(_, body)| browser.read(&body)["body"].clone());
    (hook.told(), texts.collect())
}

#[test]
fn a_request_is_told_of_on_the_channels_of_its_profile_only() {
    let profiles = [profile("by-push", r#"["push"]"#), profile("untold", "[]")];
    with_profiles(&profiles.each_ref().map(String::as_str), async |world| {
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let (all, subscription) = (Receiver::start().await, Subscription::new().await);
        hook(world, json!({}), &all).await;
        assert_eq!(subscription.turned_on(&browser).await.status, StatusCode::OK);
        let keys = ["untold", "by-push", "standard"];
        let [untold, by_push, standard] = keys.map(|profile| instance(world, profile));
        let (untold, by_push, standard) = (untold.await, by_push.await, standard.await);

        ask(world, "untold", &untold).await;
        assert_eq!(heard(&all, &subscription), (vec![], vec![]));
        let inbox = browser.get("/inbox").await.html;
        assert!(inbox.contains("untold"), "it waits all the same: {inbox}");

        ask(world, "by-push", &by_push).await;
        assert_eq!(
            heard(&all, &subscription),
            (vec![], vec![json!("1 request waits for alice. by-push asks.")])
        );
        world.advance(31);
        ask(world, "standard", &standard).await;
        assert_eq!(
            heard(&all, &subscription),
            (vec![("alice".to_owned(), 1)], vec![json!("2 requests wait for alice.")]),
            "each channel counts what it may tell of"
        );
    });
}

#[test]
fn a_profile_keeps_mail_away_while_webhooks_are_told() {
    with_mail("kept-away", async |world, mails| {
        world.approver("alice").await;
        let own = Receiver::start().await;
        hook(world, json!({ "approver": "alice" }), &own).await;
        assert_eq!(
            set(world, "alice", Some("alice@example.com")).await,
            StatusCode::NO_CONTENT
        );
        let (hooked, standard) = (instance(world, "hooked").await, instance(world, "standard").await);
        ask(world, "hooked", &hooked).await;
        assert_eq!(own.told(), [("alice".to_owned(), 1)]);
        assert!(mails.lock().unwrap().is_empty());

        world.advance(31);
        ask(world, "standard", &standard).await;
        assert_eq!(own.told(), [("alice".to_owned(), 2)]);
        let mail = mails.lock().unwrap().pop().expect("a mail");
        assert!(mail.contains("1 request waits"), "of what it may tell: {mail}");
    });
}

/// `prompts_per_hour` is 3.
#[test]
fn x11_x37_what_nobody_is_told_of_is_not_counted() {
    let group = |name: &str, notices: &str| {
        CREW.replace("\"crew\"", &format!("{name:?}"))
            .replace("[mitigations]", &format!("notices = [{notices:?}]\n[mitigations]"))
    };
    let profiles = [group("by-mail", "mail"), group("by-hook", "webhook")];
    with_profiles(&profiles.each_ref().map(String::as_str), async |world| {
        for name in ["alice", "bob", "carol"] {
            joined(world, name).await;
        }
        let (own, shared) = (Receiver::start().await, Receiver::start().await);
        hook(world, json!({ "approver": "carol" }), &own).await;
        hook(world, json!({ "group": "ops" }), &shared).await;
        let by_mail = instance(world, "by-mail").await;
        let by_hook = instance_of(world, "by-hook", "bob").await;
        for _ in 0..3 {
            ask(world, "by-mail", &by_mail).await;
        }
        assert_eq!((own.told(), shared.told()), (vec![], vec![]));
        ask(world, "by-hook", &by_hook).await;
        let told = |name: &str| vec![(name.to_owned(), 1)];
        assert_eq!((own.told(), shared.told()), (told("carol"), told("ops")));
    });
}
