//! npm `openid-client` as a machine that asks nobody: what RFC 6749 §4.4, RFC 7523 and RFC 9449 say is enough.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::keys::{Key, claims};
use crate::tools;
use crate::world::World;

on_both!(openid_client_gets_tokens_without_a_person);

async fn openid_client_gets_tokens_without_a_person(world: &World) {
    let Some(node) = tools::node() else { return };
    let key = Key::new();
    let owner = world.new_approver().await;
    let client = world
        .client(&[
            "--instance-key",
            "--profile",
            "standard",
            "--grant",
            "client_credentials",
            "--scope",
            "read",
        ])
        .await;
    let jwk = world.file(&key.jwk().to_string());
    let named = ["--owner", &owner.name, "--name", "runner", "--expires", "1d"];
    let add = ["instance", "add", &client, "--jwk-file", &jwk];
    world.local(&[&add[..], &named].concat()).await.expect_code(0);

    let setting = json!({ "issuer": world.server.issuer, "client_id": client, "jwk": key.private_jwk() });
    let mut command = Command::new(node);
    command
        .arg(tools::foreign().join("machine.mjs"))
        .arg(setting.to_string())
        .stderr(Stdio::inherit());
    let told = crate::process::run(&mut command).await.expect_code(0).json();
    world.remember(told["access_token"].as_str().unwrap());
    assert_eq!(told["token_type"], "dpop", "the library writes it small");
    assert!(told.get("refresh_token").is_none());
    let claims = claims(told["access_token"].as_str().unwrap());
    assert_eq!(claims["cnf"]["jkt"], told["kid"]);
    assert!(claims["sub"].as_str().unwrap().starts_with("instance_"));
    assert!(
        told["grant_types"]
            .as_array()
            .unwrap()
            .contains(&json!("client_credentials"))
    );
}
