//! Administration of what may ask at all: instances, groups, profiles, posture, and changing a client.

use cli::Exit;
use serde_json::{Value, json};

use crate::stub::{Stub, error, reply};
use crate::world::{START, World, is_harmless};

const EVIL: &str = "\u{1b}[31m\u{202e}\nx";
const NOW: i64 = START * 1000;

fn instance() -> Value {
    json!({
        "instance_id": "i1", "client_id": "cli", "owner": EVIL, "name": EVIL, "environment": null,
        "standing": "suspended", "way_in": {"kind": "workload_token", "admission": "a1", "issuer": EVIL, "subject": EVIL},
        "facts": [{"name": "device.host", "value": EVIL, "source": "claimed"}],
        "keys": [
            {"thumbprint": "t1", "key_words": "one two", "added_at": NOW, "retires_at": NOW},
            {"thumbprint": "t2", "key_words": "three four", "added_at": NOW, "retires_at": null}
        ],
        "created_at": NOW, "expires_at": NOW, "last_seen_at": null, "suspended_at": NOW, "removed_at": null
    })
}

fn profile(name: &str) -> Value {
    json!({
        "name": name, "version": "v1", "purpose": "known keys only", "warning": EVIL, "risk": "phishing",
        "residual": "a shared address", "mitigations": [{"id": "X07", "how": "only enrolled keys ask"}],
        "clients": ["cli"], "toml": "name = \"standard\"\n[mitigations]\n"
    })
}

fn posture() -> Value {
    json!({
        "issuer": "https://login.example", "at": NOW,
        "statement": [{"id": "X20", "how": "a risk assessment stands in each profile"}],
        "clients": [{
            "client_id": "cli", "name": EVIL, "profile": "standard", "device_grant": "blocked", "because": "unused",
            "since": NOW, "last_used_at": null,
            "client_credentials": {"standing": "allowed", "because": null, "since": NOW, "last_used_at": NOW},
            "instances": {"active": 3, "suspended": 0, "expired": 0, "orphaned": 1},
            "mitigations": [{"id": "X07", "how": EVIL}, {"id": "X12", "how": EVIL}], "warnings": [EVIL]
        }],
        "profiles": [profile("standard")],
        "policies": {"folder": EVIL, "version": "v1", "policies": [], "closed": ["redeem"], "mistakes": [EVIL]}
    })
}

fn client() -> Value {
    json!({
        "client_id": "cli", "name": "n", "kind": "cli", "environment": null, "owner": null, "purpose": null,
        "verified": false, "expires_at": null, "scope": "read", "resource": [], "profile": "standard",
        "authentication": "none", "assertion_audience": null, "require_dpop": false, "strict": false,
        "code_lifetime": null, "signing_alg": "ES256", "introspect": false, "report_codes": false,
        "device_grant": "on", "device_grant_since": null, "created_at": NOW, "disabled_at": null,
        "warnings": ["its open requests are void"]
    })
}

fn server(world: &World) -> Stub {
    Stub::on_socket(&world.folder.join("waypass.sock"), |_, seen| {
        let body = match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", "/local/instances") => json!([instance()]),
            (_, path) if path.starts_with("/local/instances") => instance(),
            ("GET", "/local/groups") => json!([{
                "name": EVIL, "members": [{"approver": EVIL, "source": "upstream", "since": NOW, "until": NOW}]
            }]),
            ("POST", "/local/groups/ops/members") | ("DELETE", "/local/groups/ops/members/alice") => {
                return reply(204, &Value::Null);
            }
            ("GET", "/local/profiles") => json!([profile("standard"), profile("open")]),
            ("GET", "/local/profiles/standard") => profile("standard"),
            ("GET", "/local/posture") => posture(),
            ("POST", "/local/clients/cli/change") => client(),
            ("POST", "/local/codes/report") => json!({"request_id": "r1", "ended": "grant"}),
            _ => return error(404, "not_found"),
        };
        reply(200, &body)
    })
}

fn run(world: &World, line: &[&str]) -> crate::world::Ran {
    world.run(&[line, &["--data", world.folder.to_str().unwrap()]].concat())
}

#[test]
fn every_line_works_in_both_forms_and_prints_nothing_hostile() {
    let world = World::new();
    let server = server(&world);
    for line in [
        "instance list",
        "instance show i1",
        "instance rename i1 --name box",
        "instance suspend i1",
        "instance resume i1",
        "instance remove i1",
        "instance hand-over i1 --to bob",
        "group add ops alice",
        "group remove ops alice",
        "group list",
        "profile list",
        "profile show standard",
        "posture",
        "client set cli --profile standard",
        "request report-code WDJB-MJHT --seen-in mail",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        for form in [&[][..], &["--json"]] {
            let ran = run(&world, &[&words, form].concat()).must(Exit::Done);
            is_harmless(&ran.everything());
            assert!(!ran.output.is_empty(), "{line}");
        }
    }
    let sent: Vec<_> = server.seen().into_iter().filter(|seen| seen.method == "POST").collect();
    let paths: std::collections::BTreeSet<_> = sent.iter().map(|seen| seen.path.as_str()).collect();
    for verb in ["rename", "suspend", "resume", "remove", "hand-over"] {
        assert!(paths.contains(format!("/local/instances/i1/{verb}").as_str()), "{verb}");
    }
}

#[test]
fn what_an_administrator_says_is_what_is_sent() {
    let world = World::new();
    let server = server(&world);
    std::fs::write(world.folder.join("jwk"), r#"{"kty": "EC"}"#).unwrap();
    let jwk = world.path("jwk");
    let add = [
        "instance",
        "add",
        "cli",
        "--jwk-file",
        &jwk,
        "--owner",
        "alice",
        "--name",
        "box",
        "--expires",
        "1d",
        "--environment",
        "staging",
    ];
    for (line, expected) in [
        (
            &add[..],
            json!({
                "client_id": "cli", "jwk": {"kty": "EC"}, "owner": "alice", "name": "box", "environment": "staging",
                "expires_at": NOW + 86_400_000
            }),
        ),
        (&["instance", "rename", "i1", "--name", "new"], json!({"name": "new"})),
        (&["instance", "hand-over", "i1", "--to", "bob"], json!({"to": "bob"})),
        (&["instance", "suspend", "i1"], Value::Null),
        (&["group", "add", "ops", "alice"], json!({"approver": "alice"})),
        (&["client", "set", "cli", "--no-profile"], json!({"profile": ""})),
        (
            &[
                "client",
                "set",
                "cli",
                "--profile",
                "standard",
                "--scope",
                "read",
                "--resource",
                "https://a.example",
            ],
            json!({"profile": "standard", "scope": "read", "resource": ["https://a.example"]}),
        ),
        (
            &["request", "report-code", "wdjb mjht", "--seen-in", "chat"],
            json!({"user_code": "wdjb mjht", "seen_in": "chat"}),
        ),
    ] {
        run(&world, line).must(Exit::Done);
        assert_eq!(server.seen().pop().unwrap().json(), expected, "{line:?}");
    }
}

#[test]
fn a_private_key_is_not_sent_to_be_registered() {
    let world = World::new();
    let server = server(&world);
    std::fs::write(world.folder.join("private"), r#"{"kty": "EC", "d": "secret"}"#).unwrap();
    std::fs::write(world.folder.join("none"), "-----BEGIN").unwrap();
    for file in ["private", "none", "missing"] {
        let file = world.path(file);
        let line = [
            "instance",
            "add",
            "cli",
            "--jwk-file",
            &file,
            "--owner",
            "a",
            "--name",
            "n",
            "--expires",
            "1d",
        ];
        let ran = run(&world, &line).must(Exit::Usage);
        assert!(!ran.everything().contains("secret"));
    }
    assert!(server.seen().is_empty());
}

#[test]
fn x23_posture_tells_each_client_its_mitigations_and_what_is_blocked_since_when() {
    let world = World::new();
    let _server = server(&world);
    let ran = run(&world, &["posture"]).must(Exit::Done);
    for shown in [
        "blocked (unused)",
        "allowed, last used 2026-11-23",
        "2026-11-23",
        "3 active, 1 orphaned",
        "X07 X12",
        "X07      only enrolled keys ask",
        "X20  a risk assessment",
        "a shared address",
        "warning: cli: ",
    ] {
        assert!(ran.output.contains(shown), "{shown} in {}", ran.output);
    }
    assert_eq!(run(&world, &["posture", "--json"]).json(), posture());
}

#[test]
fn the_text_of_a_profile_can_be_taken_as_it_is() {
    let world = World::new();
    let _server = server(&world);
    let ran = run(&world, &["profile", "show", "standard", "--toml"]).must(Exit::Done);
    assert_eq!(ran.output, "name = \"standard\"\n[mitigations]\n");
}
