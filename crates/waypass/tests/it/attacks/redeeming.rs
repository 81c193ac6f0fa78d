//! What is done with a code or a token that should be worth nothing any more.

use std::time::Duration;

use crate::chance::until;
use crate::http::basic;
use crate::world::{DEVICE_CODE, SCOPES, World};

on_both!(
    dex_a_redeemed_code_is_dead,
    a_redeemed_code_in_other_hands_ends_the_grant,
    keycloak_what_was_disabled_after_approval_is_not_redeemed,
    keycloak_only_the_client_that_asked_redeems,
    rauthy_every_malformed_code_gets_a_clean_error,
    rauthy_auth_time_is_when_the_person_decided,
    rauthy_three_early_polls_neither_delete_nor_issue,
    ferriskey_a_revoked_grant_is_refused_everywhere,
    a_token_of_the_device_grant_reaches_no_administration,
);

async fn dex_a_redeemed_code_is_dead(world: &World) {
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    world.approve(&started.user_code).await;
    let tokens = world.poll(&started).await.expect(200).json();
    for _ in 0..3 {
        let again = world.poll(&started).await;
        again.refused("invalid_grant");
        assert!(!again.body.contains("token\":"), "{again:?}");
    }
    // An answer lost on its way is no theft: the same client, at once, ends nothing.
    assert!(world.is_active(&tokens["access_token"]).await);
}

async fn a_redeemed_code_in_other_hands_ends_the_grant(world: &World) {
    let (client, other) = (world.stock_client().await, world.stock_client().await);
    let mut started = world.start(&client, &[("scope", SCOPES)]).await;
    world.approve(&started.user_code).await;
    let tokens = world.poll(&started).await.expect(200).json();
    started.client = other;
    world.poll(&started).await.refused("invalid_grant");
    assert!(
        !world.is_active(&tokens["access_token"]).await,
        "a stolen code was seen and nothing happened"
    );
    world.refresh(&client, &tokens).await.refused("invalid_grant");
}

async fn keycloak_what_was_disabled_after_approval_is_not_redeemed(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[]).await;
    world.approve(&started.user_code).await;
    world.local(&["client", "disable", &client]).await.expect_code(0);
    world.poll(&started).await.refused("invalid_client");

    let locked = world.new_approver().await;
    let client = world.stock_client().await;
    let (open, kept) = (
        world.start(&client, &[("scope", SCOPES)]).await,
        world.start(&client, &[("scope", SCOPES)]).await,
    );
    locked.approve(&world.server, &open.user_code).await;
    locked.approve(&world.server, &kept.user_code).await;
    let tokens = world.poll(&kept).await.expect(200).json();
    world.local(&["approver", "disable", &locked.name]).await.expect_code(0);
    world.poll(&open).await.refused("invalid_grant");
    world.refresh(&client, &tokens).await.refused("invalid_grant");
}

async fn keycloak_only_the_client_that_asked_redeems(world: &World) {
    let (client, other) = (world.stock_client().await, world.stock_client().await);
    let (secret_client, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    let started = world.start(&client, &[]).await;
    world.approve(&started.user_code).await;
    let grant = ("grant_type", DEVICE_CODE);
    let code = ("device_code", started.device_code.as_str());
    world
        .post("/token", &[grant, code, ("client_id", &other)])
        .await
        .refused("invalid_grant");
    let authorization = basic(&secret_client, &secret);
    let headers = [("Authorization", authorization.as_str())];
    world
        .post_with("/token", &[grant, code], &headers)
        .await
        .refused("invalid_grant");
    world.poll(&started).await.expect(200);
}

async fn rauthy_every_malformed_code_gets_a_clean_error(world: &World) {
    let client = world.stock_client().await;
    let long = "x".repeat(60_000);
    for code in [
        "x",
        "é",
        "\u{1F511}\u{1F511}",
        "a b",
        "%00",
        "'; DROP TABLE grants;--",
        "..",
        "null",
        &long,
    ] {
        let pairs = [
            ("grant_type", DEVICE_CODE),
            ("device_code", code),
            ("client_id", &client),
        ];
        world.post("/token", &pairs).await.refused("invalid_grant");
        let answer = world
            .approver()
            .await
            .view(&world.server, &format!("{code}-not-one"))
            .await;
        assert!([404, 413, 429].contains(&answer.status), "{answer:?}");
    }
}

/// Issuance is not authentication: a token redeemed later still says when the person was there.
async fn rauthy_auth_time_is_when_the_person_decided(world: &World) {
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    world.approve(&started.user_code).await;
    let approved_at = crate::chance::now();
    until("two seconds pass", Duration::from_secs(10), async || {
        (crate::chance::now() > approved_at + 1).then_some(())
    })
    .await;
    let tokens = world.poll(&started).await.expect(200).json();
    let claims = crate::keys::claims(tokens["access_token"].as_str().unwrap());
    assert!(claims["auth_time"].as_i64().unwrap() <= approved_at, "{claims}");
    assert!(claims["iat"].as_i64().unwrap() > approved_at, "{claims}");
}

async fn rauthy_three_early_polls_neither_delete_nor_issue(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[]).await;
    world.poll(&started).await.refused("authorization_pending");
    for _ in 0..6 {
        world.poll(&started).await.refused("slow_down");
    }
    world.approver().await.deny(&world.server, &started.user_code).await;
    world.poll(&started).await.refused("access_denied");
}

async fn ferriskey_a_revoked_grant_is_refused_everywhere(world: &World) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let access_token = tokens["access_token"].as_str().unwrap();
    let authorization = format!("Bearer {access_token}");
    let userinfo = async || {
        crate::http::Answer::to(
            crate::http::CLIENT
                .get(world.url("/userinfo"))
                .header("Authorization", &authorization),
        )
        .await
    };
    userinfo().await.expect(200);
    let pairs = [
        ("token", tokens["refresh_token"].as_str().unwrap()),
        ("client_id", client.as_str()),
    ];
    world.post("/revoke", &pairs).await.expect(200);
    let answer = userinfo().await;
    assert_eq!(answer.status, 401);
    assert!(answer.challenges().contains("invalid_token"), "{answer:?}");
    assert!(!world.is_active(&tokens["access_token"]).await);
    world.refresh(&client, &tokens).await.refused("invalid_grant");
}

/// Storm-2372: the token that was phished registers the thief's own device. Rule 2 of the design.
async fn a_token_of_the_device_grant_reaches_no_administration(world: &World) {
    let tokens = world.tokens(&world.stock_client().await, &[("scope", SCOPES)]).await;
    let authorization = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    for path in [
        "/local/clients",
        "/local/approvers",
        "/account",
        "/approver/enroll",
        "/device",
    ] {
        for method in ["GET", "POST"] {
            let request = crate::http::CLIENT.request(method.parse().unwrap(), world.url(path));
            let answer = crate::http::Answer::to(request.header("Authorization", &authorization)).await;
            assert!(answer.status >= 300 || path == "/device", "{method} {path}: {answer:?}");
            assert!(
                !answer.body.contains(&world.approver().await.name),
                "{method} {path} shows who is there"
            );
        }
    }
}
