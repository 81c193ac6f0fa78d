//! `openid-client` and `oauth4webapi`: plain, DPoP, private_key_jwt and client_secret; each walks from
//! discovery to revocation while this side approves in between with the command line.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::flows::terminal::key_file;
use crate::keys::{Key, claims};
use crate::tools;
use crate::world::{SCOPES, World};

on_both!(
    openid_client_plain,
    openid_client_with_dpop,
    openid_client_with_private_key_jwt,
    openid_client_with_a_secret,
    oauth4webapi_plain,
    oauth4webapi_with_dpop,
    oauth4webapi_with_private_key_jwt,
    oauth4webapi_with_a_secret,
);

const PATIENCE: Duration = Duration::from_mins(1);

async fn openid_client_plain(world: &World) {
    walk(world, "openid_client.mjs", "plain").await;
}

async fn openid_client_with_dpop(world: &World) {
    walk(world, "openid_client.mjs", "dpop").await;
}

async fn openid_client_with_private_key_jwt(world: &World) {
    walk(world, "openid_client.mjs", "assertion").await;
}

async fn openid_client_with_a_secret(world: &World) {
    walk(world, "openid_client.mjs", "secret").await;
}

async fn oauth4webapi_plain(world: &World) {
    walk(world, "oauth4webapi.mjs", "plain").await;
}

async fn oauth4webapi_with_dpop(world: &World) {
    walk(world, "oauth4webapi.mjs", "dpop").await;
}

async fn oauth4webapi_with_private_key_jwt(world: &World) {
    walk(world, "oauth4webapi.mjs", "assertion").await;
}

async fn oauth4webapi_with_a_secret(world: &World) {
    walk(world, "oauth4webapi.mjs", "secret").await;
}

async fn walk(world: &World, program: &str, mode: &str) {
    let Some(node) = tools::node() else { return };
    let setting = setting(world, mode).await;
    let outcome = run(&node, program, &setting, async |started: &Value| {
        assert_eq!(
            (&started["expires_in"], &started["interval"]),
            (&json!(600), &json!(5)),
            "as numbers"
        );
        approve_by_command(world, started["user_code"].as_str().unwrap()).await;
    })
    .await;
    check(&outcome, setting["client_id"].as_str().unwrap(), mode);
}

/// A program that asks, waits for somebody to approve, and says in the end what it got.
pub async fn run(node: &Path, program: &str, setting: &Value, approve: impl AsyncFnOnce(&Value)) -> Value {
    let mut child = Command::new(node)
        .arg(tools::foreign().join(program))
        .arg(setting.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    approve(&next(&mut lines).await).await;
    let outcome = next(&mut lines).await;
    let ended = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("the client hangs")
        .unwrap();
    assert!(ended.success());
    outcome
}

async fn setting(world: &World, mode: &str) -> Value {
    let flags = ["--profile", "open", "--scope", SCOPES];
    let mut setting = json!({"issuer": world.server.issuer, "mode": mode, "scope": SCOPES, "algorithm": "oidc"});
    setting["client_id"] = match mode {
        "secret" => {
            let (client, secret) = world.secret_client(&flags).await;
            setting["secret"] = secret.into();
            client.into()
        }
        "assertion" => {
            let key = Key::new();
            let file = world.file(&key.jwks().to_string());
            setting["jwk"] = key.private_jwk();
            let mut all = vec!["--jwks-file", &file];
            all.extend(flags);
            world.client(&all).await.into()
        }
        _ => world.stock_client().await.into(),
    };
    let (client_id, secret) = world.secret_client(&["--introspect"]).await;
    setting["rs"] = json!({"client_id": client_id, "secret": secret});
    setting
}

pub async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = tokio::time::timeout(PATIENCE, lines.next_line())
        .await
        .expect("the client says nothing")
        .unwrap();
    serde_json::from_str(&line.expect("the client ended early; its stderr is above")).unwrap()
}

/// What a person without a browser does.
pub async fn approve_by_command(world: &World, user_code: &str) {
    let key = key_file(world).await;
    world
        .remote(&["approve", user_code, "--key-file", &key])
        .await
        .expect_code(0);
}

fn check(outcome: &Value, client: &str, mode: &str) {
    let is_bound = mode == "dpop";
    let token = outcome["access_token"].as_str().unwrap();
    assert_eq!(claims(token)["cnf"]["jkt"].is_string(), is_bound, "{outcome}");
    assert_eq!(
        outcome["token_type"],
        if is_bound { "dpop" } else { "bearer" },
        "these libraries write it small"
    );
    assert_eq!(
        (&outcome["before"]["active"], &outcome["after"]),
        (&json!(true), &json!({"active": false}))
    );
    assert_eq!(outcome["before"]["client_id"], client);
    assert_eq!(outcome["person"]["sub"], claims(token)["sub"]);
    assert_eq!(outcome["id_claims"]["aud"], client);
}
