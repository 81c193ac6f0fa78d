//! What changed since the same command was approved for the same instance, as its approver is told.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Key, World, on_both, poll_form};

async fn told(world: &World, (key, alice): (&Key, &Key), argv: &[&str], digest: &str) -> Vec<String> {
    let details = json!([{ "type": "command", "argv": argv, "executable_sha256": digest.repeat(64) }]).to_string();
    let form = [("client_id", "cli"), ("authorization_details", &*details)];
    let asked = world.post_by("/device_authorization", &form, key).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let code = asked.text("user_code");
    let view = world.view(&code, alice).await.body;
    let approved = world.approve(&code, alice).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    let given = world
        .post_by("/token", &poll_form(&asked.text("device_code")), key)
        .await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    world.advance(60);
    let is_told = |fact: &&Value| fact["name"] == "since_last";
    let facts = view["facts"].as_array().unwrap().iter().filter(is_told);
    facts
        .map(|fact| {
            assert_eq!(
                (&fact["source"], &fact["label"]),
                (&json!("derived"), &json!("Since the last time"))
            );
            fact["value"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn an_approver_is_told_what_changed_since_the_last_approval_of_the_same_command() {
    on_both(async |world| {
        let ceiling = json!({ "profile": "standard", "authorization_details": [{ "type": "command" }] });
        world.client("cli", ceiling).await;
        let alice = world.approver("alice").await;
        let (one, other) = (
            world.enrolled("cli", "alice").await,
            world.enrolled("cli", "alice").await,
        );
        let never = "This command was never approved for this instance";
        let one = (&one, &alice);
        assert_eq!(told(world, one, &["./deploy", "berlin-1"], "0").await, [never]);
        let same = told(world, one, &["./deploy", "berlin-1"], "0").await;
        assert!(
            same[0].starts_with("Nothing has changed since ") && same.len() == 1,
            "{same:?}"
        );
        assert_eq!(told(world, one, &["./other"], "0").await, [never]);
        let changed = told(world, one, &["./deploy", "berlin-2"], "1").await;
        assert!(
            changed[0].starts_with(r#"The arguments: before "./deploy" "berlin-1" ("#),
            "{changed:?}"
        );
        assert!(
            changed[1].starts_with(r#"The program: before "0000"#) && changed.len() == 2,
            "{changed:?}"
        );
        // Another machine's approvals are its own.
        assert_eq!(
            told(world, (&other, &alice), &["./deploy", "berlin-2"], "1").await,
            [never]
        );
    });
}

/// Whoever is asked to have a command run is told what keeps no command from it.
#[test]
fn an_approver_of_a_command_reads_that_it_could_read_a_key_in_a_file() {
    on_both(async |world| {
        let types = json!([{ "type": "command" }, { "type": "tool_call" }]);
        let ceiling = json!({ "profile": "standard", "authorization_details": types });
        world.client("cli", ceiling).await;
        let (alice, key) = (world.approver("alice").await, world.enrolled("cli", "alice").await);
        for (detail, is_told) in [
            (json!({ "type": "command", "argv": ["./deploy"] }), true),
            (
                json!({ "type": "tool_call", "server": "https://mcp.example.com", "tool": "close" }),
                false,
            ),
        ] {
            let details = json!([detail]).to_string();
            let form = [("client_id", "cli"), ("authorization_details", &*details)];
            let asked = world.post_by("/device_authorization", &form, &key).await;
            let view = world.view(&asked.text("user_code"), &alice).await.body;
            let told = view["consequences"].to_string();
            assert_eq!(
                told.contains("can read a key that is kept in a file"),
                is_told,
                "{told}"
            );
        }
    });
}
