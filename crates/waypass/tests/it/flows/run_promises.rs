//! What docs/run.md promises of `--dry-run`, of `waypass exec-env`, of an approval that ends before its command, and of
//! what is told to programs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::agents::events;
use super::inbox::Machine;
use crate::chance::{now, until};
use crate::document;
use crate::http::{Answer, CLIENT};
use crate::keys::{canonical, sha256};
use crate::process::run;
use crate::resource_server::ResourceServer;
use crate::running::Desk;
use crate::world::World;

on_one!(
    what_a_dry_run_shows_is_what_is_asked_for_and_nobody_is_asked,
    a_program_finds_address_and_key_in_the_variables_that_it_knows,
    an_endpoint_outlives_no_approval,
    what_a_program_is_told_is_documented_member_by_member,
    what_is_mistyped_is_told_before_anybody_is_asked,
);

async fn what_a_dry_run_shows_is_what_is_asked_for_and_nobody_is_asked(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let script = desk.script("deploy", "#!/usr/bin/env -S sh -u\ncat \"$1\"\n");
    let input = desk.script("site.txt", "berlin-2\n");
    let url = format!("{}/v2/notes/7", resource.url);
    let flags = [
        "--input",
        &input,
        "--env",
        "GREETING=hello",
        "--resource",
        &resource.url,
        "--path",
        "/v2/**",
    ];
    let argv = [&*script, &input];
    for (command, flags, argv) in [
        ("run", &flags[..], &argv[..]),
        ("run", &["--in-place"], &argv),
        ("exec-env", &[&["--url-env", "URL"], &flags[..]].concat(), &argv),
        ("curl", &["-d", "x=1", &url], &[]),
    ] {
        let dry = [flags, &["--dry-run"]].concat();
        let shown = run(&mut desk.command(command, &[&dry[..], &["--json"]].concat(), argv)).await;
        let shown = shown.expect_code(0).json();
        let (asked, code) = desk.ask(command, flags, argv).await;
        let view = world
            .approver()
            .await
            .view(&world.server, &code)
            .await
            .expect(200)
            .json();
        let details = &view["decision"]["granted"]["authorization_details"];
        assert_eq!(shown["authorization_details"], *details, "{command} {flags:?}");
        assert_eq!(shown["digest"], sha256(&canonical(details)));
        world.approver().await.deny(&world.server, &code).await;
        assert_eq!(asked.ended().await.code, 5);
        let said = run(&mut desk.command(command, &dry, argv)).await.expect_code(0).stdout;
        for detail in details.as_array().unwrap() {
            assert!(said.contains(&canonical(detail)), "{said}");
        }
        assert!(
            said.ends_with(&format!("digest {}\n", shown["digest"].as_str().unwrap())),
            "{said}"
        );
    }
    let url = format!("{}/v2/notes/a b", resource.url);
    let wide = run(&mut desk.command("curl", &["--dry-run", &url], &[]))
        .await
        .expect_code(0);
    assert!(
        wide.stderr.contains("* is asked for in its place, in /v2/notes/a%20b"),
        "{}",
        wide.stderr
    );
    let events = world.events_of(&desk.client).await;
    let asked = events.iter().filter(|event| event["action"] == "device.requested");
    assert_eq!(asked.count(), 4, "a dry run asks nobody");
}

async fn what_is_mistyped_is_told_before_anybody_is_asked(world: &World) {
    let desk = Desk::new(world, None).await;
    let at = ["--resource", "https://api.example.com", "--path"];
    let (path, method) = (
        |path| [&at[..], &[path]].concat(),
        |name| ["-X", name, "https://api.example.com/"],
    );
    for (command, flags, argv, code, told) in [
        ("run", &path("x")[..], &["true"][..], 64, "a path begins with /"),
        ("run", &path("/a?b=1"), &["true"], 64, "a path has no query"),
        ("run", &path("/a%20b"), &["true"], 64, "write * for it"),
        ("curl", &method("get"), &[], 64, "written in capitals, as in POST"),
        ("run", &[], &[""], 64, "there is no command to run"),
        ("run", &[], &["./deploy --site b"], 127, "each argument is a word"),
    ] {
        let refused = run(&mut desk.command(command, flags, argv)).await.expect_code(code);
        assert!(refused.stderr.contains(told), "{argv:?}: {}", refused.stderr);
    }
    assert!(
        world
            .events_of(&desk.client)
            .await
            .iter()
            .all(|event| event["action"] != "device.requested")
    );
    let beyond = run(&mut desk.command("run", &path("/x"), &["true"]))
        .await
        .expect_code(5);
    assert!(
        beyond.stderr.contains(&format!("waypass client set {}", desk.client)),
        "{}",
        beyond.stderr
    );
}

async fn a_program_finds_address_and_key_in_the_variables_that_it_knows(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let names = [
        "--url-env",
        "API_URL",
        "--url-env",
        "OTHER_URL",
        "--key-env",
        "API_KEY",
        "--base-path",
        "/v2",
    ];
    let reach = ["--resource", &*resource.url, "--path", "/v2/**"];
    let tool = r#"echo "$API_URL $OTHER_URL $API_KEY"; echo "$WAYPASS_ENDPOINT $WAYPASS_SECRET"; read line; exit 7"#;
    let (mut asked, code) = desk
        .ask("exec-env", &[&names[..], &reach].concat(), &["sh", "-c", tool])
        .await;
    world.approve(&code).await;
    let (found, own) = (asked.line().await, asked.line().await);
    let [url, other, key] = found.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{found}")
    };
    world.remember(key);
    assert_eq!(format!("{} {}", url.strip_suffix("/v2").unwrap(), key), own);
    assert_eq!(url, other);
    let contact = format!("{url}/contacts/7");
    Answer::to(CLIENT.get(&contact).bearer_auth(key)).await.expect(200);
    Answer::to(CLIENT.get(&contact).header("X-API-Key", key))
        .await
        .expect(200);
    Answer::to(CLIENT.post(&contact).bearer_auth(key)).await.expect(403);
    let key_elsewhere = CLIENT.get(format!("{}/v2/contacts/7", resource.url)).bearer_auth(key);
    Answer::to(key_elsewhere).await.expect(401);
    assert_eq!(asked.ended().await.code, 7);
    assert!(CLIENT.get(&contact).bearer_auth(key).send().await.is_err());
    // Without a resource there is nothing that the variables could name.
    let output = desk
        .command("exec-env", &["--url-env", "API_URL"], &["true"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
}

async fn an_endpoint_outlives_no_approval(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let argv = ["sh", "-c", r#"echo "$WAYPASS_SECRET"; read line; exit 7"#];
    let (mut running, code) = desk
        .ask("run", &["--resource", &resource.url, "--path", "/v2/**"], &argv)
        .await;
    let mut view = world
        .approver()
        .await
        .view(&world.server, &code)
        .await
        .expect(200)
        .json();
    view["decision"]["granted"]["expires_at"] = json!(now() + 5);
    world
        .approver()
        .await
        .approve_view(&world.server, &view)
        .await
        .expect(200);
    running.endpoint = running.event("started").await["endpoint"].as_str().unwrap().to_owned();
    running.secret = running.line().await;
    running.request("GET", "/v2/contacts/7").await.expect(200);
    let ended = until("the approval ends", Duration::from_mins(1), async || {
        let answer = running.request("GET", "/v2/contacts/7").await;
        (answer.status != 200).then_some(answer)
    });
    let ended = ended.await;
    assert_eq!((ended.status, ended.error()), (401, "approval_ended".to_owned()));
    // The command itself goes on, and ends as it likes.
    assert_eq!(running.ended().await.code, 7);
}

async fn what_a_program_is_told_is_documented_member_by_member(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let flags = ["--resource", &resource.url, "--path", "/v2/**"];
    let mut told = desk.begun(&flags, &["true"]).await.ended().await.told;
    let (asked, code) = desk.ask("curl", &[&format!("{}/v2/notes", resource.url)], &[]).await;
    world.approve(&code).await;
    told.extend(asked.ended().await.told);
    // Of an enrolled machine.
    let owner = world.new_approver().await;
    let name = owner.name.clone();
    let types = [
        "--details-type",
        "command",
        "--details-type",
        "api",
        "--resource",
        &*resource.url,
    ];
    let machine = Machine::with(world, (owner, &name), &types).await;
    let running = machine.runs(&resource.url, &["true"]).await;
    told.push(running.asked.clone());
    let view = machine.view(&machine.waiting().await[0]).await.expect(200).json();
    machine.owner.approve_view(&world.server, &view).await.expect(200);
    told.extend(events(&running.ends().await.2));

    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for event in told.iter().filter(|told| told["event"].is_string()) {
        let mut members = document::members_of(event);
        members.remove("event");
        seen.entry(event["event"].as_str().unwrap())
            .or_default()
            .extend(members);
    }
    for name in ["authorization_request", "approved", "started", "answer", "ended"] {
        assert_eq!(seen[name], document::members("run.md", name), "{name}");
    }
    for name in seen.keys() {
        document::members("run.md", name);
    }
    // What was refused is one object of four members, each time.
    let (asked, code) = desk.ask("run", &flags, &["true"]).await;
    world.approver().await.deny(&world.server, &code).await;
    let told = asked.ended().await.told;
    let failure = json!({ "error": "access_denied", "message": "the request was declined", "hint": null, "exit": 5 });
    assert_eq!(told.last().unwrap(), &failure);
}
