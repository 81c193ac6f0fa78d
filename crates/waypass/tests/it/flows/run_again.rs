//! One approval, several runs of the same command: `waypass run --runs N`.

use serde_json::{Value, json};

use crate::database::Database;
use crate::process::{Ran, run};
use crate::resource_server::ResourceServer;
use crate::running::Desk;
use crate::world::{World, alone, alone_under};

const REPEATING: &str = r#"
name = "repeating"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "little"
[approval]
by = "anyone"
software_keys = true
runs = 3
starter = ["same_address"]
[mitigations]
X12 = true
"#;

fn event(ran: &Ran, name: &str) -> Value {
    let mut lines = ran
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.rfind(|event| event["event"] == name).unwrap_or_default()
}

/// Where nobody has to be asked, it ends by itself.
async fn unasked(desk: &Desk<'_>, argv: &[&str]) -> Ran {
    run(&mut desk.command("run", &["--json", "--env", "LANG=C"], argv)).await
}

#[test]
fn a_command_is_run_as_often_as_was_approved_and_then_asked_for_again() {
    alone_under(REPEATING, async |world: &World| {
        let desk = Desk::under(world, "repeating", None).await;
        let program = desk.script("deploy", "#!/bin/sh\necho deployed to \"$1\"\n");
        let argv = [&*program, "berlin-2"];
        let (mut first, code) = desk.ask("run", &["--runs", "3", "--env", "LANG=C"], &argv).await;
        let view = world
            .approver()
            .await
            .view(&world.server, &code)
            .await
            .expect(200)
            .json();
        let said: String = view["authorization_details"][0]["sentence"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|part| part["text"].as_str().or(part["value"].as_str()))
            .collect();
        assert!(said.ends_with(", up to 3 times."), "{said}");
        world.approve(&code).await;
        assert_eq!(first.event("approved").await["runs_left"], 2);
        let ended = first.ended().await;
        assert_eq!(
            (ended.code, &ended.event["grant_ended"]),
            (0, &json!(false)),
            "{}",
            ended.said
        );
        for left in [1, 0] {
            let ran = unasked(&desk, &argv).await.expect_code(0);
            assert_eq!(ran.stdout, "deployed to berlin-2\n");
            assert_eq!(event(&ran, "approved")["runs_left"], left);
            assert_eq!(event(&ran, "authorization_request"), Value::Null, "nobody was asked");
        }
        // Used up: somebody is asked.
        let (fourth, _) = desk.ask("run", &["--env", "LANG=C"], &argv).await;
        drop(fourth);
        let listed = world.local(&["grant", "list", "--json"]).await.expect_code(0).json();
        assert_eq!(listed[0]["runs_left"], 0, "{listed}");
    });
}

#[test]
fn what_was_approved_for_several_runs_is_this_command_and_no_other() {
    alone_under(REPEATING, async |world: &World| {
        let desk = Desk::under(world, "repeating", None).await;
        let program = desk.script("deploy", "#!/bin/sh\necho deployed to \"$1\"\n");
        let (first, code) = desk
            .ask("run", &["--runs", "3", "--env", "LANG=C"], &[&program, "berlin-2"])
            .await;
        world.approve(&code).await;
        assert_eq!(first.ended().await.code, 0);
        // Another argument, and the same with another program: somebody is asked.
        let (other, _) = desk.ask("run", &["--env", "LANG=C"], &[&program, "berlin-3"]).await;
        drop(other);
        desk.script("deploy", "#!/bin/sh\necho stolen from \"$1\"\n");
        let (changed, _) = desk.ask("run", &["--env", "LANG=C"], &[&program, "berlin-2"]).await;
        drop(changed);
        // No token is kept, and another machine has no use for what is.
        let kept = std::fs::read_to_string(desk.home.join(".local/state/waypass/runs.json")).unwrap();
        assert!(!kept.contains("eyJ"), "{kept}");
        let refused = run(&mut desk.command("run", &["--runs", "1001"], &[&program])).await;
        refused.expect_code(64);
        let more = run(&mut desk.command("run", &["--json", "--env", "LANG=C", "--runs", "4"], &[&program])).await;
        let said = more.expect_code(5).stderr;
        assert!(
            said.contains("invalid_authorization_details"),
            "the profile allows three: {said}"
        );
    });
}

#[test]
fn an_approval_of_less_than_was_asked_uses_up_no_run_unasked() {
    alone_under(REPEATING, async |world: &World| {
        let resource = ResourceServer::at_home(&world.server.issuer).await;
        let desk = Desk::under(world, "repeating", Some(&resource.url)).await;
        let flags = [
            "--runs",
            "3",
            "--env",
            "LANG=C",
            "--resource",
            &resource.url,
            "--path",
            "/v2/**",
        ];
        let (asked, code) = desk.ask("run", &flags, &["true"]).await;
        let approver = world.approver().await;
        let mut view = approver.view(&world.server, &code).await.expect(200).json();
        let details = &mut view["decision"]["granted"]["authorization_details"];
        let command = details
            .as_array()
            .unwrap()
            .iter()
            .find(|detail| detail["type"] == "command");
        *details = json!([command.unwrap()]);
        approver.approve_view(&world.server, &view).await.expect(200);
        assert_eq!(asked.ended().await.code, 5);
        // Somebody is asked, where nothing that was kept would do.
        let (again, _) = desk.ask("run", &flags, &["true"]).await;
        drop(again);
        let listed = world.local(&["grant", "list", "--json"]).await.expect_code(0).json();
        assert_eq!(listed[0]["runs_left"], 2, "{listed}");
    });
}

#[test]
fn a_file_that_comes_while_somebody_decides_is_not_what_was_approved() {
    alone(Database::Sqlite, async |world: &World| {
        let desk = Desk::at(world, None).await;
        let (asked, code) = desk.ask("run", &[], &["cat", "later.sh"]).await;
        desk.script("later.sh", "something else\n");
        world.approve(&code).await;
        let ended = asked.ended().await;
        assert_eq!((ended.code, &*ended.stdout), (5, ""), "{}", ended.said);
        assert!(ended.said.contains("has come since"), "{}", ended.said);
    });
}
