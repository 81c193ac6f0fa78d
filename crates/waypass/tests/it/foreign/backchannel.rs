//! npm `openid-client` asks by OpenID CIBA in poll mode: what the specification says is enough.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::keys::{Key, claims};
use crate::tools;
use crate::world::World;

on_both!(i01_i02_i03_i05_openid_client_asks_an_owner);

async fn i01_i02_i03_i05_openid_client_asks_an_owner(world: &World) {
    let Some(node) = tools::node() else { return };
    let key = Key::new();
    let owner = world.new_approver().await;
    let client = registered(world, &owner.name, &key).await;
    let setting = json!({
        "issuer": world.server.issuer, "client_id": client, "jwk": key.private_jwk(),
        "scope": "openid offline_access read", "binding_message": "bright harbour",
        "more": { "login_hint": owner.name },
    });
    let mut child = Command::new(node)
        .arg(tools::foreign().join("ciba.mjs"))
        .arg(setting.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let asked = said(&mut lines).await;
    assert_eq!((&asked["expires_in"], &asked["interval"]), (&json!(600), &json!(5)));

    let listed = owner
        .call(&world.server, "waiting", &json!({}))
        .await
        .expect(200)
        .json();
    let request = &listed["requests"][0];
    assert_eq!(request["binding_message"], "bright harbour");
    let body = json!({ "request_id": request["request_id"] });
    let view = owner.call(&world.server, "view", &body).await.expect(200).json();
    owner.approve_view(&world.server, &view).await.expect(200);

    let tokens = said(&mut lines).await;
    world.remember(tokens["access_token"].as_str().unwrap());
    world.remember(tokens["refresh_token"].as_str().unwrap());
    assert_eq!(
        claims(tokens["access_token"].as_str().unwrap())["cnf"]["jkt"],
        tokens["kid"]
    );
    assert_eq!(
        tokens["claims"]["sub"],
        claims(tokens["access_token"].as_str().unwrap())["sub"]
    );
    assert!(child.wait().await.unwrap().success());
}

async fn registered(world: &World, owner: &str, key: &Key) -> String {
    let scope = "openid offline_access read";
    let client = world
        .client(&["--instance-key", "--profile", "standard", "--scope", scope])
        .await;
    let jwk = world.file(&key.jwk().to_string());
    let named = ["--owner", owner, "--name", "runner", "--expires", "1d"];
    let add = ["instance", "add", &client, "--jwk-file", &jwk];
    world.local(&[&add[..], &named].concat()).await.expect_code(0);
    client
}

async fn said(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = lines
        .next_line()
        .await
        .unwrap()
        .expect("the program ended without a word");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
