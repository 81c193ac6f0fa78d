//! What was decided upon is asked again, at redemption and at every refresh. (Keycloak CVE-2026-88770,
//! Abblix #409, FerrisKey PR 1232.)

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{World, on_both};

/// Approved, then something changes, then redeemed.
async fn redeemed_after(world: &World, method: &str, path: &str) -> String {
    world.cli().await;
    let alice = world.approver("alice").await;
    let asked = world.ask("cli").await;
    assert_eq!(
        world.approve(&asked.text("user_code"), &alice).await.status,
        StatusCode::OK
    );
    let changed = world.administer(method, path, &Value::Null).await;
    assert!(changed.status.is_success(), "{}", changed.body);
    world.poll(&asked.text("device_code")).await.error().to_owned()
}

#[test]
fn a_client_disabled_after_approval_gets_no_token() {
    on_both(async |world| {
        assert_eq!(
            redeemed_after(world, "POST", "/local/clients/cli/disable").await,
            "invalid_client"
        );
    });
}

#[test]
fn a_client_deleted_after_approval_gets_no_token() {
    on_both(async |world| {
        assert_eq!(
            redeemed_after(world, "DELETE", "/local/clients/cli").await,
            "invalid_client"
        );
    });
}

#[test]
fn an_approver_locked_after_approval_gives_no_token() {
    on_both(async |world| {
        assert_eq!(
            redeemed_after(world, "POST", "/local/approvers/alice/disable").await,
            "invalid_grant"
        );
    });
}

#[test]
fn refresh_and_introspection_ask_again_too() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let tokens = world.tokens(&alice).await;
        for (path, error) in [
            ("/local/approvers/alice", "invalid_grant"),
            ("/local/clients/cli", "invalid_client"),
        ] {
            world.administer("POST", &format!("{path}/disable"), &Value::Null).await;
            assert_eq!(
                world.refresh(&tokens.text("refresh_token")).await.error(),
                error,
                "{path}"
            );
            assert!(!world.is_active(&tokens.text("access_token")).await, "{path}");
            world.administer("POST", &format!("{path}/enable"), &Value::Null).await;
            assert!(world.is_active(&tokens.text("access_token")).await, "{path}");
        }
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.status,
            StatusCode::OK,
            "refused, not used up"
        );
    });
}

#[test]
fn b12_revoking_the_refresh_token_takes_every_access_token_with_it() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let first = world.tokens(&alice).await;
        let second = world.refresh(&first.text("refresh_token")).await;
        let form = [
            ("client_id", "cli"),
            ("token", &*second.text("refresh_token")),
            ("token_type_hint", "access_token"),
        ];
        assert_eq!(
            world.post("/revoke", &form).await.status,
            StatusCode::OK,
            "the hint is wrong and does not matter"
        );
        for answer in [&first, &second] {
            assert!(!world.is_active(&answer.text("access_token")).await);
        }
        assert_eq!(
            world.post("/revoke", &form).await.status,
            StatusCode::OK,
            "and once more"
        );
    });
}

#[test]
fn b12_an_access_token_is_revoked_by_its_own_client_alone() {
    on_both(async |world| {
        world.cli().await;
        world.client("other", json!({ "profile": "open" })).await;
        let alice = world.approver("alice").await;
        let tokens = world.tokens(&alice).await;
        let access_token = tokens.text("access_token");
        assert_eq!(
            world
                .post("/revoke", &[("client_id", "other"), ("token", &access_token)])
                .await
                .error(),
            "invalid_grant"
        );
        assert!(world.is_active(&access_token).await);
        world
            .post("/revoke", &[("client_id", "cli"), ("token", &access_token)])
            .await;
        assert!(!world.is_active(&access_token).await);
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.status,
            StatusCode::OK,
            "the grant lives on"
        );
    });
}

/// RFC 7009 §2.1: its client says that it is done, and nothing else could come of the grant.
#[test]
fn b12_the_only_token_of_a_grant_takes_it_with_it() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asking = [("client_id", "cli"), ("scope", "read")];
        let asked = world.post("/device_authorization", &asking).await;
        world.approve(&asked.text("user_code"), &alice).await;
        let tokens = world.poll(&asked.text("device_code")).await;
        assert!(tokens.body["refresh_token"].is_null(), "{}", tokens.body);
        let form = [("client_id", "cli"), ("token", &*tokens.text("access_token"))];
        for _ in 0..2 {
            assert_eq!(world.post("/revoke", &form).await.status, StatusCode::OK);
        }
        let ended: Vec<_> = world.events("grant.ended").await;
        assert_eq!(ended.len(), 1, "{ended:?}");
    });
}

/// A profile that takes any stock client is never a default, and never silent.
#[test]
fn check_warns_of_every_enabled_client_under_open_beside_a_running_server() {
    on_both(async |world| {
        world.cli().await;
        world.client("plain", json!({})).await;
        let told = crate::check::clients(&world.app.config).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.contains("client cli has the profile open"), "{told:?}");
        world
            .administer("POST", "/local/clients/cli/disable", &Value::Null)
            .await;
        assert!(crate::check::clients(&world.app.config).await.is_empty());
    });
}

#[test]
fn a_cancelled_request_is_declined_for_its_client_and_closed_for_everybody() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        let listed = world.administer("GET", "/local/requests", &Value::Null).await.body;
        let id = listed[0]["request_id"].as_str().unwrap();
        let cancelled = world
            .administer("POST", &format!("/local/requests/{id}/cancel"), &Value::Null)
            .await;
        assert_eq!(cancelled.status, StatusCode::NO_CONTENT);
        assert_eq!(world.poll(&asked.text("device_code")).await.error(), "access_denied");
        assert_eq!(
            world.view(&asked.text("user_code"), &alice).await.error(),
            "unknown_code"
        );
        assert_eq!(world.events("device.cancelled").await.len(), 1);
    });
}

/// C03: each grant that goes with its client says so in an event of its own.
#[test]
fn deleting_a_client_ends_each_of_its_grants_on_the_record() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let tokens = [world.tokens(&alice).await, world.tokens(&alice).await];
        assert_eq!(
            world
                .administer("DELETE", "/local/clients/cli", &Value::Null)
                .await
                .status,
            StatusCode::NO_CONTENT
        );
        for answer in &tokens {
            assert!(!world.is_active(&answer.text("access_token")).await);
        }
        assert_eq!(world.events("grant.ended").await.len(), 2);
    });
}

/// Two processes on one database: what one registers, the other knows at once.
#[test]
fn a_client_registered_by_another_process_is_known_here_at_once() {
    on_both(async |world| {
        if !world.app.store.is_shared() {
            return;
        }
        let node = world.another_node().await;
        node.cli().await;
        world.ask("cli").await;
        node.close().await;
    });
}
