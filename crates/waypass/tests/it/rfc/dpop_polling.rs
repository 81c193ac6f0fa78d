//! The device grant bound to a key from its first request (rows P20 to P25, design G1 and G3; RFC 9449 §8).

use serde_json::{Value, json};

use crate::http::Answer;
use crate::keys::{Key, claims};
use crate::world::{DEVICE_CODE, SCOPES, Started, World, started};

on_both!(
    p14_a_proof_without_the_nonce_is_not_taken_once_one_was_given,
    p20_a_bad_proof_starts_nothing,
    p21_a_proof_binds_where_none_was_demanded,
    p22_another_key_never_polls_and_never_spoils_the_code,
    p23_tokens_and_refresh_are_bound_to_the_first_key,
    p24_a_proof_is_not_client_authentication,
    p25_a_nonce_retry_is_never_too_fast,
    p25_every_pending_answer_brings_a_nonce,
);

/// A client that polls with one key and always uses the nonce it was given last.
struct Poller {
    key: Key,
    started: Started,
    nonce: Option<String>,
}

impl Poller {
    async fn begin(world: &World, client: &str) -> Self {
        let key = Key::new();
        let proof = key.proof("POST", &world.htu("/device_authorization"), &Value::Null);
        let pairs = [("client_id", client), ("scope", SCOPES)];
        let answer = world
            .post_with("/device_authorization", &pairs, &[("DPoP", &proof)])
            .await
            .expect(200);
        let nonce = answer.header("dpop-nonce").map(str::to_owned);
        Self {
            key,
            started: started(client, &answer),
            nonce,
        }
    }

    async fn poll(&mut self, world: &World) -> Answer {
        let answer = self.poll_by(world, &self.key, &json!({"nonce": self.nonce})).await;
        self.nonce = answer.header("dpop-nonce").map(str::to_owned).or(self.nonce.take());
        answer
    }

    async fn poll_by(&self, world: &World, key: &Key, extra: &Value) -> Answer {
        let proof = key.proof("POST", &world.htu("/token"), extra);
        world.poll_with(&self.started, &[("DPoP", &proof)]).await
    }
}

async fn p14_a_proof_without_the_nonce_is_not_taken_once_one_was_given(world: &World) {
    let poller = Poller::begin(world, &world.bound_client().await).await;
    world.approve(&poller.started.user_code).await;
    poller
        .poll_by(world, &poller.key, &Value::Null)
        .await
        .refused("use_dpop_nonce");
    poller
        .poll_by(world, &poller.key, &json!({"nonce": poller.nonce}))
        .await
        .expect(200);
}

async fn p20_a_bad_proof_starts_nothing(world: &World) {
    for client in [world.bound_client().await, world.stock_client().await] {
        let pairs = [("client_id", client.as_str())];
        let headers = [("DPoP", "not.a.proof")];
        let answer = world.post_with("/device_authorization", &pairs, &headers).await;
        assert_eq!(answer.status, 400);
        answer.refused("invalid_dpop_proof");
        assert!(!answer.body.contains("device_code"));
    }
}

async fn p21_a_proof_binds_where_none_was_demanded(world: &World) {
    let mut poller = Poller::begin(world, &world.stock_client().await).await;
    world.approve(&poller.started.user_code).await;
    let bare = world.poll(&poller.started).await;
    assert!(
        (400..500).contains(&bare.status),
        "a bound code was redeemed without its key: {bare:?}"
    );
    poller.poll(world).await.expect(200);
}

async fn p22_another_key_never_polls_and_never_spoils_the_code(world: &World) {
    let mut poller = Poller::begin(world, &world.bound_client().await).await;
    let thief = Key::new();
    let nonce = json!({"nonce": poller.nonce});
    poller.poll_by(world, &thief, &nonce).await.refused("invalid_grant");
    poller.poll(world).await.refused("authorization_pending");
    world.approve(&poller.started.user_code).await;
    let nonce = json!({"nonce": poller.nonce});
    poller.poll_by(world, &thief, &nonce).await.refused("invalid_grant");
    poller.poll(world).await.expect(200);
}

async fn p23_tokens_and_refresh_are_bound_to_the_first_key(world: &World) {
    let mut poller = Poller::begin(world, &world.bound_client().await).await;
    world.approve(&poller.started.user_code).await;
    let tokens = poller.poll(world).await.expect(200).json();
    assert_eq!(tokens["token_type"], "DPoP");
    assert_eq!(
        claims(tokens["access_token"].as_str().unwrap())["cnf"]["jkt"],
        json!(poller.key.thumbprint())
    );
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let client = poller.started.client.as_str();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", client),
    ];
    let thief = Key::new().proof("POST", &world.htu("/token"), &json!({"nonce": poller.nonce}));
    world
        .post_with("/token", &pairs, &[("DPoP", &thief)])
        .await
        .refused("invalid_grant");
    let own = poller
        .key
        .proof("POST", &world.htu("/token"), &json!({"nonce": poller.nonce}));
    world.post_with("/token", &pairs, &[("DPoP", &own)]).await.expect(200);
}

async fn p24_a_proof_is_not_client_authentication(world: &World) {
    let (client, _) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    let proof = Key::new().proof("POST", &world.htu("/device_authorization"), &Value::Null);
    let pairs = [("client_id", client.as_str())];
    world
        .post_with("/device_authorization", &pairs, &[("DPoP", &proof)])
        .await
        .refused("invalid_client");
}

async fn p25_a_nonce_retry_is_never_too_fast(world: &World) {
    let poller = Poller::begin(world, &world.bound_client().await).await;
    for _ in 0..5 {
        poller
            .poll_by(world, &poller.key, &Value::Null)
            .await
            .refused("use_dpop_nonce");
    }
    poller
        .poll_by(world, &poller.key, &json!({"nonce": poller.nonce}))
        .await
        .refused("authorization_pending");
}

async fn p25_every_pending_answer_brings_a_nonce(world: &World) {
    let mut poller = Poller::begin(world, &world.bound_client().await).await;
    assert!(poller.nonce.is_some());
    for expected in ["authorization_pending", "slow_down", "slow_down"] {
        let answer = poller.poll(world).await;
        answer.refused(expected);
        assert!(answer.header("dpop-nonce").is_some(), "{answer:?}");
    }
    world.approve(&poller.started.user_code).await;
    let pairs = [("grant_type", DEVICE_CODE)];
    world.post("/token", &pairs).await.refused("invalid_request");
    poller.poll(world).await.expect(200);
}
