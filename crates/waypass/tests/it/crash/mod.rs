//! SIGKILL under load: whatever was acknowledged is there after the restart, and nothing happened twice.
//! The seed is printed; `WAYPASS_CRASH_SEED` runs the same kills again. What a crash after the n-th
//! statement leaves behind is tested beside the store.

mod ledger;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::chance::within;
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
        let mut instants = Instants(seed);
        let mut acknowledged = 0;
        for round in 0..rounds {
            let ledger = one_kill(&world, &client, instants.next()).await;
            ledger.check(&world, &client, round).await;
            acknowledged += ledger.shortest();
        }
        assert!(
            acknowledged > rounds,
            "too little load to say anything: {acknowledged} of the rarest act"
        );
    });
}

/// Loads the server until the instant, kills it, starts it again, and returns what was acknowledged.
async fn one_kill(world: &Arc<World>, client: &str, instant: Duration) -> Ledger {
    let over = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (world, client, over) = (world.clone(), client.to_owned(), over.clone());
        workers.spawn(async move {
            let mut ledger = Ledger::default();
            while !over.load(Ordering::Relaxed) && walk(&world, &client, &mut ledger).await.is_some() {}
            ledger
        });
    }
    within(instant, async || None::<()>).await;
    world.server.kill().await;
    over.store(true, Ordering::Relaxed);
    let ledgers = workers.join_all().await;
    assert!(
        world.server.launch().await,
        "it did not start after a kill:\n{}",
        world.server.log()
    );
    Ledger::merged(ledgers)
}

/// The instants of the kills: 50 to 800 ms of load, drawn by a linear congruential generator from the seed.
struct Instants(u64);

impl Instants {
    fn next(&mut self) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(50 + (self.0 >> 33) % 750)
    }
}
