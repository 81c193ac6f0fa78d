//! A profile says on which channels its requests may be told of.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::pages::browser::Browser;
use super::super::world::{Key, World, with_profiles};
use super::push::Subscription;
use super::{Receiver, hook, told};

fn profile(name: &str, notices: &str) -> String {
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
    world.client(profile, json!({ "profile": profile })).await;
    world.enrolled(profile, "alice").await
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
