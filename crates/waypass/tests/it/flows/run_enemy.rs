//! The command as the enemy: it knows its secret and its endpoint, runs as the same user, and wants more than was
//! approved.

use std::time::Duration;

use crate::http::{Answer, CLIENT, raw};
use crate::resource_server::ResourceServer;
use crate::running::{Desk, Run, is_root};
use crate::world::{World, alone_under};

on_one!(
    the_command_reaches_the_approved_methods_and_paths_alone,
    the_path_of_a_resource_bounds_the_command,
    no_header_leads_a_request_elsewhere,
    no_secret_of_another_run_opens_an_endpoint,
    the_command_cannot_read_the_token_from_the_process_beside_it,
    a_run_leaves_no_token_behind,
    a_run_that_is_killed_leaves_a_folder_until_the_next_one,
    no_token_is_handed_over_under_a_profile_that_does_not_say_so,
);

const WITHIN: Duration = Duration::from_secs(20);

async fn reaching(desk: &Desk<'_>, resource: &ResourceServer, more: &[&str]) -> Run {
    let flags = [
        "--resource",
        &resource.url,
        "--path",
        "/v2/contacts/*",
        "--path",
        "/v2/notes/**",
    ];
    desk.waiting(&[&flags[..], more].concat()).await
}

/// What a request with this run's secret comes to: the status, and whether it was ours.
async fn sent(running: &Run, line: &str, more: &str) -> (String, bool) {
    let answer = answered(running, line, more).await;
    let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, answer.contains("waypass-run: refused"))
}

/// The same of one that goes no further, and the error.
async fn turned(running: &Run, line: &str, more: &str) -> (String, String) {
    let answer = answered(running, line, more).await;
    let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    let told: serde_json::Value = serde_json::from_str(answer.lines().last().unwrap_or_default()).unwrap_or_default();
    assert!(answer.contains("waypass-run: refused"), "{answer}");
    (status, told["error"].as_str().unwrap_or_default().to_owned())
}

async fn answered(running: &Run, line: &str, more: &str) -> String {
    let secret = &running.secret;
    let request = format!("{line} HTTP/1.1\r\nWaypass-Run: {secret}\r\nConnection: close\r\n{more}\r\n");
    raw(running.port(), request.as_bytes(), WITHIN).await.unwrap()
}

fn own_host(running: &Run) -> String {
    format!("Host: 127.0.0.1:{}\r\n", running.port())
}

async fn the_command_reaches_the_approved_methods_and_paths_alone(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let running = reaching(&desk, &resource, &[]).await;
    let ours = own_host(&running);
    for line in [
        "GET /v2/contacts/7",
        "GET /v2/notes/a/b/c?d=/../e",
        "GET /v2/contacts/a%20b",
    ] {
        assert_eq!(sent(&running, line, &ours).await, ("200".to_owned(), false), "{line}");
    }
    let elsewhere = ResourceServer::at_home(&world.server.issuer).await;
    let absolute = format!("GET {}/v2/contacts/7", elsewhere.url);
    let own = format!("GET {}/v2/contacts/7", running.endpoint);
    for line in [
        "POST /v2/contacts/7",
        "HEAD /v2/contacts/7",
        "get /v2/contacts/7",
        "TRACE /v2/contacts/7",
        "GET /",
        "GET /run",
        "GET /v2/users",
        "GET /v2/contacts/../users",
        "GET /v2/contacts/%2e%2e",
        "GET /v2/notes/../../run",
        "GET /v2/notes/%2e%2e/%2e%2e/run",
        "GET /v2/notes/..%2frun",
        "GET /v2/notes/..%5crun",
        "GET /v2/notes/..;/run",
        "GET /v2/notes/.%252e/run",
        "GET /v2/notes/%2e%2e;a/run",
        "GET /v2/notes/%c0%ae%c0%ae/run",
        "GET /v2/notes/%u002e%u002e/run",
        "GET /v2/notes/..\\..\\run",
        "GET /V2/contacts/7",
        "GET /v2/contacts/",
        "GET /v2/contacts/7/",
        "GET /v2//contacts/7",
        "GET //v2/contacts/7",
        "GET //localhost/v2/contacts/7",
        &absolute,
        &own,
        "CONNECT /v2/contacts/7",
        "CONNECT localhost:443",
        "OPTIONS *",
    ] {
        let (status, _) = sent(&running, line, &ours).await;
        assert!(["400", "403"].contains(&&*status), "{line}: {status}");
    }
    let ended = running.ended().await;
    assert_eq!(ended.code, 7, "{}", ended.said);
}

/// Its approver reads a resource that ends in `/v1`, whatever the paths beside it say.
async fn the_path_of_a_resource_bounds_the_command(world: &World) {
    let resource = ResourceServer::below(&world.server.issuer, "/v1").await;
    let desk = Desk::at(world, Some(&resource.name)).await;
    let running = desk.waiting(&["--resource", &resource.name, "--path", "/**"]).await;
    for path in ["/v1", "/v1/", "/v1/contacts/7?next=/admin"] {
        running.request("GET", path).await.expect(200);
    }
    let ours = own_host(&running);
    for (path, error) in [
        ("/admin", "outside_resource"),
        ("/", "outside_resource"),
        ("/v10/contacts", "outside_resource"),
        ("/v1;a/contacts", "outside_resource"),
        ("//v1/contacts", "outside_resource"),
        ("/%76%31/contacts", "outside_resource"),
        ("/v1/../admin", "not_approved"),
        ("/v1/%2e%2e/admin", "not_approved"),
        ("/v1%2f..%2fadmin", "not_approved"),
    ] {
        let (status, told) = turned(&running, &format!("GET {path}"), &ours).await;
        assert_eq!((&*status, &*told), ("403", error), "{path}");
    }
    assert_eq!(running.ended().await.code, 7);
    // What could reach nothing is not asked for.
    let admin = format!("{}/admin", resource.url);
    let of_query = format!("{}?tenant=7", resource.name);
    for (command, flags, argv) in [
        (
            "run",
            &["--resource", &*resource.name, "--path", "/v1/**", "--path", "/v10/*"][..],
            &["true"][..],
        ),
        ("run", &["--resource", &of_query, "--path", "/**"], &["true"]),
        (
            "run",
            &["--resource", "http://api.example.com", "--path", "/**"],
            &["true"],
        ),
        ("curl", &["--resource", &resource.name, &admin], &[]),
    ] {
        let output = desk.command(command, flags, argv).output().await.unwrap();
        assert_eq!(
            output.status.code(),
            Some(64),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

async fn no_header_leads_a_request_elsewhere(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let running = reaching(&desk, &resource, &[]).await;
    let (ours, port) = (own_host(&running), running.port());
    for (more, expected) in [
        (String::new(), "421"),
        ("Host: evil.example\r\n".to_owned(), "421"),
        ("Host: 127.0.0.1\r\n".to_owned(), "421"),
        (format!("Host: localhost:{port}\r\n"), "421"),
        (format!("{ours}Host: evil.example\r\n"), "421"),
        (format!("{ours}Connection: upgrade\r\nUpgrade: websocket\r\n"), "400"),
        (format!("{ours}X-HTTP-Method-Override: DELETE\r\n"), "403"),
        (format!("{ours}X_HTTP_Method_Override: DELETE\r\n"), "403"),
        (format!("{ours}X-Original-URL: /run\r\n"), "403"),
        (format!("{ours}X-Rewrite-URL: /run\r\n"), "403"),
    ] {
        let answer = sent(&running, "GET /v2/contacts/7", &more).await;
        assert_eq!(answer, (expected.to_owned(), true), "{more}");
    }
    // What comes behind a request on the same connection is judged for itself.
    let request = format!("GET /v2/contacts/7 HTTP/1.1\r\n{ours}");
    let secret = &running.secret;
    let two = format!("{request}Waypass-Run: {secret}\r\n\r\n{request}Connection: close\r\n\r\n");
    let answers = raw(port, two.as_bytes(), WITHIN).await.unwrap();
    let statuses: Vec<_> = answers
        .split("HTTP/1.1 ")
        .filter_map(|answer| answer.split(' ').next())
        .collect();
    assert_eq!(statuses, ["", "200", "401"], "{answers}");
    assert_eq!(running.ended().await.code, 7);
}

async fn no_secret_of_another_run_opens_an_endpoint(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let one = reaching(&desk, &resource, &[]).await;
    let other = reaching(&desk, &resource, &[]).await;
    let by_socket = reaching(&desk, &resource, &["--unix"]).await;
    assert!(one.secret != other.secret && one.secret.len() >= 43);
    let url = format!("{}/v2/contacts/7", one.endpoint);
    for secret in ["", "x", &other.secret, &by_socket.secret] {
        let answer = Answer::to(CLIENT.get(&url).header("Waypass-Run", secret)).await;
        assert_eq!(
            (answer.status, answer.error()),
            (401, "invalid_secret".to_owned()),
            "{secret}"
        );
        assert_eq!(answer.header("connection"), Some("close"), "it keeps no place");
    }
    Answer::to(CLIENT.get(&url)).await.expect(401);
    for (name, value) in [
        ("Waypass-Run", one.secret.clone()),
        ("Authorization", format!("Bearer {}", one.secret)),
        ("X-API-Key", one.secret.clone()),
    ] {
        Answer::to(CLIENT.get(&url).header(name, value)).await.expect(200);
    }
    // What the command says of itself beside that does not go on.
    let lying = one
        .with_secret("GET", "/v2/contacts/7")
        .header("DPoP", "x.y.z")
        .header("Cookie", "a=b");
    Answer::to(lying.header("Authorization", "DPoP stolen"))
        .await
        .expect(200);
    // The socket is in a folder that only this user enters.
    let path = by_socket.endpoint.strip_prefix("unix:").unwrap().to_owned();
    let folder = std::path::Path::new(&path).parent().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(folder).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    let client = reqwest::Client::builder().unix_socket(path.as_str()).build().unwrap();
    for (secret, status) in [(&one.secret, 401), (&by_socket.secret, 200)] {
        let request = client
            .get("http://localhost/v2/contacts/7")
            .header("Waypass-Run", secret);
        Answer::to(request).await.expect(status);
    }
    let folder = folder.to_owned();
    for running in [one, other, by_socket] {
        assert_eq!(running.ended().await.code, 7);
    }
    assert!(!folder.exists(), "the socket goes with its run");
}

/// The command runs as the user that its parent runs as, who may trace and read any other process of theirs.
async fn the_command_cannot_read_the_token_from_the_process_beside_it(world: &World) {
    const THIEF: &str = r#"
        tried() { if "$@" > /dev/null 2>&1; then echo "read: $*"; else echo "refused"; fi; }
        sleep 60 & beside=$!; sleep 0.2
        for process in "$beside" "$PPID"; do
            tried cat "/proc/$process/environ"
            tried head -c 1 "/proc/$process/auxv"
            tried ls "/proc/$process/fd/"
            tried head -c 1 "/proc/$process/maps"
            tried head -c 1 "/proc/$process/task/$process/io"
            tried sh -c "exec 9< /proc/$process/mem"
            tried ls "/proc/$process/map_files/"
            tried readlink "/proc/$process/exe"
            tried readlink "/proc/$process/cwd"
        done
        kill "$beside"
        env | grep -c eyJ
        id -u
    "#;
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let flags = ["--resource", &resource.url, "--path", "/v2/contacts/*"];
    let ended = desk.begun(&flags, &["sh", "-c", THIEF]).await.ended().await;
    let lines: Vec<_> = ended.stdout.lines().collect();
    let (theirs, parents) = (&lines[..9], &lines[9..18]);
    assert!(
        theirs.iter().all(|line| line.starts_with("read")),
        "a process that does not hide: {theirs:?}"
    );
    assert!(parents.iter().all(|line| *line == "refused"), "{parents:?}");
    assert_eq!(lines[18], "0", "no token in the environment");
    assert_ne!(lines[19], "0", "not as root, who reads everything");
}

async fn a_run_leaves_no_token_behind(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let running = reaching(&desk, &resource, &[]).await;
    let listed = std::process::Command::new("grep")
        .args(["-rlE", "eyJ[A-Za-z0-9_-]+\\.eyJ|access_token|refresh_token"])
        .arg(desk.home.path())
        .arg("--exclude=waypass")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "", "a token stands in a file");
    running.request("GET", "/v2/contacts/7").await.expect(200);
    running.ended().await;
    let grants = world.local(&["grant", "list", "--json"]).await.expect_code(0).json();
    let grant = grants
        .as_array()
        .unwrap()
        .iter()
        .find(|grant| grant["client_id"] == *desk.client);
    assert!(
        !grant.unwrap()["scope"].as_str().unwrap().contains("offline_access"),
        "{grants}"
    );
    let output = desk
        .command("run", &["--scope", "offline_access"], &["true"])
        .output()
        .await;
    assert_eq!(output.unwrap().status.code(), Some(64));
}

async fn a_run_that_is_killed_leaves_a_folder_until_the_next_one(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let flags = ["--json", "--unix", "--resource", &resource.url, "--path", "/v2/**"];
    let begin = async || {
        let mut command = desk.command("run", &flags, &["sh", "-c", "read line"]);
        command.env("XDG_RUNTIME_DIR", desk.home.path());
        let (mut run, code) = desk.start(command).await;
        world.approve(&code).await;
        let endpoint = run.event("started").await["endpoint"].as_str().unwrap().to_owned();
        (
            run,
            endpoint
                .strip_prefix("unix:")
                .unwrap()
                .trim_end_matches("/endpoint")
                .to_owned(),
        )
    };
    let folders = || {
        let entries = std::fs::read_dir(desk.home.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let folders = entries.map(|path| path.display().to_string());
        folders
            .filter(|path| path.contains("waypass-run-"))
            .collect::<std::collections::BTreeSet<_>>()
    };
    let ((mut killed, dead), (_living, alive)) = (begin().await, begin().await);
    killed.child.kill().await.unwrap();
    // What only looks like it: a way to another folder, one without a socket, one with more in it.
    let [aside, way, empty, full] =
        ["aside", "waypass-run-way", "waypass-run-empty", "waypass-run-full"].map(|name| desk.home.join(name));
    for folder in [&aside, &empty, &full] {
        std::fs::create_dir(folder).unwrap();
    }
    for folder in [&aside, &full] {
        drop(std::os::unix::net::UnixListener::bind(folder.join("endpoint")).unwrap());
    }
    std::fs::write(full.join("more"), "").unwrap();
    for made in [&aside, &empty, &full, &aside.join("endpoint"), &full.join("endpoint")] {
        if is_root() {
            std::os::unix::fs::chown(made, Some(65534), Some(65534)).unwrap();
        }
    }
    std::os::unix::fs::symlink(&aside, &way).unwrap();
    assert!(folders().contains(&dead));
    let (_next, own) = begin().await;
    let kept = [way, empty, full.clone()].map(|path| path.display().to_string());
    assert_eq!(folders(), kept.into_iter().chain([alive, own]).collect());
    assert!(aside.join("endpoint").exists() && full.join("more").exists());
}

async fn no_token_is_handed_over_under_a_profile_that_does_not_say_so(world: &World) {
    let desk = Desk::new(world, None).await;
    let mut command = desk.command("run", &["--json", "--token-env", "TOKEN"], &["env"]);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*output.stdout), (Some(5), &b""[..]), "{said}");
    assert!(said.contains("lets no command be handed the token"), "{said}");
}

const HANDING: &str = r#"
name = "handing"
purpose = "commands that know nothing but a token"
[assessment]
risk = "A token that whoever reads a variable can use."
residual = "All that it is good for, for five minutes."
[approval]
by = "anyone"
software_keys = true
token_env = true
starter = ["same_address"]
[mitigations]
X10 = { token = 300 }
X12 = true
"#;

#[test]
fn a_token_is_handed_over_where_the_profile_and_the_approver_say_so() {
    alone_under(HANDING, async |world| {
        let resource = ResourceServer::at_home(&world.server.issuer).await;
        let desk = Desk::under(world, "handing", Some(&resource.url)).await;
        let flags = ["--token-env", "TOKEN", "--resource", &resource.url, "--path", "/v2/**"];
        let argv = ["sh", "-c", r#"echo "$TOKEN"; read line"#];
        let (mut running, code) = desk.ask("run", &flags, &argv).await;
        let view = world
            .approver()
            .await
            .view(&world.server, &code)
            .await
            .expect(200)
            .json();
        assert!(
            view.to_string().contains("handing it a bearer token in the variable"),
            "{view}"
        );
        let approver = world.approver().await;
        approver.approve_view(&world.server, &view).await.expect(200);
        running.event("started").await;
        let token = running.line().await;
        world.remember(&token);
        let url = format!("{}/v2/contacts", resource.url);
        Answer::to(CLIENT.get(&url).bearer_auth(&token)).await.expect(200);
        let ended = running.ended().await;
        assert_eq!(ended.event["grant_ended"], serde_json::json!(true), "{}", ended.event);
        let events = world.events().await;
        let redeemed = events
            .iter()
            .find(|event| event["action"] == "device.redeemed")
            .unwrap();
        assert!(redeemed.to_string().contains(r#""token.binding":"none""#), "{redeemed}");
        // For later it is no token to hand over.
        let later = ["--token-env", "TOKEN", "--scope", "read offline_access"];
        let output = desk.command("run", &later, &["env"]).output().await.unwrap();
        assert_eq!(output.status.code(), Some(64));
    });
}
