//! The embedded database. One thread writes, many batches with one sync; a few threads with read-only
//! connections read beside it. Nothing is answered before COMMIT.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OpenFlags};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, Value};
use crate::row::{Cell, Row};
use crate::{Fault, Hook, Options, Rejected, migrate};

/// The most batches that share one COMMIT, so that nobody waits long behind the others.
const GROUP: usize = 256;
/// Other programs (a backup) may hold the file for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Our statements are a few hundred constants; each is prepared once per connection.
const CACHED_STATEMENTS: usize = 512;

pub(crate) struct Sqlite {
    writer: mpsc::Sender<Write>,
    readers: mpsc::Sender<Read>,
}

enum Write {
    Batch(Batch, oneshot::Sender<Outcome>),
    Close(oneshot::Sender<()>),
}

struct Read {
    sql: &'static str,
    args: Vec<Value>,
    answer: oneshot::Sender<Result<Vec<Row>, Fault>>,
}

type Outcome = Result<(), Rejected>;

impl Sqlite {
    /// Blocking; called once, at start.
    pub(crate) fn open(options: &Options, hook: Hook) -> Result<Self, Fault> {
        let path = options.directory.join("waypass.db");
        let (writer, queue) = mpsc::channel(options.queue.max(1));
        if !options.read_only {
            let connection = Self::prepare(&path, options)?;
            spawn("sqlite-writer", move || Writer { connection, hook }.run(queue))?;
        }

        let (readers, queue) = mpsc::channel(options.queue.max(1));
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..options.connections.max(1) {
            let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let queue = Arc::clone(&queue);
            spawn("sqlite-reader", move || read_all(&connection, &queue))?;
        }
        Ok(Self { writer, readers })
    }

    /// The file, its mode and its schema.
    fn prepare(path: &Path, options: &Options) -> Result<Connection, Fault> {
        // Made here and not by SQLite, for its mode; the files beside it inherit that.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| Fault::broken(format!("cannot open {}", path.display())).because(error))?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrate::on_sqlite(&mut connection, options.migrations)?;
        Ok(connection)
    }

    pub(crate) async fn rows(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, Fault> {
        let (answer, answered) = oneshot::channel();
        self.readers
            .try_send(Read { sql, args, answer })
            .map_err(|error| not_queued(&error))?;
        answered.await.map_err(|_| closed())?
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Outcome {
        let (answer, answered) = oneshot::channel();
        self.writer
            .try_send(Write::Batch(batch, answer))
            .map_err(|error| not_queued(&error))?;
        answered.await.map_err(|_| closed())?
    }

    /// What was queued before this is written; what comes later is a Fault.
    pub(crate) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.writer.send(Write::Close(answer)).await.is_ok() {
            // An error means that the writer has ended already, which is what was asked for.
            let _ = answered.await;
        }
    }
}

fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // "A double-quoted word that names no column is a string" would hide a slip that PostgreSQL reports.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| Fault::broken("cannot start a database thread").because(error))
}

struct Writer {
    connection: Connection,
    hook: Hook,
}

impl Writer {
    fn run(self, mut queue: mpsc::Receiver<Write>) {
        while let Some(first) = queue.blocking_recv() {
            let mut next = Some(first);
            let mut group = Vec::new();
            let mut close = None;
            while let Some(write) = next {
                match write {
                    Write::Batch(batch, answer) => group.push((batch, answer)),
                    Write::Close(answer) => close = Some(answer),
                }
                next = if close.is_none() && group.len() < GROUP {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            self.write(group);
            if let Some(answer) = close {
                drop((self.connection, queue));
                // Whoever closed may have stopped waiting.
                let _ = answer.send(());
                return;
            }
        }
    }

    fn write(&self, group: Vec<(Batch, oneshot::Sender<Outcome>)>) {
        let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcomes = self.transaction(&batches).unwrap_or_else(|fault| {
            tracing::error!(
                error = &fault as &dyn std::error::Error,
                batches = batches.len(),
                "nothing was written"
            );
            // An error when SQLite has rolled back by itself already.
            let _ = self.connection.execute_batch("ROLLBACK");
            vec![Err(Rejected::Fault(fault)); batches.len()]
        });
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have stopped waiting; the write stands all the same.
            let _ = answer.send(outcome);
        }
    }

    /// `Err` is the fault of the whole group: refusals too were decided on what was then not written.
    fn transaction(&self, batches: &[Batch]) -> Result<Vec<Outcome>, Fault> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        self.execute("BEGIN IMMEDIATE")?;
        let outcomes = batches
            .iter()
            .map(|batch| self.savepoint(batch))
            .collect::<Result<_, _>>()?;
        self.hook.call();
        self.execute("COMMIT")?;
        self.hook.call();
        Ok(outcomes)
    }

    /// The inner result is this batch's own, the outer one ends the group.
    fn savepoint(&self, batch: &Batch) -> Result<Outcome, Fault> {
        self.execute("SAVEPOINT batch")?;
        let outcome = self.statements(batch);
        if outcome.is_err() {
            // Fails if SQLite has rolled back everything by itself, as it does when the disk is full.
            self.execute("ROLLBACK TO batch")?;
        }
        self.execute("RELEASE batch")?;
        Ok(outcome)
    }

    fn statements(&self, batch: &Batch) -> Outcome {
        for statement in &batch.statements {
            let rows = run(&self.connection, statement.sql, &statement.args).map_err(Fault::from)?;
            self.hook.call();
            statement.check(rows)?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<(), Fault> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

fn read_all(connection: &Connection, queue: &Mutex<mpsc::Receiver<Read>>) {
    // Whoever holds the lock waits for the next read, the other readers wait for the lock.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
    while let Some(Read { sql, args, answer }) = next() {
        // Whoever asked may have stopped waiting.
        let _ = answer.send(read(connection, sql, &args).map_err(Fault::from));
    }
}

fn read(connection: &Connection, sql: &str, args: &[Value]) -> rusqlite::Result<Vec<Row>> {
    let mut statement = bound(connection, sql, args)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Row::new(
            (0..columns).map(|column| cell(row, column)).collect::<Result<_, _>>()?,
        ));
    }
    Ok(found)
}

fn cell(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(int) => Cell::Int(int),
        _ => Cell::Text(row.get(column)?),
    })
}

/// The number of rows that a guard counts.
fn run(connection: &Connection, sql: &str, args: &[Value]) -> rusqlite::Result<u64> {
    let mut statement = bound(connection, sql, args)?;
    if statement.column_count() == 0 {
        return statement.raw_execute().map(|rows| rows as u64);
    }
    let mut rows = statement.raw_query();
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Arguments are bound by name, `$1` to the first one and so on. Bound by position, they would follow the
/// order in which the names appear: SQLite gives `VALUES ($3, $1, $2)` the first argument for `$3`.
fn bound<'a>(connection: &'a Connection, sql: &str, args: &[Value]) -> rusqlite::Result<CachedStatement<'a>> {
    let mut statement = connection.prepare_cached(sql)?;
    if statement.parameter_count() != args.len() {
        return Err(rusqlite::Error::InvalidParameterCount(
            args.len(),
            statement.parameter_count(),
        ));
    }
    for (number, value) in (1..).zip(args) {
        let name = format!("${number}");
        match value {
            Value::Text(text) => statement.raw_bind_parameter(name.as_str(), text)?,
            Value::Int(int) => statement.raw_bind_parameter(name.as_str(), int)?,
        }
    }
    Ok(statement)
}

/// SQLite's messages name tables and columns, never values.
impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::broken("the database failed").because(error)
    }
}

fn not_queued<T>(error: &TrySendError<T>) -> Fault {
    match error {
        TrySendError::Full(_) => Fault::busy("too many waiting for the database"),
        TrySendError::Closed(_) => closed(),
    }
}

fn closed() -> Fault {
    Fault::broken("the database is closed")
}
