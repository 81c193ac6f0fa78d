//! Which database a server under test stands on.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tokio::process::Command;

use crate::chance::{secret_key, unique};
use crate::process::run;
use crate::server::Folder;
use crate::tools::{left_out, program};

#[path = "../../../store/tests/conformance/postgres_server.rs"]
mod postgres_server;

#[derive(Clone)]
pub enum Database {
    Sqlite,
    Postgres { url: String, key_file: String },
}

impl Database {
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres { url, key_file } => vec![format!("--database={url}"), format!("--key-file={key_file}")],
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
    static KEYS: LazyLock<Folder> = LazyLock::new(Folder::new);
    let url = postgres_server::PostgresServer::shared()?.fresh_database();
    let path = KEYS.join(&unique("key"));
    write_key(&path);
    let key_file = path.display().to_string();
    Some(Database::Postgres { url, key_file })
}

/// What an administrator of several nodes makes once: 32 random bytes as base64url, for nobody else to read.
fn write_key(path: &Path) {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(secret_key().as_bytes()).unwrap();
}

/// On the path, or where Debian keeps it.
fn pg_dump() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian
        .map(|entry| entry.path().join("bin/pg_dump"))
        .find(|file| file.is_file());
    program(&["pg_dump"]).or(debian)
}
