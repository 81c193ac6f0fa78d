//! What the store promises, on both databases, with a small table of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only functions marked as tests for tests"
)]

mod crash;
mod opening;
mod postgres_server;
mod races;
mod statements;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use protocol::refusal::Refusal;
use store::batch::Batch;
use store::migrate::Migration;
use store::{Fault, Options, Store};

use postgres_server::PostgresServer;

const ITEMS: Migration = (
    1,
    "items",
    "CREATE TABLE item (id TEXT PRIMARY KEY, version BIGINT NOT NULL, note TEXT, amount BIGINT)",
);

const INSERT: &str = "INSERT INTO item (id, version) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const BUMP: &str = "UPDATE item SET version = version + 1 WHERE id = $1 AND version = $2";

/// A directory and a database, not opened yet. Both go away with it.
struct Ground {
    directory: PathBuf,
    database: Option<String>,
}

impl Ground {
    fn new(database: Option<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "waypass-store-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            directory: std::env::temp_dir().join(name),
            database,
        }
    }

    fn options(&self) -> Options {
        Options {
            directory: self.directory.clone(),
            database: self.database.clone(),
            migrations: &[ITEMS],
            ..Options::default()
        }
    }

    async fn open(&self) -> Store {
        Store::open(self.options()).await.unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn on_both(test: impl AsyncFn(Ground)) {
    println!("on SQLite");
    test(Ground::new(None)).await;
    on_postgres(test).await;
}

async fn on_postgres(test: impl AsyncFn(Ground)) {
    if let Some(server) = PostgresServer::shared() {
        println!("on PostgreSQL");
        test(Ground::new(Some(server.fresh_database()))).await;
    }
}

async fn count(store: &Store) -> i64 {
    store
        .row("SELECT count(*) FROM item", [])
        .await
        .unwrap()
        .unwrap()
        .int(0)
        .unwrap()
}

async fn version(store: &Store, id: &str) -> i64 {
    store
        .row("SELECT version FROM item WHERE id = $1", [id.into()])
        .await
        .unwrap()
        .unwrap()
        .int(0)
        .unwrap()
}

fn insert(id: &str) -> Batch {
    Batch::default().one(INSERT, [id.into(), 0.into()], Refusal::KeyAlreadyRegistered)
}

/// What an attempt of `decide` fails with.
#[derive(Debug)]
enum Failure {
    Refusal(Refusal),
    Fault(Fault),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
