//! Whoever a request waits for is told of it: when, how often, by whom, and what is never in it. X11, X37.

mod mail;
mod profiles;
mod push;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::backchannel::{self, approve_first, asked};
use super::postgres_server::PostgresServer;
use super::quorum::joined;
use super::world::{Answer, Key, Place, World, directory, on_both, with_issuer, with_profiles};
use crate::notices::{deliver, round};
use crate::start::Surroundings;

/// As `crew`, and it takes two of the group.
const TWO: &str = r#"
name = "pair"
purpose = "a test"
[assessment]
risk = "nobody answers"
residual = "two who obey"
[approval]
by = "group"
group = "ops"
quorum = 2
software_keys = true
starter = ["own_instance", "group_instance"]
[mitigations]
X07 = { ceremony = "off" }
"#;

/// The tests begin at 08:00.
const SIESTA: &str = r#"
name = "siesta"
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
X11 = { prompts_per_hour = 100, quiet_hours = { from = "08:04", to = "08:07", offset = "00:00" } }
"#;

/// What a chat would be: it keeps what it gets.
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<AtomicU16>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(AtomicU16::new(204));
        let (kept, status) = (Arc::clone(&got), Arc::clone(&answers));
        let router = Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
            kept.lock().unwrap().push((headers, body));
            let status = StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap();
            async move { (status, [("location", "http://127.0.0.1:1/elsewhere")]) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, got, answers }
    }

    pub fn answers(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }

    /// What came since the last look.
    pub fn got(&self) -> Vec<(HeaderMap, Bytes)> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    /// The same: of each whom it is for, and how many wait.
    fn told(&self) -> Vec<(String, u64)> {
        let told = |(_, body): (HeaderMap, Bytes)| {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let name = body["data"]["recipient"]["name"].as_str().unwrap().to_owned();
            (name, body["data"]["waiting"].as_u64().unwrap())
        };
        self.got().into_iter().map(told).collect()
    }
}

/// What the worker does, until there is nothing more to do now.
pub async fn told(world: &World) {
    loop {
        let deliveries = round(&world.app).await.unwrap();
        if deliveries.is_empty() {
            return;
        }
        for delivery in deliveries {
            deliver(&world.app, &delivery).await.unwrap();
        }
    }
}

async fn hook(world: &World, whose: Value, receiver: &Receiver) -> Answer {
    let mut body = json!({ "url": receiver.url });
    body.as_object_mut().unwrap().extend(whose.as_object().unwrap().clone());
    let added = world.administer("POST", "/local/webhooks", &body).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    added
}

/// HMAC-SHA256, from its definition (RFC 2104 §2).
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |byte: u8| -> Vec<u8> {
        let key = key.iter().copied().chain(std::iter::repeat(0)).take(64);
        key.map(|own| own ^ byte).collect()
    };
    let inner = digest(&SHA256, &[pad(0x36), message.to_vec()].concat());
    digest(&SHA256, &[pad(0x5c), inner.as_ref().to_vec()].concat())
        .as_ref()
        .to_vec()
}

fn is_signed(secret: &str, (headers, body): &(HeaderMap, Bytes)) -> bool {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let body = std::str::from_utf8(body).unwrap();
    let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    text("webhook-signature") == format!("v1,{}", BASE64.encode(hmac(&key, signed.as_bytes())))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn under(profile: &'static str, test: impl AsyncFn(&World, &Key, [&Key; 3])) {
    let profiles = [backchannel::ON_CALL, backchannel::CREW, TWO, SIESTA];
    with_profiles(&profiles, async |world| {
        world
            .client("cli", json!({ "profile": profile, "name": "Deploy <tool>" }))
            .await;
        let alice = world.approver("alice").await;
        let bob = joined(world, "bob").await;
        let carol = joined(world, "carol").await;
        let key = world.enrolled("cli", "alice").await;
        test(world, &key, [&alice, &bob, &carol]).await;
    });
}

#[test]
fn x37_whoever_a_request_waits_for_is_told_by_a_signed_webhook_and_nothing_secret_is_in_it() {
    under("standard", async |world, key, [alice, ..]| {
        let receiver = Receiver::start().await;
        let secret = hook(world, json!({ "approver": "alice" }), &receiver)
            .await
            .text("secret");
        let asked = asked(world, key, &[("binding_message", "bright harbour")]).await;
        told(world).await;
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        assert!(is_signed(&secret, &got[0]));
        assert!(!is_signed("whsec_YW5vdGhlcg==", &got[0]));
        let body: Value = serde_json::from_slice(&got[0].1).unwrap();
        let expected = json!({
            "type": "inbox.waiting",
            "timestamp": "2027-01-15T08:00:00Z",
            "text": "1 request waits for alice. http://localhost:8628/inbox",
            "data": {
                "issuer": "http://localhost:8628",
                "inbox": "http://localhost:8628/inbox",
                "recipient": { "kind": "approver", "name": "alice" },
                "waiting": 1,
                "client_name": "Deploy <tool>",
            },
        });
        assert_eq!(body, expected);
        let text = format!("{:?}", got[0]);
        for secret in [
            &asked.text("auth_req_id"),
            "bright harbour",
            "Laptop",
            &secret,
            "/approve",
            "button",
        ] {
            assert!(!text.contains(secret), "{secret}");
        }
        let sent = &world.events("notice.sent").await[0];
        assert_eq!(
            (&sent["outcome"], &sent["detail"]["notice.channel"]),
            (&json!("success"), &json!("webhook"))
        );
        assert!(!sent.to_string().contains("127.0.0.1"));
        // Looked at, decided: there is nothing more to tell.
        approve_first(world, alice).await;
        world.advance(60);
        told(world).await;
        assert!(receiver.got().is_empty());
    });
}

#[test]
fn x37_no_notice_comes_from_an_unknown_key_or_by_a_code() {
    under("standard", async |world, key, _| {
        let receiver = Receiver::start().await;
        hook(world, json!({}), &receiver).await;
        assert_eq!(
            backchannel::ask(world, &Key::new(), &[]).await.error(),
            "unauthorized_client"
        );
        let by_code = super::instances::ask(world, "cli", key).await;
        assert!(by_code.body["user_code"].is_string());
        asked(world, key, &[("login_hint", "nobody at all")]).await;
        told(world).await;
        assert!(receiver.got().is_empty());
        asked(world, key, &[]).await;
        told(world).await;
        assert_eq!(receiver.told(), [("alice".to_owned(), 1)]);
    });
}

#[test]
fn x37_a_storm_is_one_notice_and_the_next_says_how_many_wait() {
    under("standard", async |world, key, _| {
        let receiver = Receiver::start().await;
        hook(world, json!({ "approver": "alice" }), &receiver).await;
        asked(world, key, &[]).await;
        told(world).await;
        assert_eq!(receiver.told(), [("alice".to_owned(), 1)]);
        for _ in 0..10 {
            asked(world, key, &[]).await;
            told(world).await;
        }
        world.advance(29);
        told(world).await;
        assert!(receiver.got().is_empty());
        world.advance(1);
        told(world).await;
        assert_eq!(receiver.told(), [("alice".to_owned(), 11)]);
    });
}

#[test]
fn x11_x37_nobody_is_told_more_often_than_the_profile_lets_them_be_prompted() {
    under("crew", async |world, key, _| {
        let (own, shared) = (Receiver::start().await, Receiver::start().await);
        hook(world, json!({ "approver": "carol" }), &own).await;
        hook(world, json!({ "group": "ops" }), &shared).await;
        let other = world.enrolled("cli", "bob").await;
        for asking in [key, key, key, &other, &other, &other] {
            asked(world, asking, &[]).await;
            told(world).await;
            world.advance(31);
        }
        let times = |name: &str| (1..=3).map(|count| (name.to_owned(), count)).collect::<Vec<_>>();
        assert_eq!((own.told(), shared.told()), (times("carol"), times("ops")));
        world.advance(3600);
        asked(world, key, &[]).await;
        told(world).await;
        assert_eq!((own.told().len(), shared.told().len()), (1, 1));
    });
}

#[test]
fn x37_the_group_is_told_at_escalation_and_not_in_quiet_hours() {
    under("siesta", async |world, key, _| {
        let (owner, group) = (Receiver::start().await, Receiver::start().await);
        hook(world, json!({ "approver": "alice" }), &owner).await;
        hook(world, json!({ "approver": "bob" }), &group).await;
        asked(world, key, &[]).await;
        told(world).await;
        assert_eq!((owner.told().len(), group.told().len()), (1, 0));
        // 08:05: escalated, and quiet.
        world.advance(300);
        told(world).await;
        assert!(group.told().is_empty());
        world.advance(120);
        told(world).await;
        assert_eq!((owner.told().len(), group.told()), (0, vec![("bob".to_owned(), 1)]));
    });
}

#[test]
fn the_others_of_a_quorum_are_told_when_they_are_asked() {
    under("pair", async |world, key, [_, bob, _]| {
        let (one, other) = (Receiver::start().await, Receiver::start().await);
        hook(world, json!({ "approver": "bob" }), &one).await;
        hook(world, json!({ "approver": "carol" }), &other).await;
        asked(world, key, &[]).await;
        told(world).await;
        assert_eq!((one.told().len(), other.told().len()), (1, 1));
        world.advance(31);
        approve_first(world, bob).await;
        told(world).await;
        assert_eq!((one.told().len(), other.told().len()), (0, 1));
    });
}

#[test]
fn what_is_not_taken_is_tried_again_a_few_times_and_each_time_is_on_the_record() {
    under("on-call", async |world, key, _| {
        let receiver = Receiver::start().await;
        receiver.answers(503);
        hook(world, json!({ "approver": "alice" }), &receiver).await;
        asked(world, key, &[]).await;
        let mut ids = Vec::new();
        for wait in [0, 9, 1, 59, 1, 300] {
            world.advance(wait);
            told(world).await;
            ids.push(
                receiver
                    .got()
                    .into_iter()
                    .map(|(headers, _)| headers["webhook-id"].clone())
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(ids.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1, 0, 1, 1]);
        assert!(ids.concat().iter().all(|id| *id == ids[0][0]), "one notice has one id");
        let failed = world.events("notice.sent").await;
        assert_eq!(failed.len(), 4);
        assert!(
            failed
                .iter()
                .all(|event| event["outcome"] == "failure" && event["detail"]["error.code"] == "refused")
        );
        // What it waits for has expired.
        world.advance(900);
        told(world).await;
        assert!(receiver.got().is_empty());
        // A redirect is not followed, and nothing of the failed notice holds up the next.
        receiver.answers(307);
        world.advance(60);
        asked(world, key, &[]).await;
        told(world).await;
        assert_eq!(receiver.got().len(), 1);
        receiver.answers(200);
        world.advance(10);
        told(world).await;
        assert_eq!(receiver.told(), [("alice".to_owned(), 1)]);
    });
}

#[test]
fn of_several_processes_one_sends() {
    under("standard", async |world, key, _| {
        let receiver = Receiver::start().await;
        hook(world, json!({ "approver": "alice" }), &receiver).await;
        asked(world, key, &[]).await;
        let another = if world.app.store.is_shared() {
            Some(world.another_node().await)
        } else {
            None
        };
        let other = another.as_ref().unwrap_or(world);
        tokio::join!(told(world), told(other), told(world), told(other));
        assert_eq!(receiver.told().len(), 1);
    });
}

#[test]
fn the_notice_of_an_acknowledged_request_survives_the_process() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = PostgresServer::shared().map(PostgresServer::fresh_database);
    for (number, database) in [None, database]
        .into_iter()
        .enumerate()
        .filter(|(number, database)| *number == 0 || database.is_some())
    {
        let place = Place {
            directory: directory(&format!("notices-{number}")),
            database,
        };
        runtime.block_on(async {
            let receiver = Receiver::start().await;
            let world = World::open(&place, Surroundings::real()).await;
            world.standard_client("cli").await;
            world.approver("alice").await;
            hook(&world, json!({ "approver": "alice" }), &receiver).await;
            let key = world.enrolled("cli", "alice").await;
            asked(&world, &key, &[]).await;
            // Claimed, and then it died.
            assert_eq!(round(&world.app).await.unwrap().len(), 1);
            asked(&world, &key, &[]).await;
            world.close().await;
            let after = Surroundings {
                clock: crate::clock::Clock::manual(Surroundings::real().clock.now()),
                ..Surroundings::real()
            };
            let world = World::open(&place, after).await;
            told(&world).await;
            assert!(receiver.got().is_empty(), "it may still be on its way");
            world.advance(61);
            told(&world).await;
            assert_eq!(receiver.told(), [("alice".to_owned(), 2)]);
            world.close().await;
        });
        std::fs::remove_dir_all(&place.directory).unwrap();
    }
}

#[test]
fn an_administrator_adds_tries_and_removes_webhooks_and_sees_no_secret_again() {
    on_both(async |world| {
        world.approver("alice").await;
        let receiver = Receiver::start().await;
        let all = hook(world, json!({}), &receiver).await;
        let tested = format!("/local/webhooks/{}/test", all.text("id"));
        let tried = world.administer("POST", &tested, &Value::Null).await;
        assert_eq!(tried.body, json!({ "delivered": true, "because": null }));
        let got = receiver.got();
        assert!(is_signed(&all.text("secret"), &got[0]));
        receiver.answers(410);
        let tried = world.administer("POST", &tested, &Value::Null).await;
        assert_eq!(tried.body, json!({ "delivered": false, "because": "gone" }));

        hook(world, json!({ "approver": "alice" }), &receiver).await;
        let listed = world.administer("GET", "/local/webhooks", &Value::Null).await;
        let hooks = listed.body.as_array().unwrap().iter();
        let mut names: Vec<_> = hooks.map(|hook| hook["approver"].as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, [None, Some("alice")]);
        assert_eq!(listed.body[0]["host"], "127.0.0.1");
        assert!(!listed.html.contains("whsec_") && !listed.html.contains("/hook"));
        for hook in world.app.store.webhooks().await.unwrap() {
            assert!(!hook.sealed.contains("whsec_"));
        }
        for wrong in [
            json!({ "url": "https://chat.example.com", "approver": "alice", "group": "ops" }),
            json!({ "url": "https://chat.example.com", "approver": "nobody" }),
            json!({ "url": "ftp://chat.example.com" }),
            json!({ "url": "chat" }),
        ] {
            assert!(
                world
                    .administer("POST", "/local/webhooks", &wrong)
                    .await
                    .status
                    .is_client_error(),
                "{wrong}"
            );
        }
        let path = format!("/local/webhooks/{}", all.text("id"));
        assert_eq!(
            world.administer("DELETE", &path, &Value::Null).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(
            world.administer("DELETE", &path, &Value::Null).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(world.events("notice.channel_added").await.len(), 2);
        assert_eq!(world.events("notice.channel_removed").await.len(), 1);
    });
}

#[test]
fn no_webhook_leads_into_our_own_networks() {
    with_issuer("https://login.example.com", async |world| {
        for url in [
            "http://chat.example.com",
            "https://127.0.0.1/x",
            "https://10.0.0.7/x",
            "https://localhost/x",
        ] {
            let refused = world
                .administer("POST", "/local/webhooks", &json!({ "url": url }))
                .await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{url}: {}", refused.body);
        }
        let by_name = json!({ "url": "https://chat.example.com/hook" });
        assert_eq!(
            world.administer("POST", "/local/webhooks", &by_name).await.status,
            StatusCode::CREATED
        );
    });
}
