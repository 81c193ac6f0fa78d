//! `waypass login` against servers that lie, trick, or want to fill the memory.

use cli::Exit;
use serde_json::{Value, json};

use crate::stub::{Reply, Stub, authorization_server, authorization_server_with, error, metadata, reply, tokens};
use crate::world::{World, is_harmless};

#[test]
fn b10_a_document_of_another_issuer_is_not_used() {
    for lie in ["https://evil.example", "http://localhost:1", ""] {
        let server = Stub::start(move |url, _| {
            let mut document = metadata(url);
            document["issuer"] = json!(lie);
            reply(200, &document)
        });
        let world = World::new();
        let ran = world.login(&server, &[]).must(Exit::Failed);
        assert!(ran.errors.contains("says that it is"), "{}", ran.errors);
        assert!(
            server.seen().iter().all(|seen| seen.path.starts_with("/.well-known/")),
            "nothing else was sent"
        );
        assert!(!world.credentials_file().exists());
    }
}

#[test]
fn b10_a_slash_too_many_is_explained() {
    let server = Stub::start(|url, _| reply(200, &metadata(url)));
    let with_slash = format!("{}/", server.url);
    let ran = World::new()
        .run(&["login", "--server", &with_slash, "--client-id", "cli"])
        .must(Exit::Failed);
    assert!(
        ran.errors.contains(&format!("use --server {}\n", server.url)),
        "{}",
        ran.errors
    );
}

#[test]
fn b10_below_a_path_the_well_known_address_is_inserted_and_then_appended() {
    let server = Stub::start(|url, seen| match seen.path.as_str() {
        "/as/.well-known/openid-configuration" => {
            let mut document = metadata(&format!("{url}/as"));
            document["issuer"] = json!(format!("{url}/as"));
            reply(200, &document)
        }
        _ => error(404, "not_found"),
    });
    let issuer = format!("{}/as", server.url);
    World::new().run(&["login", "--server", &issuer, "--client-id", "cli"]);
    let paths: Vec<_> = server.seen().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(
        paths,
        [
            "/.well-known/oauth-authorization-server/as",
            "/as/.well-known/openid-configuration",
            "/as/device_authorization"
        ]
    );
}

#[test]
fn no_document_sends_codes_over_an_unsafe_line() {
    for endpoint in ["http://evil.example/token", "ftp://localhost/token", "not a url", ""] {
        let server = Stub::start(move |url, _| {
            let mut document = metadata(url);
            document["token_endpoint"] = json!(endpoint);
            reply(200, &document)
        });
        let ran = World::new().login(&server, &[]).must(Exit::Failed);
        assert!(ran.errors.contains("unsafe endpoint"), "{}", ran.errors);
    }
}

#[test]
fn plain_http_beyond_this_machine_is_a_usage_error() {
    let words = ["login", "--server", "http://login.example.com", "--client-id", "cli"];
    World::new().run(&words).must(Exit::Usage);
}

#[test]
fn a_file_without_certificates_is_a_usage_error_and_not_the_systems_trust_instead() {
    let server = authorization_server(Vec::new());
    let world = World::new();
    std::fs::write(world.folder.join("empty.pem"), "nothing").unwrap();
    for file in ["/nonexistent", &world.path("empty.pem")] {
        world.login(&server, &["--ca-file", file]).must(Exit::Usage);
    }
    assert!(server.seen().is_empty());
}

#[test]
fn a_redirect_is_not_followed() {
    let trap = authorization_server(vec![tokens("at-1", "rt-1")]);
    let target = format!("{}/device_authorization", trap.url);
    let server = Stub::start(move |url, seen| match seen.path.as_str() {
        "/device_authorization" => reply(307, &json!({})).with("Location", &target),
        _ => reply(200, &metadata(url)),
    });
    World::new().login(&server, &[]).must(Exit::Failed);
    assert!(trap.seen().is_empty());
}

#[test]
fn an_endless_answer_is_cut_off() {
    let server = Stub::start(|_, _| Reply::Answer {
        status: 200,
        headers: Vec::new(),
        body: "x".repeat(2 << 20),
    });
    let ran = World::new().login(&server, &[]).must(Exit::Failed);
    assert!(ran.errors.contains("1 MiB"), "{}", ran.errors);
}

#[test]
fn a_server_that_hangs_at_once_is_given_up_and_is_exit_69() {
    let server = Stub::start(|_, _| Reply::Hang);
    let world = World::with(&server);
    let ran = world.login(&server, &[]).must(Exit::Unreachable);
    assert!(ran.errors.contains("does not answer"), "{}", ran.errors);
    assert_eq!(world.clock.seconds(), 30);
}

#[test]
fn nobody_there_is_exit_69_and_says_what_to_do() {
    let words = ["login", "--server", "http://localhost:1", "--client-id", "cli"];
    let ran = World::new().run(&words).must(Exit::Unreachable);
    assert!(ran.errors.contains("hint:"), "{}", ran.errors);
}

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\n\u{202e}\u{200b}\u{9b}1m";

/// Every text a server sends, in every place it can send one.
#[test]
fn hostile_text_in_any_field_never_reaches_the_terminal_as_it_is() {
    let device = json!({
        "user_code": format!("A{HOSTILE}"), "verification_uri": format!("https://as.example/{HOSTILE}"),
        "verification_uri_complete": format!("https://as.example/?{HOSTILE}"), "message": HOSTILE
    });
    let granted = json!({
        "access_token": "at-1", "token_type": "DPoP", "expires_in": 600, "scope": format!("read {HOSTILE}")
    });
    let refused = json!({"error": format!("e{HOSTILE}"), "error_description": format!("d{HOSTILE}")});
    for last in [reply(200, &granted), reply(400, &refused), reply(500, &refused)] {
        for more in [&[][..], &["--json"]] {
            let server = authorization_server_with(device.clone(), vec![last.clone()]);
            let world = World::new();
            let ran = world.login(&server, more);
            is_harmless(&ran.everything());
            assert!(ran.output.contains("as.example"), "{}", ran.output);
            is_harmless(&world.run(&["status"]).everything());
            is_harmless(&world.run(&["status", "--json"]).everything());
        }
    }
    let lying = Stub::start(|url, _| {
        let mut document = metadata(url);
        document["issuer"] = json!(format!("https://x{HOSTILE}"));
        reply(200, &document)
    });
    is_harmless(&World::new().login(&lying, &[]).everything());
}

#[test]
fn what_is_no_token_is_not_kept_as_one() {
    for (name, value) in [
        ("access_token", json!(format!("a{HOSTILE}"))),
        ("access_token", json!("a b")),
        ("access_token", json!("")),
        ("refresh_token", json!("r\nX: y")),
        ("token_type", json!("mac")),
        ("access_token", Value::Null),
    ] {
        let mut body = json!({"access_token": "a", "token_type": "DPoP", "expires_in": 600});
        body[name] = value;
        let server = authorization_server(vec![reply(200, &body)]);
        let world = World::new();
        world.login(&server, &[]).must(Exit::Failed);
        assert!(world.credentials().get("tokens").is_none(), "{body}");
    }
}

#[test]
fn an_address_that_is_no_web_address_is_not_shown_to_be_opened() {
    for uri in ["javascript:alert(1)", "file:///etc/passwd", "x"] {
        let server = authorization_server_with(json!({"verification_uri": uri}), Vec::new());
        let ran = World::new().login(&server, &[]).must(Exit::Failed);
        assert!(!ran.everything().contains(uri) || uri == "x");
    }
}
