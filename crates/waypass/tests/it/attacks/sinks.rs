//! Secrets in places that keep them. Every test's end looks into log, metrics, events and SQLite's files;
//! this file adds what a single look cannot show.

use std::fs::File;
use std::io::Write as _;

use serde_json::Value;

use crate::chance::unique;
use crate::database::Database;
use crate::world::{SCOPES, World, alone};

alone_on_both!(
    no_secret_stands_anywhere_after_a_full_life,
    oidc_pam_started_is_never_succeeded
);

/// The look itself is looked at: a secret that stands in a log, written there by hand, is found.
#[test]
#[should_panic(expected = "a secret stands in log")]
fn a_secret_in_a_log_would_be_found() {
    alone(Database::Sqlite, async |world: &World| {
        let started = world.start(&world.stock_client().await, &[]).await;
        let log = File::options().append(true).open(world.server.folder.join("log"));
        writeln!(log.unwrap(), "code={}", started.device_code).unwrap();
    });
}

async fn no_secret_stands_anywhere_after_a_full_life(world: &World) {
    let (client, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    let with_secret = [("client_secret", secret.as_str())];
    let started = world.start(&client, &with_secret).await;
    world.approve(&started.user_code).await;
    world.poll(&started).await.refused("invalid_client");
    let stock = world.stock_client().await;
    let tokens = world.tokens(&stock, &[("scope", SCOPES)]).await;
    // Wrong ones are secrets too: somebody's, mistyped.
    for wrong in [unique("wrong-secret-of-somebody"), unique("wpr_not-a-token-of-ours")] {
        world.remember(&wrong);
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", wrong.as_str()),
            ("client_id", stock.as_str()),
        ];
        world.post("/token", &pairs).await.refused("invalid_grant");
        world
            .post(
                "/device_authorization",
                &[("client_id", client.as_str()), ("client_secret", &wrong)],
            )
            .await;
        world.get(&format!("/device?user_code={wrong}")).await;
        world.get(&format!("/no/such/page?token={wrong}")).await;
    }
    world.refresh(&stock, &tokens).await.expect(200);
    world.introspect(tokens["access_token"].as_str().unwrap()).await;
    if let Some(dumped) = world.server.database.dump().await {
        for secret in [&started.device_code, &started.user_code, &secret] {
            assert!(
                !dumped.contains(secret.as_str()),
                "the database holds a secret in clear"
            );
        }
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        assert!(
            !dumped.contains(refresh_token),
            "the database holds a refresh token in clear"
        );
    }
}

/// "Started" is never "succeeded", and success names who it was.
async fn oidc_pam_started_is_never_succeeded(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[("scope", SCOPES)]).await;
    world.poll(&started).await.refused("authorization_pending");
    let of_client = async || -> Vec<Value> {
        world
            .events()
            .await
            .into_iter()
            .filter(|event| event["client_id"] == client.as_str())
            .collect()
    };
    let happened = |events: &[Value], action: &str| events.iter().any(|event| event["action"] == action);
    let events = of_client().await;
    assert!(happened(&events, "device.requested"));
    assert!(
        !happened(&events, "device.approved") && !happened(&events, "device.redeemed"),
        "{events:?}"
    );
    world.approve(&started.user_code).await;
    assert!(!happened(&of_client().await, "device.redeemed"));
    world.poll(&started).await.expect(200);
    let events = of_client().await;
    let redeemed: Vec<&Value> = events
        .iter()
        .filter(|event| event["action"] == "device.redeemed")
        .collect();
    assert_eq!(redeemed.len(), 1);
    assert!(
        redeemed[0]["grant_id"].is_string() && redeemed[0]["approver_id"].is_string(),
        "{redeemed:?}"
    );
}
