//! Many at once: races, serialization, group commit, a full queue, lost connections.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use protocol::refusal::Refusal;
use store::batch::Batch;
use store::migrate::MIGRATIONS;
use store::{FaultKind, Options, Rejected, Store};
use tokio::task::JoinSet;

use crate::{BUMP, Failure, count, insert, on_both, on_postgres, version};

/// As a handler would: load, decide, commit. Its future has to be `Send`.
async fn take(store: &Store, id: &str) -> Result<i64, Failure> {
    store
        .decide(|| async {
            let row = store.row("SELECT version FROM item WHERE id = $1", [id.into()]).await?;
            match row.ok_or(Refusal::ClientUnknown)?.int(0)? {
                0 => Ok((Batch::default().guard(BUMP, [id.into(), 0.into()]), 1)),
                _ => Err(Refusal::AlreadyDecided.into()),
            }
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_eight_racers_exactly_one_wins_and_the_others_decide_again() {
    on_both(async |ground| {
        let store = ground.open().await;
        for round in 0..20 {
            let id = format!("race {round}");
            store.commit(insert(&id)).await.unwrap();
            let mut racers = JoinSet::new();
            for _ in 0..8 {
                let (store, id) = (store.clone(), id.clone());
                racers.spawn(async move { take(&store, &id).await });
            }
            let outcomes = racers.join_all().await;
            let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let decided = |outcome: &&_| matches!(outcome, Err(Failure::Refusal(Refusal::AlreadyDecided)));
            assert_eq!((won, outcomes.iter().filter(decided).count()), (1, 7), "{outcomes:?}");
            assert_eq!(version(&store, &id).await, 1);
        }
    })
    .await;
}

const OWNERS: [&str; 2] = [
    "INSERT INTO client (client_id, registration, created_at, version) VALUES ('c', '{}', 0, 1)",
    "INSERT INTO approver (id, name, created_at, version) VALUES ('a', 'alice', 0, 1)",
];
const GRANT: &str =
    "INSERT INTO access_grant (id, origin, client_id, subject, scope, resource, authorization_details, acr,
    amr, auth_time, created_at, expires_at, version, runs_left)
    VALUES ($1, 'device_code', 'c', 'a', '', '[]', '[]', 'phr', '[]', 0, 0, 1, 1, 3)";

/// How many runs are left after this one.
async fn run_again(store: &Store, id: &str) -> Result<Option<i64>, Failure> {
    store
        .decide(|| async {
            let grant = store.grant(id).await?.ok_or(Refusal::GrantEnded)?;
            let batch = Batch::default().run_again(&grant);
            Ok((batch, grant.run_again()?.runs_left))
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_eight_racers_for_three_runs_exactly_three_win() {
    on_both(async |ground| {
        let store = Store::open(Options {
            migrations: MIGRATIONS,
            ..ground.options()
        });
        let store = store.await.unwrap();
        let owners = OWNERS.iter().fold(Batch::default(), |batch, sql| batch.any(sql, []));
        store.commit(owners).await.unwrap();
        for round in 0..20 {
            let id = format!("race {round}");
            store
                .commit(Batch::default().any(GRANT, [id.as_str().into()]))
                .await
                .unwrap();
            let mut racers = JoinSet::new();
            for _ in 0..8 {
                let (store, id) = (store.clone(), id.clone());
                racers.spawn(async move { run_again(&store, &id).await });
            }
            let (mut won, mut late) = (Vec::new(), 0);
            for outcome in racers.join_all().await {
                match outcome {
                    Ok(left) => won.push(left),
                    Err(Failure::Refusal(Refusal::RunsUsedUp)) => late += 1,
                    Err(failure) => panic!("{failure:?}"),
                }
            }
            won.sort_unstable();
            assert_eq!((won, late), (vec![Some(0), Some(1), Some(2)], 5));
            assert_eq!(store.grant(&id).await.unwrap().unwrap().runs_left, Some(0));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_eight_batches_upon_one_version_seven_meet_a_conflict() {
    on_both(async |ground| {
        let store = ground.open().await;
        store.commit(insert("a")).await.unwrap();
        let mut racers = JoinSet::new();
        for racer in 0..8 {
            let store = store.clone();
            let batch = Batch::default()
                .guard(BUMP, ["a".into(), 0.into()])
                .then(insert(&format!("by {racer}")));
            racers.spawn(async move { store.commit(batch).await });
        }
        let outcomes = racers.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| matches!(outcome, Err(Rejected::Conflict)))
                .count(),
            7
        );
        assert_eq!(count(&store).await, 2, "the losers leave nothing");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_never_ends_is_a_busy_fault_after_sixteen_attempts() {
    on_both(async |ground| {
        let store = ground.open().await;
        let attempts = Mutex::new(0);
        let outcome: Result<(), Failure> = store
            .decide(|| async {
                *attempts.lock().unwrap() += 1;
                Ok((Batch::default().guard(BUMP, ["absent".into(), 0.into()]), ()))
            })
            .await;
        let Err(Failure::Fault(fault)) = outcome else {
            panic!("a fault is expected: {outcome:?}")
        };
        assert_eq!(fault.kind(), FaultKind::Busy);
        assert_eq!(*attempts.lock().unwrap(), 16);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_guard_that_only_reads_holds_against_a_write_in_the_other_direction() {
    // Each takes one row on the condition that the other row is still there. At most one may.
    const FREE: &str = "SELECT 1 FROM item WHERE id = $1 AND version = 0";
    on_both(async |ground| {
        let store = ground.open().await;
        for round in 0..40 {
            let (left, right) = (format!("left {round}"), format!("right {round}"));
            store.commit(insert(&left).then(insert(&right))).await.unwrap();
            let mut racers = JoinSet::new();
            for (own, other) in [(left.clone(), right.clone()), (right.clone(), left.clone())] {
                let store = store.clone();
                racers.spawn(async move {
                    let batch = Batch::default()
                        .guard(FREE, [other.into()])
                        .guard(BUMP, [own.into(), 0.into()]);
                    store.commit(batch).await
                });
            }
            let outcomes = racers.join_all().await;
            assert_eq!(
                outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
                1,
                "{outcomes:?}"
            );
            assert_eq!(version(&store, &left).await + version(&store, &right).await, 1);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_at_once_are_all_written_and_share_their_syncs() {
    on_both(async |ground| {
        let store = ground.open().await;
        let start = Instant::now();
        let mut commits = JoinSet::new();
        for number in 0..2000 {
            let store = store.clone();
            commits.spawn(async move { store.commit(insert(&number.to_string())).await });
        }
        assert!(commits.join_all().await.iter().all(Result::is_ok));
        println!(
            "2,000 commits in {:?}, PostgreSQL: {}",
            start.elapsed(),
            store.is_shared()
        );
        assert_eq!(count(&store).await, 2000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_share_no_row_do_not_get_in_each_others_way() {
    on_both(async |ground| {
        let store = ground.open().await;
        let start = Instant::now();
        let mut writers = JoinSet::new();
        for writer in 0..32 {
            let store = store.clone();
            writers.spawn(async move {
                for number in 0..50 {
                    let (left, right) = (format!("{number} {writer} left"), format!("{number} {writer} right"));
                    let batch = insert(&left).then(insert(&right)).guard(BUMP, [left.into(), 0.into()]);
                    store.commit(batch).await.unwrap();
                }
            });
        }
        writers.join_all().await;
        println!(
            "1,600 batches by 32 writers in {:?}, PostgreSQL: {}",
            start.elapsed(),
            store.is_shared()
        );
        assert_eq!(count(&store).await, 3200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_in_a_group_takes_nobody_along() {
    on_both(async |ground| {
        let store = ground.open().await;
        store.commit(insert("7")).await.unwrap();
        let mut commits = JoinSet::new();
        for number in 0..200 {
            let store = store.clone();
            commits.spawn(async move { store.commit(insert(&format!("{}", number % 100))).await });
        }
        let outcomes = commits.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 99);
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| matches!(outcome, Err(Rejected::Refused(_))))
                .count(),
            101
        );
        assert_eq!(count(&store).await, 100);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_is_busy_and_what_was_accepted_is_written() {
    on_both(async |ground| {
        let (entered, entering) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let hook = move |call| {
            if call == 1 {
                entered.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
        };
        let options = Options {
            queue: 1,
            statement_hook: Some(Arc::new(hook)),
            ..ground.options()
        };
        let store = Store::open(options).await.unwrap();
        let first = tokio::spawn({
            let store = store.clone();
            async move { store.commit(insert("first")).await }
        });
        tokio::task::spawn_blocking(move || entering.recv().unwrap())
            .await
            .unwrap();

        // The second waits (on PostgreSQL the first still holds the one place), the third finds no room.
        let let_go = async { release.send(()).unwrap() };
        let (second, third, ()) = tokio::join!(store.commit(insert("second")), store.commit(insert("third")), let_go);
        let Err(Rejected::Fault(fault)) = third else {
            panic!("no room was expected")
        };
        assert_eq!(fault.kind(), FaultKind::Busy);
        first.await.unwrap().unwrap();
        assert_eq!(count(&store).await, 1 + i64::from(second.is_ok()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_leaves_no_half_of_a_batch() {
    on_both(async |ground| {
        let store = ground.open().await;
        for number in 0..100 {
            let batch = insert(&format!("{number} a")).then(insert(&format!("{number} b")));
            let commit = tokio::spawn({
                let store = store.clone();
                async move { store.commit(batch).await }
            });
            tokio::task::yield_now().await;
            commit.abort();
        }
        store.clone().close().await;
        drop(store);
        let store = ground.open().await;
        let halves = "SELECT substr(id, 1, length(id) - 2) FROM item GROUP BY 1 HAVING count(*) <> 2";
        assert_eq!(store.rows(halves, []).await.unwrap().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_are_replaced() {
    const END: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    on_postgres(async |ground| {
        let store = ground.open().await;
        for round in 0..10 {
            store.commit(insert(&format!("before {round}"))).await.unwrap();
            assert!(store.row(END, []).await.unwrap().unwrap().int(0).unwrap() > 0);
            store.commit(insert(&format!("after {round}"))).await.unwrap();
        }
        assert_eq!(count(&store).await, 20);
    })
    .await;
}
