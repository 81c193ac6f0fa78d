//! `waypass call`: a request with the profile's token, and the step-up that a resource asks for (RFC 9470).

use cli::Exit;
use protocol::digest::Digest;
use serde_json::json;

use crate::stub::{Reply, Stub, authorization_server, error, reply, tokens};
use crate::world::{World, is_harmless};

const WANTS: &str = "DPoP error=\"insufficient_user_authentication\", acr_values=\"phrh phr\", max_age=300";

/// Logged in, with these token answers after the first.
fn logged_in(more: Vec<Reply>) -> (Stub, World) {
    let server = authorization_server([vec![tokens("at-1", "rt-1")], more].concat());
    let world = World::with(&server);
    world.login(&server, &[]).must(Exit::Done);
    (server, world)
}

/// A resource that gives its answer for one token only, and else this challenge.
fn resource(token: &'static str, challenge: &'static str) -> Stub {
    Stub::start(move |_, seen| {
        if seen.header("authorization") == Some(&format!("DPoP {token}")) {
            reply(200, &json!({ "stock": 7 }))
        } else {
            error(401, "insufficient_user_authentication").with("WWW-Authenticate", challenge)
        }
    })
}

fn call(world: &World, resource: &Stub, more: &[&str]) -> crate::world::Ran {
    let url = format!("{}/stock?all=1", resource.url);
    world.run(&[&["call", &url], more].concat())
}

#[test]
fn the_answer_is_printed_and_the_request_is_proven() {
    let (_, world) = logged_in(Vec::new());
    let resource = resource("at-1", WANTS);
    let ran = call(&world, &resource, &["--data", "{}"]).must(Exit::Done);
    assert_eq!((ran.output.as_str(), ran.errors.as_str()), ("{\"stock\":7}", ""));
    let seen = &resource.seen()[0];
    assert_eq!((seen.method.as_str(), seen.body.as_str()), ("POST", "{}"));
    let (header, claims) = seen.proof();
    assert_eq!(header["jwk"]["x"], world.credentials()["key"]["x"]);
    assert_eq!(claims["htu"], format!("{}/stock", resource.url), "without the query");
    assert_eq!(claims["ath"], Digest::of(b"at-1").as_str());
}

#[test]
fn a20_a21_a_challenge_starts_the_step_up_and_the_request_is_sent_once_more() {
    let (server, world) = logged_in(vec![tokens("at-2", "rt-2")]);
    let resource = resource("at-2", WANTS);
    let ran = call(&world, &resource, &[]).must(Exit::Done);
    assert_eq!(ran.output, "{\"stock\":7}", "standard output is the answer's alone");
    assert!(
        ran.errors
            .contains("wants an approval by phrh or phr not older than 300 seconds"),
        "{}",
        ran.errors
    );
    assert!(ran.errors.contains("WDJB-MJHT"), "{}", ran.errors);
    let asked = &server.seen_at("/device_authorization")[1];
    let form = |name| asked.form(name).unwrap();
    assert_eq!(
        (form("acr_values"), form("max_age"), form("scope")),
        ("phrh phr".into(), "300".into(), "openid read".into())
    );
    assert_eq!(world.credentials()["tokens"]["access_token"], "at-2", "it is kept");
    assert_eq!(resource.seen().len(), 2);
}

#[test]
fn a21_there_is_one_step_up_at_most_and_none_where_none_is_wanted() {
    let (server, world) = logged_in(vec![tokens("at-2", "rt-2")]);
    let resource = resource("never", WANTS);
    let ran = call(&world, &resource, &[]).must(Exit::Refused);
    assert!(ran.errors.contains("wants an approval"), "{}", ran.errors);
    assert_eq!(
        (resource.seen().len(), server.seen_at("/device_authorization").len()),
        (2, 2)
    );
    call(&world, &resource, &["--no-step-up"]).must(Exit::Refused);
    assert_eq!(server.seen_at("/device_authorization").len(), 2);
}

#[test]
fn a20_other_challenges_and_hostile_ones_start_nothing() {
    for challenge in [
        "DPoP error=\"invalid_token\", max_age=5",
        "Basic error=\"insufficient_user_authentication\", max_age=5",
        "DPoP error=\"insufficient_user_authentication\", max_age=5, max_age=6",
        "DPoP error=\"insufficient_user_authentication\", max_age=-5",
        "DPoP error=\"insufficient_user_authentication",
    ] {
        let (server, world) = logged_in(Vec::new());
        let resource = resource("never", challenge);
        let ran = call(&world, &resource, &[]).must(Exit::Refused);
        is_harmless(&ran.everything());
        assert_eq!(server.seen_at("/device_authorization").len(), 1, "{challenge}");
    }
}

#[test]
fn a_token_goes_over_https_or_stays_on_this_machine() {
    let (_, world) = logged_in(Vec::new());
    for url in ["http://api.example/x", "ftp://localhost/x", "nonsense"] {
        world.run(&["call", url]).must(Exit::Usage);
    }
}

#[test]
fn what_a_resource_says_to_a_terminal_does_nothing_there() {
    let (_, mut world) = logged_in(Vec::new());
    world.is_terminal = true;
    let resource = Stub::start(|_, _| reply(500, &json!("\u{202e}")).with("X-Y", "z"));
    let ran = call(&world, &resource, &[]).must(Exit::Failed);
    is_harmless(&ran.everything());
    let ran = call(&world, &resource, &["--json"]).must(Exit::Failed);
    is_harmless(&ran.output);
    assert!(ran.output.contains("\"status\":500"), "{}", ran.output);
}
