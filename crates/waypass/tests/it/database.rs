//! Which database a server under test stands on.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::process::Command;

use crate::process::run;
use crate::server::Folder;
use crate::tools::{left_out, program};

#[path = "../../../store/tests/conformance/postgres_server.rs"]
mod postgres_server;

#[derive(Clone)]
pub enum Database {
    Sqlite,
    /// With the folder of the key file that all servers on it share.
    Postgres {
        url: String,
        keys: Arc<Folder>,
    },
}

impl Database {
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres { url, keys } => {
                vec![
                    format!("--database={url}"),
                    format!("--key-file={}", keys.join("key").display()),
                ]
            }
        }
    }

    /// Everything that PostgreSQL keeps, as SQL text; SQLite's files are read as they are.
    pub async fn dump(&self) -> Option<String> {
        let Self::Postgres { url, .. } = self else { return None };
        let Some(pg_dump) = pg_dump() else {
            left_out(
                "pg_dump (package postgresql-client)",
                "the look into PostgreSQL's tables",
            );
            return None;
        };
        Some(
            run(Command::new(pg_dump).args(["--data-only", "--dbname", url]))
                .await
                .expect_code(0)
                .stdout,
        )
    }
}

/// A fresh, empty database; none, and that said loudly, where PostgreSQL is not installed.
pub fn postgres() -> Option<Database> {
    let url = postgres_server::PostgresServer::shared()?.fresh_database();
    let keys = Arc::new(Folder::new());
    Some(Database::Postgres { url, keys })
}

/// On the path, or where Debian keeps it.
fn pg_dump() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian
        .map(|entry| entry.path().join("bin/pg_dump"))
        .find(|file| file.is_file());
    program(&["pg_dump"]).or(debian)
}
