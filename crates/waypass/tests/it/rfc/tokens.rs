//! RFC 8707 and RFC 9068: resources, and what an access token looks like to its resource server.

use serde_json::{Value, json};

use crate::chance::now;
use crate::keys::{claims, header};
use crate::world::{DEVICE_CODE, SCOPES, World};

on_both!(
    a09_a_resource_is_an_absolute_uri_within_the_ceiling,
    a10_a_poll_may_not_name_another_resource,
    a11_tokens_are_typed_and_signed_by_a_published_key,
    a12_every_required_claim_is_there,
    a13_scopes_of_two_resources_need_a_named_resource,
    a14_subject_and_client_are_told_apart,
);

const FILES: &str = "https://files.example/api";
const MAIL: &str = "https://mail.example/api";

async fn a09_a_resource_is_an_absolute_uri_within_the_ceiling(world: &World) {
    let flags = ["--public", "--profile", "open", "--scope", SCOPES, "--resource", FILES];
    let client = world.client(&flags).await;
    for resource in [
        "files",
        "/api",
        "https://files.example/api#part",
        MAIL,
        "https://files.example/api/more",
        "::",
    ] {
        let pairs = [("client_id", client.as_str()), ("resource", resource)];
        world
            .post("/device_authorization", &pairs)
            .await
            .refused("invalid_target");
    }
    let tokens = world.tokens(&client, &[("scope", "read"), ("resource", FILES)]).await;
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["aud"], FILES);
}

async fn a10_a_poll_may_not_name_another_resource(world: &World) {
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        SCOPES,
        "--resource",
        FILES,
        "--resource",
        MAIL,
    ];
    let client = world.client(&flags).await;
    let started = world.start(&client, &[("scope", "read"), ("resource", FILES)]).await;
    world.approve(&started.user_code).await;
    let poll = async |resource: &str| {
        let pairs = [
            ("grant_type", DEVICE_CODE),
            ("device_code", &started.device_code),
            ("client_id", &client),
            ("resource", resource),
        ];
        world.post("/token", &pairs).await
    };
    poll(MAIL).await.refused("invalid_target");
    poll(FILES).await.expect(200);
}

async fn a11_tokens_are_typed_and_signed_by_a_published_key(world: &World) {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let flags = [
            "--public",
            "--profile",
            "open",
            "--scope",
            SCOPES,
            "--signing-alg",
            algorithm,
        ];
        let tokens = world.tokens(&world.client(&flags).await, &[("scope", SCOPES)]).await;
        let keys = world.get("/jwks.json").await.expect(200).json();
        for (name, typ) in [("access_token", "at+jwt"), ("id_token", "JWT")] {
            let header = header(tokens[name].as_str().unwrap());
            assert_eq!(header["alg"], algorithm, "{name}");
            assert!(
                header["typ"] == typ || (name == "id_token" && header["typ"].is_null()),
                "{header}"
            );
            let key = keys["keys"]
                .as_array()
                .unwrap()
                .iter()
                .find(|key| key["kid"] == header["kid"])
                .unwrap();
            assert!(key["d"].is_null() && key["p"].is_null(), "a private key is published");
            assert_eq!(key["alg"], algorithm);
        }
    }
}

async fn a12_every_required_claim_is_there(world: &World) {
    let client = world.stock_client().await;
    let before = now();
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["iss"], json!(world.server.issuer));
    assert_eq!(claims["client_id"], json!(client));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    assert_eq!(claims["amr"], json!(["swk"]), "decided by a software key");
    for name in ["sub", "jti", "acr"] {
        assert!(
            claims[name].as_str().is_some_and(|text| !text.is_empty()),
            "{name}: {claims}"
        );
    }
    let authenticated = claims["auth_time"].as_i64().unwrap();
    assert!((before - 1..=now()).contains(&authenticated), "{claims}");
    let id = crate::keys::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&id["aud"], &id["sub"], &id["auth_time"]),
        (&json!(client), &claims["sub"], &claims["auth_time"])
    );
}

async fn a13_scopes_of_two_resources_need_a_named_resource(world: &World) {
    let (files, mail) = (
        crate::chance::unique("https://files.example/r"),
        crate::chance::unique("https://mail.example/r"),
    );
    let (read, send) = (crate::chance::unique("files.read"), crate::chance::unique("mail.send"));
    world
        .secret_client(&["--introspect", "--resource", &files, "--scope", &read])
        .await;
    world
        .secret_client(&["--introspect", "--resource", &mail, "--scope", &send])
        .await;
    let both = format!("{read} {send}");
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        &both,
        "--resource",
        &files,
        "--resource",
        &mail,
    ];
    let client = world.client(&flags).await;
    let pairs = [("client_id", client.as_str()), ("scope", both.as_str())];
    world
        .post("/device_authorization", &pairs)
        .await
        .refused("invalid_scope");
    let tokens = world.tokens(&client, &[("scope", &read), ("resource", &files)]).await;
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["aud"], json!(files));
}

async fn a14_subject_and_client_are_told_apart(world: &World) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let claims: Value = claims(tokens["access_token"].as_str().unwrap());
    assert_ne!(claims["sub"], claims["client_id"]);
    assert_ne!(
        claims["sub"],
        json!(world.approver().await.name),
        "a name may be given again, an identifier never"
    );
}
