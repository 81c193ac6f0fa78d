//! A process dies at any instant: nothing acknowledged is lost, nothing is there by half. (The machine
//! losing power is not tested here; for that SQLite's `synchronous=FULL` and PostgreSQL's fsync stand.)

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use protocol::refusal::Refusal;
use store::batch::Batch;
use store::{Options, Store};
use tokio::task::JoinSet;

use crate::{BUMP, Ground, INSERT, insert, on_both};

/// Batches that the child commits before it ends by itself; each has three statements.
const BATCHES: u64 = 3;
/// Before and after each COMMIT, and after each statement.
const CALLS: u64 = BATCHES * 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_statement_loses_and_halves_nothing() {
    on_both(async |ground| {
        for call in 1..=CALLS + 1 {
            let name = format!("crash {call}");
            let mut child = start(&ground, &name, call);
            let acknowledged = acknowledged(&mut child);
            let crashed = !child.wait().unwrap().success();
            assert_eq!(crashed, call <= CALLS, "at call {call}");

            let written = written(&ground, &name).await;
            // The child dies before it can acknowledge when it dies right after COMMIT.
            let unacknowledged = u64::from(call % 5 == 0);
            assert_eq!(acknowledged.len() as u64, (call - 1) / 5, "at call {call}");
            assert_eq!(written.len() as u64, (call - 1) / 5 + unacknowledged, "at call {call}");
            assert!(acknowledged.iter().all(|id| written.contains_key(id)), "at call {call}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_under_load_loses_and_halves_nothing() {
    let seed = std::env::var("WAYPASS_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| RandomState::new().hash_one(()));
    println!("WAYPASS_TEST_SEED={seed}");
    on_both(async |ground| {
        let mut chance = seed;
        for round in 0..5 {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let name = format!("kill {round}");
            let mut child = start(&ground, &name, 0);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let wanted = usize::try_from(chance >> 55).unwrap() + 1;
            let mut acknowledged: Vec<_> = lines
                .by_ref()
                .filter_map(|line| id(&line.unwrap()))
                .take(wanted)
                .collect();
            child.kill().unwrap();
            child.wait().unwrap();
            acknowledged.extend(lines.filter_map(|line| id(&line.unwrap())));

            let written = written(&ground, &name).await;
            assert!(acknowledged.len() >= wanted);
            let lost: Vec<_> = acknowledged.iter().filter(|id| !written.contains_key(*id)).collect();
            assert!(lost.is_empty(), "seed {seed}, round {round}: {lost:?}");
        }
    })
    .await;
}

/// What the tests above start, in a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(name) = std::env::var("CRASH_NAME") else { return };
    let crash_at: u64 = std::env::var("CRASH_AT").unwrap().parse().unwrap();
    let ground = Ground {
        directory: std::env::var("CRASH_DIRECTORY").unwrap().into(),
        database: std::env::var("CRASH_DATABASE").ok(),
    };
    let hook = move |call| {
        if call == crash_at {
            std::process::abort();
        }
    };
    let options = Options {
        statement_hook: Some(Arc::new(hook)),
        ..ground.options()
    };
    // The parent still needs the directory.
    std::mem::forget(ground);
    let store = Store::open(options).await.unwrap();
    if crash_at > 0 {
        for number in 0..BATCHES {
            commit(&store, &name, number).await;
        }
        return;
    }
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (store, name) = (store.clone(), name.clone());
        writers.spawn(async move {
            for number in 0..1_000_000 {
                commit(&store, &name, number * 8 + writer).await;
            }
        });
    }
    writers.join_all().await;
}

async fn commit(store: &Store, name: &str, number: u64) {
    let (left, right) = (format!("{name}/{number}/left"), format!("{name}/{number}/right"));
    let batch = insert(&left)
        .then(Batch::default().one(INSERT, [right.as_str().into(), 0.into()], Refusal::KeyAlreadyRegistered))
        .guard(BUMP, [left.into(), 0.into()]);
    store.commit(batch).await.unwrap();
    // In one write, and past the capture of the test harness.
    std::io::stdout()
        .write_all(format!("\nacknowledged {name}/{number}\n").as_bytes())
        .unwrap();
}

fn start(ground: &Ground, name: &str, crash_at: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--nocapture"]);
    command
        .env("CRASH_NAME", name)
        .env("CRASH_AT", crash_at.to_string())
        .env("CRASH_DIRECTORY", &ground.directory);
    if let Some(database) = &ground.database {
        command.env("CRASH_DATABASE", database);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn acknowledged(child: &mut Child) -> Vec<String> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .filter_map(|line| id(&line.unwrap()))
        .collect()
}

fn id(line: &str) -> Option<String> {
    line.strip_prefix("acknowledged ").map(str::to_owned)
}

/// The batches of that name that are there, each of which must be there whole.
async fn written(ground: &Ground, name: &str) -> BTreeMap<String, Vec<i64>> {
    let store = ground.open().await;
    let rows = store.rows(
        "SELECT id, version FROM item WHERE id LIKE $1 ORDER BY id",
        [format!("{name}/%").into()],
    );
    let mut batches = BTreeMap::<_, Vec<_>>::new();
    for row in rows.await.unwrap() {
        let id = row.text(0).unwrap();
        let (batch, _side) = id.rsplit_once('/').unwrap();
        batches.entry(batch.to_owned()).or_default().push(row.int(1).unwrap());
    }
    for (batch, versions) in &batches {
        assert_eq!(*versions, [1, 0], "{batch} is there by half");
    }
    store.close().await;
    batches
}
