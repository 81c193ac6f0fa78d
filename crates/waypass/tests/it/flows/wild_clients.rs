//! What twenty clients in the wild were seen to do (issue 2 §1): borne where it is harmless.

use serde_json::Value;

use crate::http::{basic, form};
use crate::world::{DEVICE_CODE, SCOPES, Started, World};

on_both!(
    noise_on_token_requests_is_ignored,
    a_public_client_may_send_basic_with_an_empty_secret,
    odd_forms_and_headers_are_borne,
    parameters_in_the_url_are_never_taken,
    the_first_poll_may_come_at_once_and_jitter_finishes,
    forged_hosts_and_forwarded_headers_reach_no_uri,
    a_foreign_scope_on_the_poll_changes_nothing,
);

async fn approved(world: &World, client: &str) -> Started {
    let started = world.start(client, &[("scope", SCOPES)]).await;
    world.approve(&started.user_code).await;
    started
}

async fn noise_on_token_requests_is_ignored(world: &World) {
    let client = world.stock_client().await;
    let started = approved(world, &client).await;
    let pairs = [
        ("grant_type", DEVICE_CODE),
        ("device_code", &started.device_code),
        ("code", &started.device_code),
        ("client_id", &client),
        ("client_secret", ""),
        ("scope", "openid profile offline_access"),
        ("client_info", "1"),
        ("x-client-SKU", "msal.js.node"),
        ("x-client-VER", "2.0.0"),
        ("redirect_uri", ""),
    ];
    world.post("/token", &pairs).await.expect(200);
}

async fn a_foreign_scope_on_the_poll_changes_nothing(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[("scope", "read")]).await;
    world.approve(&started.user_code).await;
    let pairs = [
        ("grant_type", DEVICE_CODE),
        ("device_code", &started.device_code),
        ("client_id", client.as_str()),
        ("scope", "openid offline_access profile read admin"),
    ];
    let tokens = world.post("/token", &pairs).await.expect(200).json();
    assert_eq!(tokens["scope"], "read");
}

async fn a_public_client_may_send_basic_with_an_empty_secret(world: &World) {
    let client = world.stock_client().await;
    let authorization = basic(&client, "");
    let headers = [("Authorization", authorization.as_str())];
    let begun = world
        .post_with("/device_authorization", &[("scope", "read")], &headers)
        .await
        .expect(200);
    let begun = crate::world::started(&client, &begun);
    world.approve(&begun.user_code).await;
    let pairs = [("grant_type", DEVICE_CODE), ("device_code", begun.device_code.as_str())];
    world.post_with("/token", &pairs, &headers).await.expect(200);
    let authorization = basic(&client, "a-secret-it-never-had");
    let headers = [("Authorization", authorization.as_str())];
    world
        .post_with("/device_authorization", &[], &headers)
        .await
        .refused("invalid_client");
}

async fn odd_forms_and_headers_are_borne(world: &World) {
    let client = world.stock_client().await;
    for content_type in [
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded;charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        let headers = [
            ("Content-Type", content_type),
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Dest", "empty"),
            ("User-Agent", "node"),
            ("Accept", "text/html"),
        ];
        let body = form(&[("client_id", &client), ("scope", "read profile")]);
        world
            .post_raw("/device_authorization?dc=eu-1", body, &headers)
            .await
            .expect(200);
    }
    let spaces = format!("client_id={client}&scope=read profile");
    let begun = world.post_raw("/device_authorization", spaces, &[]).await.expect(200);
    let begun = crate::world::started(&client, &begun);
    world.approve(&begun.user_code).await;
    let tokens: Value = world.poll(&begun).await.expect(200).json();
    assert!(tokens["scope"].as_str().unwrap().contains("profile"), "{tokens}");
}

async fn parameters_in_the_url_are_never_taken(world: &World) {
    let client = world.stock_client().await;
    let started = approved(world, &client).await;
    let query = form(&[
        ("grant_type", DEVICE_CODE),
        ("device_code", &started.device_code),
        ("client_id", &client),
    ]);
    world
        .post(&format!("/token?{query}"), &[])
        .await
        .refused("invalid_request");
    world.poll(&started).await.expect(200);
}

async fn the_first_poll_may_come_at_once_and_jitter_finishes(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    world.poll(&started).await.refused("authorization_pending");
    // Some tenths of a second early is what a timer's jitter and a quick network make of five seconds.
    let begun = std::time::Instant::now();
    crate::chance::until("4.8 s pass", std::time::Duration::from_secs(10), async || {
        (begun.elapsed().as_millis() >= 4800).then_some(())
    })
    .await;
    world.poll(&started).await.refused("authorization_pending");
    world.approve(&started.user_code).await;
    world.poll(&started).await.expect(200);
}

async fn forged_hosts_and_forwarded_headers_reach_no_uri(world: &World) {
    let client = world.stock_client().await;
    for headers in [
        [("Host", "evil.example"), ("X-Unused", "1")],
        [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")],
        [
            ("Forwarded", "host=evil.example;proto=https;for=203.0.113.7"),
            ("X-Original-URL", "//evil.example"),
        ],
    ] {
        let answer = world
            .post_with("/device_authorization", &[("client_id", &client)], &headers)
            .await;
        assert!(!answer.body.contains("evil.example"), "{answer:?}");
        let mut request = crate::http::CLIENT.get(world.url("/.well-known/oauth-authorization-server"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert!(!crate::http::Answer::to(request).await.body.contains("evil.example"));
    }
}
