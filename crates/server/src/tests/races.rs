//! Eight at once, on both databases: of any number exactly one wins where one may, and nothing that was
//! acknowledged is lost.

use http::StatusCode;
use serde_json::json;

use super::world::{Answer, Key, World, on_both, poll_form, refresh_form};

async fn eight(world: &World, path: &str, form: &[(&str, &str)]) -> Vec<Answer> {
    let one = || world.post(path, form);
    let (first, second, third, fourth) = tokio::join!(
        async { tokio::join!(one(), one()) },
        async { tokio::join!(one(), one()) },
        async { tokio::join!(one(), one()) },
        async { tokio::join!(one(), one()) },
    );
    [first, second, third, fourth]
        .into_iter()
        .flat_map(|(left, right)| [left, right])
        .collect()
}

fn winners(answers: &[Answer]) -> usize {
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
        assert_eq!(answer.error(), "invalid_grant", "{}", answer.body);
    }
    answers.iter().filter(|answer| answer.status == StatusCode::OK).count()
}

#[test]
fn of_eight_redemptions_exactly_one_gets_the_token() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        for _ in 0..5 {
            let asked = world.ask("cli").await;
            world.approve(&asked.text("user_code"), &alice).await;
            let code = asked.text("device_code");
            let answers = eight(world, "/token", &poll_form(&code)).await;
            assert_eq!(winners(&answers), 1);
            let token = answers
                .iter()
                .find(|answer| answer.status == StatusCode::OK)
                .unwrap()
                .text("access_token");
            assert!(world.is_active(&token).await, "the losers of one moment end nothing");
        }
    });
}

#[test]
fn s02_of_eight_unbound_refreshes_at_most_one_wins() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let token = world.tokens(&alice).await.text("refresh_token");
        let answers = eight(world, "/token", &refresh_form(&token)).await;
        assert!(winners(&answers) <= 1);
    });
}

/// Rauthy: each poll wrote the whole record back, so that an approval in between could be lost.
#[test]
fn an_approval_among_polls_is_never_lost() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        for _ in 0..5 {
            let asked = world.ask("cli").await;
            let code = asked.text("device_code");
            let view = world.view(&asked.text("user_code"), &alice).await;
            let decision = alice.decision(&view.body);
            let form = poll_form(&code);
            let approve = world.call("/approver/approve", &decision, &alice);
            let (approved, polls) = tokio::join!(approve, eight(world, "/token", &form));
            assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
            let won = polls.iter().filter(|poll| poll.status == StatusCode::OK).count();
            world.advance(60);
            let after = world.poll(&code).await;
            assert!(
                won == 1 || (won == 0 && after.status == StatusCode::OK),
                "{won} {}",
                after.body
            );
        }
    });
}

#[test]
fn of_two_approvers_who_open_one_code_at_once_one_gets_it() {
    on_both(async |world| {
        world.cli().await;
        let keys: [Key; 2] = [world.approver("alice").await, world.approver("bob").await];
        for _ in 0..5 {
            let code = world.ask("cli").await.text("user_code");
            let (alice, bob) = tokio::join!(world.view(&code, &keys[0]), world.view(&code, &keys[1]));
            let mut statuses = [alice.status, bob.status];
            statuses.sort();
            assert_eq!(statuses, [StatusCode::OK, StatusCode::NOT_FOUND]);
        }
    });
}

#[test]
fn deny_and_approve_at_once_leave_one_decision() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        for _ in 0..5 {
            let asked = world.ask("cli").await;
            let view = world.view(&asked.text("user_code"), &alice).await;
            let deny = json!({ "request_id": view.text("request_id") });
            let decision = alice.decision(&view.body);
            let (approved, denied) = tokio::join!(
                world.call("/approver/approve", &decision, &alice),
                world.call("/approver/deny", &deny, &alice),
            );
            let poll = world.poll(&asked.text("device_code")).await;
            match (approved.status, denied.status) {
                (StatusCode::OK, StatusCode::NOT_FOUND) => assert_eq!(poll.status, StatusCode::OK),
                (StatusCode::NOT_FOUND, StatusCode::OK) => assert_eq!(poll.error(), "access_denied"),
                both => panic!("{both:?}"),
            }
        }
    });
}

/// The act goes on without its caller: what follows a commit follows it.
#[test]
fn a_caller_who_hangs_up_after_the_commit_leaves_nothing_stale() {
    on_both(async |world| {
        world.cli().await;
        for patience in 0..40 {
            world
                .administer("POST", "/local/clients/cli/enable", &serde_json::Value::Null)
                .await;
            let disable = world.administer("POST", "/local/clients/cli/disable", &serde_json::Value::Null);
            let mut disable = Box::pin(disable);
            // Polled a few times, then dropped: the caller is gone.
            for _ in 0..patience {
                tokio::select! {
                    biased;
                    _ = &mut disable => break,
                    () = tokio::task::yield_now() => {}
                }
            }
            drop(disable);
            let mut rounds = 0;
            while is_stale(world).await {
                world.settled().await;
                rounds += 1;
                assert!(rounds < 100, "after {patience} turns the memory stays stale");
            }
        }
    });
}

/// Whether what this node remembers of the client is not what is stored.
async fn is_stale(world: &World) -> bool {
    let asked = world.post("/device_authorization", &[("client_id", "cli")]).await;
    let stored = world.app.store.client("cli").await.unwrap().unwrap();
    stored.disabled_at.is_some() != (asked.status != StatusCode::OK)
}
