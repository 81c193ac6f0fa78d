//! RFC 9449 §4 to §8: one proof, its rules, its nonce, and what is bound by it.

use serde_json::{Value, json};

use crate::chance::{nonce, now};
use crate::http::{Answer, CLIENT, form};
use crate::keys::{Key, base64url, claims, sha256};
use crate::world::{DEVICE_CODE, SCOPES, World};

on_both!(
    p01_two_proofs_are_refused,
    p02_each_rule_for_a_proof_is_kept,
    p03_equal_uris_in_different_spelling_are_equal,
    p04_a_proof_is_fresh_and_serves_once,
    p05_the_token_endpoint_demands_a_good_proof,
    p06_a_public_clients_refresh_token_stays_with_its_key,
    p07_metadata_and_flag_say_what_holds,
    p08_tokens_carry_the_thumbprint,
    p10_userinfo_takes_a_bound_token_only_with_its_proof,
    p11_a_nonce_is_demanded_unpredictable_and_checked,
    p12_every_answer_with_a_nonce_is_uncached,
);

/// `POST /device_authorization` with these DPoP headers.
async fn begin(world: &World, client: &str, proofs: &[&str]) -> Answer {
    let mut request = CLIENT
        .post(world.url("/device_authorization"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form(&[("client_id", client), ("scope", SCOPES)]));
    for proof in proofs {
        request = request.header("DPoP", *proof);
    }
    let answer = Answer::to(request).await;
    if let Some(code) = serde_json::from_str(&answer.body)
        .ok()
        .and_then(|body: Value| body["device_code"].as_str().map(str::to_owned))
    {
        world.remember(&code);
    }
    answer
}

fn good(world: &World, key: &Key, extra: &Value) -> String {
    key.proof("POST", &world.htu("/device_authorization"), extra)
}

async fn p01_two_proofs_are_refused(world: &World) {
    let client = world.bound_client().await;
    let key = Key::new();
    let (one, two) = (good(world, &key, &Value::Null), good(world, &key, &Value::Null));
    begin(world, &client, &[&one, &two]).await.refused("invalid_dpop_proof");
    begin(world, &client, &[&format!("{one}, {two}")])
        .await
        .refused("invalid_dpop_proof");
}

async fn p02_each_rule_for_a_proof_is_kept(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    for extra in [
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": 7}),
        json!({"htm": "GET"}),
        json!({"htm": null}),
        json!({"htu": world.htu("/token")}),
        json!({"htu": "https://other.example/device_authorization"}),
        json!({"htu": null}),
        json!({"iat": null}),
        json!({"iat": "now"}),
        json!({"iat": now() - 3600}),
        json!({"iat": now() + 3600}),
    ] {
        let answer = begin(world, &client, &[&good(world, &key, &extra)]).await;
        assert_eq!(answer.error(), "invalid_dpop_proof", "{extra}");
        answer.refused("invalid_dpop_proof");
    }
    for proof in bad_headers(world, &key).into_iter().chain(bad_shapes(world, &key)) {
        let answer = begin(world, &client, &[&proof]).await;
        assert_eq!(answer.error(), "invalid_dpop_proof", "{proof}");
        answer.refused("invalid_dpop_proof");
    }
    begin(world, &client, &[&good(world, &key, &Value::Null)])
        .await
        .expect(200);
}

fn bad_headers(world: &World, key: &Key) -> Vec<String> {
    let claims = json!({"jti": nonce(), "htm": "POST", "htu": world.htu("/device_authorization"), "iat": now()});
    let other = Key::new();
    let mut headers = Vec::new();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut header = key.proof_header();
        change(&mut header);
        headers.push(key.jwt(&header, &claims));
    };
    with(&|header| header["typ"] = json!("JWT"));
    with(&|header| header["typ"] = Value::Null);
    with(&|header| header["alg"] = json!("none"));
    with(&|header| header["alg"] = json!("HS256"));
    with(&|header| header["alg"] = json!("ES384"));
    with(&|header| header["jwk"] = Value::Null);
    with(&|header| header["jwk"] = key.private_jwk());
    with(&|header| header["jwk"] = other.jwk());
    with(&|header| header["jwk"] = json!({"kty": "oct", "k": "AAAA"}));
    with(&|header| header["jwk"]["x"] = json!("AAAA"));
    with(&|header| header["jwk"]["y"] = header["jwk"]["x"].clone());
    with(&|header| header["crit"] = json!(["exp"]));
    headers
}

fn bad_shapes(world: &World, key: &Key) -> Vec<String> {
    let whole = good(world, key, &Value::Null);
    let (input, signature) = whole.rsplit_once('.').unwrap();
    vec![
        String::new(),
        "x".to_owned(),
        "a.b".to_owned(),
        "....".to_owned(),
        input.to_owned(),
        format!("{input}."),
        format!("{input}.{}", base64url([0; 64])),
        format!("{input}.{signature}="),
        format!("{input}.{}", signature.get(..40).unwrap()),
        format!("{whole}.{signature}"),
        "e30.e30.e30".to_owned(),
    ]
}

/// RFC 9449 §4.3: syntax- and scheme-based normalization (RFC 3986 §6.2.2 and §6.2.3) should come before comparing.
async fn p03_equal_uris_in_different_spelling_are_equal(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let htu = world.htu("/device_authorization");
    for spelling in [
        htu.replace("http://localhost", "HTTP://LOCALHOST"),
        htu.replace("device_authorization", "device%5Fauthorization"),
        htu.replace("/device_authorization", "/./device_authorization"),
    ] {
        let proof = good(world, &key, &json!({"htu": spelling}));
        assert_eq!(begin(world, &client, &[&proof]).await.status, 200, "{spelling}");
    }
}

async fn p04_a_proof_is_fresh_and_serves_once(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let proof = good(world, &key, &Value::Null);
    begin(world, &client, &[&proof]).await.expect(200);
    begin(world, &client, &[&proof]).await.refused("invalid_dpop_proof");
    // A small skew is borne.
    begin(world, &client, &[&good(world, &key, &json!({"iat": now() + 2}))])
        .await
        .expect(200);
    let huge = good(world, &key, &json!({"jti": "j".repeat(20_000)}));
    let answer = begin(world, &client, &[&huge]).await;
    assert!([200, 400, 413, 431].contains(&answer.status), "{answer:?}");
}

/// Redeems with a proof that carries the nonce of the latest answer.
async fn redeem(world: &World, client: &str, device_code: &str, key: &Key) -> Answer {
    let pairs = [
        ("grant_type", DEVICE_CODE),
        ("device_code", device_code),
        ("client_id", client),
    ];
    with_nonce(world, "/token", &pairs, key).await
}

async fn with_nonce(world: &World, path: &str, pairs: &[(&str, &str)], key: &Key) -> Answer {
    let first = key.proof("POST", &world.htu(path), &Value::Null);
    let answer = world.post_with(path, pairs, &[("DPoP", &first)]).await;
    if answer.error() != "use_dpop_nonce" {
        return answer;
    }
    let given = answer.header("dpop-nonce").unwrap();
    let second = key.proof("POST", &world.htu(path), &json!({"nonce": given}));
    world.post_with(path, pairs, &[("DPoP", &second)]).await
}

/// A grant bound to the key from the first request on.
async fn bound_tokens(world: &World, client: &str, key: &Key) -> Value {
    let body = begin(world, client, &[&good(world, key, &Value::Null)])
        .await
        .expect(200)
        .json();
    world.approve(body["user_code"].as_str().unwrap()).await;
    redeem(world, client, body["device_code"].as_str().unwrap(), key)
        .await
        .expect(200)
        .json()
}

async fn p05_the_token_endpoint_demands_a_good_proof(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let body = begin(world, &client, &[&good(world, &key, &Value::Null)])
        .await
        .expect(200)
        .json();
    world.approve(body["user_code"].as_str().unwrap()).await;
    let code = body["device_code"].as_str().unwrap();
    let pairs = [
        ("grant_type", DEVICE_CODE),
        ("device_code", code),
        ("client_id", client.as_str()),
    ];
    let answer = world.post("/token", &pairs).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "invalid_dpop_proof"),
        "{answer:?}"
    );
    let stolen_htu = good(world, &key, &Value::Null);
    world
        .post_with("/token", &pairs, &[("DPoP", &stolen_htu)])
        .await
        .refused("invalid_dpop_proof");
    let tokens = redeem(world, &client, code, &key).await.expect(200).json();
    assert_eq!(tokens["token_type"], "DPoP");
}

async fn p06_a_public_clients_refresh_token_stays_with_its_key(world: &World) {
    let (client, key, thief) = (world.bound_client().await, Key::new(), Key::new());
    let tokens = bound_tokens(world, &client, &key).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", client.as_str()),
    ];
    with_nonce(world, "/token", &pairs, &thief)
        .await
        .refused("invalid_grant");
    let bare = world.post("/token", &pairs).await;
    assert!(
        ["invalid_dpop_proof", "invalid_grant"].contains(&bare.error().as_str()),
        "{bare:?}"
    );
    let refreshed = with_nonce(world, "/token", &pairs, &key).await.expect(200).json();
    let bound_to = claims(refreshed["access_token"].as_str().unwrap())["cnf"]["jkt"].clone();
    assert_eq!(bound_to, json!(key.thumbprint()));
}

async fn p07_metadata_and_flag_say_what_holds(world: &World) {
    let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
    let algorithms = metadata["dpop_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("ES256")), "{metadata}");
    assert!(
        !algorithms
            .iter()
            .any(|alg| alg == "none" || alg.as_str().unwrap().starts_with("HS"))
    );
    // Under `open` a proof is welcome, not demanded; the flag of the client demands it of token requests.
    for (client, error) in [
        (world.stock_client().await, "authorization_pending"),
        (world.bound_client().await, "invalid_dpop_proof"),
    ] {
        let started = world.start(&client, &[]).await;
        world.poll(&started).await.refused(error);
    }
}

async fn p08_tokens_carry_the_thumbprint(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let tokens = bound_tokens(world, &client, &key).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims(token)["cnf"], json!({"jkt": key.thumbprint()}));
    let introspected = world.introspect(token).await;
    assert_eq!(introspected["cnf"], json!({"jkt": key.thumbprint()}));
    assert_eq!(introspected["token_type"], "DPoP");
}

async fn p10_userinfo_takes_a_bound_token_only_with_its_proof(world: &World) {
    let (client, key, thief) = (world.bound_client().await, Key::new(), Key::new());
    let tokens = bound_tokens(world, &client, &key).await;
    let token = tokens["access_token"].as_str().unwrap();
    let ask = async |scheme: &str, proof: Option<String>| {
        let mut request = CLIENT
            .get(world.url("/userinfo"))
            .header("Authorization", format!("{scheme} {token}"));
        if let Some(proof) = proof {
            request = request.header("DPoP", proof);
        }
        Answer::to(request).await
    };
    let htu = world.htu("/userinfo");
    let ath = json!({"ath": sha256(token)});
    for (scheme, proof) in [
        ("Bearer", None),
        ("DPoP", None),
        ("Bearer", Some(key.proof("GET", &htu, &ath))),
        ("DPoP", Some(key.proof("GET", &htu, &Value::Null))),
        ("DPoP", Some(key.proof("GET", &htu, &json!({"ath": sha256("another")})))),
        ("DPoP", Some(thief.proof("GET", &htu, &ath))),
    ] {
        let answer = ask(scheme, proof).await;
        assert!([400, 401].contains(&answer.status), "{scheme}: {answer:?}");
        assert!(
            answer.status != 401 || answer.challenges().contains("DPoP"),
            "{answer:?}"
        );
    }
    let mut answer = ask("DPoP", Some(key.proof("GET", &htu, &ath))).await;
    if let (401, Some(given)) = (answer.status, answer.header("dpop-nonce")) {
        let claims = json!({"ath": sha256(token), "nonce": given});
        answer = ask("DPoP", Some(key.proof("GET", &htu, &claims))).await;
    }
    assert!(answer.expect(200).json()["sub"].is_string());
}

async fn p11_a_nonce_is_demanded_unpredictable_and_checked(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let begun = begin(world, &client, &[&good(world, &key, &Value::Null)])
        .await
        .expect(200);
    let given = begun
        .header("dpop-nonce")
        .expect("G3: a nonce on the device authorization response")
        .to_owned();
    assert!(given.len() >= 16, "{given}");
    let code = begun.json()["device_code"].as_str().unwrap().to_owned();
    let pairs = [
        ("grant_type", DEVICE_CODE),
        ("device_code", code.as_str()),
        ("client_id", client.as_str()),
    ];
    for extra in [
        Value::Null,
        json!({"nonce": "made-up"}),
        json!({"nonce": ""}),
        json!({"nonce": given.to_lowercase() + "x"}),
    ] {
        let proof = key.proof("POST", &world.htu("/token"), &extra);
        let answer = world.post_with("/token", &pairs, &[("DPoP", &proof)]).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "use_dpop_nonce"),
            "{extra}"
        );
        assert!(answer.header("dpop-nonce").is_some(), "exactly one: {answer:?}");
    }
    let proof = key.proof("POST", &world.htu("/token"), &json!({"nonce": given}));
    world
        .post_with("/token", &pairs, &[("DPoP", &proof)])
        .await
        .refused("authorization_pending");
}

async fn p12_every_answer_with_a_nonce_is_uncached(world: &World) {
    let (client, key) = (world.bound_client().await, Key::new());
    let begun = begin(world, &client, &[&good(world, &key, &Value::Null)])
        .await
        .expect(200);
    let body = begun.json();
    let pending = redeem(world, &client, body["device_code"].as_str().unwrap(), &key).await;
    for answer in [&begun, &pending] {
        assert!(answer.header("dpop-nonce").is_some());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}
