//! Clients of kind `agent`: who decides reads that an agent asks, and whoever hunts finds all that it did by its name.

use http::StatusCode;
use serde_json::{Value, json};

use super::backchannel;
use super::instances::{ask, refresh, tokens};
use super::pages::browser::Browser;
use super::policies::{forbid, with_policies};
use super::world::{World, on_both};

/// Everything that is tagged: by action, with agent and instance.
async fn tagged(world: &World) -> Vec<(String, Value, Value)> {
    let events = world.administer("GET", "/local/events", &Value::Null).await.body;
    let tag = |event: &Value| {
        let detail = event["detail"].as_object()?;
        let (agent, instance) = (detail.get("ai_agent.uid")?, detail.get("ai_agent.instance_uid")?);
        Some((event["action"].as_str()?.to_owned(), agent.clone(), instance.clone()))
    };
    let mut tagged: Vec<_> = events.as_array().unwrap().iter().filter_map(tag).collect();
    tagged.sort_by_key(|(action, ..)| action.clone());
    tagged
}

#[test]
fn what_an_agent_was_refused_and_what_it_lost_name_it_too() {
    with_policies(&forbid("refresh"), async |world, _| {
        let (alice, passkey) = Browser::enrolled(world, "alice").await;
        let bob = world.approver("bob").await;
        let agent = json!({ "profile": "standard", "kind": "agent" });
        assert_eq!(world.client("cli", agent).await.status, StatusCode::CREATED);
        let key = world.enrolled("cli", "alice").await;
        let instance = world.instance_of(&key).await["instance_id"].clone();

        let got = tokens(&alice, &passkey, &key).await;
        assert_eq!(refresh(world, &got, &key).await.error(), "access_denied");
        let asked = ask(world, "cli", &key).await;
        let others = world.view(&asked.text("user_code"), &bob).await;
        assert_eq!(others.status, StatusCode::NOT_FOUND, "{}", others.body);
        let page = alice.type_code(&asked.text("user_code")).await;
        alice.post(&format!("{page}/deny"), &[("report", "true")]).await;
        assert!(alice.get("/account").await.html.contains("AI agent"));
        world.advance(1);
        ask(world, "cli", &key).await;
        let last = world.app.store.recent_requests(1).await.unwrap().remove(0);
        let cancel = format!("/local/requests/{}/cancel", last.content.id);
        world.administer("POST", &cancel, &Value::Null).await;
        let grants = world.administer("GET", "/local/grants", &Value::Null).await.body;
        let expected = json!({ "client_name": "cli", "client_kind": "agent", "instance_id": instance });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(grants[0][name], *value, "{grants}");
        }
        let revoke = format!("/local/grants/{}/revoke", grants[0]["grant_id"].as_str().unwrap());
        world.administer("POST", &revoke, &Value::Null).await;

        let actions = [
            "device.approved",
            "device.cancelled",
            "device.denied",
            "device.redeemed",
            "device.refused",
            "device.reported",
            "device.requested",
            "device.requested",
            "device.requested",
            "device.viewed",
            "device.viewed",
            "grant.ended",
            "token.refused",
        ];
        let expected = actions.map(|action| (action.to_owned(), json!("cli"), instance.clone()));
        assert_eq!(tagged(world).await, expected);
    });
}

#[test]
fn whoever_decides_reads_that_an_agent_asks_and_other_software_is_not_called_one() {
    on_both(async |world| {
        let (alice, _) = Browser::enrolled(world, "alice").await;
        for (client_id, kind) in [("cli", "agent"), ("other", "service")] {
            let more = json!({ "profile": "standard", "kind": kind });
            world.client(client_id, more).await;
        }
        let (agent, other) = (
            world.enrolled("cli", "alice").await,
            world.enrolled("other", "alice").await,
        );
        let page = async |client_id, key| {
            let asked = ask(world, client_id, key).await;
            let page = alice.type_code(&asked.text("user_code")).await;
            alice.get(&page).await.html
        };
        let asks = page("cli", &agent).await;
        assert!(
            asks.contains("<strong>An AI agent asks</strong>, enrolled as “<bdi>Laptop of alice</bdi>”"),
            "{asks}"
        );
        assert!(!page("other", &other).await.contains("AI agent"));
        assert!(!alice.get("/inbox").await.html.contains("AI agent"));
        backchannel::asked(world, &agent, &[]).await;
        assert!(alice.get("/inbox").await.html.contains("AI agent"));
        assert!(tagged(world).await.iter().all(|(_, agent, _)| agent == "cli"));
    });
}
