//! Requests that go to their approver by themselves: OpenID CIBA in poll mode. I01-I05, X32, X33, X37.

use http::StatusCode;
use serde_json::{Value, json};

use super::quorum::joined;
use super::world::{Answer, Key, World, on_both, with_profiles};

const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// Members of `ops` stand in for an owner who does not answer within five minutes.
pub const ON_CALL: &str = r#"
name = "on-call"
purpose = "a test"
[assessment]
risk = "nobody answers"
residual = "two who obey"
[approval]
by = "owner"
group = "ops"
software_keys = true
starter = ["own_instance", "group_instance"]
escalate_after = 300
[mitigations]
X02 = 900
X07 = { ceremony = "off" }
"#;

pub const CREW: &str = r#"
name = "crew"
purpose = "a test"
[assessment]
risk = "nobody answers"
residual = "one who obeys"
[approval]
by = "group"
group = "ops"
software_keys = true
starter = ["own_instance", "group_instance"]
[mitigations]
X07 = { ceremony = "off" }
X11 = { prompts_per_hour = 3, quiet_hours = { from = "22:00", to = "06:00", offset = "00:00" } }
"#;

pub async fn ask(world: &World, key: &Key, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("client_id", "cli"), ("scope", "openid offline_access read")];
    form.extend(more);
    world.post_by("/backchannel_authentication", &form, key).await
}

pub async fn asked(world: &World, key: &Key, more: &[(&str, &str)]) -> Answer {
    let answer = ask(world, key, more).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer
}

async fn poll(world: &World, asked: &Answer, key: &Key) -> Answer {
    let code = asked.text("auth_req_id");
    let form = [
        ("grant_type", CIBA),
        ("client_id", "cli"),
        ("auth_req_id", code.as_str()),
    ];
    world.post_by("/token", &form, key).await
}

async fn inbox(world: &World, approver: &Key) -> Vec<Value> {
    let answer = world.call("/approver/waiting", &json!({}), approver).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["requests"].as_array().unwrap().clone()
}

async fn look(world: &World, request: &Value, approver: &Key) -> Answer {
    let body = json!({ "request_id": request["request_id"] });
    world.call("/approver/view", &body, approver).await
}

pub async fn approve_first(world: &World, approver: &Key) -> Answer {
    let view = look(world, &inbox(world, approver).await[0], approver).await;
    assert_eq!(view.status, StatusCode::OK, "{}", view.body);
    world
        .call("/approver/approve", &approver.decision(&view.body), approver)
        .await
}

/// A client `cli`, an instance of alice's, and three approvers; bob and carol are of `ops`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn under(profile: &'static str, test: impl AsyncFn(&World, &Key, [&Key; 3])) {
    with_profiles(&[ON_CALL, CREW], async |world| {
        world.client("cli", json!({ "profile": profile })).await;
        let alice = world.approver("alice").await;
        let bob = joined(world, "bob").await;
        let carol = joined(world, "carol").await;
        let key = world.enrolled("cli", "alice").await;
        test(world, &key, [&alice, &bob, &carol]).await;
    });
}

#[test]
fn i01_i02_i03_an_instance_asks_its_owner_and_gets_tokens_with_no_code() {
    under("standard", async |world, key, [alice, bob, _]| {
        let asked = asked(world, key, &[("binding_message", "bright harbour")]).await;
        assert!(asked.text("auth_req_id").len() >= 43, "256 bits");
        assert_eq!(
            (asked.body["expires_in"].as_i64(), asked.body["interval"].as_i64()),
            (Some(600), Some(5))
        );
        assert!(asked.body.get("user_code").is_none());
        assert_eq!(poll(world, &asked, key).await.error(), "authorization_pending");
        assert!(inbox(world, bob).await.is_empty());
        let listed = inbox(world, alice).await;
        assert_eq!(listed[0]["binding_message"], "bright harbour");
        let view = look(world, &listed[0], alice).await;
        assert_eq!(view.body["binding_message"], "bright harbour");
        assert_eq!(approve_first(world, alice).await.status, StatusCode::OK);
        assert!(inbox(world, alice).await.is_empty());
        world.advance(5);
        let tokens = poll(world, &asked, key).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        assert!(tokens.body["id_token"].is_string() && tokens.body["refresh_token"].is_string());
        assert_eq!(poll(world, &asked, key).await.error(), "invalid_grant");
        let viewed = world.events("device.viewed").await;
        assert_eq!((viewed.len(), &viewed[0]["detail"]["code.entry"]), (1, &json!("push")));
    });
}

#[test]
fn i01_no_stranger_asks_and_no_hint_of_another_kind_is_taken() {
    under("standard", async |world, key, _| {
        let stranger = ask(world, &Key::new(), &[]).await;
        assert_eq!(stranger.error(), "unauthorized_client");
        let without = world.post("/backchannel_authentication", &[("client_id", "cli")]).await;
        assert_eq!(without.error(), "invalid_dpop_proof");
        for name in ["login_hint_token", "id_token_hint", "user_code", "request"] {
            assert_eq!(
                ask(world, key, &[(name, "x")]).await.error(),
                "invalid_request",
                "{name}"
            );
        }
        assert_eq!(
            ask(world, key, &[("requested_expiry", "0")]).await.error(),
            "invalid_request"
        );
        let short = asked(world, key, &[("requested_expiry", "90")]).await;
        assert_eq!(short.body["expires_in"], 90);
        let long = asked(world, key, &[("requested_expiry", "86400")]).await;
        assert_eq!(long.body["expires_in"], 600);
        let message = [("binding_message", "two\nlines")];
        assert_eq!(ask(world, key, &message).await.error(), "invalid_binding_message");
    });
}

#[test]
fn i03_each_kind_of_code_is_redeemed_as_what_it_is() {
    under("standard", async |world, key, [alice, ..]| {
        let by_inbox = asked(world, key, &[]).await;
        approve_first(world, alice).await;
        let as_device_code = super::instances::poll(world, &by_inbox.text("auth_req_id"), key).await;
        assert_eq!(as_device_code.error(), "invalid_grant");
        let by_code = super::instances::ask(world, "cli", key).await;
        world.approve(&by_code.text("user_code"), alice).await;
        let code = by_code.text("device_code");
        let form = [
            ("grant_type", CIBA),
            ("client_id", "cli"),
            ("auth_req_id", code.as_str()),
        ];
        assert_eq!(world.post_by("/token", &form, key).await.error(), "invalid_grant");
        assert_eq!(poll(world, &by_inbox, &Key::new()).await.error(), "invalid_grant");
        assert_eq!(poll(world, &by_inbox, key).await.status, StatusCode::OK);
    });
}

/// I04: whoever asks cannot tell whether the hint names somebody.
#[test]
fn i04_an_unknown_hint_answers_as_a_known_one() {
    under("standard", async |world, key, [alice, bob, _]| {
        let mut shapes = Vec::new();
        for hint in ["alice", "bob", "nobody at all", "group:ops", "group:none"] {
            let asked = asked(world, key, &[("login_hint", hint)]).await;
            assert_eq!(
                poll(world, &asked, key).await.error(),
                "authorization_pending",
                "{hint}"
            );
            let names: Vec<_> = asked.body.as_object().unwrap().keys().cloned().collect();
            shapes.push((names, asked.body["expires_in"].clone()));
        }
        assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
        assert_eq!(inbox(world, alice).await.len(), 1, "the owner by name");
        assert!(inbox(world, bob).await.is_empty(), "`standard` asks owners only");
    });
}

#[test]
fn a_group_is_asked_where_its_members_decide() {
    under("crew", async |world, key, [alice, bob, carol]| {
        let by_default = asked(world, key, &[]).await;
        asked(world, key, &[("login_hint", "carol")]).await;
        assert_eq!((inbox(world, bob).await.len(), inbox(world, carol).await.len()), (1, 2));
        assert!(inbox(world, alice).await.is_empty(), "not of the group");
        assert_eq!(approve_first(world, bob).await.status, StatusCode::OK);
        assert_eq!(inbox(world, carol).await.len(), 1);
        world.advance(5);
        assert_eq!(poll(world, &by_default, key).await.status, StatusCode::OK);
    });
}

#[test]
fn in_an_inbox_a_look_locks_nobody_and_one_decision_stands() {
    under("crew", async |world, key, [_, bob, carol]| {
        let asked = asked(world, key, &[]).await;
        let request = inbox(world, bob).await.remove(0);
        let (one, other) = (look(world, &request, bob).await, look(world, &request, carol).await);
        assert_eq!((one.status, other.status), (StatusCode::OK, StatusCode::OK));
        look(world, &request, bob).await;
        assert_eq!(
            world.events("device.viewed").await.len(),
            2,
            "a reload is no further look"
        );
        let denied = json!({ "request_id": request["request_id"] });
        assert_eq!(
            world.call("/approver/deny", &denied, carol).await.status,
            StatusCode::OK
        );
        let late = world.call("/approver/approve", &bob.decision(&one.body), bob).await;
        assert_eq!(late.error(), "unknown_code");
        assert_eq!(poll(world, &asked, key).await.error(), "access_denied");
    });
}

#[test]
fn nobody_decides_what_they_have_not_opened() {
    under("standard", async |world, key, [alice, bob, _]| {
        asked(world, key, &[]).await;
        let request = inbox(world, alice).await.remove(0);
        assert_eq!(look(world, &request, bob).await.error(), "unknown_code");
        let denied = json!({ "request_id": request["request_id"] });
        assert_eq!(
            world.call("/approver/deny", &denied, alice).await.error(),
            "unknown_code"
        );
    });
}

#[test]
fn x37_an_owner_who_does_not_answer_is_helped_by_the_group() {
    under("on-call", async |world, key, [alice, bob, _]| {
        let asked = asked(world, key, &[]).await;
        assert_eq!((inbox(world, alice).await.len(), inbox(world, bob).await.len()), (1, 0));
        world.advance(299);
        assert!(inbox(world, bob).await.is_empty());
        world.advance(1);
        assert_eq!(inbox(world, bob).await.len(), 1);
        let decided = approve_first(world, bob).await;
        assert_eq!(decided.status, StatusCode::OK, "{}", decided.body);
        assert!(inbox(world, alice).await.is_empty());
        assert_eq!(poll(world, &asked, key).await.status, StatusCode::OK);
        let approved = &world.events("device.approved").await[0];
        assert_eq!(
            approved["detail"]["starter.proofs"],
            json!(["group_instance", "same_address"])
        );
    });
}

#[test]
fn x33_x37_prompts_have_a_limit_and_nobody_is_asked_in_quiet_hours() {
    under("crew", async |world, key, _| {
        // 08:00 UTC.
        for hint in ["carol", "nobody at all", "bob"] {
            asked(world, key, &[("login_hint", hint)]).await;
        }
        let fourth = ask(world, key, &[("login_hint", "nobody else")]).await;
        assert_eq!(
            (fourth.status, fourth.error()),
            (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
        );
        world.advance(14 * 3600);
        assert_eq!(ask(world, key, &[]).await.error(), "access_denied");
        world.advance(8 * 3600);
        asked(world, key, &[]).await;
    });
}

#[test]
fn i05_metadata_says_what_is_served() {
    on_both(async |world| {
        let request = http::Request::get("/.well-known/openid-configuration");
        let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
        let document = &answer.body;
        assert_eq!(document["backchannel_token_delivery_modes_supported"], json!(["poll"]));
        assert_eq!(document["backchannel_user_code_parameter_supported"], false);
        let endpoint = document["backchannel_authentication_endpoint"].as_str().unwrap();
        assert!(endpoint.ends_with("/backchannel_authentication"));
        let grants = document["grant_types_supported"].as_array().unwrap();
        assert!(grants.contains(&json!(CIBA)));
    });
}
