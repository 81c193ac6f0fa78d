//! `waypass token --machine`, and the posture of the machine where a server asks for it.

use cli::Exit;
use protocol::time::Lifetime;
use serde_json::{Value, json};

use crate::stub::{Seen, Stub, authorization_server, decode, error, metadata, reply, tokens};
use crate::world::World;

fn given(access_token: &str) -> crate::stub::Reply {
    reply(
        200,
        &json!({ "access_token": access_token, "token_type": "DPoP", "expires_in": 600, "scope": "read" }),
    )
}

/// With a key and no login.
fn known(server: &Stub, more: &[&str]) -> World {
    let world = World::with(server);
    let words = ["instance", "key", "--server", &server.url, "--client-id", "nightly"];
    world.run(&[&words, more].concat()).must(Exit::Done);
    world
}

#[test]
fn a_machine_asks_by_itself_and_keeps_what_it_got_while_it_is_good() {
    let server = authorization_server(vec![given("m-1"), given("m-2"), given("m-3")]);
    let world = known(&server, &[]);
    for _ in 0..2 {
        assert_eq!(world.run(&["token", "--machine"]).must(Exit::Done).output, "m-1\n");
    }
    let wider = [
        "token",
        "--machine",
        "--scope",
        "read",
        "--resource",
        "https://api.example",
    ];
    assert_eq!(world.run(&wider).must(Exit::Done).output, "m-2\n");
    world.clock.advance(Lifetime::from_seconds(571));
    assert_eq!(world.run(&wider).must(Exit::Done).output, "m-3\n");
    let seen = server.seen_at("/token");
    let form = |seen: &Seen, name: &str| seen.form(name).unwrap_or_default();
    assert_eq!(form(&seen[0], "grant_type"), "client_credentials");
    assert_eq!(
        (form(&seen[0], "client_id"), form(&seen[0], "scope")),
        ("nightly".into(), String::new())
    );
    assert_eq!(
        (form(&seen[1], "scope"), form(&seen[1], "resource")),
        ("read".into(), "https://api.example".into())
    );
    assert_eq!(seen[0].proof().0["jwk"], seen[2].proof().0["jwk"], "one key");
    assert!(
        world.credentials().get("tokens").is_none(),
        "what a person approves is kept apart"
    );
}

#[test]
fn a_machine_that_is_not_known_is_told_how_to_become_so() {
    let refusal =
        json!({ "error": "unauthorized_client", "error_description": "Not enrolled.", "needs": "enrollment" });
    let server = authorization_server(vec![reply(400, &refusal)]);
    let world = known(&server, &[]);
    let ran = world.run(&["token", "--machine"]).must(Exit::Refused);
    assert!(
        ran.errors.contains("Not enrolled.") && ran.errors.contains("waypass enroll"),
        "{}",
        ran.errors
    );
    let ran = World::new().run(&["token", "--machine"]).must(Exit::Failed);
    assert!(ran.errors.contains("waypass enroll"), "{}", ran.errors);
}

/// A token endpoint that demands a posture.
fn demanding() -> Stub {
    Stub::start(|url, seen| match seen.path.as_str() {
        "/token" | "/device_authorization" if seen.form("posture").is_none() => {
            reply(400, &json!({ "error": "invalid_request", "needs": "posture" }))
        }
        "/token" => tokens("at-1", "rt-1"),
        "/device_authorization" => reply(
            200,
            &json!({ "device_code": "d", "user_code": "u", "verification_uri": url, "expires_in": 600 }),
        ),
        _ => reply(200, &metadata(url)),
    })
}

#[test]
fn a_posture_is_stated_where_it_is_asked_for_signed_by_the_key_and_nothing_in_it_is_guessed() {
    let server = demanding();
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    let asked = server.seen_at("/device_authorization");
    assert_eq!(
        asked.len(),
        2,
        "once without: nobody is told of a machine who did not ask"
    );
    let polled = server.seen_at("/token");
    assert_eq!(polled.len(), 1, "from then on it goes along");
    for seen in [&asked[1], &polled[0]] {
        let (header, claims) = decode(&seen.form("posture").unwrap());
        assert_eq!(header["typ"], "waypass-posture+jwt");
        assert_eq!(claims["aud"], server.url);
        let jwk = protocol::jwk::PublicJwk::parse(&seen.proof().0["jwk"]).unwrap();
        assert_eq!(claims["iss"], jwk.thumbprint());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
        let posture = claims["posture"].as_object().unwrap();
        assert!(!posture.contains_key("screen_lock"), "nothing here knows that");
        assert!(posture.values().all(|value| *value != Value::Null));
        assert_eq!(posture["binary_sha256"].as_str().unwrap().len(), 64);
    }
    assert_ne!(
        asked[1].form("posture"),
        polled[0].form("posture"),
        "each is made for its request"
    );
}

#[test]
fn a_managements_word_is_read_anew_from_its_file_each_time() {
    let server = demanding();
    let world = World::new();
    let file = world.path("posture.jwt");
    std::fs::write(&file, "first\n").unwrap();
    world.login(&server, &["--posture-jwt", &file]).must(Exit::Done);
    assert_eq!(server.seen_at("/token")[0].form("posture").unwrap(), "first");
    std::fs::write(&file, "second\n").unwrap();
    world.clock.advance(Lifetime::from_seconds(3_600));
    world.run(&["token"]).must(Exit::Done);
    assert_eq!(
        server.seen_at("/token").last().unwrap().form("posture").unwrap(),
        "second"
    );
}

#[test]
fn a_machine_that_fell_out_of_posture_is_told_why_and_keeps_its_tokens() {
    let lacking = json!({ "error": "unauthorized_client", "error_description": "its disk has to be encrypted" });
    let server = authorization_server(vec![
        tokens("at-1", "rt-1"),
        reply(400, &lacking),
        tokens("at-2", "rt-2"),
    ]);
    let world = World::with(&server);
    world.login(&server, &[]).must(Exit::Done);
    world.clock.advance(Lifetime::from_seconds(3_600));
    let ran = world.run(&["token"]).must(Exit::Refused);
    assert!(ran.errors.contains("its disk has to be encrypted"), "{}", ran.errors);
    assert_eq!(
        world.run(&["token"]).must(Exit::Done).output,
        "at-2\n",
        "mended, and no new login"
    );
    let refused = authorization_server(vec![error(400, "invalid_request")]);
    known(&refused, &[]).run(&["token", "--machine"]).must(Exit::Refused);
}
