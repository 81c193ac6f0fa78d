//! PostgreSQL, or what speaks its protocol. Writing connections are SERIALIZABLE, so that a guard which
//! only reads holds too; a failed serialization sends the batch again. Reading ones are READ COMMITTED.

use std::fmt::{self, Write as _};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::{Client, ClientWrapper, Hook as PoolHook, HookError, Manager, ManagerConfig, Object};
use deadpool_postgres::{Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Config, Error, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::announcement::{Announcement, Told};
use crate::batch::{Batch, Stopped, Value};
use crate::row::{Cell, Row};
use crate::{Fault, Hook, Options, Rejected, connection_url, migrate};

mod listener;

/// How often a batch is sent, with a quarter of a second of waiting in all.
const ATTEMPTS: u32 = 8;
/// How many of these run beside others of this process. PostgreSQL notes what was read by the page, so two
/// that touch the same page of a small index may fail by turns for ever; alone, one of them gets through.
const ATTEMPTS_TOGETHER: u32 = 2;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a connection to be free, before a caller is told that we are busy.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a server that is gone without a word. The server's own limits, below, are shorter.
const TIMEOUT: Duration = Duration::from_secs(20);

const NOTIFY: &str = "SELECT pg_notify('waypass', $1)";
const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";
/// An acknowledged write is on disk, whatever the server's default. A transaction that lost its client ends.
const WRITER: &str = "SET statement_timeout = 5000; SET idle_in_transaction_session_timeout = 10000; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
const READER: &str = "SET statement_timeout = 5000; \
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY";

pub(crate) struct Postgres {
    readers: Lane,
    writers: Lane,
    writer: Arc<Writer>,
    /// Hears what other processes announce.
    listener: Option<AbortHandle>,
}

struct Writer {
    pool: Pool,
    /// One for each connection. Who takes them all runs alone.
    turns: Semaphore,
    all_turns: u32,
    hook: Hook,
}

/// A pool, and places for those who wait for it.
struct Lane {
    pool: Pool,
    places: Arc<Semaphore>,
    all_places: u32,
}

/// Why the database gave no answer to a batch or a read.
enum Failure {
    /// Nothing happened; another attempt may fare better.
    Again(Fault),
    Broken(Fault),
}

impl Postgres {
    pub(crate) async fn open(url: &str, options: &Options, hook: Hook, told: &Told) -> Result<Self, Fault> {
        let (mut config, tls) = connection_url::parse(url)?;
        config
            .application_name("waypass")
            .keepalives_idle(Duration::from_secs(30));
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let writers = Lane::new(&config, &tls, WRITER, options)?;
        let readers = Lane::new(&config, &tls, READER, options)?;

        if !options.read_only {
            let migrating = Object::take(writers.pool.get().await.map_err(not_connected)?);
            migrate::on_postgres(&migrating, options.migrations).await?;
        }

        let (turns, all_turns) = places(options.connections);
        let writer = Arc::new(Writer {
            pool: writers.pool.clone(),
            turns,
            all_turns,
            hook,
        });
        let listener = (!options.read_only).then(|| listener::start(config, tls, told.clone()));
        Ok(Self {
            readers,
            writers,
            writer,
            listener,
        })
    }

    pub(crate) async fn rows(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, Fault> {
        let _place = self.readers.places.try_acquire().map_err(|error| no_place(&error))?;
        let mut last = silent();
        for _ in 0..ATTEMPTS {
            let client = self.readers.pool.get().await.map_err(not_connected)?;
            let found = timeout(TIMEOUT, read(&client, sql, &args)).await;
            match found.unwrap_or_else(|_| Err(Failure::Broken(silent()))) {
                Ok(rows) => return Ok(rows),
                Err(Failure::Again(fault)) => last = fault,
                Err(Failure::Broken(fault)) => {
                    drop(Object::take(client));
                    return Err(fault);
                }
            }
        }
        Err(last)
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), Rejected> {
        let place = Arc::clone(&self.writers.places)
            .try_acquire_owned()
            .map_err(|error| no_place(&error))?;
        let writer = Arc::clone(&self.writer);
        // A task of its own: whoever asked may go away, and no transaction may be left half sent.
        let task = tokio::spawn(async move {
            let outcome = writer.write(&batch).await;
            drop(place);
            outcome
        });
        task.await
            .map_err(|error| Fault::broken("a write was cut short").because(error))?
    }

    pub(crate) async fn close(&self) {
        self.listener.as_ref().inspect(|listener| listener.abort());
        for lane in [&self.writers, &self.readers] {
            // All places free: nobody is at work. An error means that it is closed already.
            let _ = lane.places.acquire_many(lane.all_places).await;
            lane.places.close();
            lane.pool.close();
        }
    }
}

impl Lane {
    fn new(config: &Config, tls: &MakeRustlsConnect, session: &'static str, options: &Options) -> Result<Self, Fault> {
        // Fast: a connection that is known to be closed is not handed out, and no question is asked of one
        // that seems open. What fails on it is tried on another.
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config.clone(), tls.clone(), recycling);
        let set_up = PoolHook::async_fn(move |client: &mut ClientWrapper, _| {
            Box::pin(async move { client.batch_execute(session).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .post_create(set_up)
            .build()
            .map_err(|error| Fault::broken("cannot make a pool of connections").because(error))?;
        let (places, all_places) = places(options.queue);
        Ok(Self {
            pool,
            places: Arc::new(places),
            all_places,
        })
    }
}

fn places(number: usize) -> (Semaphore, u32) {
    let number = u32::try_from(number.max(1)).unwrap_or(u32::MAX);
    (Semaphore::new(number as usize), number)
}

impl Writer {
    async fn write(&self, batch: &Batch) -> Result<(), Rejected> {
        let mut last = silent();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(Duration::from_millis(1 << attempt)).await;
            }
            let turns = if attempt < ATTEMPTS_TOGETHER { 1 } else { self.all_turns };
            let _turns = timeout(WAIT_TIMEOUT, self.turns.acquire_many(turns))
                .await
                .map_err(|_| busy())?;
            let client = self.pool.get().await.map_err(not_connected)?;
            let outcome = timeout(TIMEOUT, transaction(&client, &self.hook, batch)).await;
            match outcome.unwrap_or_else(|_| Err(Failure::Broken(silent()))) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(stopped)) => {
                    roll_back(client).await;
                    return Err(stopped.into());
                }
                Err(Failure::Again(fault)) => {
                    roll_back(client).await;
                    last = fault;
                }
                Err(Failure::Broken(fault)) => {
                    // It met what nobody expected, so it is not used again.
                    drop(Object::take(client));
                    return Err(fault.into());
                }
            }
        }
        Err(last.into())
    }
}

/// Two round trips: BEGIN and all statements, then COMMIT. What follows a guard that failed has run too, so
/// the answers are judged in order: an error behind a failed guard is its consequence.
async fn transaction(client: &Client, hook: &Hook, batch: &Batch) -> Result<Result<(), Stopped>, Failure> {
    let begin = client.prepare_cached(BEGIN).await?;
    let prepared = all(batch
        .statements
        .iter()
        .map(|statement| prepare(client, statement.sql, &statement.args)))
    .await;
    let prepared = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;

    let statements = prepared
        .iter()
        .zip(&batch.statements)
        .map(|(plan, statement)| (plan, statement.args.as_slice()));
    let sent = std::iter::once((&begin, [].as_slice())).chain(statements);
    let answers = all(sent.map(|(plan, args)| client.execute_raw(plan, args.iter().map(Argument)))).await;

    let mut answers = answers.into_iter();
    answers.next().transpose()?;
    for (answer, statement) in answers.zip(&batch.statements) {
        // The count in the answer's tag: rows affected, or returned by a SELECT.
        let rows = answer?;
        hook.call();
        if let Err(stopped) = statement.check(rows) {
            return Ok(Err(stopped));
        }
    }
    announce(client, &batch.announcements).await?;
    hook.call();
    client.batch_execute("COMMIT").await.map_err(at_commit)?;
    hook.call();
    Ok(Ok(()))
}

/// Heard by every process when, and if, the transaction stands.
async fn announce(client: &Client, announcements: &[Announcement]) -> Result<(), Failure> {
    for announcement in announcements {
        let plan = client.prepare_cached(NOTIFY).await?;
        client.execute(&plan, &[&announcement.to_text()]).await?;
    }
    Ok(())
}

async fn roll_back(client: Client) {
    let rolled_back = timeout(CONNECT_TIMEOUT, client.batch_execute("ROLLBACK")).await;
    if !matches!(rolled_back, Ok(Ok(()))) {
        drop(Object::take(client));
    }
}

async fn read(client: &Client, sql: &str, args: &[Value]) -> Result<Vec<Row>, Failure> {
    let plan = prepare(client, sql, args).await?;
    let args: Vec<_> = args.iter().map(Argument).collect();
    let args: Vec<_> = args.iter().map(|argument| argument as &(dyn ToSql + Sync)).collect();
    let rows = client.query(&plan, &args).await?;
    Ok(rows.iter().map(decode).collect::<Result<_, _>>()?)
}

/// The types come from the arguments. Left to PostgreSQL, `$1 = 1` would make the first one 32 bits wide.
async fn prepare(client: &Client, sql: &str, args: &[Value]) -> Result<Statement, Error> {
    let types: Vec<_> = args
        .iter()
        .map(|value| match value {
            Value::Text(_) => Type::TEXT,
            Value::Int(_) => Type::INT8,
        })
        .collect();
    client.prepare_typed_cached(sql, &types).await
}

fn decode(row: &tokio_postgres::Row) -> Result<Row, Error> {
    let cells = row.columns().iter().enumerate().map(|(index, column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Cell::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(|int| Cell::Int(int.into())),
            Type::BOOL => row
                .try_get::<_, Option<bool>>(index)?
                .map(|flag| Cell::Int(flag.into())),
            _ => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
        }
        .unwrap_or(Cell::Null))
    });
    Ok(Row::new(cells.collect::<Result<_, _>>()?))
}

/// All at once. They are first polled in order, which is when tokio-postgres sends, so they run in order.
async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut waiting {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}

/// Its `Debug` says nothing, since tokio-postgres logs arguments at debug level.
struct Argument<'a>(&'a Value);

impl fmt::Debug for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl ToSql for Argument<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Text(text) => text.to_sql(ty, out),
            Value::Int(int) => int.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TEXT | Type::INT8)
    }

    to_sql_checked!();
}

/// Anywhere but at COMMIT: nothing happened.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(code) if is_serialization(code) => Self::Again(contended()),
            // Of two that insert the same, one may meet the other's row before its own guard meets it.
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Again(error.into()),
            // The server is going away, or is gone.
            Some(code) if code.code().starts_with("57P") => Self::Again(error.into()),
            None if error.is_closed() || is_io(&error) => Self::Again(error.into()),
            _ => Self::Broken(error.into()),
        }
    }
}

/// Only where the server says that it has rolled back is the batch sent again.
fn at_commit(error: Error) -> Failure {
    if error.code().is_some_and(is_serialization) {
        Failure::Again(contended())
    } else {
        Failure::Broken(Fault::from(error))
    }
}

fn is_serialization(code: &SqlState) -> bool {
    [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
}

fn is_io(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// PostgreSQL puts values into details, and into messages about data and constraints: those are left out.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let Some(report) = error.as_db_error() else {
            return Self::broken("PostgreSQL could not be asked").because(error);
        };
        let code = report.code().code();
        let mut what = format!("PostgreSQL reports {code}");
        for name in [report.table(), report.column(), report.constraint()]
            .into_iter()
            .flatten()
        {
            let _ = write!(what, " {name}");
        }
        if !["22", "23", "P0"].iter().any(|class| code.starts_with(class)) {
            let _ = write!(what, ": {}", report.message());
        }
        Self::broken(what)
    }
}

fn not_connected(error: PoolError) -> Fault {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => busy(),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
        PoolError::Closed => Fault::broken("the database is closed"),
        error => Fault::broken("cannot connect to PostgreSQL").because(error),
    }
}

fn no_place(error: &TryAcquireError) -> Fault {
    match error {
        TryAcquireError::NoPermits => busy(),
        TryAcquireError::Closed => Fault::broken("the database is closed"),
    }
}

fn busy() -> Fault {
    Fault::busy("too many waiting for the database")
}

fn contended() -> Fault {
    Fault::busy("others kept writing what this batch reads")
}

fn silent() -> Fault {
    Fault::broken("PostgreSQL did not answer in time")
}
