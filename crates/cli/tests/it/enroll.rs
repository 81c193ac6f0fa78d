//! `waypass enroll` and this machine's own instance: the ways in, the ceremony, six digits carried back, and
//! a new key in place of the old one.

use std::sync::Mutex;

use cli::Exit;
use protocol::digest::Digest;
use serde_json::{Value, json};

use crate::stub::{Reply, Seen, Stub, authorization_server, decode, error, metadata, reply, tokens};
use crate::world::{START, World};

const END: i64 = (START + 86_400) * 1000;

fn thumbprint(jwk: &Value) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    Digest::of(members.as_bytes()).as_str().to_owned()
}

fn instance(jwk: &Value, state: Option<&str>) -> Reply {
    let mut body = json!({
        "instance_id": "instance_1", "client_id": "cli", "name": "box\u{1b}[1m", "environment": null, "owner": "alice",
        "expires_at": END, "thumbprint": thumbprint(jwk), "way_in": "ceremony"
    });
    if let Some(state) = state {
        body["state"] = json!(state);
    }
    reply(200, &body)
}

fn pending(url: &str) -> Reply {
    let body = json!({
        "state": "pending", "device_code": "the-device-code", "user_code": "WDJB-MJHT",
        "verification_uri": format!("{url}/device"), "expires_in": 600, "interval": 5
    });
    reply(202, &body)
}

/// What `POST /enrollment/finish` answers, one after the other; then it is enrolled.
fn server(needs_ceremony: bool, finish: Vec<Reply>) -> Stub {
    let answers = Mutex::new(finish.into_iter());
    Stub::start(move |url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        "/enrollment" if needs_ceremony => pending(url),
        "/enrollment" => instance(&seen.proof().0["jwk"], Some("enrolled")),
        "/enrollment/finish" => {
            let next = answers.lock().unwrap().next();
            next.unwrap_or_else(|| instance(&seen.proof().0["jwk"], None))
        }
        _ => error(404, "not_found"),
    })
}

fn enroll(world: &World, server: &Stub, more: &[&str]) -> crate::world::Ran {
    let words = ["enroll", "--server", &server.url, "--client-id", "cli"];
    world.run(&[&words, more].concat())
}

fn wants_digits(code: &str, tries: u32) -> Reply {
    reply(400, &json!({"error": code, "confirmation_tries": tries}))
}

#[test]
fn a_key_that_is_vouched_for_is_known_at_once_and_is_the_one_that_logs_in() {
    let server = server(false, Vec::new());
    let world = World::new();
    let words = ["--name", "ci", "--environment", "staging", "--expires", "12h"];
    let ran = enroll(&world, &server, &words).must(Exit::Done);
    for shown in ["instance_1", "alice", "2026-11-24", "box\\u{1b}"] {
        assert!(ran.output.contains(shown), "{shown} in {}", ran.output);
    }
    let asked = &server.seen_at("/enrollment")[0];
    for (name, value) in [
        ("client_id", "cli"),
        ("name", "ci"),
        ("environment", "staging"),
        ("expires_in", "43200"),
        ("key_storage", "file"),
        ("version", concat!("waypass ", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(asked.form(name).as_deref(), Some(value));
    }
    assert!(asked.form("system").unwrap().ends_with(std::env::consts::ARCH));
    assert!(asked.form("workload_token").is_none());

    let status = world.run(&["instance", "status", "--json"]).must(Exit::Done).json();
    assert_eq!(status["instance"]["owner"], "alice");
    let status = world.run(&["instance", "status"]).must(Exit::Done);
    assert!(status.output.contains("instance_1") && status.output.contains("not encrypted"));
    // No flags: the profile is kept. The stub knows no device grant, but it is asked with that key.
    world.run(&["login"]).must(Exit::Refused);
    let login = &server.seen_at("/device_authorization")[0];
    assert_eq!(login.proof().0["jwk"], asked.proof().0["jwk"]);
}

#[test]
fn a_ceremony_shows_page_code_and_words_and_ends_known() {
    let server = server(true, vec![error(400, "authorization_pending"), error(400, "slow_down")]);
    let world = World::new();
    let ran = enroll(&world, &server, &[]).must(Exit::Done);
    let words = protocol::key_words::of(&thumbprint(&server.seen_at("/enrollment")[0].proof().0["jwk"]));
    for shown in [&format!("{}/device", server.url), "WDJB-MJHT", &words, "instance_1"] {
        assert!(ran.output.contains(shown), "{shown} in {}", ran.output);
    }
    assert_eq!(world.clock.seconds(), 5 + 5 + 10);
    let finish = &server.seen_at("/enrollment/finish")[0];
    assert_eq!(finish.form("device_code").unwrap(), "the-device-code");
    assert_eq!(finish.form("client_id").unwrap(), "cli");
    assert!(finish.form("grant_type").is_none());

    let ran = enroll(&World::new(), &server, &["--json"]).must(Exit::Done);
    let events: Vec<Value> = ran
        .output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "authorization_request");
    assert_eq!(
        (&events[1]["event"], &events[1]["instance"]["instance_id"]),
        (&json!("enrolled"), &json!("instance_1"))
    );
}

fn sent_digits(server: &Stub) -> Vec<Option<String>> {
    let seen = server.seen_at("/enrollment/finish");
    seen.iter().map(|seen| seen.form("confirmation")).collect()
}

#[test]
fn x16_the_six_digits_are_asked_for_and_sent_until_they_are_right() {
    let server = server(
        true,
        vec![
            wants_digits("authorization_pending", 3),
            wants_digits("invalid_confirmation", 2),
        ],
    );
    let mut world = World::new();
    world.typed = Some("nonsense\n123 456\n654321\n");
    let ran = enroll(&world, &server, &[]).must(Exit::Done);
    assert!(
        ran.errors.contains("3 tries") && ran.errors.contains("2 tries"),
        "{}",
        ran.errors
    );
    assert!(ran.errors.contains("Nothing was sent"), "{}", ran.errors);
    assert_eq!(
        sent_digits(&server),
        [None, Some("123456".to_owned()), Some("654321".to_owned())]
    );
}

#[test]
fn x16_digits_whose_answer_was_lost_are_sent_again_and_not_asked_for_again() {
    let server = server(true, vec![wants_digits("authorization_pending", 3), error(503, "busy")]);
    let mut world = World::new();
    world.typed = Some("123456\n");
    enroll(&world, &server, &[]).must(Exit::Done);
    assert_eq!(
        sent_digits(&server)[1..],
        [Some("123456".to_owned()), Some("123456".to_owned())]
    );
}

#[test]
fn x16_after_the_last_wrong_digits_it_says_so_and_nothing_is_kept() {
    let server = server(
        true,
        vec![wants_digits("authorization_pending", 1), error(400, "access_denied")],
    );
    let mut world = World::new();
    world.typed = Some("123456\n");
    let ran = enroll(&world, &server, &[]).must(Exit::Refused);
    assert!(
        ran.errors.contains("last try") && ran.errors.contains("not the digits"),
        "{}",
        ran.errors
    );
    world.run(&["instance", "status"]).must(Exit::Failed);
}

#[test]
fn x16_where_nobody_types_the_digits_come_from_a_file_once_it_has_them() {
    let world = World::new();
    let file = world.path("digits");
    let path = file.clone();
    let finished = Mutex::new(0);
    let server = Stub::start(move |url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        "/enrollment" => pending(url),
        _ => {
            let mut polls = finished.lock().unwrap();
            *polls += 1;
            if *polls == 3 {
                std::fs::write(&path, "123456\n").unwrap();
            }
            match seen.form("confirmation") {
                None => wants_digits("authorization_pending", 3),
                Some(_) => instance(&seen.proof().0["jwk"], None),
            }
        }
    });
    let ran = enroll(&world, &server, &["--json", "--confirmation-file", &file]).must(Exit::Done);
    assert_eq!(ran.output.matches("confirmation_required").count(), 1, "{}", ran.output);
    assert_eq!(sent_digits(&server), [None, None, None, Some("123456".to_owned())]);

    let never = self::server(true, vec![wants_digits("authorization_pending", 3)]);
    let ran = enroll(&World::new(), &never, &[]).must(Exit::Failed);
    assert!(ran.errors.contains("--confirmation-file"), "{}", ran.errors);
}

#[test]
fn evidence_is_read_from_a_file_and_sent_where_it_belongs() {
    let world = World::new();
    let file = world.path("token");
    std::fs::write(&file, "a.b.c\n").unwrap();
    let server = server(false, Vec::new());
    enroll(&world, &server, &["--workload-token-file", &file]).must(Exit::Done);
    enroll(&world, &server, &["--jwt-svid-file", &file]).must(Exit::Done);
    enroll(&world, &server, &["--attestation-file", &file]).must(Exit::Done);
    let seen = server.seen_at("/enrollment");
    let sent = |seen: &Seen| {
        let attestation = seen.header("oauth-client-attestation").map(str::to_owned);
        [seen.form("workload_token"), seen.form("jwt_svid"), attestation]
            .map(|token| token.is_some_and(|token| token == "a.b.c"))
    };
    let expected = [[true, false, false], [false, true, false], [false, false, true]];
    assert_eq!(seen.iter().map(sent).collect::<Vec<_>>(), expected);

    std::fs::write(&file, "\n").unwrap();
    for file in [file.as_str(), "/nonexistent"] {
        enroll(&world, &server, &["--workload-token-file", file]).must(Exit::Usage);
    }
    assert_eq!(server.seen_at("/enrollment").len(), 3);
}

#[test]
fn a_refusal_says_what_to_do_next() {
    for (code, hint) in [
        ("exists", "--new-key"),
        ("refused", "waypass instance add cli --jwk-file"),
    ] {
        let server = Stub::start(move |url, seen| match seen.path.as_str() {
            "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
            _ => error(400, code),
        });
        let world = World::new();
        let ran = enroll(&world, &server, &[]).must(Exit::Refused);
        assert!(ran.errors.contains(hint), "{}", ran.errors);
        let key = world.credentials()["key"].clone();
        enroll(&world, &server, &[]).must(Exit::Refused);
        assert_eq!(world.credentials()["key"], key);
        enroll(&world, &server, &["--new-key"]).must(Exit::Refused);
        assert_ne!(world.credentials()["key"], key);
    }
}

#[test]
fn another_key_than_ours_is_no_enrollment() {
    let server = Stub::start(|url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        _ => instance(&json!({"x": "", "y": ""}), Some("enrolled")),
    });
    let world = World::new();
    enroll(&world, &server, &[]).must(Exit::Failed);
    world.run(&["instance", "status"]).must(Exit::Failed);
}

#[test]
fn a_public_key_is_printed_for_an_administrator_without_asking_anybody() {
    let world = World::new();
    let words = [
        "instance",
        "key",
        "--server",
        "https://login.example",
        "--client-id",
        "cli",
    ];
    let jwk = world.run(&words).must(Exit::Done).json();
    assert_eq!(jwk["x"], world.credentials()["key"]["x"]);
    assert!(jwk.get("d").is_none());
    assert_eq!(
        world.run(&["instance", "key"]).must(Exit::Done).json(),
        jwk,
        "the same again"
    );
}

/// A server that takes a new key when both proofs are there, and tells which.
fn rotating(answers: Vec<Reply>, takes: bool) -> Stub {
    let is_taken = Mutex::new(false);
    let answers = Mutex::new(answers.into_iter());
    let token_server = Mutex::new(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")].into_iter());
    Stub::start(move |url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        // Whoever says no name asks only whether its key is known, and that one is after a lost answer.
        "/enrollment" if seen.form("name").is_none() && !*is_taken.lock().unwrap() => error(400, "invalid_request"),
        "/enrollment" => instance(&seen.proof().0["jwk"], Some("enrolled")),
        "/device_authorization" => pending(url),
        "/token" => token_server.lock().unwrap().next().unwrap(),
        "/instance/rotate" => {
            let (header, claims) = decode(&seen.form("new_key_proof").unwrap());
            if claims["nonce"] != "n1" || seen.proof().1["nonce"] != "n1" {
                return error(400, "use_dpop_nonce").with("DPoP-Nonce", "n1");
            }
            let next = answers.lock().unwrap().next();
            *is_taken.lock().unwrap() = takes;
            next.unwrap_or_else(|| instance(&header["jwk"], None))
        }
        _ => error(404, "not_found"),
    })
}

#[test]
fn the_old_key_signs_for_the_new_one_and_the_next_refresh_is_by_the_new_one() {
    let server = rotating(Vec::new(), true);
    let world = World::new();
    enroll(&world, &server, &[]).must(Exit::Done);
    world.run(&["login"]).must(Exit::Done);
    let old = world.credentials()["key"].clone();
    world.run(&["instance", "rotate"]).must(Exit::Done);
    let new = world.credentials()["key"].clone();
    let rotate = server.seen_at("/instance/rotate").pop().unwrap();
    let (header, claims) = decode(&rotate.form("new_key_proof").unwrap());
    assert_eq!(
        (&rotate.proof().0["jwk"]["x"], &header["jwk"]["x"]),
        (&old["x"], &new["x"])
    );
    assert_eq!(
        (&claims["htm"], &claims["htu"]),
        (&rotate.proof().1["htm"], &rotate.proof().1["htu"])
    );
    assert_ne!(old["x"], new["x"]);

    assert_eq!(world.run(&["token"]).must(Exit::Done).output, "at-2\n");
    assert_eq!(server.seen_at("/token").pop().unwrap().proof().0["jwk"]["x"], new["x"]);
    let status = world.run(&["instance", "status", "--json"]).json();
    assert_eq!(status["instance"]["thumbprint"], thumbprint(&new));
}

#[test]
fn a_rotation_whose_answer_was_lost_goes_on_with_the_same_new_key() {
    let lost = Reply::Answer {
        status: 502,
        headers: Vec::new(),
        body: String::new(),
    };
    // Whether the server has taken the key, and the old one has ended meanwhile, or has not.
    for takes in [true, false] {
        let server = rotating(vec![lost.clone()], takes);
        let world = World::new();
        enroll(&world, &server, &[]).must(Exit::Done);
        let old = world.credentials()["key"].clone();
        world.run(&["instance", "rotate"]).must(Exit::Failed);
        assert_eq!(
            world.credentials()["key"],
            old,
            "the old one serves until the new one is taken"
        );
        let next = world.credentials()["next_key"].clone();
        world.run(&["instance", "rotate"]).must(Exit::Done);
        assert_eq!(world.credentials()["key"], next);
        assert!(world.credentials().get("next_key").is_none());
        let rotations = server.seen_at("/instance/rotate").len();
        let each = 3; // The nonce is wanted in the header, then in the body.
        assert_eq!(rotations, if takes { each } else { 2 * each });
    }
}

#[test]
fn what_is_not_enrolled_says_how_to_enroll() {
    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    for words in [["instance", "status"], ["instance", "rotate"]] {
        let ran = world.run(&words).must(Exit::Failed);
        assert!(
            ran.errors.contains("waypass enroll --profile default"),
            "{}",
            ran.errors
        );
    }
}
