//! The fixed lines of the terminal decision: exit codes, views, and the key file.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::chance::{unique, until};
use crate::process::{run, waypass};
use crate::world::{SCOPES, World};

on_both!(
    enrolling_writes_a_private_key_file_once,
    approve_lets_the_poller_in,
    deny_tells_the_poller,
    show_says_what_the_page_would_and_decides_nothing,
    an_unknown_used_or_expired_code_is_exit_3,
    a_key_that_nobody_enrolled_is_exit_5,
    an_enrollment_link_serves_once,
);
alone_on_both!(too_many_guesses_are_exit_4);

/// A key file of an approver of its own, made by the command line alone.
pub async fn key_file(world: &World) -> String {
    let link = world.enrollment_link(&unique("typist")).await;
    let key = world.server.folder.join(&unique("key")).display().to_string();
    run(waypass().args(["approver", "enroll", &link, "--key-file", &key]))
        .await
        .expect_code(0);
    key
}

async fn enrolling_writes_a_private_key_file_once(world: &World) {
    let key = key_file(world).await;
    let text = std::fs::read_to_string(&key).unwrap();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let jwk: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&"EC".into(), &"P-256".into()));
    world.remember(jwk["d"].as_str().unwrap());
    let link = world.enrollment_link(&unique("typist")).await;
    let again = run(waypass().args(["approver", "enroll", &link, "--key-file", &key])).await;
    assert_ne!(again.code, 0, "a key file was overwritten");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), text);
}

async fn approve_lets_the_poller_in(world: &World) {
    let key = key_file(world).await;
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    world
        .remote(&["approve", &started.user_code, "--key-file", &key])
        .await
        .expect_code(0);
    world.poll(&started).await.expect(200);
}

async fn deny_tells_the_poller(world: &World) {
    let key = key_file(world).await;
    let started = world.start(&world.stock_client().await, &[]).await;
    world
        .remote(&["deny", &started.user_code, "--key-file", &key])
        .await
        .expect_code(0);
    world.poll(&started).await.refused("access_denied");
}

async fn show_says_what_the_page_would_and_decides_nothing(world: &World) {
    let key = key_file(world).await;
    let client = world.stock_client().await;
    let started = world.start(&client, &[("scope", "read profile")]).await;
    for _ in 0..2 {
        let shown = world
            .remote(&["show", &started.user_code, "--key-file", &key, "--json"])
            .await;
        let view = shown.expect_code(0).json();
        assert_eq!(view["client_id"], client.as_str());
        for permission in ["read", "profile"] {
            let is_it = |shown: &serde_json::Value| shown["name"] == permission;
            assert!(view["permissions"].as_array().unwrap().iter().any(is_it), "{view}");
        }
        assert!(
            view["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()),
            "`open` is warned about"
        );
        world.poll(&started).await;
    }
    world
        .remote(&["approve", &started.user_code, "--key-file", &key])
        .await
        .expect_code(0);
    world.poll(&started).await.expect(200);
}

async fn an_unknown_used_or_expired_code_is_exit_3(world: &World) {
    let key = key_file(world).await;
    for command in ["show", "approve", "deny"] {
        world
            .remote(&[command, "ZZZZ-ZZZZ", "--key-file", &key])
            .await
            .expect_code(3);
    }
    let used = world.start(&world.stock_client().await, &[]).await;
    world
        .remote(&["approve", &used.user_code, "--key-file", &key])
        .await
        .expect_code(0);
    world
        .remote(&["approve", &used.user_code, "--key-file", &key])
        .await
        .expect_code(3);
    let short = [
        "--public",
        "--profile",
        "open",
        "--code-lifetime",
        "15",
        "--scope",
        SCOPES,
    ];
    let expired = world.start(&world.client(&short).await, &[]).await;
    until("the code expires", Duration::from_secs(30), async || {
        (world.poll(&expired).await.error() == "expired_token").then_some(())
    })
    .await;
    world
        .remote(&["approve", &expired.user_code, "--key-file", &key])
        .await
        .expect_code(3);
}

async fn too_many_guesses_are_exit_4(world: &World) {
    let key = key_file(world).await;
    for n in 0..60 {
        let code = format!(
            "ZZZZ-ZZ{}{}",
            ["B", "C", "D", "F", "G", "H"][n / 10],
            ["B", "C", "D", "F", "G", "H", "J", "K", "L", "M"][n % 10]
        );
        let ran = world.remote(&["show", &code, "--key-file", &key, "--json"]).await;
        if ran.code == 4 {
            return;
        }
        ran.expect_code(3);
    }
    panic!("sixty guesses were let through");
}

async fn a_key_that_nobody_enrolled_is_exit_5(world: &World) {
    let (enrolled, other) = (key_file(world).await, crate::keys::Key::new());
    let mut stranger: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(enrolled).unwrap()).unwrap();
    for (name, value) in other.private_jwk().as_object().unwrap() {
        if name != "kid" {
            stranger[name] = value.clone();
        }
    }
    let stranger = world.file(&stranger.to_string());
    std::fs::set_permissions(&stranger, std::fs::Permissions::from_mode(0o600)).unwrap();
    let started = world.start(&world.stock_client().await, &[]).await;
    world
        .remote(&["approve", &started.user_code, "--key-file", &stranger])
        .await
        .expect_code(5);
    world.poll(&started).await.refused("authorization_pending");
}

async fn an_enrollment_link_serves_once(world: &World) {
    let link = world.enrollment_link(&unique("typist")).await;
    let file = |name: &str| world.server.folder.join(&unique(name)).display().to_string();
    let (one, two) = (file("one"), file("two"));
    run(waypass().args(["approver", "enroll", &link, "--key-file", &one]))
        .await
        .expect_code(0);
    run(waypass().args(["approver", "enroll", &link, "--key-file", &two]))
        .await
        .expect_code(5);
}
