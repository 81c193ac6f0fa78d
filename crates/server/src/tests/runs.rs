//! One approval for several runs of one command: each run uses up one of them, and no run is used up twice.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Answer, Key, World, claims, poll_form, with_profiles};

const REPEATING: &str = r#"
name = "repeating"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "little"
[approval]
by = "anyone"
software_keys = true
runs = 12
starter = ["same_address"]
[mitigations]
X12 = true
"#;
const SCOPE: &str = "read offline_access";
const RUN: &str = "urn:waypass:oauth:grant-type:run";

fn repeated(runs: i64) -> Value {
    let (digest, environment) = ("0".repeat(64), json!({ "LANG": "C" }));
    json!({ "type": "command", "argv": ["./deploy"], "executable_sha256": digest, "environment": environment, "runs": runs })
}

/// The same without what pins it, or with what is only claimed.
fn loose(member: &str, value: Value) -> String {
    let mut command = repeated(3);
    command[member] = value;
    let members = command.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    json!([command]).to_string()
}

fn command(runs: i64) -> String {
    json!([repeated(runs)]).to_string()
}

/// With another command, which an approver may take away.
fn beside(runs: i64) -> String {
    let other = json!({ "type": "command", "argv": ["./other"] });
    json!([repeated(runs), other]).to_string()
}

async fn client(world: &World, name: &str, profile: &str) {
    let ceiling = json!({ "profile": profile, "scope": SCOPE, "authorization_details": [{ "type": "command" }] });
    world.client(name, ceiling).await;
}

async fn ask(world: &World, details: &str, scope: &str, key: Option<&Key>) -> Answer {
    let form = [
        ("client_id", "cli"),
        ("authorization_details", details),
        ("scope", scope),
    ];
    match key {
        Some(key) => world.post_by("/device_authorization", &form, key).await,
        None => world.post("/device_authorization", &form).await,
    }
}

/// The first run: what the code is redeemed for.
async fn begun(world: &World, (key, alice): (&Key, &Key), runs: i64) -> Answer {
    let asked = ask(world, &command(runs), "read", Some(key)).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let approved = world.approve(&asked.text("user_code"), alice).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    let given = world
        .post_by("/token", &poll_form(&asked.text("device_code")), key)
        .await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    given
}

async fn again(world: &World, grant_id: &str, key: &Key) -> Answer {
    let form = [("grant_type", RUN), ("client_id", "cli"), ("grant_id", grant_id)];
    world.post_by("/token", &form, key).await
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn on_both(test: impl AsyncFn(&World, &Key, &Key)) {
    with_profiles(&[REPEATING], async |world| {
        client(world, "cli", "repeating").await;
        let alice = world.approver("alice").await;
        test(world, &world.enrolled("cli", "alice").await, &alice).await;
    });
}

#[test]
fn each_run_is_a_token_of_its_own_until_all_are_used_up() {
    on_both(async |world, key, alice| {
        let first = begun(world, (key, alice), 3).await;
        let grant_id = first.text("grant_id");
        assert_eq!(first.body["runs_left"], 2);
        assert_eq!(first.body["refresh_token"], Value::Null);
        for left in [1, 0] {
            world.advance(1);
            let run = again(world, &grant_id, key).await;
            assert_eq!((run.status, &run.body["runs_left"]), (StatusCode::OK, &json!(left)));
            let claims = claims(&run.text("access_token"));
            assert_eq!(
                (&claims["grant_id"], &claims["cnf"]["jkt"]),
                (&json!(grant_id), &json!(key.thumbprint()))
            );
            assert!(world.is_active(&run.text("access_token")).await);
        }
        let over = again(world, &grant_id, key).await;
        assert_eq!((over.status, over.error()), (StatusCode::BAD_REQUEST, "invalid_grant"));
        assert_eq!(
            over.text("error_description"),
            "The command was run as often as was approved."
        );
        let left: Vec<Value> = world
            .events("token.issued")
            .await
            .iter()
            .map(|event| event["detail"]["grant.runs_left"].clone())
            .collect();
        assert_eq!(left, [json!(1), json!(0)]);
        let shown = world
            .administer("GET", &format!("/local/grants/{grant_id}"), &Value::Null)
            .await;
        assert_eq!(shown.body["runs_left"], 0);
    });
}

#[test]
fn of_eight_runs_at_once_each_uses_up_one() {
    on_both(async |world, key, alice| {
        let grant_id = begun(world, (key, alice), 6).await.text("grant_id");
        let one = || again(world, &grant_id, key);
        let (first, second) = tokio::join!(async { tokio::join!(one(), one(), one(), one()) }, async {
            tokio::join!(one(), one(), one(), one())
        });
        let answers = [
            first.0, first.1, first.2, first.3, second.0, second.1, second.2, second.3,
        ];
        let mut left: Vec<i64> = answers
            .iter()
            .filter_map(|answer| answer.body["runs_left"].as_i64())
            .collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2, 3, 4]);
        let refused = answers.iter().filter(|answer| answer.status != StatusCode::OK);
        let errors: Vec<&str> = refused.map(Answer::error).collect();
        assert_eq!(errors, ["invalid_grant"; 3]);
    });
}

#[test]
fn only_the_key_that_asked_runs_it_again() {
    on_both(async |world, key, alice| {
        client(world, "other", "repeating").await;
        let grant_id = begun(world, (key, alice), 3).await.text("grant_id");
        let stranger = again(world, &grant_id, &Key::new()).await;
        let colleague = again(world, &grant_id, &world.enrolled("cli", "alice").await).await;
        let form = [("grant_type", RUN), ("client_id", "other"), ("grant_id", &*grant_id)];
        let other = world.post_by("/token", &form, key).await;
        let form = [("grant_type", RUN), ("client_id", "cli"), ("grant_id", &*grant_id)];
        let nobody = world.post("/token", &form).await;
        let unknown = again(world, "no-such-grant", key).await;
        for refused in [stranger, colleague, other, nobody, unknown] {
            assert_eq!(
                (refused.status, refused.error()),
                (StatusCode::BAD_REQUEST, "invalid_grant")
            );
        }
        assert_eq!(
            again(world, &grant_id, key).await.body["runs_left"],
            1,
            "none of them used one up"
        );
        let once = ask(
            world,
            &json!([{ "type": "command", "argv": ["./deploy"] }]).to_string(),
            "read",
            Some(key),
        )
        .await;
        world.approve(&once.text("user_code"), alice).await;
        let given = world
            .post_by("/token", &poll_form(&once.text("device_code")), key)
            .await;
        let once = claims(&given.text("access_token"))["grant_id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(again(world, &once, key).await.error(), "invalid_grant");
    });
}

#[test]
fn a_run_that_ends_ends_its_token_and_not_the_runs_to_come() {
    on_both(async |world, key, alice| {
        let first = begun(world, (key, alice), 3).await;
        let second = again(world, &first.text("grant_id"), key).await;
        let ended = [("token", &*first.text("access_token")), ("client_id", "cli")];
        assert_eq!(world.post("/revoke", &ended).await.status, StatusCode::OK);
        assert!(!world.is_active(&first.text("access_token")).await);
        assert!(world.is_active(&second.text("access_token")).await);
        let third = again(world, &first.text("grant_id"), key).await;
        assert_eq!(third.body["runs_left"], 0);
    });
}

#[test]
fn what_no_longer_stands_is_not_run_again() {
    on_both(async |world, key, alice| {
        let grant_id = begun(world, (key, alice), 3).await.text("grant_id");
        let change = |profile: &'static str| async move {
            let path = "/local/clients/cli/change";
            let changed = world.administer("POST", path, &json!({ "profile": profile })).await;
            assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        };
        change("standard").await;
        assert_eq!(
            again(world, &grant_id, key).await.error(),
            "invalid_authorization_details"
        );
        change("repeating").await;
        assert_eq!(again(world, &grant_id, key).await.body["runs_left"], 1);
        assert_eq!(world.act_on(key, "suspend").await.status, StatusCode::OK);
        assert_ne!(again(world, &grant_id, key).await.status, StatusCode::OK);
        assert_eq!(world.act_on(key, "resume").await.status, StatusCode::OK);
        let path = format!("/local/grants/{grant_id}/revoke");
        world.administer("POST", &path, &Value::Null).await;
        assert_eq!(again(world, &grant_id, key).await.error(), "invalid_grant");
    });
}

#[test]
fn more_runs_than_the_profile_allows_a_refresh_token_or_no_key_are_refused_before_anybody_is_asked() {
    on_both(async |world, key, _| {
        for (details, scope, key, error) in [
            (command(13), "read", Some(key), "invalid_authorization_details"),
            (beside(13), "read", Some(key), "invalid_authorization_details"),
            (
                loose("claimed", json!(["a file"])),
                "read",
                Some(key),
                "invalid_authorization_details",
            ),
            (
                loose("environment", Value::Null),
                "read",
                Some(key),
                "invalid_authorization_details",
            ),
            (
                loose("executable_sha256", Value::Null),
                "read",
                Some(key),
                "invalid_authorization_details",
            ),
            (beside(3), SCOPE, Some(key), "invalid_authorization_details"),
            (command(3), SCOPE, Some(key), "invalid_authorization_details"),
            (command(3), "read", None, "invalid_dpop_proof"),
        ] {
            let refused = ask(world, &details, scope, key).await;
            assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, error));
        }
        client(world, "plain", "standard").await;
        let (details, key) = (command(2), world.enrolled("plain", "alice").await);
        let form = [
            ("client_id", "plain"),
            ("authorization_details", &*details),
            ("scope", "read"),
        ];
        let refused = world.post_by("/device_authorization", &form, &key).await;
        assert_eq!(refused.error(), "invalid_authorization_details", "{}", refused.body);
    });
}
