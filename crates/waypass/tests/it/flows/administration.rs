//! The administrator's commands over the socket in the data folder.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::chance::unique;
use crate::keys::header;
use crate::process::{run, waypass};
use crate::server::Folder;
use crate::world::{SCOPES, World};

on_both!(
    clients_are_listed_shown_disabled_and_deleted,
    a_client_is_registered_once_and_completely,
    an_approver_can_be_disabled_and_relinked,
    requests_and_grants_are_listed_and_a_grant_can_be_revoked,
    the_socket_is_for_its_owner_only,
    open_clients_are_warned_about,
    evidence_is_kept_and_verified_offline,
);
alone_on_both!(keys_rotate_with_overlap, events_tell_the_whole_story_in_order);

#[test]
fn without_a_server_the_commands_say_so_and_exit_69() {
    let folder = Folder::new();
    crate::world::RUNTIME.block_on(async {
        for arguments in [
            &["client", "list"][..],
            &["approver", "add", "alice"],
            &["event", "tail"],
        ] {
            let ran = run(waypass().args(arguments).arg("--data").arg(folder.path()))
                .await
                .expect_code(69);
            assert!(ran.stderr.contains("no server"), "{}", ran.stderr);
        }
    });
}

#[test]
fn a_socket_path_over_107_bytes_is_refused_at_start() {
    let folder = Folder::new();
    let data = folder.join(&"d".repeat(120));
    crate::world::RUNTIME.block_on(async {
        let ran = run(waypass()
            .arg("serve")
            .arg("--data")
            .arg(&data)
            .args(["--listen", "127.0.0.1:0"]))
        .await;
        assert_ne!(ran.code, 0);
        assert!(
            ran.stderr.contains("107") || ran.stderr.to_lowercase().contains("socket"),
            "{}",
            ran.stderr
        );
    });
}

async fn clients_are_listed_shown_disabled_and_deleted(world: &World) {
    let client = world.stock_client().await;
    let listed = world.local(&["client", "list", "--json"]).await.expect_code(0).json();
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["client_id"] == client.as_str()),
        "{listed}"
    );
    let shown = world
        .local(&["client", "show", &client, "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(shown["profile"], "open");
    let sorted = |scope: &str| scope.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(shown["scope"].as_str().unwrap()), sorted(SCOPES));
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    world.local(&["client", "disable", &client]).await.expect_code(0);
    world
        .post("/device_authorization", &[("client_id", &client)])
        .await
        .refused("invalid_client");
    world.refresh(&client, &tokens).await.refused("invalid_client");
    world.local(&["client", "delete", &client]).await.expect_code(0);
    assert_ne!(world.local(&["client", "show", &client, "--json"]).await.code, 0);
}

async fn a_client_is_registered_once_and_completely(world: &World) {
    let client = world.stock_client().await;
    let twice = world
        .local(&[
            "client",
            "add",
            &client,
            "--public",
            "--profile",
            "open",
            "--scope",
            "read",
        ])
        .await;
    assert_ne!(twice.code, 0);
    for flags in [
        &["--profile", "no-such-profile", "--public"][..],
        &["--scope", "re\"ad", "--public"],
        &["--public", "--secret-file", "no-such-file"],
        &["--jwks-file", "no-such-file"],
        &["--scope", "read"],
        &["--public", "--resource", "not-a-uri"],
        &["--public", "--code-lifetime", "-1"],
    ] {
        let name = unique("bad");
        let mut arguments = vec!["client", "add", &name];
        arguments.extend(flags);
        let ran = world.local(&arguments).await;
        assert_ne!(ran.code, 0, "{flags:?}");
        assert!(
            !ran.stderr.is_empty() && !ran.stderr.contains("panicked"),
            "{flags:?}: {}",
            ran.stderr
        );
    }
}

async fn an_approver_can_be_disabled_and_relinked(world: &World) {
    let approver = world.new_approver().await;
    let started = world.start(&world.stock_client().await, &[]).await;
    world
        .local(&["approver", "disable", &approver.name])
        .await
        .expect_code(0);
    let answer = approver.view(&world.server, &started.user_code).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    let lost = world.new_approver().await;
    let link = world
        .local(&["approver", "relink", &lost.name, "--json"])
        .await
        .expect_code(0)
        .json();
    let link = link["enrollment_link"].as_str().unwrap().to_owned();
    world.remember(link.split_once('#').unwrap().1);
    let answer = lost.view(&world.server, &started.user_code).await;
    assert!(
        (400..500).contains(&answer.status),
        "a lost key still decides: {answer:?}"
    );
    let found = crate::approver::Approver::new(&lost.name);
    found.enroll(&world.server, &link).await.expect(200);
    found.approve(&world.server, &started.user_code).await;
}

async fn requests_and_grants_are_listed_and_a_grant_can_be_revoked(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[("scope", SCOPES)]).await;
    let of_client = |list: Value| -> Vec<Value> {
        list.as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["client_id"] == client.as_str())
            .cloned()
            .collect()
    };
    let requests = of_client(world.local(&["request", "list", "--json"]).await.expect_code(0).json());
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["state"], "pending");
    world.approve(&started.user_code).await;
    let tokens = world.poll(&started).await.expect(200).json();
    let grants = of_client(world.local(&["grant", "list", "--json"]).await.expect_code(0).json());
    assert_eq!(grants.len(), 1);
    assert!(world.is_active(&tokens["access_token"]).await);
    world
        .local(&["grant", "revoke", grants[0]["grant_id"].as_str().unwrap()])
        .await
        .expect_code(0);
    assert!(!world.is_active(&tokens["access_token"]).await);
    world.refresh(&client, &tokens).await.refused("invalid_grant");
}

async fn evidence_is_kept_and_verified_offline(world: &World) {
    let client = world.stock_client().await;
    world.tokens(&client, &[("scope", SCOPES)]).await;
    let exported = world.exported_grant(&client).await;
    let thumbprint = world.approver().await.key.thumbprint();
    assert!(exported["evidence"].to_string().contains(&thumbprint), "{exported}");
    world.verify_decision(&exported).await.expect_code(0);
    let (whole, wider) = (exported.to_string(), SCOPES.replace("openid", "admin openid"));
    let sorted = "offline_access openid profile read";
    for changed in [whole.replace(&client, "another-client"), whole.replace(sorted, &wider)] {
        assert_ne!(changed, whole);
        let ran = world.verify_decision(&serde_json::from_str(&changed).unwrap()).await;
        assert_ne!(ran.code, 0, "changed evidence was verified: {changed}");
    }
}

async fn the_socket_is_for_its_owner_only(world: &World) {
    let socket = std::fs::metadata(world.server.data().join("waypass.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}

async fn open_clients_are_warned_about(world: &World) {
    let client = world.stock_client().await;
    let shown = world
        .local(&["client", "show", &client, "--json"])
        .await
        .expect_code(0)
        .json();
    assert!(shown["warnings"].to_string().contains("open"), "{shown}");
}

async fn keys_rotate_with_overlap(world: &World) {
    let client = world.stock_client().await;
    let before = world.tokens(&client, &[("scope", SCOPES)]).await;
    world.local(&["key", "rotate"]).await.expect_code(0);
    let after = world.refresh(&client, &before).await.expect(200).json();
    let keys = world.get("/jwks.json").await.expect(200).json().to_string();
    for tokens in [&before, &after] {
        let kid = header(tokens["access_token"].as_str().unwrap())["kid"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(keys.contains(&kid), "a token's key is not published");
        assert!(world.is_active(&tokens["access_token"]).await);
    }
    assert!(
        world
            .local(&["key", "list", "--json"])
            .await
            .expect_code(0)
            .json()
            .as_array()
            .unwrap()
            .len()
            >= 2
    );
}

async fn events_tell_the_whole_story_in_order(world: &World) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    world.refresh(&client, &tokens).await.expect(200);
    world.refresh(&client, &tokens).await.refused("invalid_grant");
    let events = world.events().await;
    let actions: Vec<&str> = events
        .iter()
        .filter(|event| event["client_id"] == client.as_str())
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    let mut rest = actions.iter();
    for action in [
        "device.requested",
        "device.viewed",
        "device.approved",
        "device.redeemed",
        "token.refreshed",
        "token.reused",
    ] {
        assert!(
            rest.any(|seen| *seen == action),
            "{action} is missing or out of order: {actions:?}"
        );
    }
}
