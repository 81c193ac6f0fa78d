//! A key takes the place of another, and what the instance was granted stays the instance's.

use http::StatusCode;
use serde_json::json;

use super::super::world::{Key, on_both};
use super::{approve, ask, poll, refresh, rotate, rotate_with, standard, tokens};

#[test]
fn c23_what_an_instance_was_granted_is_of_no_use_to_another_of_the_same_client() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let (own, other) = (
            world.enrolled("cli", "alice").await,
            world.enrolled("cli", "alice").await,
        );
        let asked = ask(world, "cli", &own).await;
        approve(&alice, &passkey, &asked).await;
        let code = asked.text("device_code");
        assert_eq!(poll(world, &code, &other).await.error(), "invalid_grant");
        let tokens = poll(world, &code, &own).await;
        assert_eq!(refresh(world, &tokens, &other).await.error(), "invalid_grant");
        assert_eq!(
            refresh(world, &tokens, &own).await.status,
            StatusCode::OK,
            "nothing was used up"
        );
    });
}

/// NHI2: a token that leaked is of no use without the key.
#[test]
fn nhi2_a_leaked_refresh_token_of_an_instance_needs_its_key() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let tokens = tokens(&alice, &passkey, &key).await;
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(refresh(world, &tokens, &Key::new()).await.error(), "invalid_grant");
        assert_eq!(refresh(world, &tokens, &key).await.status, StatusCode::OK);
    });
}

#[test]
fn after_a_rotation_the_old_key_serves_for_ten_minutes_and_grants_follow_the_new_one() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let (old, new) = (world.enrolled("cli", "alice").await, Key::new());
        let first = tokens(&alice, &passkey, &old).await;
        let pending = ask(world, "cli", &old).await;

        let rotated = rotate(world, "cli", &old, &new).await;
        assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.body);
        assert_eq!(rotated.text("thumbprint"), new.thumbprint());
        assert_eq!(world.instance_of(&old).await, world.instance_of(&new).await);
        let event = &world.events("instance.key_rotated").await[0]["detail"];
        assert_eq!(event["key.jkt.before"], *old.thumbprint());

        let second = refresh(world, &first, &old).await;
        assert_eq!(second.status, StatusCode::OK, "no refresh is lost: {}", second.body);
        approve(&alice, &passkey, &pending).await;
        let late = poll(world, &pending.text("device_code"), &old).await;
        assert_eq!(late.status, StatusCode::OK, "nor a code: {}", late.body);
        assert_eq!(ask(world, "cli", &old).await.status, StatusCode::OK);

        world.advance(600);
        assert_eq!(ask(world, "cli", &old).await.error(), "unauthorized_client");
        assert_eq!(refresh(world, &second, &old).await.error(), "invalid_grant");
        for tokens in [&second, &late] {
            let by_new = refresh(world, tokens, &new).await;
            assert_eq!(by_new.status, StatusCode::OK, "{}", by_new.body);
            assert_eq!(refresh(world, &by_new, &old).await.error(), "invalid_grant");
            assert_eq!(refresh(world, &by_new, &new).await.status, StatusCode::OK);
        }
        let grants = world.administer("GET", "/local/grants", &super::no_body()).await.body;
        for grant in grants.as_array().unwrap() {
            assert_eq!(grant["jkt"], *new.thumbprint());
        }
    });
}

#[test]
fn a_code_of_a_key_that_serves_no_more_gives_no_token() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let (old, new) = (world.enrolled("cli", "alice").await, Key::new());
        rotate(world, "cli", &old, &new).await;
        world.advance(590);
        let asked = ask(world, "cli", &old).await;
        approve(&alice, &passkey, &asked).await;
        world.advance(10);
        assert_eq!(
            poll(world, &asked.text("device_code"), &old).await.error(),
            "invalid_grant"
        );
    });
}

#[test]
fn a_lost_answer_to_a_rotation_is_told_again_and_a_replaced_key_brings_in_no_other() {
    on_both(async |world| {
        let _owner = standard(world, "alice").await;
        let (old, new) = (world.enrolled("cli", "alice").await, Key::new());
        for _ in 0..2 {
            assert_eq!(rotate(world, "cli", &old, &new).await.status, StatusCode::OK);
        }
        assert_eq!(world.events("instance.key_rotated").await.len(), 1);
        assert_eq!(
            rotate(world, "cli", &old, &Key::new()).await.error(),
            "unauthorized_client"
        );
        assert_eq!(
            rotate(world, "cli", &new, &old).await.error(),
            "exists",
            "nor comes it back"
        );
        assert_eq!(rotate(world, "cli", &new, &new).await.error(), "exists");
        assert_eq!(rotate(world, "cli", &new, &Key::new()).await.error(), "rate_limited");
        world.advance(600);
        assert_eq!(rotate(world, "cli", &new, &Key::new()).await.status, StatusCode::OK);
        assert_eq!(
            rotate(world, "cli", &Key::new(), &Key::new()).await.error(),
            "unauthorized_client"
        );
    });
}

#[test]
fn the_new_key_s_proof_is_checked_like_any_other() {
    on_both(async |world| {
        let _owner = standard(world, "alice").await;
        let (old, other) = (
            world.enrolled("cli", "alice").await,
            world.enrolled("cli", "alice").await,
        );
        let new = Key::new();
        let (now, nonce) = (world.app.now(), world.app.derived.nonces.issue(world.app.now()));
        for (proof, error) in [
            (new.proof("/instance/rotate", now, None), "use_dpop_nonce"),
            (new.proof("/token", now, Some(&nonce)), "invalid_dpop_proof"),
            ("nothing".to_owned(), "invalid_dpop_proof"),
            (String::new(), "invalid_request"),
        ] {
            assert_eq!(rotate_with(world, "cli", &old, &proof).await.error(), error, "{proof}");
        }
        let once = new.proof("/instance/rotate", now, Some(&nonce));
        assert_eq!(rotate_with(world, "cli", &old, &once).await.status, StatusCode::OK);
        let taken = rotate_with(world, "cli", &other, &once).await;
        assert_eq!(taken.error(), "exists", "a key of one instance is no other's");
        let form = [("client_id", "cli"), ("new_key_proof", &*once)];
        assert_eq!(
            world.post("/instance/rotate", &form).await.error(),
            "invalid_dpop_proof"
        );
        world.standard_client("other").await;
        assert_eq!(
            rotate(world, "other", &old, &Key::new()).await.error(),
            "unauthorized_client"
        );
    });
}

#[test]
fn of_two_instances_that_take_one_new_key_at_once_one_has_it() {
    on_both(async |world| {
        let _owner = standard(world, "alice").await;
        let (one, two) = (
            world.enrolled("cli", "alice").await,
            world.enrolled("cli", "alice").await,
        );
        let new = Key::new();
        let (first, second) = tokio::join!(rotate(world, "cli", &one, &new), rotate(world, "cli", &two, &new));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", first.body, second.body);
    });
}

/// What was vouched for is this key: it does not make way for one that anybody copies.
#[test]
fn a_key_that_no_person_may_enroll_is_not_changed_by_itself() {
    on_both(async |world| {
        let _owner = standard(world, "alice").await;
        world.client("high", json!({ "profile": "privileged" })).await;
        let key = world.enrolled("high", "alice").await;
        let refused = rotate(world, "high", &key, &Key::new()).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::FORBIDDEN, "refused"));
        assert_eq!(world.events("instance.key_rotated").await.len(), 0);
    });
}
