//! A person makes a device known, and everybody who is not near it does not.

use std::net::SocketAddr;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use super::super::world::{Answer, Key, World, on_both, poll_form, with_limits};
use super::{approve, ask, ask_to_enroll, enrolled_by_ceremony, finish, poll, standard};
use crate::peer::Peer;
use crate::tests::pages::browser::Browser;

#[test]
fn x07_an_unknown_key_gets_an_error_before_any_code_exists() {
    on_both(async |world| {
        let (_alice, _) = standard(world, "alice").await;
        let known = world.enrolled("cli", "alice").await;
        let stranger = Key::new();
        let refused = ask(world, "cli", &stranger).await;
        assert_eq!(refused.error(), "unauthorized_client");
        assert!(refused.text("error_description").contains("Enroll it first"));
        let form = [("client_id", "cli")];
        assert_eq!(
            world.post("/device_authorization", &form).await.error(),
            "invalid_dpop_proof",
            "no key"
        );
        world.standard_client("other").await;
        assert_eq!(
            ask(world, "other", &known).await.error(),
            "unauthorized_client",
            "another's"
        );

        assert_eq!(ask(world, "cli", &known).await.status, StatusCode::OK);
        let requests = world.administer("GET", "/local/requests", &json!({})).await.body;
        assert_eq!(requests.as_array().unwrap().len(), 1, "{requests}");
    });
}

#[test]
fn a_device_becomes_known_by_its_owner_s_passkey_and_then_asks_without_a_ceremony() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = Key::new();
        let asked = ask_to_enroll(world, "cli", &key).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
        assert_eq!(asked.text("state"), "pending");
        assert!(asked.text("message").starts_with("To make this device known, open"));
        let code = asked.text("device_code");
        assert_eq!(finish(world, "cli", &code, &key).await.error(), "authorization_pending");

        let page = alice.type_code(&asked.text("user_code")).await;
        let shown = alice.get(&page).await.html;
        for text in ["Build host 7", "known as yours", "build7.example", "tpm"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        assert_eq!(alice.approve(&page, &passkey).await.location(), page);
        assert!(alice.get(&page).await.html.contains("is yours now"));
        world.advance(5);
        let known = finish(world, "cli", &code, &key).await;
        assert_eq!(known.status, StatusCode::OK, "{}", known.body);
        assert_eq!(
            (known.text("owner"), known.text("way_in"), known.text("thumbprint")),
            ("alice".to_owned(), "ceremony".to_owned(), key.thumbprint())
        );
        let again = finish(world, "cli", &code, &key).await;
        assert_eq!(again.body, known.body, "a lost answer is told again");
        assert!(alice.get(&page).await.html.contains("is yours now"), "also after that");

        let instance = world.instance_of(&key).await;
        let request = &world.events("device.requested").await[0]["request_id"];
        let way_in = json!({ "kind": "ceremony", "request": request, "evidence": ["same_address"] });
        assert_eq!(instance["way_in"], way_in);
        let claimed = json!({ "name": "device.key_storage", "value": "tpm", "source": "claimed" });
        assert_eq!(instance["facts"][0], claimed);
        let event = &world.events("instance.enrolled").await[0];
        assert_eq!(event["detail"]["instance.way_in"], way_in);
        assert_eq!((&event["request_id"], &event["client_id"]), (request, &json!("cli")));

        let tokens = super::tokens(&alice, &passkey, &key).await;
        assert_eq!(tokens.text("token_type"), "DPoP");
    });
}

/// What a request from there meets.
async fn from(world: &World, address: [u8; 4], path: &str, form: &[(&str, &str)], key: &Key) -> Answer {
    let nonce = world.app.derived.nonces.issue(world.app.now());
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let mut request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("dpop", key.proof(path, world.app.now(), Some(&nonce)))
        .body(Body::from(body))
        .unwrap();
    request.extensions_mut().insert(Peer(SocketAddr::from((address, 1))));
    world.send(request).await
}

/// The attacker starts it, the victim types the code that came in a message. (Storm-2372, by enrollment.)
#[test]
fn x40_an_obedient_victim_elsewhere_makes_no_stranger_s_device_known() {
    on_both(async |world| {
        let (alice, _) = standard(world, "alice").await;
        let key = Key::new();
        let form = [("client_id", "cli"), ("name", "Alice's laptop")];
        let asked = from(world, [203, 0, 113, 9], "/enrollment", &form, &key).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED);
        let answer = alice.post("/device", &[("user_code", &asked.text("user_code"))]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.html);
        assert!(
            answer.html.contains("Nothing proves that you started this"),
            "{}",
            answer.html
        );
        let code = asked.text("device_code");
        assert_eq!(finish(world, "cli", &code, &key).await.error(), "authorization_pending");
        assert!(world.instance_of(&key).await.is_null());
    });
}

#[test]
fn a_code_for_access_enrolls_nothing_and_an_enrollment_s_code_gives_no_token() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let known = world.enrolled("cli", "alice").await;
        let stranger = Key::new();
        let access = ask(world, "cli", &known).await;
        let enrollment = ask_to_enroll(world, "cli", &stranger).await;
        let codes = (access.text("device_code"), enrollment.text("device_code"));
        for round in ["waiting", "approved", "over"] {
            // From memory, and from the database.
            for _ in 0..2 {
                assert_eq!(
                    finish(world, "cli", &codes.0, &known).await.error(),
                    "invalid_grant",
                    "{round}"
                );
                assert_eq!(
                    poll(world, &codes.1, &stranger).await.error(),
                    "invalid_grant",
                    "{round}"
                );
                world.advance(31);
            }
            match round {
                "waiting" => {
                    approve(&alice, &passkey, &access).await;
                    approve(&alice, &passkey, &enrollment).await;
                }
                "approved" => {
                    assert_eq!(poll(world, &codes.0, &known).await.status, StatusCode::OK);
                    assert_eq!(finish(world, "cli", &codes.1, &stranger).await.status, StatusCode::OK);
                }
                _ => {}
            }
        }
        let ended = world.events("grant.ended").await;
        assert!(ended.is_empty(), "nobody's grant: {ended:?}");
    });
}

#[test]
fn an_enrollment_is_finished_by_its_own_key_and_client_alone() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        world.standard_client("other").await;
        let key = Key::new();
        let asked = ask_to_enroll(world, "cli", &key).await;
        approve(&alice, &passkey, &asked).await;
        let code = asked.text("device_code");
        assert_eq!(finish(world, "cli", &code, &Key::new()).await.error(), "invalid_grant");
        assert_eq!(finish(world, "other", &code, &key).await.error(), "invalid_grant");
        let form = [("client_id", "cli"), ("device_code", &*code)];
        assert_eq!(
            world.post("/enrollment/finish", &form).await.error(),
            "invalid_grant",
            "no proof"
        );
        assert_eq!(
            finish(world, "cli", &code, &key).await.status,
            StatusCode::OK,
            "none of it used it up"
        );
    });
}

/// Approved, then something changes, then finished.
#[test]
fn what_an_enrollment_stands_on_is_asked_again_at_its_end() {
    let profile = json!({ "profile": "privileged" });
    for (path, body, error) in [
        ("/local/clients/cli/disable", json!({}), "invalid_client"),
        ("/local/approvers/alice/disable", json!({}), "invalid_grant"),
        ("/local/clients/cli/change", profile, "access_denied"),
    ] {
        on_both(async |world| {
            let (alice, passkey) = standard(world, "alice").await;
            let key = Key::new();
            let asked = ask_to_enroll(world, "cli", &key).await;
            approve(&alice, &passkey, &asked).await;
            assert!(
                world.administer("POST", path, &body).await.status.is_success(),
                "{path}"
            );
            assert_eq!(
                finish(world, "cli", &asked.text("device_code"), &key).await.error(),
                error,
                "{path}"
            );
            assert!(world.instance_of(&key).await.is_null(), "{path}");
        });
    }
}

#[test]
fn a_registered_key_needs_no_ceremony_and_is_told_so_as_often_as_it_asks() {
    on_both(async |world| {
        world.client("prod", json!({ "profile": "privileged" })).await;
        let (_alice, _) = standard(world, "alice").await;
        let key = world.enrolled("prod", "alice").await;
        for _ in 0..2 {
            let known = ask_to_enroll(world, "prod", &key).await;
            assert_eq!(known.status, StatusCode::OK, "{}", known.body);
            assert_eq!(known.text("state"), "enrolled");
            assert_eq!(
                (known.text("owner"), known.text("way_in")),
                ("alice".into(), "preregistered".into())
            );
        }
        let refused = ask_to_enroll(world, "prod", &Key::new()).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::FORBIDDEN, "refused"));
        assert!(
            refused
                .text("error_description")
                .contains("lets nobody enroll a key by hand")
        );

        world.client("stock", json!({ "profile": "open" })).await;
        assert_eq!(
            ask_to_enroll(world, "stock", &Key::new()).await.error(),
            "unauthorized_client"
        );
        world.client("off", json!({})).await;
        assert_eq!(
            ask_to_enroll(world, "off", &Key::new()).await.error(),
            "unauthorized_client"
        );
    });
}

#[test]
fn an_enrollment_names_itself_in_few_words_and_ends() {
    on_both(async |world| {
        let (_alice, _) = standard(world, "alice").await;
        let key = Key::new();
        let long = "x".repeat(81);
        for (more, error) in [
            (vec![], "invalid_request"),
            (vec![("name", "a\u{1b}[2Jb")], "invalid_request"),
            (vec![("name", &*long)], "invalid_request"),
            (vec![("name", "laptop"), ("environment", &*long)], "invalid_request"),
            (vec![("name", "laptop"), ("expires_in", "59")], "invalid_request"),
            (vec![("name", "laptop"), ("expires_in", "34560001")], "invalid_request"),
            (vec![("name", "laptop"), ("expires_in", "soon")], "invalid_request"),
            (vec![("name", "laptop"), ("expires_in", "34560000")], "none"),
        ] {
            let form = [vec![("client_id", "cli")], more.clone()].concat();
            assert_eq!(
                world.post_by("/enrollment", &form, &key).await.error(),
                error,
                "{more:?}"
            );
        }
        let form = [("client_id", "cli"), ("name", "laptop")];
        assert_eq!(world.post("/enrollment", &form).await.error(), "invalid_dpop_proof");
    });
}

#[test]
fn a_key_is_enrolled_once_for_whomever_and_for_ever() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        world.standard_client("other").await;
        let key = Key::new();
        enrolled_by_ceremony(&alice, &passkey, &key).await;
        for client_id in ["cli", "other"] {
            let refused = world.preregister(client_id, "alice", &key).await;
            assert_eq!(refused.error(), "exists", "{client_id}");
        }
        assert_eq!(ask_to_enroll(world, "other", &key).await.error(), "exists");
        world.act_on(&key, "remove").await;
        assert_eq!(
            ask_to_enroll(world, "cli", &key).await.error(),
            "exists",
            "removed, and still taken"
        );
        assert_eq!(ask(world, "cli", &key).await.error(), "unauthorized_client");
    });
}

/// NHI9: whoever comes first. The other learns that the key is taken, and makes a new one.
#[test]
fn nhi9_of_two_clients_that_enroll_one_key_at_once_one_has_it() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        world.standard_client("other").await;
        let key = Key::new();
        let (one, two) = (
            ask_to_enroll(world, "cli", &key).await,
            ask_to_enroll(world, "other", &key).await,
        );
        approve(&alice, &passkey, &one).await;
        approve(&alice, &passkey, &two).await;
        let codes = (one.text("device_code"), two.text("device_code"));
        let (one, two) = tokio::join!(
            finish(world, "cli", &codes.0, &key),
            finish(world, "other", &codes.1, &key)
        );
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", one.body, two.body);
    });
}

#[test]
fn an_approver_s_own_key_is_nobody_s_instance() {
    on_both(async |world| {
        world.standard_client("cli").await;
        let alice = world.approver("alice").await;
        assert_eq!(ask_to_enroll(world, "cli", &alice).await.error(), "refused");
        assert_eq!(world.preregister("cli", "alice", &alice).await.error(), "refused");
    });
}

#[test]
fn enrollments_share_the_limits_of_requests() {
    with_limits("open_requests_per_source = 2", async |world| {
        let (_alice, _) = standard(world, "alice").await;
        let known = world.enrolled("cli", "alice").await;
        assert_eq!(ask(world, "cli", &known).await.status, StatusCode::OK);
        assert_eq!(
            ask_to_enroll(world, "cli", &Key::new()).await.status,
            StatusCode::ACCEPTED
        );
        assert_eq!(ask_to_enroll(world, "cli", &Key::new()).await.error(), "rate_limited");
        assert_eq!(ask(world, "cli", &known).await.error(), "rate_limited");
    });
}

#[test]
fn an_enrollment_is_polled_for_like_a_token() {
    on_both(async |world| {
        let (alice, _) = standard(world, "alice").await;
        let key = Key::new();
        let asked = ask_to_enroll(world, "cli", &key).await;
        let code = asked.text("device_code");
        assert_eq!(finish(world, "cli", &code, &key).await.error(), "authorization_pending");
        let early = finish(world, "cli", &code, &key).await;
        assert_eq!((early.error(), &early.body["interval"]), ("slow_down", &json!(10)));
        world.advance(10);
        assert_eq!(finish(world, "cli", &code, &key).await.error(), "authorization_pending");

        let page = alice.type_code(&asked.text("user_code")).await;
        alice.post(&format!("{page}/deny"), &[]).await;
        assert_eq!(finish(world, "cli", &code, &key).await.error(), "access_denied");
        let late = ask_to_enroll(world, "cli", &Key::new()).await;
        world.advance(601);
        assert_eq!(
            finish(world, "cli", &late.text("device_code"), &key).await.error(),
            "invalid_grant",
            "another key"
        );
        assert_eq!(
            world.post("/token", &poll_form("nothing")).await.error(),
            "invalid_grant"
        );
    });
}

/// Who has no secret has nothing to authenticate with before the key is known, and the key afterwards.
#[test]
fn a_client_that_authenticates_by_instance_keys_enrolls_by_the_proof_alone() {
    on_both(async |world| {
        let more = json!({ "profile": "standard", "public": false, "instance_key": true });
        assert_eq!(world.client("cli", more).await.status, StatusCode::CREATED);
        let (alice, passkey) = Browser::enrolled(world, "alice").await;
        let key = Key::new();
        enrolled_by_ceremony(&alice, &passkey, &key).await;
        assert_eq!(
            ask(world, "cli", &key).await.error(),
            "invalid_client",
            "known, and now it has to"
        );
        let assertion = key.assertion("cli", world.app.now());
        let form = [
            ("client_id", "cli"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &*assertion),
        ];
        let asked = world.post_by("/device_authorization", &form, &key).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    });
}

/// What a stranger writes into every field reaches page, record and list as text that does nothing.
#[test]
fn hostile_names_and_device_facts_are_shown_and_do_nothing() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = Key::new();
        let hostile = "</dd><script>\u{202e}\u{1b}[2J\u{430}dmin";
        let long = "x".repeat(5_000);
        let refused = [("client_id", "cli"), ("name", "bell\u{7}")];
        assert_eq!(
            world.post_by("/enrollment", &refused, &key).await.status,
            StatusCode::BAD_REQUEST
        );
        let form = [
            ("client_id", "cli"),
            ("name", "</dd><script>\u{202e}\u{430}dmin"),
            ("environment", "</dd><script>\u{202e}"),
            ("host", hostile),
            ("system", hostile),
            ("user", hostile),
            ("version", &long),
        ];
        let asked = world.post_by("/enrollment", &form, &key).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
        let page = alice.type_code(&asked.text("user_code")).await;
        let is_harmless = |html: &str| {
            !html.contains("</dd><script") && !html.contains(['\u{202e}', '\u{1b}']) && !html.contains(&"x".repeat(300))
        };
        let shown = alice.get(&page).await.html;
        assert!(is_harmless(&shown) && shown.contains("hidden or imitated"), "{shown}");
        alice.approve(&page, &passkey).await.location();
        world.advance(5);
        let known = finish(world, "cli", &asked.text("device_code"), &key).await;
        assert_eq!(known.status, StatusCode::OK, "{}", known.body);
        let id = known.text("instance_id");
        for path in [
            "/account/devices".to_owned(),
            format!("/account/devices/{id}"),
            format!("/account/devices/{id}/remove"),
        ] {
            let html = alice.get(&path).await.html;
            assert!(is_harmless(&html), "{path}: {html}");
        }
        let kept = world.instance_of(&key).await["facts"].to_string();
        assert!(!kept.contains(&"x".repeat(300)), "bounded where it is kept too: {kept}");
    });
}
