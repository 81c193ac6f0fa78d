//! `waypass approver enroll`, `show`, `approve` and `deny`: a decision in a terminal.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use cli::Exit;
use protocol::authorization_request::Content;
use protocol::decision::{Decision, DecisionRecord, Evidence, RelyingParty, verify_record};
use protocol::details::Types;
use protocol::digest::{Digest, canonical_json};
use protocol::wire::approver::RequestView;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::poisoned::{HOSTILE, poisoned};
use crate::stub::{Reply, Stub, error, reply};
use crate::world::{START, World, is_harmless, mode};

const EXPIRES: i64 = START + 28_800;

fn view(url: &str) -> Value {
    json!({
        "request_id": "req_1", "request_digest": "digest-1", "client_id": "cli", "client_name": "Build tool",
        "client_verified": false, "profile": "open", "warnings": ["Anybody could have started this."],
        "permissions": [
            {"kind": "scope", "name": "read", "sentence": "Read your things"},
            {"kind": "scope", "name": "openid", "sentence": "Know who you are"}
        ],
        "facts": [{"name": "requester.address", "label": "Address", "value": "192.0.2.1", "source": "proven"}],
        "key_words": "one two three four five six", "requested_at": START * 1000, "expires_at": (START + 600) * 1000,
        "grant_expires_at": EXPIRES * 1000 + 999, "consequences": ["It can read until then."],
        "decision": {
            "type": "waypass-decision/1", "request_digest": "digest-1", "decision": "approve", "approver": "approver_1",
            "nonce": "n", "granted": {
                "scope": "openid read", "resource": [url], "authorization_details": [], "expires_at": EXPIRES
            }
        }
    })
}

/// As the server shows it with less.
fn narrow(view: &mut Value, granted: &Value) {
    let given: Vec<&str> = granted["scope"].as_str().unwrap().split(' ').collect();
    let permissions = view["permissions"].as_array_mut().unwrap();
    permissions.retain(|permission| given.contains(&permission["name"].as_str().unwrap()));
    view["grant_expires_at"] = json!(granted["expires_at"].as_i64().unwrap() * 1000);
    view["decision"]["granted"] = granted.clone();
}

/// A server for one approver; `change` may make it lie.
fn server(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Stub {
    Stub::start(move |url, seen| match seen.path.as_str() {
        _ if seen.proof().1.get("nonce").is_none() => error(401, "use_dpop_nonce").with("DPoP-Nonce", "n1"),
        "/approver/enroll" => {
            let jwk = &seen.proof().0["jwk"];
            let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
            let thumbprint = Digest::of(members.as_bytes());
            reply(
                200,
                &json!({"approver": "alice", "approver_id": "approver_1", "thumbprint": thumbprint}),
            )
        }
        "/approver/view" => {
            let mut view = view(url);
            if let Some(granted) = seen.json().get("granted") {
                narrow(&mut view, granted);
            }
            change(&mut view);
            reply(200, &view)
        }
        "/approver/approve" => reply(200, &json!({"request_id": "req_1", "state": "approved"})),
        "/approver/deny" => reply(200, &json!({"request_id": "req_1", "state": "denied"})),
        _ => error(404, "not_found"),
    })
}

fn enrolled(server: &Stub) -> World {
    let world = World::with(server);
    let link = format!("{}/enroll#the-token", server.url);
    world
        .run(&["approver", "enroll", &link, "--key-file", &world.path("key")])
        .must(Exit::Done);
    world
}

fn decide(world: &World, server: &Stub, verb: &str, more: &[&str]) -> crate::world::Ran {
    let key = world.path("key");
    world.run(&[&[verb, "wdjb mjht", "--server", &server.url, "--key-file", &key], more].concat())
}

#[test]
fn enroll_makes_a_key_that_is_its_owners_alone() {
    let server = server(|_| ());
    let world = enrolled(&server);
    let file = world.folder.join("key");
    assert_eq!(mode(&file), 0o600);
    let key: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (name, value) in [
        ("kty", "EC"),
        ("crv", "P-256"),
        ("approver", "alice"),
        ("server", server.url.as_str()),
    ] {
        assert_eq!(key[name], value);
    }
    let asked = server.seen_at("/approver/enroll");
    assert_eq!(asked.last().unwrap().json(), json!({"enrollment_token": "the-token"}));
    assert!(
        server.seen().iter().all(|seen| !seen.path.contains("the-token")),
        "the token is in no address"
    );
}

#[test]
fn enroll_never_overwrites_a_file_and_does_not_use_up_the_link_then() {
    let server = server(|_| ());
    let world = World::new();
    std::fs::write(world.folder.join("key"), "mine").unwrap();
    let link = format!("{}/enroll#t", server.url);
    let ran = world
        .run(&["approver", "enroll", &link, "--key-file", &world.path("key")])
        .must(Exit::Usage);
    assert!(ran.errors.contains("never overwritten"), "{}", ran.errors);
    assert_eq!(std::fs::read_to_string(world.folder.join("key")).unwrap(), "mine");
    assert!(server.seen().is_empty());
}

#[test]
fn a_refused_enrollment_leaves_no_file_and_an_unanswered_one_keeps_it() {
    for (answer, exit, is_kept) in [
        (error(403, "refused"), Exit::Refused, false),
        (Reply::Hang, Exit::Unreachable, true),
    ] {
        let server = Stub::start(move |_, _| answer.clone());
        let world = World::with(&server);
        let link = format!("{}/enroll#t", server.url);
        world
            .run(&["approver", "enroll", &link, "--key-file", &world.path("key")])
            .must(exit);
        assert_eq!(world.folder.join("key").exists(), is_kept);
    }
}

#[test]
fn show_shows_what_the_page_would_and_decides_nothing() {
    let server = server(|_| ());
    let world = enrolled(&server);
    let ran = decide(&world, &server, "show", &[]).must(Exit::Done);
    for shown in [
        "Build tool",
        "NOT verified",
        "Read your things",
        "192.0.2.1 [proven]",
        "one two three",
        "10:00",
    ] {
        assert!(ran.output.contains(shown), "{shown} in {}", ran.output);
    }
    let view: RequestView = serde_json::from_value(view(&server.url)).unwrap();
    assert_eq!(decide(&world, &server, "show", &["--json"]).json(), json!(view));
    assert_eq!(
        server.seen_at("/approver/view").last().unwrap().json(),
        json!({"user_code": "WDJB-MJHT"})
    );
    assert!(server.seen_at("/approver/approve").is_empty() && server.seen_at("/approver/deny").is_empty());
}

#[test]
fn without_a_terminal_approve_signs_the_decision_at_once() {
    let server = server(|_| ());
    let world = enrolled(&server);
    let ran = decide(&world, &server, "approve", &[]).must(Exit::Done);
    assert!(ran.output.contains("approved"), "{}", ran.output);

    let calls = server.seen_at("/approver/approve");
    let (sent, jwk) = (calls[0].json(), calls[0].proof().0["jwk"].clone());
    assert_eq!(sent["decision"], view(&server.url)["decision"], "unchanged");
    let record = record(&sent, &jwk);
    verify_record(&record).expect("a signature over the canonical bytes");

    let file = world.folder.join("grant.json");
    let grant = json!({"grant_id": "g", "evidence": record});
    std::fs::write(&file, grant.to_string()).unwrap();
    let ran = world.run(&["verify-decision", file.to_str().unwrap()]).must(Exit::Done);
    assert!(
        ran.output.contains("approver_1") && ran.output.contains("openid read"),
        "{}",
        ran.output
    );
    let forged = grant.to_string().replace("openid read", "admin openid read");
    std::fs::write(&file, forged).unwrap();
    let ran = world
        .run(&["verify-decision", file.to_str().unwrap(), "--json"])
        .must(Exit::Refused);
    assert!(ran.errors.contains("decision_invalid"), "{}", ran.errors);
    std::fs::write(&file, "{}").unwrap();
    world
        .run(&["verify-decision", file.to_str().unwrap()])
        .must(Exit::Usage);
}

#[test]
fn an_exported_decision_is_about_the_request_beside_it() {
    let request = json!({
        "id": "r1", "client_id": "cli", "purpose": {"kind": "access"}, "profile": "open", "profile_version": "v1",
        "scope": "openid read", "resource": [], "jkt": null, "instance": null, "owner": null, "initiator": null,
        "binding": null, "facts": [{"name": "requester.address", "source": "proven", "value": "192.0.2.1"}], "requested_at": 1,
        "expires_at": 2, "grant_expires_at": 3
    });
    let digest = Content::deserialize(&request).unwrap().digest().unwrap();
    let is_signed = digest.as_str().to_owned();
    let server = server(move |view| {
        view["request_digest"] = json!(is_signed);
        view["decision"]["request_digest"] = json!(is_signed);
    });
    let world = enrolled(&server);
    decide(&world, &server, "approve", &[]).must(Exit::Done);
    let call = &server.seen_at("/approver/approve")[0];
    let mut export = serde_json::to_value(record(&call.json(), &call.proof().0["jwk"])).unwrap();
    let file = world.folder.join("evidence.json");
    let (mut other, mut more) = (request.clone(), request.clone());
    other["facts"][0]["value"] = json!("192.0.2.2");
    more["note"] = json!("not covered by the digest");
    for (beside, exit) in [(request, Exit::Done), (other, Exit::Refused), (more, Exit::Refused)] {
        export["request"] = beside;
        std::fs::write(&file, export.to_string()).unwrap();
        world.run(&["verify-decision", file.to_str().unwrap()]).must(exit);
    }
}

fn record(sent: &Value, jwk: &Value) -> DecisionRecord {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    DecisionRecord {
        decision: Decision::from_value(&sent["decision"]).unwrap().to_value(),
        evidence: Evidence::SoftwareKey {
            thumbprint: Digest::of(members.as_bytes()).as_str().to_owned(),
            public_key: jwk.clone(),
            signature: sent["signature"].as_str().unwrap().to_owned(),
        },
        relying_party: RelyingParty {
            origin: "http://localhost".to_owned(),
            rp_id: "localhost".to_owned(),
        },
        key: jwk.clone(),
    }
}

#[test]
fn at_a_terminal_only_a_clear_yes_approves() {
    for (typed, approves) in [
        ("y\n", true),
        ("YES\n", true),
        ("\n", false),
        ("n\n", false),
        ("", false),
        ("yep\n", false),
    ] {
        let server = server(|_| ());
        let mut world = enrolled(&server);
        world.typed = Some(typed);
        let ran = decide(&world, &server, "approve", &[]);
        assert_eq!(ran.exit == Exit::Done, approves, "{typed:?}");
        assert!(
            ran.errors.contains("Read your things") && ran.errors.contains("[y/N]"),
            "{}",
            ran.errors
        );
        assert_eq!(
            server.seen_at("/approver/approve").len(),
            usize::from(approves),
            "{typed:?}"
        );
    }
}

#[test]
fn nothing_is_signed_that_was_not_shown() {
    type Lie = fn(&mut Value);
    let lies: [(&str, Lie); 10] = [
        ("another request", |view| view["request_digest"] = json!("digest-2")),
        ("other scopes", |view| {
            view["decision"]["granted"]["scope"] = json!("admin openid read");
        }),
        ("other scopes", |view| view["permissions"][0]["name"] = json!("write")),
        ("resource", |view| {
            view["decision"]["granted"]["resource"] = json!(["https://other.example"]);
        }),
        ("details", |view| {
            view["decision"]["granted"]["authorization_details"] = json!([{"type": "x"}]);
        }),
        ("another time", |view| {
            view["decision"]["granted"]["expires_at"] = json!(EXPIRES + 1);
        }),
        ("another approver", |view| {
            view["decision"]["approver"] = json!("approver_2");
        }),
        ("no decision", |view| {
            view["decision"]["type"] = json!("waypass-decision/2");
        }),
        ("no decision", |view| view["decision"]["decision"] = json!("deny")),
        ("no decision", |view| view["decision"]["more"] = json!(1)),
    ];
    for (why, lie) in lies {
        let server = server(lie);
        let world = enrolled(&server);
        let ran = decide(&world, &server, "approve", &[]).must(Exit::Refused);
        assert!(ran.errors.contains(why), "{why}: {}", ran.errors);
        assert!(server.seen_at("/approver/approve").is_empty(), "{why}");
    }
}

#[test]
fn deny_needs_no_more_than_the_code_and_may_report() {
    let server = server(|_| ());
    let mut world = enrolled(&server);
    world.typed = Some("");
    let ran = decide(&world, &server, "deny", &["--report", "--json"]).must(Exit::Done);
    assert_eq!(ran.json(), json!({"request_id": "req_1", "state": "denied"}));
    assert_eq!(
        server.seen_at("/approver/deny")[0].json(),
        json!({"request_id": "req_1", "report": true})
    );
}

#[test]
fn exit_codes_tell_a_script_what_happened() {
    for (status, code, exit) in [
        (404, "unknown_code", Exit::UnknownCode),
        (429, "rate_limited", Exit::Throttled),
        (403, "refused", Exit::Refused),
        (400, "invalid_dpop_proof", Exit::Refused),
        (404, "not_found", Exit::Refused),
        (500, "server_error", Exit::Failed),
    ] {
        let good = server(|_| ());
        let world = enrolled(&good);
        let bad = Stub::start(move |_, _| error(status, code));
        let key = std::fs::read_to_string(world.folder.join("key")).unwrap();
        std::fs::write(world.folder.join("key"), key.replace(&good.url, &bad.url)).unwrap();
        for verb in ["show", "approve", "deny"] {
            let ran = decide(&world, &bad, verb, &["--json"]).must(exit);
            let failure: Value = serde_json::from_str(&ran.errors).unwrap();
            assert_eq!(failure["error"], code, "{verb}");
        }
    }
}

#[test]
fn what_cannot_be_a_code_costs_no_guess() {
    let server = server(|_| ());
    let world = enrolled(&server);
    let before = server.seen().len();
    let words = [
        "approve",
        "nonsense",
        "--server",
        &server.url,
        "--key-file",
        &world.path("key"),
    ];
    world.run(&words).must(Exit::UnknownCode);
    assert_eq!(server.seen().len(), before);
}

#[test]
fn a_key_is_used_only_where_it_is_registered() {
    let (home, away) = (server(|_| ()), server(|_| ()));
    let world = enrolled(&home);
    let ran = decide(&world, &away, "approve", &[]).must(Exit::Usage);
    assert!(ran.errors.contains(&home.url), "{}", ran.errors);
    assert!(away.seen().is_empty());
}

#[test]
fn hostile_text_in_a_view_is_shown_escaped() {
    const HOSTILE: &str = "\u{1b}[2J\r\n\u{202e}\u{200b}";
    let server = server(|view| {
        for name in ["client_name", "client_id", "client_owner", "purpose", "key_words"] {
            view[name] = json!(HOSTILE);
        }
        view["warnings"] = json!([HOSTILE]);
        view["consequences"] = json!([HOSTILE]);
        view["permissions"][0]["sentence"] = json!(HOSTILE);
        let detail = json!({"type": HOSTILE, HOSTILE: HOSTILE});
        let canonical = canonical_json(&detail).unwrap();
        view["authorization_details"] = json!([
            {"sentence": [{"text": HOSTILE}, {"value": HOSTILE}], "canonical": canonical}
        ]);
        view["decision"]["granted"]["authorization_details"] = json!([detail]);
        view["facts"][0] = json!({"name": HOSTILE, "label": HOSTILE, "value": HOSTILE, "source": HOSTILE});
    });
    let mut world = enrolled(&server);
    world.typed = Some("n\n");
    for verb in ["show", "approve"] {
        for more in [&[][..], &["--raw"], &["--json"]] {
            is_harmless(&decide(&world, &server, verb, more).everything());
        }
    }
}

/// Every text of every field of every type, and the names of members, in one view for each hostile text.
#[test]
fn a08_no_text_of_any_field_of_any_type_acts_on_the_terminal() {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let told = asked.clone();
    let server = server(move |view| {
        let details = told.lock().unwrap().clone();
        let shown = details.iter().map(
            |detail| json!({"sentence": [{"value": detail.to_string()}], "canonical": canonical_json(detail).unwrap()}),
        );
        view["authorization_details"] = shown.collect();
        view["decision"]["granted"]["authorization_details"] = json!(details);
    });
    let world = enrolled(&server);
    let types = Types::built_in().metadata();
    let examples = types.as_object().unwrap().values();
    let examples: Vec<&Value> = examples.map(|known| &known["schema"]["examples"][0]).collect();
    for poison in HOSTILE {
        let details: Vec<Value> = examples.iter().flat_map(|detail| poisoned(detail, poison)).collect();
        assert!(details.len() > 50, "{}", details.len());
        *asked.lock().unwrap() = details;
        for more in [&[][..], &["--raw"], &["--json"]] {
            is_harmless(&decide(&world, &server, "show", more).must(Exit::Done).everything());
        }
    }
}

#[test]
fn a_key_file_that_is_none_is_a_usage_error_without_its_content() {
    let server = server(|_| ());
    let world = enrolled(&server);
    let file = world.folder.join("key");
    for content in ["", "{}", "{\"kty\": \"EC\", \"d\": secret}"] {
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let ran = decide(&world, &server, "show", &[]).must(Exit::Usage);
        assert!(!ran.errors.contains("secret"), "{}", ran.errors);
    }
}

#[test]
fn less_is_shown_and_signed_where_less_is_given() {
    let server = server(|_| ());
    let world = enrolled(&server);
    let ran = decide(&world, &server, "approve", &["--scope", "read", "--until", "30m"]);
    assert_eq!(ran.must(Exit::Done).output, "Request req_1: approved.\n");
    let views = server.seen_at("/approver/view");
    let second = views.last().unwrap().json();
    assert_eq!(
        (&second["request_id"], second.get("user_code")),
        (&json!("req_1"), None)
    );
    let sent = server.seen_at("/approver/approve")[0].json();
    let granted = &sent["decision"]["granted"];
    assert_eq!(
        (&granted["scope"], &granted["expires_at"], &granted["resource"]),
        (&json!("read"), &json!(START + 1800), &json!([server.url]))
    );
}

#[test]
fn what_is_not_asked_for_cannot_be_given_and_nothing_is_to_be_declined() {
    let server = server(|_| ());
    let world = enrolled(&server);
    for (flags, why) in [
        (["--scope", "read write"], "more than was asked for"),
        (["--resource", "https://elsewhere.example"], "more than was asked for"),
        (["--until", "90d"], "more than was asked for"),
        (["--scope", ""], "Decline instead"),
        (["--until", "2001-01-01"], "Decline instead"),
        (["--detail", "1"], "no detail of this number"),
        (["--detail", "0"], "no detail of this number"),
    ] {
        let ran = decide(&world, &server, "approve", &flags).must(Exit::Usage);
        assert!(ran.errors.contains(why), "{flags:?}: {}", ran.errors);
    }
    assert!(server.seen_at("/approver/approve").is_empty());
}

/// A server that shows the smaller thing and wants the larger one signed, or the other way round.
#[test]
fn a_server_cannot_widen_what_was_chosen() {
    for lie in [
        |view: &mut Value| *view = self::view("http://x"),
        |view: &mut Value| {
            view["decision"]["granted"]["scope"] = json!("openid read");
        },
    ] {
        let server = server(lie);
        let world = enrolled(&server);
        let ran = decide(&world, &server, "approve", &["--scope", "read"]).must(Exit::Refused);
        assert!(ran.errors.contains("nothing was signed"), "{}", ran.errors);
        assert!(server.seen_at("/approver/approve").is_empty());
    }
}

#[test]
fn a04_details_are_said_in_our_own_words_and_exactly_on_request() {
    let detail = json!({"type": "ssh", "principals": ["root"], "hosts": ["db.example.com"]});
    let server = server(move |view| {
        let canonical = canonical_json(&detail).unwrap();
        view["authorization_details"] = json!([{"sentence": [{"text": "Nothing much."}], "canonical": canonical}]);
        view["decision"]["granted"]["authorization_details"] = json!([detail]);
    });
    let world = enrolled(&server);
    let shown = decide(&world, &server, "show", &[]).must(Exit::Done).output;
    assert!(
        shown.contains(r#"Sign in by SSH as "root" on "db.example.com"."#),
        "{shown}"
    );
    assert!(
        !shown.contains("Nothing much") && !shown.contains("principals"),
        "{shown}"
    );
    let raw = decide(&world, &server, "show", &["--raw"]).must(Exit::Done).output;
    assert!(
        raw.contains(r#"{"hosts":["db.example.com"],"principals":["root"],"type":"ssh"}"#),
        "{raw}"
    );
    decide(&world, &server, "approve", &[]).must(Exit::Done);
}

#[test]
fn details_that_are_granted_and_not_shown_are_not_signed() {
    let server = server(|view| {
        let detail = |host: &str| json!({"type": "ssh", "principals": ["root"], "hosts": [host]});
        let canonical = canonical_json(&detail("a")).unwrap();
        view["authorization_details"] = json!([{"sentence": [], "canonical": canonical}]);
        view["decision"]["granted"]["authorization_details"] = json!([detail("b")]);
    });
    let world = enrolled(&server);
    let ran = decide(&world, &server, "approve", &[]).must(Exit::Refused);
    assert!(ran.errors.contains("details that are not shown"), "{}", ran.errors);
}
