//! What changed since the same command was approved for the same instance, as its approver is told.

use http::StatusCode;
use serde_json::{Value, json};

use super::quorum::joined;
use super::world::{Answer, Key, World, on_both, poll_form, with_profiles};

const NEVER: &str = "You have not approved this command for this instance before";
const AT_A: (&str, &str) = ("resource", "https://a.example");

/// Either of two in a group, and both.
fn of_the_group(quorum: u8) -> String {
    format!(
        r#"
name = "crew"
purpose = "a test"
[assessment]
risk = "nobody answers"
residual = "those who obey"
[approval]
by = "group"
group = "ops"
quorum = {quorum}
software_keys = true
starter = ["same_address"]
[mitigations]
X07 = {{ ceremony = "off" }}
"#
    )
}

async fn client(world: &World, profile: &str) {
    let ceiling = json!({ "profile": profile, "scope": "openid read", "authorization_details": [{ "type": "command" }],
        "resource": ["https://a.example", "https://b.example"] });
    let added = world.client("cli", ceiling).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
}

async fn asked(world: &World, key: &Key, argv: &[&str], digest: &str, more: &[(&str, &str)]) -> Answer {
    let details = json!([{ "type": "command", "argv": argv, "executable_sha256": digest.repeat(64) }]).to_string();
    let form = [&[("client_id", "cli"), ("authorization_details", &*details)], more].concat();
    let asked = world.post_by("/device_authorization", &form, key).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    asked
}

/// What a view says of it.
fn of_view(view: &Answer) -> Vec<String> {
    assert_eq!(view.status, StatusCode::OK, "{}", view.body);
    let facts = view.body["facts"].as_array().unwrap().iter();
    let told = facts.filter(|fact| fact["name"] == "since_last").map(|fact| {
        assert_eq!(
            (&fact["source"], &fact["label"]),
            (&json!("derived"), &json!("Since the last time"))
        );
        fact["value"].as_str().unwrap().to_owned()
    });
    told.collect()
}

/// And approved.
async fn told(world: &World, (key, approver): (&Key, &Key), argv: &[&str], digest: &str) -> Vec<String> {
    told_of(world, approver, &asked(world, key, argv, digest, &[AT_A]).await).await
}

async fn told_of(world: &World, approver: &Key, asked: &Answer) -> Vec<String> {
    let code = asked.text("user_code");
    let view = world.view(&code, approver).await;
    let approved = world.approve(&code, approver).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    world.advance(300);
    of_view(&view)
}

/// Whose text begins so, in this order.
fn begin(told: &[String], expected: &[&str]) {
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} {expected}");
    }
}

#[test]
fn an_approver_is_told_what_changed_since_the_last_approval_of_the_same_command() {
    on_both(async |world| {
        client(world, "standard").await;
        let alice = world.approver("alice").await;
        let (one, other) = (
            world.enrolled("cli", "alice").await,
            world.enrolled("cli", "alice").await,
        );
        let one = (&one, &alice);
        assert_eq!(told(world, one, &["./deploy", "berlin-1"], "0").await, [NEVER]);
        let same = told(world, one, &["./deploy", "berlin-1"], "0").await;
        begin(&same, &["Nothing has changed since "]);
        assert_eq!(told(world, one, &["./other"], "0").await, [NEVER]);
        let changed = told(world, one, &["./deploy", "berlin-2"], "1").await;
        let expected = [
            r#"The arguments: before "./deploy" "berlin-1" ("#,
            r#"The program: before "0000"#,
        ];
        begin(&changed, &expected);
        // Another machine's approvals are its own.
        assert_eq!(
            told(world, (&other, &alice), &["./deploy", "berlin-2"], "1").await,
            [NEVER]
        );
    });
}

#[test]
fn a_new_permission_or_another_address_is_a_change() {
    on_both(async |world| {
        client(world, "standard").await;
        let (alice, key) = (world.approver("alice").await, world.enrolled("cli", "alice").await);
        let run = async |more: &[(&str, &str)]| {
            let asked = asked(world, &key, &["./deploy"], "0", more).await;
            told_of(world, &alice, &asked).await
        };
        let first = [("scope", "openid"), AT_A];
        assert_eq!(run(&first).await, [NEVER]);
        begin(&run(&first).await, &["Nothing has changed since "]);
        let scope = [("scope", "openid read"), AT_A];
        begin(&run(&scope).await, &[r#"New: Act with the permission "read". ("#]);
        let resource = [("scope", "read"), ("resource", "https://b.example")];
        let expected = [
            r#"No more: Act with the permission "openid". ("#,
            r#"New: Use it at "https://b.example". ("#,
            r#"No more: Use it at "https://a.example". ("#,
        ];
        begin(&run(&resource).await, &expected);
    });
}

#[test]
fn whoever_takes_an_instance_over_is_told_nothing_of_what_the_one_before_approved() {
    on_both(async |world| {
        client(world, "standard").await;
        let (alice, bob) = (world.approver("alice").await, world.approver("bob").await);
        let key = world.enrolled("cli", "alice").await;
        assert_eq!(
            told(world, (&key, &alice), &["./deploy", "secret-1"], "0").await,
            [NEVER]
        );
        let id = world.instance_of(&key).await["instance_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/local/instances/{id}/hand-over");
        world.administer("POST", &path, &json!({ "to": "bob" })).await;
        assert_eq!(told(world, (&key, &bob), &["./deploy", "berlin-2"], "0").await, [NEVER]);
        let own = told(world, (&key, &bob), &["./deploy", "berlin-2"], "0").await;
        begin(&own, &["Nothing has changed since "]);
    });
}

#[test]
fn each_of_a_group_is_told_of_their_own_approvals_only() {
    with_profiles(&[&of_the_group(1)], async |world| {
        client(world, "crew").await;
        let (bob, carol) = (joined(world, "bob").await, joined(world, "carol").await);
        let key = world.enrolled("cli", "bob").await;
        assert_eq!(told(world, (&key, &bob), &["./deploy", "berlin-1"], "0").await, [NEVER]);
        assert_eq!(
            told(world, (&key, &carol), &["./deploy", "berlin-2"], "0").await,
            [NEVER]
        );
        let changed = told(world, (&key, &bob), &["./deploy", "berlin-2"], "0").await;
        begin(&changed, &[r#"The arguments: before "./deploy" "berlin-1" ("#]);
    });
}

/// Access is in the name of the first, and the approval is of both.
#[test]
fn the_second_of_a_quorum_has_approved_too() {
    with_profiles(&[&of_the_group(2)], async |world| {
        client(world, "crew").await;
        let (bob, carol) = (joined(world, "bob").await, joined(world, "carol").await);
        let key = world.enrolled("cli", "bob").await;
        let second = async |request_id: &Value| {
            let body = json!({ "request_id": request_id });
            let view = world.call("/approver/view", &body, &carol).await;
            let decided = world
                .call("/approver/approve", &carol.decision(&view.body), &carol)
                .await;
            assert_eq!(decided.text("state"), "approved", "{}", decided.body);
            of_view(&view)
        };
        for (told, expected) in [(1, NEVER), (2, "Nothing has changed since ")] {
            let asked = asked(world, &key, &["./deploy"], "0", &[AT_A]).await;
            begin(&told_of(world, &bob, &asked).await, &[expected]);
            let waiting = world.call("/approver/waiting", &json!({}), &carol).await.body;
            begin(&second(&waiting["requests"][0]["request_id"]).await, &[expected]);
            let given = world
                .post_by("/token", &poll_form(&asked.text("device_code")), &key)
                .await;
            assert_eq!(given.status, StatusCode::OK, "{told}: {}", given.body);
        }
    });
}

#[test]
fn that_a_command_was_not_approved_is_said_only_where_every_approval_was_looked_at() {
    on_both(async |world| {
        client(world, "standard").await;
        let (alice, key) = (world.approver("alice").await, world.enrolled("cli", "alice").await);
        told(world, (&key, &alice), &["./deploy"], "0").await;
        for _ in 0..50 {
            assert_eq!(told(world, (&key, &alice), &["./other"], "0").await.len(), 1);
        }
        assert_eq!(
            told(world, (&key, &alice), &["./deploy"], "0").await,
            ["None of your last 50 approvals for this instance was of this command"]
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
