//! The schema, brought up to date at start under a lock, all pending migrations in one transaction. A
//! migration that was applied never changes; a database newer than this program is left alone.

use protocol::digest::Digest;
use rusqlite::{Connection, TransactionBehavior};
use tokio_postgres::Client;

use crate::Fault;

/// Version, name and text, in ascending order of version.
pub type Migration = (u32, &'static str, &'static str);

/// One text for both databases: TEXT and BIGINT only.
pub const MIGRATIONS: &[Migration] = &[
    (1, "device_grant", include_str!("../migrations/0001_device_grant.sql")),
    (2, "instances", include_str!("../migrations/0002_instances.sql")),
    (3, "bound", include_str!("../migrations/0003_bound.sql")),
    (4, "inbox", include_str!("../migrations/0004_inbox.sql")),
    (5, "notices", include_str!("../migrations/0005_notices.sql")),
    (6, "runs", include_str!("../migrations/0006_runs.sql")),
];

// No time column: time comes from the server's clock, and nothing here needs to know when.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL)";
const APPLIED: &str = "SELECT version, name, digest FROM schema_migration ORDER BY version";
const RECORD: &str = "INSERT INTO schema_migration (version, name, digest) VALUES ($1, $2, $3)";

/// The lock's name is any number that nothing else in the database takes. Whoever waits for it, or for a
/// long migration, is in no hurry.
const LOCK: &str = "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7308604757)";

type Applied = (i64, String, String);

pub(crate) fn on_sqlite(connection: &mut Connection, known: &'static [Migration]) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(CREATE)?;
    let applied = transaction
        .prepare(APPLIED)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (version, name, text) in pending(&applied, known)? {
        transaction
            .execute_batch(text)
            .and_then(|()| transaction.execute(RECORD, (*version, *name, digest(text))))
            .map_err(|error| failed(*version, name).because(error))?;
    }
    Ok(transaction.commit()?)
}

/// `client` is not to be used again after a Fault: the transaction ends with its connection.
pub(crate) async fn on_postgres(client: &Client, known: &'static [Migration]) -> Result<(), Fault> {
    client.batch_execute(LOCK).await?;
    client.batch_execute(CREATE).await?;
    let rows = client.query(APPLIED, &[]).await?;
    let applied = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect::<Result<Vec<_>, Fault>>()?;
    for (version, name, text) in pending(&applied, known)? {
        let record = async {
            client.batch_execute(text).await?;
            client
                .execute(RECORD, &[&i64::from(*version), name, &digest(text)])
                .await
        };
        record
            .await
            .map_err(|error| failed(*version, name).because(Fault::from(error)))?;
    }
    Ok(client.batch_execute("COMMIT").await?)
}

fn pending(applied: &[Applied], known: &'static [Migration]) -> Result<&'static [Migration], Fault> {
    if let Some((version, name, _)) = applied.get(known.len()) {
        return Err(Fault::broken(format!(
            "the database is newer than this program: it has migration {version} ({name}), which is unknown here"
        )));
    }
    for ((version, name, text), (applied_version, applied_name, applied_digest)) in known.iter().zip(applied) {
        if i64::from(*version) != *applied_version || digest(text) != *applied_digest {
            return Err(Fault::broken(format!(
                "migration {version} ({name}) is not the one applied to this database as {applied_version} ({applied_name})"
            )));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

fn digest(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str().to_owned()
}

fn failed(version: u32, name: &str) -> Fault {
    Fault::broken(format!("migration {version} ({name}) failed"))
}
