//! Guarded batches over SQLite and PostgreSQL. Every write is one `Batch`: all of it happens or none.
//! In reading order: `batch` (a write as a value), `row` (what is read), `sqlite` and `postgres` (the two
//! drivers; nothing else knows which database it is), `migrate`. No clock and no chance in here.

pub mod admissions;
pub mod announcement;
pub mod approver_keys;
pub mod approvers;
pub mod authorization_requests;
pub mod batch;
pub mod browser_sessions;
pub mod channels;
mod clients;
mod code_presentations;
pub mod events;

mod connection_url;
mod fault;
mod first_seen;
mod grants;
pub mod groups;
pub mod guesses;
pub mod instances;
pub mod migrate;
pub mod notices;
mod postgres;
mod prompts;
mod row;
pub mod settings;
mod sqlite;
mod stored;
mod sweep;
mod tokens;
pub mod upstream_identities;

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::refusal::Refusal;

use crate::announcement::{Announcements, Told};
pub use crate::batch::Batch;
use crate::batch::{Stopped, Value};
pub use crate::fault::{Fault, FaultKind};
use crate::postgres::Postgres;
pub use crate::row::Row;
use crate::sqlite::Sqlite;

/// How often a decision is made again when what it was made upon has changed meanwhile.
const ATTEMPTS: usize = 16;

#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    driver: Driver,
    told: Told,
    /// Locked for as long as the store lives; none where it only reads.
    lock: Option<File>,
}

enum Driver {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

pub struct Options {
    /// Holds the lock, and the database when it is SQLite.
    pub directory: PathBuf,
    /// The URL of a PostgreSQL database; none means SQLite in `directory`.
    pub database: Option<String>,
    /// Reading connections; on PostgreSQL as many again for writing.
    pub connections: usize,
    /// How many batches, and how many reads, may wait; one more is answered with a busy Fault.
    pub queue: usize,
    /// `MIGRATIONS`; tests have their own.
    pub migrations: &'static [migrate::Migration],
    /// For a look beside a running server: no lock, no migration, and every write is a Fault.
    pub read_only: bool,
    /// For crash tests: called with a running count after each statement of a batch and before and after
    /// each COMMIT, so that a process can die at the n-th call.
    pub statement_hook: Option<StatementHook>,
}

pub type StatementHook = Arc<dyn Fn(u64) + Send + Sync>;

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            database: None,
            connections: 8,
            queue: 4096,
            migrations: migrate::MIGRATIONS,
            read_only: false,
            statement_hook: None,
        }
    }
}

/// Why a batch was not written.
#[derive(Clone, Debug)]
pub enum Rejected {
    /// What was decided upon has changed: load and decide again.
    Conflict,
    Refused(Refusal),
    Fault(Fault),
}

impl From<Rejected> for Fault {
    /// Where nothing was decided that could be decided again.
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Conflict => Self::busy("what was written upon has changed meanwhile"),
            Rejected::Refused(refusal) => Self::broken(refusal.sentence()),
            Rejected::Fault(fault) => fault,
        }
    }
}

impl Store {
    /// Takes the directory's lock and brings the schema up to date.
    pub async fn open(options: Options) -> Result<Self, Fault> {
        let lock = if options.read_only {
            None
        } else {
            Some(lock(&options.directory)?)
        };
        let hook = Hook {
            hook: options.statement_hook.clone(),
            count: AtomicU64::new(0),
        };
        let told = Told::new();
        let driver = match &options.database {
            None => Driver::Sqlite(Sqlite::open(&options, hook)?),
            Some(url) => Driver::Postgres(Postgres::open(url, &options, hook, &told).await?),
        };
        Ok(Self {
            shared: Arc::new(Shared { driver, told, lock }),
        })
    }

    pub async fn rows(&self, sql: &'static str, args: impl Into<Vec<Value>>) -> Result<Vec<Row>, Fault> {
        let args = args.into();
        if args.iter().any(Value::has_nul) {
            return Ok(Vec::new());
        }
        match &self.shared.driver {
            Driver::Sqlite(sqlite) => sqlite.rows(sql, args).await,
            Driver::Postgres(postgres) => postgres.rows(sql, args).await,
        }
    }

    /// The first row.
    pub async fn row(&self, sql: &'static str, args: impl Into<Vec<Value>>) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// All of it is on disk, or none of it happened. The exception is a `Fault`: if the database was lost
    /// during COMMIT, nobody knows.
    pub async fn commit(&self, batch: Batch) -> Result<(), Rejected> {
        if batch.is_empty() {
            return Ok(());
        }
        if batch
            .statements
            .iter()
            .flat_map(|statement| &statement.args)
            .any(Value::has_nul)
        {
            return Err(Rejected::Refused(Refusal::RequestMalformed));
        }
        let announcements = batch.announcements.clone();
        match &self.shared.driver {
            Driver::Sqlite(sqlite) => sqlite.commit(batch).await,
            Driver::Postgres(postgres) => postgres.commit(batch).await,
        }?;
        for announcement in announcements {
            self.shared.told.tell(announcement);
        }
        Ok(())
    }

    /// What is written from now on, here and by other processes.
    pub fn announcements(&self) -> Announcements {
        self.shared.told.listen()
    }

    /// Runs `attempt`, which loads and decides, and commits its batch; on Conflict from the start.
    /// (Not an `AsyncFnMut`: its future cannot be promised to be `Send`, and a handler's must be.)
    pub async fn decide<T, E, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<(Batch, T), E>> + Send,
        E: From<Refusal> + From<Fault>,
    {
        for _ in 0..ATTEMPTS {
            let (batch, value) = attempt().await?;
            match self.commit(batch).await {
                Ok(()) => return Ok(value),
                Err(Rejected::Conflict) => {}
                Err(Rejected::Refused(refusal)) => return Err(refusal.into()),
                Err(Rejected::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(Fault::busy("others kept changing what this was decided upon").into())
    }

    /// Whether other processes may write to the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.shared.driver, Driver::Postgres(_))
    }

    /// Waits until what was asked for before is written, and gives the directory back.
    pub async fn close(self) {
        match &self.shared.driver {
            Driver::Sqlite(sqlite) => sqlite.close().await,
            Driver::Postgres(postgres) => postgres.close().await,
        }
        if let Some(Err(error)) = self.shared.lock.as_ref().map(File::unlock) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the directory's lock could not be released"
            );
        }
    }
}

/// One process per directory: two would each trust their own memory, and SQLite has one writer.
fn lock(directory: &Path) -> Result<File, Fault> {
    let path = directory.join("lock");
    let file = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .and_then(|()| {
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)
        })
        .map_err(|error| Fault::broken(format!("cannot use the directory {}", directory.display())).because(error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::broken(format!(
            "another process is running on the directory {}",
            directory.display()
        ))),
        Err(TryLockError::Error(error)) => Err(Fault::broken(format!("cannot lock {}", path.display())).because(error)),
    }
}

/// Counts for `Options::statement_hook`.
struct Hook {
    hook: Option<StatementHook>,
    count: AtomicU64,
}

impl Hook {
    fn call(&self) {
        if let Some(hook) = &self.hook {
            hook(self.count.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }
}

impl From<Fault> for Rejected {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Stopped> for Rejected {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Conflict => Self::Conflict,
            Stopped::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("what this was decided upon has changed"),
            Self::Refused(refusal) => f.write_str(refusal.sentence()),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Rejected {}
