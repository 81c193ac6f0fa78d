//! Refresh tokens in use (design §3): strict when unbound, forgiving to the same key when bound.

use serde_json::Value;

use crate::http::Answer;
use crate::keys::Key;
use crate::world::{SCOPES, World, started};

on_both!(
    an_unbound_predecessor_ends_the_family,
    a_bound_predecessor_with_the_same_key_gets_a_second_successor,
    a_mistyped_refresh_token_ends_nothing,
);

async fn an_unbound_predecessor_ends_the_family(world: &World) {
    let client = world.stock_client().await;
    let first = world.tokens(&client, &[("scope", SCOPES)]).await;
    let second = world.refresh(&client, &first).await.expect(200).json();
    world.refresh(&client, &first).await.refused("invalid_grant");
    world.refresh(&client, &second).await.refused("invalid_grant");
}

async fn a_bound_predecessor_with_the_same_key_gets_a_second_successor(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let proof = key.proof("POST", &world.htu("/device_authorization"), &Value::Null);
    let pairs = [("client_id", client.as_str()), ("scope", SCOPES)];
    let begun = world
        .post_with("/device_authorization", &pairs, &[("DPoP", &proof)])
        .await
        .expect(200);
    let (nonce, begun) = (begun.header("dpop-nonce").unwrap().to_owned(), started(&client, &begun));
    world.approve(&begun.user_code).await;
    let proved = || key.proof("POST", &world.htu("/token"), &serde_json::json!({"nonce": nonce}));
    let first = world.poll_with(&begun, &[("DPoP", &proved())]).await.expect(200).json();
    let refresh = async |tokens: &Value| -> Answer {
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", client.as_str()),
        ];
        world.post_with("/token", &pairs, &[("DPoP", &proved())]).await
    };
    // The answer was lost on its way; the same key asks again.
    let lost = refresh(&first).await.expect(200).json();
    let second = refresh(&first).await.expect(200).json();
    assert_ne!(lost["refresh_token"], second["refresh_token"]);
    // The lost one is void, which is an event and ends nothing.
    refresh(&lost).await.refused("invalid_grant");
    refresh(&second).await.expect(200);
    // Its successor is used now: the first one is a replay.
    refresh(&first).await.refused("invalid_grant");
}

async fn a_mistyped_refresh_token_ends_nothing(world: &World) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let mut mistyped = tokens.clone();
    let text = tokens["refresh_token"].as_str().unwrap();
    mistyped["refresh_token"] = format!("x{}", text.get(1..).unwrap()).into();
    world.refresh(&client, &mistyped).await.refused("invalid_grant");
    world.refresh(&client, &tokens).await.expect(200);
}
