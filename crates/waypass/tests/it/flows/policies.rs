//! `waypass policy`: files alone, and a running server whose policies change under it.

use std::path::Path;

use serde_json::{Value, json};

use crate::chance::until;
use crate::database::{Database, postgres};
use crate::process::{run, waypass};
use crate::server::{Folder, Setup};
use crate::world::{SCOPES, World, alone_with};

const NO_REFRESH: &str = r#"@id("no-refresh") @description("Nothing is renewed.")
forbid (principal, action == Action::"refresh", resource);"#;
const NO_REDEEM: &str = r#"@id("no-redeem") forbid (principal, action == Action::"redeem", resource);"#;
const BROKEN: &str = "@id(\"x\")\nforbid (principal, action, resource) when { context.nonsense };";

#[test]
fn check_names_every_mistake_and_test_every_case_that_comes_out_otherwise() {
    let folder = Folder::new();
    let on = |command: &str, more: &[&str]| {
        let mut program = waypass();
        program.args(["policy", command]).arg(folder.path()).args(more);
        program
    };
    crate::world::RUNTIME.block_on(async {
        write(folder.path(), BROKEN);
        let checked = run(&mut on("check", &[])).await.expect_code(78);
        assert!(
            checked.stderr.starts_with("a.cedar:2: for policy `x`, "),
            "{}",
            checked.stderr
        );
        let told = run(&mut on("check", &["--json"])).await.expect_code(78).json();
        assert_eq!(
            (&told["mistakes"][0]["file"], &told["mistakes"][0]["line"]),
            (&json!("a.cedar"), &json!(2))
        );

        write(folder.path(), NO_REFRESH);
        let checked = run(&mut on("check", &[])).await.expect_code(0);
        assert!(
            checked.stdout.starts_with("1 policies, 0 of them in report mode"),
            "{}",
            checked.stdout
        );
        assert!(
            run(&mut on("test", &[]))
                .await
                .expect_code(78)
                .stderr
                .contains("there are no cases")
        );
        let case = |step: &str, decision: &str| {
            let input = json!({ "step": step, "now": "2026-11-23T10:00:00Z", "client": { "id": "c" } });
            json!({ "name": format!("{step} is {decision}"), "input": input, "decision": decision })
        };
        let cases = json!({ "cases": [case("refresh", "forbid"), case("redeem", "forbid")] });
        std::fs::write(folder.join("a.test.json"), cases.to_string()).unwrap();
        let tested = run(&mut on("test", &[])).await.expect_code(1);
        assert_eq!(
            tested.stdout,
            "ok    a.test.json: refresh is forbid\n\
             WRONG a.test.json: redeem is forbid: permit by none, where forbid is expected\n\
             2 cases, 1 wrong\n"
        );
        assert_eq!(
            run(&mut on("test", &["--json"])).await.expect_code(1).json()["wrong"],
            1
        );
    });
}

#[test]
fn the_examples_of_the_documents_pass_their_own_tests() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies");
    crate::world::RUNTIME.block_on(async {
        for example in std::fs::read_dir(examples).unwrap() {
            run(waypass().args(["policy", "test"]).arg(example.unwrap().path()))
                .await
                .expect_code(0);
        }
    });
}

fn with_policies(database: Database) {
    let folder = Folder::new();
    write(folder.path(), NO_REFRESH);
    let setup = Setup {
        arguments: vec![format!("--policies={}", folder.path().display())],
        ..Setup::default()
    };
    alone_with(database, &setup, async |world| {
        changed_under_a_server(world, &folder).await;
    });
}

mod a_running_server_takes_new_policies_explains_and_replays {
    #[test]
    fn on_sqlite() {
        super::with_policies(crate::database::Database::Sqlite);
    }

    #[test]
    fn on_postgres() {
        if let Some(database) = super::postgres() {
            super::with_policies(database);
        }
    }
}

async fn changed_under_a_server(world: &World, folder: &Folder) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let refused = world.refresh(&client, &tokens).await;
    assert_eq!(refused.json()["error"], "access_denied", "{}", refused.body);

    // A file with a mistake changes nothing, whoever says that it should be read.
    write(folder.path(), BROKEN);
    let reload = world.local(&["policy", "reload"]).await.expect_code(1);
    assert!(
        reload.stdout.contains("a.cedar:2: ") && reload.stdout.contains("no-refresh"),
        "{}",
        reload.stdout
    );
    world.server.signal("HUP").await;
    until(
        "the log names the mistake",
        std::time::Duration::from_secs(20),
        async || (world.server.log().matches("policies not loaded").count() >= 2).then_some(()),
    )
    .await;
    assert_eq!(world.refresh(&client, &tokens).await.json()["error"], "access_denied");
    assert!(world.server.metrics().await.contains("waypass_policies_refused 1"));
    assert!(
        world
            .local(&["posture"])
            .await
            .expect_code(0)
            .stdout
            .contains("a.cedar:2: ")
    );

    // One without takes over, without a restart.
    write(folder.path(), NO_REDEEM);
    world.server.signal("HUP").await;
    until(
        "the new policies are in force",
        std::time::Duration::from_secs(20),
        async || {
            let list = world.local(&["policy", "list", "--json"]).await.expect_code(0).json();
            (list["policies"][0]["id"] == "no-redeem").then_some(())
        },
    )
    .await;
    let refreshed = world.refresh(&client, &tokens).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);

    explained(world).await;
    replayed(world, folder).await;
}

async fn explained(world: &World) {
    let events = world.events().await;
    let refused = events.iter().find(|event| event["action"] == "token.refused").unwrap();
    let request = refused["request_id"].as_str().unwrap();
    let told = world.local(&["policy", "explain", request]).await.expect_code(0).stdout;
    let steps: Vec<&str> = told.lines().filter(|line| !line.starts_with(' ')).collect();
    let steps: Vec<Vec<&str>> = steps.iter().map(|line| line.split("  ").skip(1).collect()).collect();
    assert_eq!(
        steps,
        [
            ["request", "permit"],
            ["view", "permit"],
            ["approve", "permit"],
            ["redeem", "permit"],
            ["refresh", "forbid"],
            ["refresh", "permit"]
        ]
    );
    assert!(
        told.contains("  by no-refresh (of a set that is no longer in force)"),
        "{told}"
    );
    let json = world
        .local(&["policy", "explain", request, "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(json[4]["input"]["step"], "refresh");
    world.local(&["policy", "explain", "nothing"]).await.expect_code(5);
}

async fn replayed(world: &World, folder: &Folder) {
    let other = folder.join("other");
    std::fs::create_dir_all(&other).unwrap();
    write(&other, NO_REFRESH);
    let other = other.display().to_string();
    let told = world
        .local(&["policy", "replay", "--days", "1", "--policies", &other])
        .await
        .expect_code(0);
    let line = told
        .stdout
        .lines()
        .find(|line| line.contains("refresh"))
        .unwrap_or_default();
    assert!(
        line.contains("permit") && line.contains("forbid (no-refresh)"),
        "{}",
        told.stdout
    );
    let json = world
        .local(&["policy", "replay", "--days", "1", "--json"])
        .await
        .expect_code(0)
        .json();
    let changes: Vec<(&Value, &Value)> = json["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["step"], &change["would_be"]))
        .collect();
    let (redeem, refresh, permit, forbid) = (json!("redeem"), json!("refresh"), json!("permit"), json!("forbid"));
    assert_eq!(changes, [(&redeem, &forbid), (&refresh, &permit)]);
    write(Path::new(&other), BROKEN);
    let broken = world
        .local(&["policy", "replay", "--policies", &other])
        .await
        .expect_code(64);
    assert!(broken.stderr.contains("a.cedar:2: "), "{}", broken.stderr);
}

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("a.cedar"), text).unwrap();
}
