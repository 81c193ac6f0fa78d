//! Eight at once, over and over: exactly one redeems, at most one refreshes, one decision stands. The
//! winners' tokens must be real, so that "one" cannot mean "none that works".

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::chance::until;
use crate::http::Answer;
use crate::world::{SCOPES, World};

const RACERS: usize = 8;

on_both!(
    of_eight_redemptions_one_wins,
    of_eight_refreshes_one_wins_at_most,
    approve_against_poll_loses_nothing,
    of_eight_approvers_one_views,
    of_approve_and_deny_one_stands,
    of_eight_enrollments_by_one_link_one_wins,
);

#[test]
fn two_processes_on_one_postgresql_redeem_once() {
    let Some(database) = crate::database::postgres() else {
        return;
    };
    crate::world::RUNTIME.block_on(async {
        let one = crate::server::Server::start(database.clone(), &crate::server::Setup::default()).await;
        let setup = crate::server::Setup {
            issuer: Some(one.issuer.clone()),
            ..Default::default()
        };
        let two = crate::server::Server::start(database, &setup).await;
        let (one, two) = (Arc::new(World::on(one)), Arc::new(World::on(two)));
        let client = one.stock_client().await;
        // What one process registers the other learns within two seconds.
        until(
            "the other process knows the client",
            Duration::from_secs(10),
            async || {
                let answer = two.post("/device_authorization", &[("client_id", &client)]).await;
                (answer.status == 200).then_some(())
            },
        )
        .await;
        for _ in 0..rounds() {
            let started = Arc::new(one.start(&client, &[("scope", SCOPES)]).await);
            one.approve(&started.user_code).await;
            let answers = race(|n| {
                let (world, started) = (if n % 2 == 0 { one.clone() } else { two.clone() }, started.clone());
                async move { world.poll(&started).await }
            })
            .await;
            one_won(&answers, "invalid_grant");
        }
    });
}

/// More with `scripts/test --long`.
fn rounds() -> usize {
    if std::env::var("WAYPASS_TESTS_LONG").is_ok() {
        100
    } else {
        6
    }
}

async fn race<F: Future<Output = Answer> + Send + 'static>(racer: impl Fn(usize) -> F) -> Vec<Answer> {
    let mut racers = JoinSet::new();
    for n in 0..RACERS {
        racers.spawn(racer(n));
    }
    racers.join_all().await
}

#[track_caller]
fn one_won(answers: &[Answer], refusal: &str) {
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1, "{answers:?}");
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(lost.error(), refusal, "{answers:?}");
    }
}

/// A second view of the same server for a task that may outlive the borrow.
fn shared(world: &World) -> Arc<World> {
    Arc::new(World::on(world.server.clone()))
}

async fn of_eight_redemptions_one_wins(world: &World) {
    let (client, racing) = (world.stock_client().await, shared(world));
    for _ in 0..rounds() {
        let started = Arc::new(world.start(&client, &[("scope", SCOPES)]).await);
        world.approve(&started.user_code).await;
        let answers = race(|_| {
            let (world, started) = (racing.clone(), started.clone());
            async move { world.poll(&started).await }
        })
        .await;
        one_won(&answers, "invalid_grant");
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap().json();
        assert!(
            world.is_active(&winner["access_token"]).await,
            "the winner's token is dead"
        );
    }
}

async fn of_eight_refreshes_one_wins_at_most(world: &World) {
    let (client, racing) = (world.stock_client().await, shared(world));
    for _ in 0..rounds() {
        let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
        let answers = race(|_| {
            let (world, client, tokens) = (racing.clone(), client.clone(), tokens.clone());
            async move { world.refresh(&client, &tokens).await }
        })
        .await;
        one_won(&answers, "invalid_grant");
        // The others were reuse: the family is dead, the winner with it.
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap().json();
        world.refresh(&client, &winner).await.refused("invalid_grant");
    }
}

/// Rauthy writes the whole record back at each poll: an approval that lands between is lost.
async fn approve_against_poll_loses_nothing(world: &World) {
    let (client, racing) = (world.stock_client().await, shared(world));
    let approver = world.approver().await;
    for _ in 0..rounds() {
        let started = Arc::new(world.start(&client, &[]).await);
        let view = approver
            .view(&world.server, &started.user_code)
            .await
            .expect(200)
            .json();
        let polls = race(|_| {
            let (world, started) = (racing.clone(), started.clone());
            async move { world.poll(&started).await }
        });
        let (approved, polls) = tokio::join!(approver.approve_view(&world.server, &view), polls);
        approved.expect(200);
        let redeemed = polls.iter().filter(|answer| answer.status == 200).count();
        let last = world.poll(&started).await;
        match redeemed {
            0 => assert_eq!(last.status, 200, "the approval was lost: {last:?} {polls:?}"),
            1 => last.refused("invalid_grant"),
            more => panic!("{more} redemptions: {polls:?}"),
        }
    }
}

async fn of_eight_approvers_one_views(world: &World) {
    let client = world.stock_client().await;
    let mut approvers = Vec::new();
    for _ in 0..RACERS {
        approvers.push(Arc::new(world.new_approver().await));
    }
    for _ in 0..rounds() {
        let started = Arc::new(world.start(&client, &[]).await);
        let answers = race(|n| {
            let (approver, server, started) = (approvers[n].clone(), world.server.clone(), started.clone());
            async move { approver.view(&server, &started.user_code).await }
        })
        .await;
        if answers.iter().any(|answer| answer.error() == "rate_limited") {
            return;
        }
        one_won(&answers, "unknown_code");
    }
}

async fn of_approve_and_deny_one_stands(world: &World) {
    let client = world.stock_client().await;
    let approver = world.approver().await;
    for _ in 0..rounds() {
        let started = world.start(&client, &[]).await;
        let view = approver
            .view(&world.server, &started.user_code)
            .await
            .expect(200)
            .json();
        let deny = json!({"request_id": view["request_id"]});
        let (approved, denied) = tokio::join!(
            approver.approve_view(&world.server, &view),
            approver.call(&world.server, "deny", &deny)
        );
        let last = world.poll(&started).await;
        match (approved.status, denied.status) {
            (200, _) if denied.status >= 400 => assert_eq!(last.status, 200, "{last:?}"),
            (_, 200) if approved.status >= 400 => last.refused("access_denied"),
            both => panic!("{both:?}: {approved:?} {denied:?}"),
        }
    }
}

async fn of_eight_enrollments_by_one_link_one_wins(world: &World) {
    for _ in 0..rounds() {
        let link = world.enrollment_link(&crate::chance::unique("raced")).await;
        let answers = race(|_| {
            let (server, link) = (world.server.clone(), link.clone());
            async move { crate::approver::Approver::new("raced").enroll(&server, &link).await }
        })
        .await;
        one_won(&answers, "refused");
    }
}
