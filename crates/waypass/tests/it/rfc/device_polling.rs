//! RFC 8628 §3.4, §3.5, §4, §5.6: polling, and what a dead code says.

use std::time::Duration;

use serde_json::json;

use crate::chance::until;
use crate::http::basic;
use crate::world::{DEVICE_CODE, SCOPES, World};

on_both!(
    d18_each_missing_or_wrong_member_has_its_error,
    d19_a_client_with_credentials_authenticates_on_every_poll,
    d20_an_undecided_request_is_pending,
    d21_slow_down_adds_five_seconds_for_good,
    d22_a_declined_request_is_access_denied,
    d23_an_expired_code_is_expired_token,
    d27_metadata_names_the_grant_and_the_endpoint,
    d30_the_record_keeps_requester_and_approver_apart,
    d34_a_client_without_a_profile_has_no_device_grant,
    d38_a_code_is_redeemed_once_and_only_by_its_client,
);

async fn d18_each_missing_or_wrong_member_has_its_error(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[]).await;
    let (grant, code, id) = (
        ("grant_type", DEVICE_CODE),
        ("device_code", started.device_code.as_str()),
        ("client_id", client.as_str()),
    );
    for (pairs, error) in [
        (vec![code, id], "invalid_request"),
        (vec![grant, id], "invalid_request"),
        (vec![grant, code], "invalid_request"),
        (vec![("grant_type", "device_code"), code, id], "unsupported_grant_type"),
        (
            vec![("grant_type", &DEVICE_CODE.to_uppercase()), code, id],
            "unsupported_grant_type",
        ),
        (vec![grant, ("device_code", "unknown"), id], "invalid_grant"),
        (vec![grant, code, ("client_id", "nobody")], "invalid_client"),
        (vec![grant, code, id, id], "invalid_request"),
        (vec![grant, code, code, id], "invalid_request"),
    ] {
        let answer = world.post("/token", &pairs).await;
        assert_eq!(answer.error(), error, "{pairs:?}");
        answer.refused(error);
    }
}

async fn d19_a_client_with_credentials_authenticates_on_every_poll(world: &World) {
    let (client, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    let mut started = world.start(&client, &[("client_secret", &secret)]).await;
    world.poll(&started).await.refused("invalid_client");
    world.approve(&started.user_code).await;
    world.poll(&started).await.refused("invalid_client");
    world
        .poll_with(&started, &[("Authorization", &basic(&client, "wrong-secret"))])
        .await
        .refused("invalid_client");
    started.client = client.clone();
    world
        .poll_with(&started, &[("Authorization", &basic(&client, &secret))])
        .await
        .expect(200);
}

async fn d20_an_undecided_request_is_pending(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    let answer = world.poll(&started).await;
    assert_eq!(answer.status, 400);
    answer.refused("authorization_pending");
}

/// RFC 8628 §3.5: "the interval MUST be increased by 5 seconds for this and all subsequent requests".
async fn d21_slow_down_adds_five_seconds_for_good(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    world.poll(&started).await.refused("authorization_pending");
    for interval in [10, 15, 20] {
        let answer = world.poll(&started).await;
        answer.refused("slow_down");
        assert_eq!(answer.json()["interval"], interval, "{answer:?}");
    }
    world.approve(&started.user_code).await;
    // A variant of pending: once decided there is nothing to slow down.
    world.poll(&started).await.expect(200);
}

async fn d22_a_declined_request_is_access_denied(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    world.approver().await.deny(&world.server, &started.user_code).await;
    world.poll(&started).await.refused("access_denied");
    world.poll(&started).await.refused("access_denied");
}

async fn d23_an_expired_code_is_expired_token(world: &World) {
    let short = [
        "--public",
        "--profile",
        "open",
        "--code-lifetime",
        "15",
        "--scope",
        SCOPES,
    ];
    let client = world.client(&short).await;
    let (viewed, idle) = (world.start(&client, &[]).await, world.start(&client, &[]).await);
    let approver = world.approver().await;
    let view = approver.view(&world.server, &viewed.user_code).await.expect(200).json();
    until("both codes expire", Duration::from_secs(30), async || {
        let answer = world.poll(&idle).await;
        (answer.error() == "expired_token").then_some(())
    })
    .await;
    world.poll(&viewed).await.refused("expired_token");
    approver
        .view(&world.server, &idle.user_code)
        .await
        .refused("unknown_code");
    let late = approver.approve_view(&world.server, &view).await;
    assert!(late.status >= 400, "approved after its end: {late:?}");
    world.poll(&viewed).await.refused("expired_token");
}

async fn d27_metadata_names_the_grant_and_the_endpoint(world: &World) {
    let metadata = world
        .get("/.well-known/oauth-authorization-server")
        .await
        .expect(200)
        .json();
    assert_eq!(
        metadata["device_authorization_endpoint"],
        world.htu("/device_authorization")
    );
    assert!(
        metadata["grant_types_supported"]
            .as_array()
            .unwrap()
            .contains(&json!(DEVICE_CODE)),
        "{metadata}"
    );
}

/// RFC 8628 §5.3: what is known of one device says nothing about the other.
async fn d30_the_record_keeps_requester_and_approver_apart(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    let view = world
        .approver()
        .await
        .view(&world.server, &started.user_code)
        .await
        .expect(200)
        .json();
    let facts = view["facts"].as_array().unwrap();
    assert!(!facts.is_empty());
    for fact in facts {
        let source = fact["source"].as_str().unwrap();
        assert!(["proven", "derived", "claimed"].contains(&source), "{fact}");
        if fact["name"] == "requester.user_agent" {
            assert_eq!(source, "claimed");
        }
    }
    world.approve(&started.user_code).await;
    let id = view["request_id"].clone();
    let events = world.events().await;
    let approved: Vec<_> = events
        .iter()
        .filter(|event| event["request_id"] == id && event["action"] == "device.approved")
        .collect();
    assert_eq!(approved.len(), 1, "{events:?}");
    assert!(approved[0]["approver_id"].is_string());
}

async fn d34_a_client_without_a_profile_has_no_device_grant(world: &World) {
    let plain = world.client(&["--public", "--scope", "read"]).await;
    let answer = world.post("/device_authorization", &[("client_id", &plain)]).await;
    answer.refused("unauthorized_client");
    let description = answer.json()["error_description"].as_str().unwrap().to_lowercase();
    assert!(
        description.contains("administrator"),
        "it says who can allow it: {description}"
    );
}

async fn d38_a_code_is_redeemed_once_and_only_by_its_client(world: &World) {
    let (client, other) = (world.stock_client().await, world.stock_client().await);
    let mut started = world.start(&client, &[]).await;
    world.approve(&started.user_code).await;
    started.client = other;
    world.poll(&started).await.refused("invalid_grant");
    started.client = client;
    world.poll(&started).await.expect(200);
    world.poll(&started).await.refused("invalid_grant");
}
