//! What is done to get a decision that nobody made, or a wider one than was made.

use serde_json::{Value, json};

use crate::http::{Answer, CLIENT, form};
use crate::keys::{Key, canonical};
use crate::world::{SCOPES, Started, World, started};

on_both!(
    pocket_id_no_get_approves,
    keycloak_an_earlier_consent_approves_nothing,
    better_auth_only_who_viewed_decides,
    rauthy_a_decided_request_is_not_decided_again,
    a_decision_is_taken_as_it_was_shown_or_not_at_all,
    a_decision_for_one_request_is_worth_nothing_for_another,
    a_terminal_call_needs_its_own_fresh_proof,
    hostile_text_of_the_requester_stays_text,
    an_enrollment_link_is_no_way_in_without_its_token,
);

async fn pocket_id_no_get_approves(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    let view = world
        .approver()
        .await
        .view(&world.server, &started.user_code)
        .await
        .expect(200)
        .json();
    let id = view["request_id"].as_str().unwrap();
    let complete = started.body["verification_uri_complete"].as_str().unwrap();
    let complete = complete.strip_prefix(&world.server.issuer).unwrap();
    for path in [
        complete.to_owned(),
        format!("/device/{id}"),
        format!("/device/{id}?decision=approve"),
        format!("/device/{id}/approve"),
        format!("/approver/approve?request_id={id}"),
    ] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            Answer::to(CLIENT.request(method.parse().unwrap(), world.url(&path))).await;
        }
    }
    world.poll(&started).await.refused("authorization_pending");
}

async fn keycloak_an_earlier_consent_approves_nothing(world: &World) {
    let client = world.stock_client().await;
    world.tokens(&client, &[("scope", SCOPES)]).await;
    let again = world.start(&client, &[("scope", SCOPES)]).await;
    world
        .approver()
        .await
        .view(&world.server, &again.user_code)
        .await
        .expect(200);
    world.poll(&again).await.refused("authorization_pending");
}

async fn better_auth_only_who_viewed_decides(world: &World) {
    let (viewer, other) = (world.new_approver().await, world.new_approver().await);
    let started = world.start(&world.stock_client().await, &[]).await;
    let view = viewer.view(&world.server, &started.user_code).await.expect(200).json();
    other
        .view(&world.server, &started.user_code)
        .await
        .refused("unknown_code");
    let mut own = view.clone();
    for decision in [
        view["decision"].clone(),
        as_approver(&view, &world.new_approver().await.name),
    ] {
        own["decision"] = decision;
        let answer = other.approve_view(&world.server, &own).await;
        assert!(answer.status >= 400, "{answer:?}");
    }
    let deny = json!({"request_id": view["request_id"]});
    let answer = other.call(&world.server, "deny", &deny).await;
    assert!(answer.status >= 400, "a stranger declined: {answer:?}");
    world.poll(&started).await.refused("authorization_pending");
    viewer.approve_view(&world.server, &view).await.expect(200);
}

fn as_approver(view: &Value, name: &str) -> Value {
    let mut decision = view["decision"].clone();
    decision["approver"] = name.into();
    decision
}

async fn rauthy_a_decided_request_is_not_decided_again(world: &World) {
    let approver = world.approver().await;
    let client = world.stock_client().await;
    let (approved, denied) = (world.start(&client, &[]).await, world.start(&client, &[]).await);
    let view = approver
        .view(&world.server, &approved.user_code)
        .await
        .expect(200)
        .json();
    approver.approve_view(&world.server, &view).await.expect(200);
    for answer in [
        approver.approve_view(&world.server, &view).await,
        approver
            .call(&world.server, "deny", &json!({"request_id": view["request_id"]}))
            .await,
        world
            .new_approver()
            .await
            .view(&world.server, &approved.user_code)
            .await,
    ] {
        assert!(answer.status >= 400, "{answer:?}");
    }
    world.poll(&approved).await.expect(200);
    let view = approver.view(&world.server, &denied.user_code).await.expect(200).json();
    approver
        .call(&world.server, "deny", &json!({"request_id": view["request_id"]}))
        .await
        .expect(200);
    let answer = approver.approve_view(&world.server, &view).await;
    assert!(answer.status >= 400, "{answer:?}");
    world.poll(&denied).await.refused("access_denied");
}

type Change = fn(&mut Value);

async fn a_decision_is_taken_as_it_was_shown_or_not_at_all(world: &World) {
    let approver = world.approver().await;
    let (started, view) = viewed(world).await;
    let changes: [Change; 8] = [
        |decision| decision["granted"]["scope"] = SCOPES.into(),
        |decision| decision["granted"]["resource"] = json!(["https://elsewhere.example"]),
        |decision| decision["granted"]["expires_at"] = 9_999_999_999_i64.into(),
        |decision| decision["request_digest"] = "AAAA".into(),
        |decision| decision["nonce"] = "AAAA".into(),
        |decision| decision["type"] = "waypass-decision/2".into(),
        |decision| decision["decision"] = "deny".into(),
        |decision| decision["extra"] = true.into(),
    ];
    for change in changes {
        let mut changed = view.clone();
        change(&mut changed["decision"]);
        let answer = approver.approve_view(&world.server, &changed).await;
        assert!(answer.status >= 400, "{}: {answer:?}", changed["decision"]);
    }
    let decision = &view["decision"];
    let signatures = [
        Key::new().sign(canonical(decision).as_bytes()),
        approver.key.sign(canonical(&json!({"decision": decision})).as_bytes()),
        String::new(),
        "AAAA".to_owned(),
    ];
    for signature in signatures {
        let body = json!({"request_id": view["request_id"], "decision": decision, "signature": signature});
        let answer = approver.call(&world.server, "approve", &body).await;
        assert!(answer.status >= 400, "{answer:?}");
    }
    world.poll(&started).await.refused("authorization_pending");
    approver.approve_view(&world.server, &view).await.expect(200);
}

async fn a_decision_for_one_request_is_worth_nothing_for_another(world: &World) {
    let approver = world.approver().await;
    let ((small, small_view), (_, large_view)) = (viewed(world).await, viewed(world).await);
    let mut crossed = large_view.clone();
    crossed["decision"] = small_view["decision"].clone();
    let answer = approver.approve_view(&world.server, &crossed).await;
    assert!(answer.status >= 400, "{answer:?}");
    world.poll(&small).await.refused("authorization_pending");
}

async fn viewed(world: &World) -> (Started, Value) {
    let started = world.start(&world.stock_client().await, &[("scope", "read")]).await;
    let view = world
        .approver()
        .await
        .view(&world.server, &started.user_code)
        .await
        .expect(200)
        .json();
    (started, view)
}

async fn a_terminal_call_needs_its_own_fresh_proof(world: &World) {
    let approver = world.approver().await;
    let started = world.start(&world.stock_client().await, &[]).await;
    let body = json!({"user_code": started.user_code});
    let htu = world.htu("/approver/view");
    let first = approver
        .send(
            &world.server,
            "view",
            &body,
            &approver.key.proof("POST", &htu, &Value::Null),
        )
        .await;
    let nonce = json!({"nonce": first.header("dpop-nonce").unwrap()});
    let elsewhere = approver.key.proof("POST", &world.htu("/approver/deny"), &nonce);
    let stranger = Key::new().proof("POST", &htu, &nonce);
    for proof in ["", "a.b.c", &elsewhere, &stranger] {
        let answer = approver.send(&world.server, "view", &body, proof).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    let good = approver.key.proof("POST", &htu, &nonce);
    approver.send(&world.server, "view", &body, &good).await.expect(200);
    let replayed = approver.send(&world.server, "view", &body, &good).await;
    assert!(
        (400..500).contains(&replayed.status),
        "a proof served twice: {replayed:?}"
    );
}

/// Text that turns a line around, or hides in it, is data on its way and never a command at its end.
async fn hostile_text_of_the_requester_stays_text(world: &World) {
    let client = world.stock_client().await;
    let request = CLIENT
        .post(world.url("/device_authorization"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header(
            "User-Agent",
            "<script>alert(1)</script> \u{202e}gnp.exe \u{9b}31m".as_bytes(),
        )
        .body(form(&[("client_id", &client)]));
    let begun = started(&client, &Answer::to(request).await.expect(200));
    let key = crate::flows::terminal::key_file(world).await;
    let shown = world
        .remote(&["show", &begun.user_code, "--key-file", &key])
        .await
        .expect_code(0);
    assert!(
        shown.stdout.contains("gnp.exe"),
        "what the requester claims is shown: {}",
        shown.stdout
    );
    let json = world
        .remote(&["show", &begun.user_code, "--key-file", &key, "--json"])
        .await
        .expect_code(0);
    let facts = json.json()["facts"].as_array().unwrap().clone();
    let program = facts
        .iter()
        .find(|fact| fact["name"] == "requester.user_agent")
        .unwrap();
    assert_eq!(program["source"], "claimed");
    let events = world.local(&["event", "tail", "--json"]).await.expect_code(0);
    for printed in [shown.stdout, json.stdout, events.stdout, world.server.log()] {
        let hostile = printed
            .chars()
            .find(|&c| c == '\u{202e}' || (c.is_control() && c != '\n'));
        assert_eq!(hostile, None, "{printed}");
    }
}

async fn an_enrollment_link_is_no_way_in_without_its_token(world: &World) {
    for token in ["", "guess", &"x".repeat(5_000), "\u{1F511}"] {
        let stranger = crate::approver::Approver::new("stranger");
        let answer = stranger
            .call(&world.server, "enroll", &json!({"enrollment_token": token}))
            .await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
}
