//! `waypass login`, step by step as RFC 8628 §3 has it.

use cli::Exit;
use serde_json::{Value, json};

use crate::stub::{
    Reply, Stub, authorization_server, authorization_server_with, decode, error, metadata, reply, tokens,
};
use crate::world::{MemoryKeyring, START, World, mode};

fn pending() -> Reply {
    error(400, "authorization_pending")
}

#[test]
fn a_login_shows_what_to_do_waits_and_keeps_the_token() {
    let server = authorization_server(vec![pending(), tokens("at-1", "rt-1")]);
    let world = World::new();
    let ran = world.login(&server, &[]).must(Exit::Done);
    let thumbprint = world.run(&["status", "--json"]).json()[0]["key_thumbprint"]
        .as_str()
        .unwrap()
        .to_owned();
    for shown in [
        &format!("{}/device", server.url),
        "WDJB-MJHT",
        &protocol::key_words::of(&thumbprint),
    ] {
        assert!(ran.output.contains(shown), "{shown} in {}", ran.output);
    }
    assert_eq!(world.clock.seconds(), 10, "two polls, five seconds apart");
    assert_eq!(world.credentials()["tokens"]["refresh_token"], "rt-1");

    let asked = &server.seen_at("/device_authorization")[0];
    assert_eq!(
        (asked.form("client_id").unwrap(), asked.form("scope").unwrap()),
        ("cli".into(), "openid read".into())
    );
    let poll = &server.seen_at("/token")[0];
    assert_eq!(
        poll.form("grant_type").unwrap(),
        "urn:ietf:params:oauth:grant-type:device_code"
    );
    assert_eq!(poll.form("device_code").unwrap(), "the-device-code");
    assert_eq!(poll.form("client_id").unwrap(), "cli");
}

#[test]
fn p20_p22_the_request_and_every_poll_are_proven_with_the_profiles_key() {
    let server = authorization_server(vec![pending(), tokens("at-1", "rt-1")]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    let mut identifiers = std::collections::HashSet::new();
    for (path, count) in [("/device_authorization", 1), ("/token", 2)] {
        let seen = server.seen_at(path);
        assert_eq!(seen.len(), count);
        for request in seen {
            let (header, claims) = request.proof();
            assert_eq!(header["jwk"]["x"], world.credentials()["key"]["x"]);
            assert!(header["jwk"].get("d").is_none(), "the private half stays here");
            assert_eq!(
                (&claims["htm"], &claims["htu"]),
                (&json!("POST"), &json!(format!("{}{path}", server.url)))
            );
            assert!(identifiers.insert(claims["jti"].to_string()), "each proof is used once");
        }
    }
}

#[test]
fn d10_without_an_interval_the_first_poll_comes_after_five_seconds() {
    let server = authorization_server_with(json!({"interval": null}), vec![tokens("at-1", "rt-1")]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    assert_eq!(world.clock.seconds(), 5);
}

#[test]
fn d15_neither_the_device_code_nor_a_token_is_ever_printed() {
    for more in [&[][..], &["--json"]] {
        let server = authorization_server(vec![pending(), tokens("at-secret", "rt-secret")]);
        let ran = World::new().login(&server, more).must(Exit::Done);
        for secret in ["the-device-code", "at-secret", "rt-secret"] {
            assert!(!ran.everything().contains(secret), "{}", ran.everything());
        }
    }
}

#[test]
fn d16_beside_the_qr_code_the_address_and_the_code_stand_as_text() {
    let complete = json!({"verification_uri_complete": "https://as.example/device?c=WDJB"});
    let server = authorization_server_with(complete, vec![tokens("at-1", "rt-1")]);
    let mut world = World::new();
    world.is_terminal = true;
    let ran = world.login(&server, &[]).must(Exit::Done);
    assert!(ran.output.contains("/device\n") && ran.output.contains("WDJB-MJHT"));
    assert!(ran.output.contains('\u{2588}'), "{}", ran.output);

    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let ran = world.login(&server, &["--no-qr"]).must(Exit::Done);
    assert!(!ran.output.contains('\u{2588}'), "{}", ran.output);
}

#[test]
fn d21_slow_down_lasts_for_all_later_polls() {
    let answers = vec![error(400, "slow_down"), pending(), pending(), tokens("at-1", "rt-1")];
    let server = authorization_server(answers);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    assert_eq!(world.clock.seconds(), 5 + 10 + 10 + 10);
}

#[test]
fn d22_declined_is_said_and_is_exit_5() {
    let server = authorization_server(vec![error(400, "access_denied")]);
    let ran = World::new().login(&server, &[]).must(Exit::Refused);
    assert!(ran.errors.contains("declined"), "{}", ran.errors);
}

#[test]
fn d08_d23_when_the_code_ends_it_says_so_and_does_not_ask_for_another() {
    let never: Vec<Reply> = std::iter::repeat_n(pending(), 1000).collect();
    let by_the_server = vec![error(400, "expired_token")];
    for answers in [never, by_the_server] {
        let server = authorization_server(answers);
        let world = World::new();
        let ran = world.login(&server, &[]).must(Exit::UnknownCode);
        assert!(
            ran.errors.contains("expired") && ran.errors.contains("waypass login"),
            "{}",
            ran.errors
        );
        assert_eq!(server.seen_at("/device_authorization").len(), 1);
        assert!(world.clock.seconds() <= 600);
    }
}

#[test]
fn d24_any_other_error_stops_the_polling() {
    for code in [
        "invalid_grant",
        "invalid_client",
        "server_error",
        "something_new",
        "use_dpop_nonce",
    ] {
        let server = authorization_server(vec![error(400, code), tokens("at-1", "rt-1")]);
        let ran = World::new().login(&server, &[]).must(Exit::Refused);
        assert!(ran.errors.contains(code), "{}", ran.errors);
        assert_eq!(server.seen_at("/token").len(), 1, "{code}");
    }
}

#[test]
fn d25_a_hanging_server_is_asked_ever_more_seldom_and_found_again() {
    let server = authorization_server(vec![Reply::Hang, Reply::Hang, pending(), tokens("at-1", "rt-1")]);
    let world = World::with(&server);
    world.login(&server, &[]).must(Exit::Done);
    // Waits of 5, 10 and 20 seconds, two time-outs of 30, and then 5 again.
    assert_eq!(world.clock.seconds(), 5 + 30 + 10 + 30 + 20 + 5);
}

#[test]
fn d25_a_busy_server_is_asked_more_seldom_too() {
    let server = authorization_server(vec![
        error(503, "busy"),
        error(429, "rate_limited"),
        tokens("at-1", "rt-1"),
    ]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    assert_eq!(world.clock.seconds(), 5 + 10 + 20);
}

#[test]
fn d33_with_hide_code_the_code_waits_for_enter() {
    let complete = json!({"verification_uri_complete": "https://as.example/device?c=WDJB"});
    let server = authorization_server_with(complete, vec![tokens("at-1", "rt-1")]);
    let mut world = World::new();
    let ran = world.login(&server, &["--hide-code"]).must(Exit::Usage);
    assert!(
        ran.errors.contains("--hide-code"),
        "nobody can press Enter: {}",
        ran.errors
    );
    world.typed = Some("\n");
    let ran = world.login(&server, &["--hide-code"]).must(Exit::Done);
    assert!(ran.errors.contains("Press Enter") && ran.output.contains("WDJB-MJHT"));
}

#[test]
fn g3_a_wanted_nonce_is_used_at_once_and_once_and_the_newest_one_counts() {
    let server = authorization_server(vec![
        error(400, "use_dpop_nonce").with("DPoP-Nonce", "n1"),
        pending().with("DPoP-Nonce", "n2"),
        pending(),
        tokens("at-1", "rt-1"),
    ]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    let nonces: Vec<Value> = server
        .seen_at("/token")
        .iter()
        .map(|seen| seen.proof().1["nonce"].clone())
        .collect();
    assert_eq!(nonces, [Value::Null, json!("n1"), json!("n2"), json!("n2")]);
    assert_eq!(world.clock.seconds(), 15, "the retry took no turn of its own");
}

#[test]
fn g3_a_server_that_is_never_content_with_a_nonce_is_not_asked_forever() {
    let answer = || error(400, "use_dpop_nonce").with("DPoP-Nonce", "n");
    let server = authorization_server(vec![answer(), answer(), answer(), answer()]);
    World::new().login(&server, &[]).must(Exit::Refused);
    assert_eq!(server.seen_at("/token").len(), 2);
}

#[test]
fn with_json_an_agent_reads_one_object_a_line() {
    let mut answers: Vec<Reply> = std::iter::repeat_n(pending(), 30).collect();
    answers.push(tokens("at-1", "rt-1"));
    let server = authorization_server(answers);
    let ran = World::new().login(&server, &["--json"]).must(Exit::Done);
    let events: Vec<Value> = ran
        .output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["authorization_request", "pending", "pending", "authorized"],
        "a sign of life each minute"
    );
    assert_eq!(events[0]["user_code"], "WDJB-MJHT");
    assert_eq!(events[0]["expires_at"], START + 600);
    assert_eq!(events[0]["key_words"].as_str().unwrap().split(' ').count(), 6);

    let server = authorization_server(vec![error(400, "access_denied")]);
    let ran = World::new().login(&server, &["--json"]).must(Exit::Refused);
    let last: Value = serde_json::from_str(ran.output.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["error"]),
        (&json!("failed"), &json!("access_denied"))
    );
    assert_eq!(serde_json::from_str::<Value>(&ran.errors).unwrap()["exit"], 5);
}

#[test]
fn the_live_line_is_for_terminals_only() {
    let answers = || vec![pending(), tokens("at-1", "rt-1")];
    let mut world = World::new();
    let ran = world.login(&authorization_server(answers()), &[]).must(Exit::Done);
    assert!(!ran.errors.contains("left"), "{}", ran.errors);
    world.is_terminal = true;
    let ran = world.login(&authorization_server(answers()), &[]).must(Exit::Done);
    assert!(ran.errors.contains("9:55 left"), "{:?}", ran.errors);
    assert!(ran.errors.ends_with("\r\u{1b}[K"), "it is removed: {:?}", ran.errors);
}

#[test]
fn without_a_keyring_the_file_is_its_owners_alone_and_called_a_file() {
    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let world = World::new();
    let ran = world.login(&server, &[]).must(Exit::Done);
    assert_eq!(mode(&world.credentials_file()), 0o600);
    assert_eq!(mode(world.credentials_file().parent().unwrap()), 0o700);
    assert!(
        ran.output.contains("file") && ran.output.contains("not encrypted"),
        "{}",
        ran.output
    );
    assert!(world.run(&["status"]).output.contains("not encrypted"));
}

#[test]
fn with_a_keyring_nothing_secret_is_in_a_file() {
    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let mut world = World::new();
    let keyring = MemoryKeyring::default();
    world.keyring = Some(keyring.clone());
    let ran = world.login(&server, &[]).must(Exit::Done);
    assert!(ran.output.contains("keyring"), "{}", ran.output);
    assert!(!world.credentials_file().exists());
    assert_eq!(world.run(&["token"]).must(Exit::Done).output, "at-1\n");
    assert_eq!(keyring.items.lock().unwrap().len(), 1);
}

#[test]
fn a_keyring_that_refuses_loses_no_token() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let mut world = World::new();
    let keyring = MemoryKeyring::default();
    world.keyring = Some(keyring.clone());
    world.login(&server, &[]).must(Exit::Done);
    keyring.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let ran = world.login(&server, &[]).must(Exit::Done);
    assert!(ran.output.contains("file"), "{}", ran.output);
    assert_eq!(world.run(&["token"]).output, "at-2\n", "what is newer wins");
}

#[test]
fn later_logins_need_no_flags_and_keep_the_key() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let world = World::new();
    world
        .login(
            &server,
            &[
                "--resource",
                "https://api.example/a",
                "--resource",
                "https://api.example/b",
            ],
        )
        .must(Exit::Done);
    let key = world.credentials()["key"].clone();
    world.run(&["login"]).must(Exit::Done);
    assert_eq!(world.credentials()["key"], key);
    assert_eq!(world.credentials()["tokens"]["access_token"], "at-2");
    for asked in server.seen_at("/device_authorization") {
        assert_eq!(asked.body.matches("resource=").count(), 2, "{}", asked.body);
    }
}

#[test]
fn another_server_gets_another_key() {
    let (one, two) = (
        authorization_server(vec![tokens("a", "r")]),
        authorization_server(vec![tokens("b", "s")]),
    );
    let world = World::new();
    world.login(&one, &[]).must(Exit::Done);
    let key = world.credentials()["key"].clone();
    world.login(&two, &[]).must(Exit::Done);
    assert_ne!(world.credentials()["key"]["x"], key["x"]);
}

#[test]
fn profiles_are_apart_and_their_names_lead_nowhere_else() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let world = World::new();
    world.login(&server, &["--profile", "one"]).must(Exit::Done);
    world.login(&server, &["--profile", "two"]).must(Exit::Done);
    assert_eq!(world.run(&["token", "--profile", "one"]).output, "at-1\n");
    assert_eq!(world.run(&["token", "--profile", "two"]).output, "at-2\n");
    for name in ["", ".", "..", "../x", "a/b", "a\u{1b}b", &"x".repeat(65)] {
        world.login(&server, &["--profile", name]).must(Exit::Usage);
    }
}

#[test]
fn ctrl_c_leaves_a_key_and_no_half_of_anything() {
    let server = authorization_server(vec![Reply::Hang]);
    let world = World::new();
    std::thread::scope(|scope| {
        let login = scope.spawn(|| world.login(&server, &[]));
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(server.hung.notified());
        world.interrupt.notify_one();
        let ran = login.join().unwrap().must(Exit::Failed);
        assert!(ran.errors.contains("stopped"), "{}", ran.errors);
    });
    let credentials = world.credentials();
    assert!(credentials.get("tokens").is_none() && credentials["key"]["d"].is_string());
    world.run(&["token"]).must(Exit::Failed);
}

/// A server that refuses to give a code, and says what it needs.
fn refusing(code: &'static str, needs: &'static str) -> Stub {
    Stub::start(move |url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        _ => reply(400, &json!({"error": code, "error_description": "No.", "needs": needs})),
    })
}

#[test]
fn x07_an_unknown_key_is_told_how_to_be_enrolled_with_the_very_values() {
    for (needs, more) in [("enrollment", ""), ("new_key", " --new-key")] {
        let server = refusing("unauthorized_client", needs);
        let ran = World::new().login(&server, &["--profile", "work"]).must(Exit::Refused);
        let hint = format!(
            "waypass enroll --server {} --client-id cli --profile work{more}\n",
            server.url
        );
        assert!(ran.errors.contains(&hint), "{}", ran.errors);
    }
    for (needs, flag) in [
        ("binding_data", "--binding"),
        ("initiator_assertion", "--initiator-key-file"),
    ] {
        let ran = World::new()
            .login(&refusing("invalid_request", needs), &[])
            .must(Exit::Refused);
        assert!(ran.errors.contains(flag), "{}", ran.errors);
    }
}

#[test]
fn x17_a_word_is_asked_for_or_read_and_sent_with_the_request() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let mut world = World::new();
    world.typed = Some("heron 17\n");
    let ran = world.login(&server, &["--binding"]).must(Exit::Done);
    assert!(ran.errors.contains("typed again when approving"), "{}", ran.errors);
    let file = world.path("word");
    std::fs::write(&file, "from a file\n").unwrap();
    world.login(&server, &["--binding-file", &file]).must(Exit::Done);
    let sent: Vec<_> = server
        .seen_at("/device_authorization")
        .iter()
        .map(|seen| seen.form("binding_data"))
        .collect();
    assert_eq!(sent, [Some("heron 17".to_owned()), Some("from a file".to_owned())]);
    assert!(
        !world.everything_kept().contains("heron"),
        "it is for this request only"
    );

    world.typed = Some("\n");
    world.login(&server, &["--binding"]).must(Exit::Usage);
}

#[test]
fn x15_a_person_signs_for_the_key_that_asks_before_there_is_a_code() {
    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let world = World::new();
    let file = world.path("alice.key");
    // The private key of RFC 7517 appendix A.2.
    let key = json!({
        "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "approver": "alice", "approver_id": "approver_1", "server": server.url
    });
    std::fs::write(&file, key.to_string()).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    world.login(&server, &["--initiator-key-file", &file]).must(Exit::Done);

    let asked = &server.seen_at("/device_authorization")[0];
    let (header, claims) = decode(&asked.form("initiator_assertion").unwrap());
    assert_eq!(header["kid"], "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    let thumbprint = world.run(&["status", "--json"]).json()[0]["key_thumbprint"].clone();
    assert_eq!(
        (&claims["aud"], &claims["cnf"]["jkt"]),
        (&json!(server.url), &thumbprint)
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);

    let other = authorization_server(Vec::new());
    world
        .login(&other, &["--profile", "other", "--initiator-key-file", &file])
        .must(Exit::Usage);
    assert!(
        other.seen_at("/device_authorization").is_empty(),
        "a key is for one server"
    );
}
