//! `waypass token`, `whoami`, `status` and `logout`: tokens for scripts, and their end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use cli::Exit;
use protocol::digest::Digest;
use protocol::time::Lifetime;
use serde_json::{Value, json};

use crate::stub::{Reply, Stub, authorization_server, decode, error, metadata, reply, tokens};
use crate::world::{World, is_harmless, mode};

/// A world that has logged in at a server with these further token answers.
fn logged_in(more: Vec<Reply>) -> (Stub, World) {
    let server = authorization_server([vec![tokens("at-1", "rt-1")], more].concat());
    let world = World::with(&server);
    world.login(&server, &[]).must(Exit::Done);
    (server, world)
}

fn refreshes(server: &Stub) -> usize {
    let seen = server.seen_at("/token");
    seen.iter()
        .filter(|seen| seen.form("grant_type").as_deref() == Some("refresh_token"))
        .count()
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let (server, world) = logged_in(Vec::new());
    let ran = world.run(&["token"]).must(Exit::Done);
    assert_eq!((ran.output.as_str(), ran.errors.as_str()), ("at-1\n", ""));
    assert_eq!(refreshes(&server), 0);
}

#[test]
fn a_token_with_less_than_thirty_seconds_left_is_refreshed_with_the_same_key() {
    let (server, world) = logged_in(vec![tokens("at-2", "rt-2"), tokens("at-3", "rt-3")]);
    world.clock.advance(Lifetime::from_seconds(570));
    assert_eq!(world.run(&["token"]).output, "at-1\n", "exactly thirty");
    world.clock.advance(Lifetime::from_seconds(1));
    assert_eq!(world.run(&["token"]).output, "at-2\n");
    assert_eq!(world.run(&["token"]).output, "at-2\n", "good again");
    let seen = server.seen_at("/token");
    let refresh = seen.last().unwrap();
    assert_eq!(
        (
            refresh.form("refresh_token").unwrap(),
            refresh.form("client_id").unwrap()
        ),
        ("rt-1".into(), "cli".into())
    );
    assert_eq!(refresh.proof().0["jwk"], seen[0].proof().0["jwk"]);
    assert_eq!(world.credentials()["tokens"]["refresh_token"], "rt-2");
    assert_eq!(mode(&world.credentials_file()), 0o600);
}

/// Field note 42 to 45: one credential, many processes, one refresh, no logout.
#[test]
fn a_hundred_at_once_refresh_once() {
    static ROTATIONS: AtomicUsize = AtomicUsize::new(0);
    let server = Stub::start(|url, seen| match seen.path.as_str() {
        "/token" => match seen.form("refresh_token").as_deref() {
            None => tokens("at-1", "rt-1"),
            // A server without mercy: a used refresh token ends everything.
            Some("rt-1") if ROTATIONS.fetch_add(1, Ordering::SeqCst) == 0 => tokens("at-2", "rt-2"),
            Some(_) => error(400, "invalid_grant"),
        },
        "/device_authorization" => reply(
            200,
            &json!({"device_code": "d", "user_code": "u", "verification_uri": url, "expires_in": 600}),
        ),
        _ => reply(200, &metadata(url)),
    });
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    world.clock.advance(Lifetime::from_seconds(3600));
    let start = Arc::new(Barrier::new(100));
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..100)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    world.run(&["token"])
                })
            })
            .collect();
        for run in runs {
            assert_eq!(run.join().unwrap().must(Exit::Done).output, "at-2\n");
        }
    });
    assert_eq!(ROTATIONS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refused_refresh_says_to_log_in_again_and_keeps_the_key() {
    let (_server, world) = logged_in(vec![error(400, "invalid_grant")]);
    let before = world.credentials();
    world.clock.advance(Lifetime::from_seconds(600));
    let ran = world.run(&["token"]).must(Exit::Refused);
    assert!(ran.errors.contains("waypass login --profile default"), "{}", ran.errors);
    assert_eq!(ran.output, "");
    assert_eq!(world.credentials(), before);
}

#[test]
fn a_refresh_that_gets_no_answer_loses_nothing_and_is_tried_again() {
    for trouble in [Reply::Hang, error(503, "busy"), error(500, "server_error")] {
        let (server, world) = logged_in(vec![trouble, tokens("at-2", "rt-2")]);
        let before = world.credentials();
        world.clock.advance(Lifetime::from_seconds(600));
        assert_ne!(world.run(&["token"]).exit, Exit::Done);
        assert_eq!(world.credentials(), before);
        assert_eq!(world.run(&["token"]).must(Exit::Done).output, "at-2\n");
        assert_eq!(
            server.seen_at("/token").last().unwrap().form("refresh_token").unwrap(),
            "rt-1"
        );
    }
}

#[test]
fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    let answer = reply(
        200,
        &json!({"access_token": "at-2", "token_type": "DPoP", "expires_in": 600}),
    );
    let (_server, world) = logged_in(vec![answer]);
    world.clock.advance(Lifetime::from_seconds(600));
    assert_eq!(world.run(&["token"]).output, "at-2\n");
    assert_eq!(world.credentials()["tokens"]["refresh_token"], "rt-1");
    assert_eq!(
        world.credentials()["tokens"]["scope"],
        "openid read",
        "what was granted before"
    );
}

#[test]
fn dpop_prints_a_proof_for_this_token_and_this_request() {
    let (_server, world) = logged_in(Vec::new());
    let url = "https://api.example/me?x=1#y";
    let ran = world
        .run(&["token", "--dpop", "GET", url, "--nonce", "-o1_"])
        .must(Exit::Done);
    let (header, claims) = decode(ran.output.trim_end());
    assert_eq!(header["jwk"]["x"], world.credentials()["key"]["x"]);
    assert_eq!(
        (&claims["htm"], &claims["htu"]),
        (&json!("GET"), &json!("https://api.example/me"))
    );
    assert_eq!(
        (&claims["nonce"], &claims["ath"]),
        (&json!("-o1_"), &json!(Digest::of(b"at-1").as_str()))
    );
    let both = world.run(&["token", "--dpop", "GET", url, "--json"]).json();
    assert_eq!(both["access_token"], "at-1");
    assert_eq!(decode(both["dpop"].as_str().unwrap()).1["ath"], claims["ath"]);
    world.run(&["token", "--dpop", "GET", "nowhere"]).must(Exit::Usage);
}

#[test]
fn whoami_asks_the_server_with_the_bound_token_and_shows_no_escapes() {
    let (server, world) = logged_in(Vec::new());
    let ran = world.run(&["whoami"]).must(Exit::Done);
    is_harmless(&ran.output);
    assert!(ran.output.contains("approver_1"), "{}", ran.output);
    let asked = &server.seen_at("/userinfo")[0];
    assert_eq!(
        (asked.method.as_str(), asked.header("authorization")),
        ("GET", Some("DPoP at-1"))
    );
    assert_eq!(asked.proof().1["ath"], Digest::of(b"at-1").as_str());
    assert_eq!(world.run(&["whoami", "--json"]).json()["sub"], "approver_1");
}

/// RFC 9449 §9.
#[test]
fn p13_a_nonce_of_the_resource_server_is_asked_for_and_used_there() {
    let server = Stub::start(|url, seen| match seen.path.as_str() {
        "/token" => tokens("at-1", "rt-1").with("DPoP-Nonce", "of-the-as"),
        "/device_authorization" => reply(
            200,
            &json!({"device_code": "d", "user_code": "u", "verification_uri": url, "expires_in": 600}),
        ),
        "/userinfo" if seen.proof().1.get("nonce").is_none() => reply(401, &json!({}))
            .with("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\"")
            .with("DPoP-Nonce", "of-the-rs"),
        "/userinfo" => reply(200, &json!({"sub": "s"})),
        _ => reply(200, &metadata(url)),
    });
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    world.run(&["whoami"]).must(Exit::Done);
    let nonces: Vec<Value> = server
        .seen_at("/userinfo")
        .iter()
        .map(|seen| seen.proof().1["nonce"].clone())
        .collect();
    assert_eq!(nonces, [Value::Null, json!("of-the-rs")]);
}

#[test]
fn logout_ends_the_grant_at_the_server_and_then_forgets_the_tokens() {
    let (server, world) = logged_in(Vec::new());
    let key = world.credentials()["key"].clone();
    world.run(&["logout"]).must(Exit::Done);
    let revoked = &server.seen_at("/revoke")[0];
    assert_eq!(
        (revoked.form("token").unwrap(), revoked.form("client_id").unwrap()),
        ("rt-1".into(), "cli".into())
    );
    assert!(world.credentials().get("tokens").is_none());
    assert_eq!(world.credentials()["key"], key, "the machine is still known by its key");
    let ran = world.run(&["token"]).must(Exit::Failed);
    assert!(ran.errors.contains("not logged in"), "{}", ran.errors);
}

#[test]
fn a_logout_that_reaches_nobody_changes_nothing_unless_told_to() {
    let gone = Arc::new(AtomicUsize::new(0));
    let is_gone = Arc::clone(&gone);
    let server = Stub::start(move |url, seen| match seen.path.as_str() {
        _ if is_gone.load(Ordering::SeqCst) == 1 => Reply::Hang,
        "/token" => tokens("at-1", "rt-1"),
        "/device_authorization" => reply(
            200,
            &json!({"device_code": "d", "user_code": "u", "verification_uri": url, "expires_in": 600}),
        ),
        _ => reply(200, &metadata(url)),
    });
    let world = World::with(&server);
    world.login(&server, &[]).must(Exit::Done);
    gone.store(1, Ordering::SeqCst);
    let ran = world.run(&["logout"]).must(Exit::Unreachable);
    assert!(ran.errors.contains("--local"), "{}", ran.errors);
    assert_eq!(world.credentials()["tokens"]["access_token"], "at-1");
    world.run(&["logout", "--local"]).must(Exit::Done);
    assert!(world.credentials().get("tokens").is_none());
}

#[test]
fn status_says_what_is_where_without_secrets() {
    let world = World::new();
    assert!(
        world
            .run(&["status"])
            .must(Exit::Done)
            .output
            .contains("No profile yet")
    );
    world.run(&["status", "--profile", "nobody"]).must(Exit::Usage);
    let (server, world) = logged_in(Vec::new());
    let ran = world.run(&["status"]).must(Exit::Done);
    for shown in [
        "default",
        &server.url,
        "cli",
        "openid read",
        "2026-11-23",
        "default.json",
    ] {
        assert!(ran.output.contains(shown), "{shown} in {}", ran.output);
    }
    for text in [ran.output, world.run(&["status", "--json"]).output] {
        assert!(
            !text.contains("at-1") && !text.contains("rt-1") && !text.contains("\"d\""),
            "{text}"
        );
    }
}

#[test]
fn damaged_credentials_are_reported_without_their_content() {
    let (_server, world) = logged_in(Vec::new());
    std::fs::write(world.credentials_file(), "{\"tokens\": secret-text").unwrap();
    let ran = world.run(&["token"]).must(Exit::Failed);
    assert!(
        ran.errors.contains("damaged") && !ran.errors.contains("secret-text"),
        "{}",
        ran.errors
    );
}

#[test]
fn a_client_that_has_to_authenticate_does_so_with_the_key_of_its_instance() {
    let answers = std::sync::Mutex::new(vec![error(400, "authorization_pending"), tokens("at-1", "rt-1")].into_iter());
    let server = Stub::start(move |url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        _ if seen.form("client_assertion").is_none() => error(401, "invalid_client"),
        "/device_authorization" => reply(
            200,
            &json!({
                "device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": format!("{url}/device"),
                "expires_in": 600, "interval": 5
            }),
        ),
        _ => answers.lock().unwrap().next().unwrap(),
    });
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    let seen = server.seen_at("/device_authorization");
    assert_eq!(seen.len(), 2, "only the server knows, so it is asked once");
    assert_eq!(
        server.seen_at("/token").len(),
        2,
        "and is remembered while this goes on"
    );
    let mut used = std::collections::HashSet::new();
    for seen in [seen[1].clone()].into_iter().chain(server.seen_at("/token")) {
        let (header, claims) = decode(&seen.form("client_assertion").unwrap());
        let (status, now) = (world.run(&["status", "--json"]).json(), claims["iat"].as_i64().unwrap());
        assert_eq!(
            (&header["typ"], &header["kid"]),
            (&json!("client-authentication+jwt"), &status[0]["key_thumbprint"])
        );
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!("cli"), &json!("cli"), &json!(server.url))
        );
        assert_eq!(claims["exp"], now + 60);
        assert!(used.insert(claims["jti"].to_string()), "each is used once");
    }

    let refusing = Stub::start(|url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        _ => error(401, "invalid_client"),
    });
    world.login(&refusing, &["--profile", "other"]).must(Exit::Refused);
    assert_eq!(refusing.seen_at("/device_authorization").len(), 2);
}
