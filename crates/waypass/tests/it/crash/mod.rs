//! SIGKILL under load: whatever was acknowledged is there after the restart, and nothing happened twice.
//! The seed is printed; `WAYPASS_CRASH_SEED` runs the same kills again. What a crash after the n-th
//! statement leaves behind is tested beside the store.

mod ledger;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::chance::until;
use crate::database::Database;
use crate::server::{Server, Setup};
use crate::world::{RUNTIME, World};
use ledger::{Ledger, walk};

const WORKERS: usize = 6;

#[test]
fn kills_lose_nothing_acknowledged_on_sqlite() {
    kills(Database::Sqlite);
}

#[test]
fn kills_lose_nothing_acknowledged_on_postgres() {
    if let Some(database) = crate::database::postgres() {
        kills(database);
    }
}

fn kills(database: Database) {
    let rounds = if std::env::var("WAYPASS_TESTS_LONG").is_ok() {
        200
    } else {
        20
    };
    let given = std::env::var("WAYPASS_CRASH_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| crate::chance::now().unsigned_abs());
    let _ = writeln!(std::io::stderr(), "\n{rounds} kills with WAYPASS_CRASH_SEED={seed}");
    RUNTIME.block_on(async {
        let world = Arc::new(World::on(Server::start(database, &Setup::busy()).await));
        let client = world.stock_client().await;
        world.introspect("nothing yet").await;
        world.approver().await;
        let mut moments = Moments(seed);
        let mut acknowledged = 0;
        for round in 0..rounds {
            let ledger = one_kill(&world, &client, moments.next()).await;
            ledger.check(&world, &client, round).await;
            acknowledged += ledger.shortest();
        }
        assert!(
            acknowledged > rounds,
            "too little load to say anything: {acknowledged} of the rarest act"
        );
    });
}

/// Loads the server until it has acknowledged so many acts, kills it amid the next ones, starts it again,
/// and returns what was acknowledged.
async fn one_kill(world: &Arc<World>, client: &str, acts: usize) -> Ledger {
    let (over, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (world, client, over) = (world.clone(), client.to_owned(), over.clone());
        let mut ledger = Ledger::counted_by(&tally);
        workers.spawn(async move {
            while !over.load(Ordering::Relaxed) && walk(&world, &client, &mut ledger).await.is_some() {}
            ledger
        });
    }
    until("the load runs", Duration::from_mins(1), async || {
        (tally.load(Ordering::Relaxed) >= acts).then_some(())
    })
    .await;
    world.server.kill().await;
    over.store(true, Ordering::Relaxed);
    let ledgers = workers.join_all().await;
    let is_up = world.server.launch().await;
    assert!(is_up, "it did not start after a kill:\n{}", world.server.log());
    Ledger::merged(ledgers)
}

/// After how many acts to kill, up to sixty: a linear congruential generator from the seed.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> usize {
        let Self(state) = self;
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        1 + usize::try_from((*state >> 33) % 60).unwrap()
    }
}
