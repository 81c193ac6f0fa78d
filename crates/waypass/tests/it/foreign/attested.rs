//! A client that nobody registered a key for: npm `jose` signs as its attester and as the instance, in both modes
//! of draft-ietf-oauth-attestation-based-client-auth-11.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::foreign::javascript::next;
use crate::keys::{Key, claims};
use crate::tools;
use crate::world::{SCOPES, World};

on_both!(c20_jose_attests_and_proves, c21_jose_attests_and_proves_by_dpop_alone,);

async fn c20_jose_attests_and_proves(world: &World) {
    walk(world, "normal").await;
}

async fn c21_jose_attests_and_proves_by_dpop_alone(world: &World) {
    walk(world, "combined").await;
}

async fn walk(world: &World, mode: &str) {
    let Some(node) = tools::node() else { return };
    let attester = Key::new();
    let owner = &world.approver().await.name;
    let client = world
        .client(&["--attested", "--profile", "open", "--scope", SCOPES])
        .await;
    let keys = world.file(&attester.jwks().to_string());
    let by = ["--attester", "https://attester.example", "--jwks-file", &keys];
    let mut admission = vec!["admission", "add", &client, "--owner", owner, "--lifetime", "1d"];
    admission.extend(by);
    world.local(&admission).await.expect_code(0);

    let setting = json!({
        "issuer": world.server.issuer, "mode": mode, "scope": SCOPES, "client_id": client,
        "attester": attester.private_jwk(),
    });
    let mut child = Command::new(node)
        .arg(tools::foreign().join("attested.mjs"))
        .arg(setting.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = next(&mut lines).await;
    world
        .approve(started["user_code"].as_str().unwrap_or_else(|| panic!("{started}")))
        .await;
    let tokens = next(&mut lines).await;
    assert!(child.wait().await.unwrap().success());

    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!(claims(token)["cnf"]["jkt"], started["thumbprint"]);
    let events = world.events().await;
    let mut enrolled = events
        .iter()
        .filter(|event| event["action"] == "instance.enrolled" && event["client_id"] == client);
    let detail = &enrolled.next().expect("it became an instance")["detail"];
    assert_eq!(detail["key.jkt"], started["thumbprint"]);
    assert_eq!(detail["instance.way_in"]["attester"], "https://attester.example");
    assert_eq!(detail["facts"][0]["value"], "secure element");
    assert!(enrolled.next().is_none(), "once");
}
