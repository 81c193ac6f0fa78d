//! Administration over the local socket: the lines of the documentation, word for word.

use cli::Exit;
use serde_json::{Value, json};

use crate::stub::{Stub, error, reply};
use crate::world::{START, World, is_harmless};

const EVIL: &str = "\u{1b}[31m\u{202e}\nx";

fn client(id: &str) -> Value {
    json!({
        "client_id": id, "name": EVIL, "kind": "cli", "environment": null, "owner": EVIL, "purpose": EVIL,
        "verified": false, "expires_at": null, "scope": "read", "resource": [], "profile": "open",
        "authentication": "none", "assertion_audience": null, "require_dpop": false, "strict": false,
        "code_lifetime": 15, "signing_alg": "ES256", "introspect": false, "report_codes": false, "device_grant": "report",
        "device_grant_since": START * 1000, "created_at": START * 1000,
        "disabled_at": null, "warnings": ["open takes any stock client"]
    })
}

fn grant() -> Value {
    json!({
        "grant_id": "g1", "origin": "device_code", "authorization_details": [{"type": EVIL}], "request_id": "r1", "client_id": "cli", "approver": EVIL, "scope": EVIL, "resource": [],
        "jkt": null, "created_at": 0, "expires_at": START * 1000 + 1, "ended_at": null, "ended_because": null
    })
}

fn admission() -> Value {
    json!({
        "id": "a1", "client_id": EVIL, "kind": "oidc", "by": EVIL, "subject": EVIL, "audience": EVIL, "owner": EVIL,
        "environment": EVIL, "lifetime": 3600, "created_at": 0, "removed_at": null
    })
}

fn event(id: &str) -> Value {
    json!({
        "id": id, "at": START * 1000, "action": "request.approved", "outcome": "success", "request_id": "r1",
        "grant_id": null, "client_id": "cli", "approver_id": EVIL, "detail": {"note": EVIL}
    })
}

/// A server in the world's data folder that answers everything that is asked of it.
fn server(world: &World) -> Stub {
    Stub::on_socket(&world.folder.join("waypass.sock"), |_, seen| {
        let body = match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/local/clients") => return reply(201, &client(seen.json()["client_id"].as_str().unwrap())),
            ("GET", "/local/clients") => json!([client("cli")]),
            ("GET", "/local/clients/cli") | ("POST", "/local/clients/cli/disable" | "/local/clients/cli/enable") => {
                client("cli")
            }
            ("POST", "/local/approvers" | "/local/approvers/alice/relink") => {
                json!({"approver": "alice", "enrollment_link": "http://h/enroll#t", "expires_at": START * 1000})
            }
            ("GET", "/local/approvers") => json!([{
                "id": "approver_1", "name": EVIL, "passkeys": 1, "software_keys": 0, "created_at": 0, "disabled_at": null
            }]),
            ("GET", "/local/admissions") => json!([admission()]),
            ("DELETE", "/local/admissions/a1") => admission(),
            ("POST", "/local/admissions") => return reply(201, &admission()),
            ("GET", "/local/requests") => json!([{
                "request_id": "r1", "client_id": EVIL, "state": "pending", "scope": EVIL, "requester_address": EVIL,
                "requested_at": 0, "expires_at": 0, "approver": null
            }]),
            ("GET", "/local/grants") => json!([grant()]),
            ("GET", "/local/grants/g1") | ("POST", "/local/grants/g1/revoke") => grant(),
            ("GET", "/local/keys") | ("POST", "/local/keys/rotate") => json!([{
                "kid": EVIL, "alg": "ES256", "state": "active", "created_at": 0, "retires_at": null
            }]),
            ("GET", "/local/events?limit=20") => json!([event("e1"), event("e2")]),
            ("DELETE", "/local/clients/cli") | ("POST", _) => json!({}),
            _ => return error(404, "not_found"),
        };
        reply(200, &body)
    })
}

#[test]
fn every_line_of_an_administrator_works_in_both_forms_and_prints_nothing_hostile() {
    let world = World::new();
    let _server = server(&world);
    let data = world.folder.to_str().unwrap();
    for line in [
        "client list",
        "client show cli",
        "client disable cli",
        "client enable cli",
        "client delete cli",
        "admission add cli --owner alice --lifetime 1h --issuer https://i.example --subject s",
        "admission list",
        "admission remove a1",
        "approver add alice",
        "approver list",
        "approver relink alice",
        "approver disable alice",
        "approver enable alice",
        "request list",
        "grant list",
        "grant show g1",
        "grant revoke g1",
        "key list",
        "key rotate",
        "event tail",
    ] {
        for form in [&["--data", data][..], &["--data", data, "--json"]] {
            let words: Vec<&str> = line.split(' ').chain(form.iter().copied()).collect();
            let ran = world.run(&words).must(Exit::Done);
            is_harmless(&ran.everything());
            assert!(!ran.output.is_empty(), "{line}");
        }
    }
}

#[test]
fn json_is_one_value_and_events_are_one_a_line() {
    let world = World::new();
    let _server = server(&world);
    let data = world.folder.to_str().unwrap();
    let link = world
        .run(&["approver", "add", "alice", "--data", data, "--json"])
        .json();
    assert_eq!(link["enrollment_link"], "http://h/enroll#t");
    let ran = world.run(&["event", "tail", "--data", data, "--json"]);
    let ids: Vec<Value> = ran
        .output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["e1", "e2"]);
}

/// Adds a client with these words and checks these members of what was sent.
#[track_caller]
fn check_add(world: &World, server: &Stub, words: &[&str], expected: &Value) {
    let data = ["--data", world.folder.to_str().unwrap()];
    let ran = world.run(&[&["client", "add"], words, &data].concat()).must(Exit::Done);
    assert!(
        ran.errors.contains("warning: open takes any stock client"),
        "{}",
        ran.errors
    );
    let sent = server.seen().last().unwrap().json();
    assert_eq!(sent["client_id"], words[0]);
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&sent[name], value, "{name} of {words:?}");
    }
}

#[test]
fn the_fixed_lines_send_what_they_say() {
    let world = World::new();
    let server = server(&world);
    std::fs::write(world.folder.join("jwks"), r#"{"keys": []}"#).unwrap();
    std::fs::write(world.folder.join("secret"), "s3cret\n\n").unwrap();
    let (jwks, secret) = (world.path("jwks"), world.path("secret"));
    let scope = "openid offline_access profile read";
    let add = |words: &[&str], expected: &Value| check_add(&world, &server, words, expected);
    let open = ["--profile", "open", "--scope", scope];
    add(
        &[&["cli", "--public"], &open[..]].concat(),
        &json!({"public": true, "profile": "open", "scope": scope}),
    );
    add(
        &[&["short", "--public", "--code-lifetime", "15"], &open[..]].concat(),
        &json!({"code_lifetime": 15}),
    );
    add(
        &[&["bound", "--public", "--require-dpop"], &open[..]].concat(),
        &json!({"require_dpop": true}),
    );
    add(
        &[&["svc", "--jwks-file", &jwks], &open[..]].concat(),
        &json!({"jwks": {"keys": []}, "public": false}),
    );
    add(
        &[
            &["svc", "--jwks-file", &jwks, "--assertion-audience", "legacy"],
            &open[..],
        ]
        .concat(),
        &json!({"assertion_audience": "legacy"}),
    );
    let one_newline_dropped = json!({"secret": "s3cret\n", "public": false});
    add(
        &[&["sec", "--secret-file", &secret], &open[..]].concat(),
        &one_newline_dropped,
    );
    add(
        &["plain", "--public", "--scope", "read"],
        &json!({"profile": null, "scope": "read"}),
    );
    add(
        &["rs", "--secret-file", &secret, "--introspect"],
        &json!({"introspect": true, "scope": ""}),
    );
}

#[test]
fn everything_an_administrator_can_say_about_a_client_is_sent() {
    let world = World::new();
    let server = server(&world);
    let words = "full --public --resource https://a.example --resource https://b.example --owner o --kind agent \
        --environment e --purpose p --verified --expires 1d --strict --signing-alg EdDSA --display-name n";
    let expected = json!({
        "resource": ["https://a.example", "https://b.example"], "owner": "o", "kind": "agent", "environment": "e",
        "purpose": "p", "verified": true, "expires_at": (START + 86_400) * 1000, "strict": true,
        "signing_alg": "EdDSA", "name": "n"
    });
    check_add(
        &world,
        &server,
        &words.split_whitespace().collect::<Vec<_>>(),
        &expected,
    );
}

#[test]
fn without_a_server_it_says_so_and_is_exit_69() {
    let world = World::new();
    let data = world.folder.to_str().unwrap();
    // Nothing there, and a socket that a killed server has left.
    for leave_socket in [false, true] {
        if leave_socket {
            drop(std::os::unix::net::UnixListener::bind(world.folder.join("waypass.sock")).unwrap());
        }
        let ran = world.run(&["client", "list", "--data", data]).must(Exit::Unreachable);
        assert!(
            ran.errors.contains(&format!("no server is running on {data}")),
            "{}",
            ran.errors
        );
    }
}

#[test]
fn a_refusal_of_the_server_is_told_in_its_words() {
    let world = World::new();
    let _server = Stub::on_socket(&world.folder.join("waypass.sock"), |_, _| {
        reply(
            409,
            &json!({"error": "exists", "error_description": format!("There is a client of that name.{EVIL}")}),
        )
    });
    let ran = world.run(&[
        "client",
        "add",
        "cli",
        "--public",
        "--data",
        world.folder.to_str().unwrap(),
    ]);
    let ran = ran.must(Exit::Refused);
    is_harmless(&ran.errors);
    assert!(ran.errors.contains("There is a client of that name."), "{}", ran.errors);
}

#[test]
fn a_name_is_one_segment_of_the_address_whatever_it_holds() {
    let world = World::new();
    let server = Stub::on_socket(&world.folder.join("waypass.sock"), |_, _| error(404, "not_found"));
    world
        .run(&[
            "client",
            "delete",
            "../grants/g?x#y",
            "--data",
            world.folder.to_str().unwrap(),
        ])
        .must(Exit::Refused);
    assert_eq!(server.seen()[0].path, "/local/clients/..%2Fgrants%2Fg%3Fx%23y");
}

#[test]
fn unusable_files_and_ends_are_usage_errors_before_anything_is_sent() {
    let world = World::new();
    let server = server(&world);
    std::fs::write(world.folder.join("empty"), "\n").unwrap();
    let (data, empty) = (world.folder.to_str().unwrap(), world.path("empty"));
    for words in [
        ["--secret-file", "/nonexistent"],
        ["--secret-file", &empty],
        ["--jwks-file", &empty],
    ] {
        world
            .run(&[&["client", "add", "x", "--data", data], words.as_slice()].concat())
            .must(Exit::Usage);
    }
    world
        .run(&["client", "add", "x", "--data", data, "--public", "--expires", "soon"])
        .must(Exit::Usage);
    assert!(server.seen().is_empty());
}

#[test]
fn follow_goes_on_from_the_last_event_until_ctrl_c() {
    let world = World::new();
    let interrupt = std::sync::Arc::clone(&world.interrupt);
    let server = Stub::on_socket(&world.folder.join("waypass.sock"), move |_, seen| {
        match seen.path.as_str() {
            "/local/events?limit=1" => reply(200, &json!([event("e1")])),
            "/local/events?after=e1&limit=100" => reply(200, &json!([event("e2")])),
            "/local/events?after=e2&limit=100" => {
                interrupt.notify_one();
                reply(200, &json!([]))
            }
            _ => error(400, "invalid"),
        }
    });
    let data = world.folder.to_str().unwrap();
    let ran = world
        .run(&["event", "tail", "--follow", "--limit", "1", "--data", data])
        .must(Exit::Done);
    assert_eq!(ran.output.lines().count(), 2, "{}", ran.output);
    assert!(server.seen().len() >= 3);
}

#[test]
fn an_admission_sends_what_was_typed_and_what_its_files_hold() {
    let world = World::new();
    let server = server(&world);
    std::fs::write(world.folder.join("keys"), r#"{"keys": []}"#).unwrap();
    let (keys, data) = (world.path("keys"), world.folder.to_str().unwrap().to_owned());
    let common = [
        "admission",
        "add",
        "cli",
        "--data",
        &data,
        "--owner",
        "alice",
        "--lifetime",
        "12h",
    ];
    let oidc = [
        "--issuer",
        "https://i.example",
        "--subject",
        "s",
        "--audience",
        "a",
        "--environment",
        "ci",
    ];
    for (words, expected) in [
        (
            &oidc[..],
            json!({"issuer": "https://i.example", "subject": "s", "audience": "a", "environment": "ci", "jwks": null}),
        ),
        (
            &["--attester", "a", "--jwks-file", &keys],
            json!({"attester": "a", "jwks": {"keys": []}}),
        ),
        (
            &["--spiffe-id", "spiffe://d/w", "--bundle-file", &keys],
            json!({"spiffe_id": "spiffe://d/w", "bundle": {"keys": []}}),
        ),
    ] {
        world.run(&[&common, words].concat()).must(Exit::Done);
        let sent = server.seen().last().unwrap().json();
        assert_eq!((&sent["owner"], &sent["lifetime"]), (&json!("alice"), &json!(43_200)));
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&sent[name], value, "{name} of {words:?}");
        }
    }
}
