//! Commands that a person approved: what is asked for, what runs, how it ends, and its grant with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::{Value, json};

use crate::process::{run, signal};
use crate::resource_server::ResourceServer;
use crate::running::Desk;
use crate::world::World;

on_both!(
    a_command_runs_as_approved_and_its_grant_ends_with_it,
    what_is_declined_or_taken_away_never_runs,
    one_request_is_approved_and_sent_without_a_command,
);

on_one!(
    signals_and_exit_codes_pass_through,
    arguments_arrive_byte_by_byte,
    what_was_hashed_is_what_runs,
    a_file_that_is_only_named_is_only_claimed,
    what_changes_in_its_place_never_runs,
    the_environment_is_what_was_declared,
    a_killed_parent_takes_the_endpoint_along,
);

async fn a_command_runs_as_approved_and_its_grant_ends_with_it(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let flags = ["--resource", &resource.url, "--path", "/v2/contacts/*"];
    let running = desk.waiting(&flags).await;
    assert_eq!(
        running.request("GET", "/v2/contacts/7").await.expect(200).json()["done"],
        "/v2/contacts/7"
    );
    let exported = world.exported_grant(&desk.client).await;
    let details = &exported["authorization_details"];
    let command = details.as_array().unwrap().iter().find(|one| one["type"] == "command");
    let command = command.unwrap_or_else(|| panic!("{exported}"));
    assert_eq!(command["argv"][0], "sh");
    assert_eq!(command["working_directory"], desk.home.path().display().to_string());
    let endpoint = running.with_secret("GET", "/v2/contacts/7");
    let ended = running.ended().await;
    assert_eq!(ended.code, 7, "{}", ended.said);
    assert_eq!(ended.event["grant_ended"], json!(true), "{}", ended.event);
    assert!(endpoint.send().await.is_err(), "the endpoint ends with its command");
    let exported = world.exported_grant(&desk.client).await;
    assert_eq!(exported["ended_because"], "revoked_by_client", "{exported}");
}

async fn what_is_declined_or_taken_away_never_runs(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let mark = desk.home.join("ran").display().to_string();
    let (asked, code) = desk.ask("run", &[], &["touch", &mark]).await;
    world.approver().await.deny(&world.server, &code).await;
    let ended = asked.ended().await;
    assert_eq!(ended.code, 5, "{}", ended.said);
    assert!(ended.said.contains("access_denied"), "{}", ended.said);
    // Of the command and what it may reach, one is taken away.
    let flags = ["--resource", &resource.url, "--path", "/v2/**"];
    for left in [0, 1] {
        let (asked, code) = desk.ask("run", &flags, &["touch", &mark]).await;
        let mut view = world
            .approver()
            .await
            .view(&world.server, &code)
            .await
            .expect(200)
            .json();
        let details = &mut view["decision"]["granted"]["authorization_details"];
        *details = json!([details[left]]);
        let approver = world.approver().await;
        approver.approve_view(&world.server, &view).await.expect(200);
        let ended = asked.ended().await;
        assert_eq!(
            (ended.code, &ended.event["grant_ended"]),
            (5, &json!(true)),
            "{}",
            ended.said
        );
        assert!(ended.said.contains("not_approved"), "{}", ended.said);
    }
    assert!(!desk.home.join("ran").exists());
}

async fn one_request_is_approved_and_sent_without_a_command(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let url = format!("{}/v2/notes/a%20b?page=2", resource.url);
    let (asked, code) = desk.ask("curl", &["-X", "PUT", "-d", "x=1", &url], &[]).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    assert_eq!(
        (ended.code, ended.stdout.contains("/v2/notes/a%20b")),
        (0, true),
        "{} {}",
        ended.stdout,
        ended.said
    );
    assert_eq!(ended.event["grant_ended"], json!(true));
    // What the resource refuses is no success.
    let (asked, code) = desk.ask("curl", &["-i", &format!("{}/vault", resource.url)], &[]).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    assert_eq!(ended.code, 5, "{}", ended.said);
    assert!(ended.stdout.starts_with("HTTP/1.1 401"), "{}", ended.stdout);
}

async fn signals_and_exit_codes_pass_through(world: &World) {
    let desk = Desk::new(world, None).await;
    let trapping = r#"trap "echo TERM; exit 9" TERM
        for name in HUP INT QUIT USR1 USR2 WINCH; do trap "echo $name" "$name"; done
        echo ready; while :; do sleep 0.05; done"#;
    let mut running = desk.begun(&[], &["sh", "-c", trapping]).await;
    assert_eq!(running.line().await, "ready");
    let parent = running.child.id().unwrap();
    for name in ["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "TERM"] {
        signal(name, parent).await;
        assert_eq!(running.line().await, name);
    }
    let ended = running.ended().await;
    assert_eq!((ended.code, &ended.event["exit"]), (9, &json!(9)), "{}", ended.said);
    for (script, code) in [
        ("exit 0", 0),
        ("exit 200", 200),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
    ] {
        let ended = desk.begun(&[], &["sh", "-c", script]).await.ended().await;
        assert_eq!(ended.code, code, "{script}: {}", ended.said);
        assert_eq!(ended.event["grant_ended"], json!(true), "{script}");
    }
    for (argv, code) in [(["/nonexistent/program"], 127), (["/etc/passwd"], 126)] {
        let output = desk.command("run", &[], &argv).output().await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{argv:?}: nobody is asked");
    }
}

async fn arguments_arrive_byte_by_byte(world: &World) {
    let desk = Desk::new(world, None).await;
    let odd = b"a\xff\\b \"\n\x1b[31m";
    let mut command = desk.command("run", &["--json"], &["printf", "%s|", "--", "-n", ""]);
    command.arg(OsStr::from_bytes(odd));
    let (asked, code) = desk.start(command).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    let exported = world.exported_grant(&desk.client).await;
    let expected = [b"--|-n||".as_slice(), odd, b"|"].concat();
    assert_eq!(ended.stdout, String::from_utf8_lossy(&expected), "{}", ended.said);
    let detail = &exported["authorization_details"][0];
    assert_eq!(detail["argv_form"], "escaped", "{detail}");
    assert_eq!(detail["argv"][5], "a\\xff\\\\b \"\n\u{1b}[31m");
}

async fn what_was_hashed_is_what_runs(world: &World) {
    let desk = Desk::new(world, None).await;
    let script = desk.script(
        "deploy",
        "#!/usr/bin/env sh\necho one; cat \"$1\" \"${2#--values=}\"; pwd\n",
    );
    let (first, second) = (
        desk.script("first.txt", "first\n"),
        desk.script("second.txt", "second\n"),
    );
    let flags = ["--input", &first, "--input", &second, "--env", "PATH=/usr/bin:/bin"];
    let option = format!("--values={second}");
    let (asked, code) = desk.ask("run", &flags, &[&script, &first, &option]).await;
    for (name, text) in [
        ("deploy", "#!/bin/sh\necho two\n"),
        ("first.txt", "1"),
        ("second.txt", "2"),
    ] {
        desk.script(name, text);
    }
    world.approve(&code).await;
    let ended = asked.ended().await;
    let exported = world.exported_grant(&desk.client).await;
    let expected = format!("one\nfirst\nsecond\n{}\n", desk.home.path().display());
    assert_eq!((ended.code, ended.stdout), (0, expected), "{}", ended.said);
    let detail = &exported["authorization_details"][0];
    let inputs = detail["inputs"].as_object().unwrap();
    assert_eq!(inputs.len(), 3, "two files and the shell: {detail}");
    assert!(
        detail["claimed"].is_null() && detail["argv"][2] == json!(option),
        "{detail}"
    );
}

async fn a_file_that_is_only_named_is_only_claimed(world: &World) {
    let desk = Desk::new(world, None).await;
    let (file, other) = (desk.script("deploy.py", "print(1)\n"), desk.script("site=a.txt", "7\n"));
    let (option, input) = (format!("--site={other}"), ["--input", &other]);
    let (folder, list) = (desk.home.path().display().to_string(), format!("{other}:/nonexistent"));
    let claim = json!(["the files and folders that its arguments name"]);
    for (flags, argv, claimed) in [
        (&[][..], &["cat", &*file][..], &claim),
        (&[], &["cat", "deploy.py"], &claim),
        (&[], &["cat", &option], &claim),
        (&[], &["cat", "site=a.txt"], &claim),
        (&[], &["cat", "@deploy.py"], &claim),
        (&[], &["cat", "-d@deploy.py"], &claim),
        (&[], &["cat", "-fdeploy.py"], &claim),
        (&[], &["cat", "-qfdeploy.py"], &claim),
        (&[], &["cat", "if=deploy.py"], &claim),
        (&[], &["cat", "x=@deploy.py;type=text/plain"], &claim),
        (&[], &["cat", "x=<deploy.py"], &claim),
        (&[], &["cat", &list], &claim),
        (&[], &["cat", &folder], &claim),
        (&[], &["cat", "."], &claim),
        (&input, &["cat", &file, &option], &claim),
        (&input, &["cat", &option, &other], &Value::Null),
        (&input, &["cat", &format!("--data=@{other}")], &Value::Null),
        (&input, &["cat", &other, &format!("of={other}")], &claim),
        (&[], &["cat", "nothing.py", "-n", "--deploy.py", "-"], &Value::Null),
    ] {
        let flags = [flags, &["--env", "LANG=C", "--dry-run", "--json"]].concat();
        let shown = run(&mut desk.command("run", &flags, argv)).await.expect_code(0).json();
        assert_eq!(shown["authorization_details"][0]["claimed"], *claimed, "{argv:?}");
    }
    let inheriting = desk.command("run", &["--dry-run", "--json"], &["cat"]);
    let shown = run(&mut { inheriting }).await.expect_code(0).json();
    let claimed = &shown["authorization_details"][0]["claimed"];
    assert_eq!(*claimed, json!(["the environment that it inherits"]));
}

async fn what_changes_in_its_place_never_runs(world: &World) {
    let desk = Desk::new(world, None).await;
    let script = desk.script(
        "tool",
        "#!/bin/sh\ncat \"$(dirname \"$(readlink -f \"$0\")\")/beside.txt\"\n",
    );
    let beside = desk.script("beside.txt", "beside\n");
    let run = async |changed: Option<&str>, flags: &[&str]| {
        let (asked, code) = desk.ask("run", flags, &[&script]).await;
        if let Some(name) = changed {
            desk.script(name, "#!/bin/sh\necho changed\n");
        }
        world.approve(&code).await;
        asked.ended().await
    };
    let ended = run(None, &["--in-place"]).await;
    assert_eq!((ended.code, &*ended.stdout), (0, "beside\n"), "{}", ended.said);
    for (changed, flags) in [
        ("beside.txt", ["--in-place", "--input", &beside].as_slice()),
        // No argument names it, so it is not passed as a copy.
        ("beside.txt", &["--input", &beside]),
        ("tool", &["--in-place"]),
    ] {
        let ended = run(Some(changed), flags).await;
        assert_eq!((ended.code, &*ended.stdout), (5, ""), "{changed}: {}", ended.said);
        assert!(ended.said.contains("has changed"), "{}", ended.said);
        assert_eq!(ended.event["grant_ended"], json!(true), "{changed}");
        desk.script("beside.txt", "beside\n");
    }
}

async fn the_environment_is_what_was_declared(world: &World) {
    let desk = Desk::new(world, None).await;
    let mut command = desk.command("run", &["--json", "--env", "GREETING", "--env", "PLACE=here"], &["env"]);
    command
        .env("GREETING", "hello")
        .env("OTHER", "other")
        .env("WAYPASS_SECRET", "of another run");
    let (asked, code) = desk.start(command).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    let mut variables: Vec<_> = ended.stdout.lines().collect();
    variables.sort_unstable();
    assert_eq!(variables, ["GREETING=hello", "PLACE=here"], "{}", ended.said);
    // Without a declaration all of it but what loads code.
    let mut command = desk.command("run", &["--json"], &["env"]);
    command.env("OTHER", "other").env("LD_LIBRARY_PATH", "/nonexistent");
    let (asked, code) = desk.start(command).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    assert!(
        ended.stdout.contains("OTHER=other") && !ended.stdout.contains("LD_"),
        "{}",
        ended.stdout
    );
}

async fn a_killed_parent_takes_the_endpoint_along(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    for flags in [&["--unix"][..], &[]] {
        let flags = [flags, &["--resource", &resource.url, "--path", "/**"]].concat();
        let mut running = desk.waiting(&flags).await;
        signal("KILL", running.child.id().unwrap()).await;
        running.child.wait().await.unwrap();
        match running.endpoint.strip_prefix("unix:") {
            Some(path) => assert!(tokio::net::UnixStream::connect(path).await.is_err()),
            None => assert!(running.with_secret("GET", "/x").send().await.is_err()),
        }
    }
}
