//! The schema, brought up to date at start under a lock, all pending migrations in one transaction. A
//! migration that was applied never changes; a database newer than this program is left alone.

use protocol::digest::Digest;
use rusqlite::{Connection, TransactionBehavior};

use crate::{Fault, postgres, sqlite};

/// Version, name and text, in ascending order of version.
pub type Migration = (u32, &'static str, &'static str);

/// One text for both databases: TEXT and BIGINT only.
pub const MIGRATIONS: &[Migration] = &[(1, "device_grant", include_str!("../migrations/0001_device_grant.sql"))];

// No time column: time comes from the server's clock, and nothing here needs to know when.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL)";
const APPLIED: &str = "SELECT version, name, digest FROM schema_migration ORDER BY version";
const RECORD: &str = "INSERT INTO schema_migration (version, name, digest) VALUES ($1, $2, $3)";

/// Any number that nothing else in the database takes: the name of our advisory lock.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7308604757)";

type Applied = (i64, String, String);

pub(crate) fn on_sqlite(connection: &mut Connection, known: &'static [Migration]) -> Result<(), Fault> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite::fault)?;
    transaction.execute_batch(CREATE).map_err(sqlite::fault)?;
    let applied = transaction
        .prepare(APPLIED)
        .and_then(|mut statement| {
            statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(sqlite::fault)?;
    for (version, name, text) in pending(&applied, known)? {
        transaction
            .execute_batch(text)
            .and_then(|()| transaction.execute(RECORD, (*version, *name, digest(text))))
            .map_err(|error| failed(*version, name).because(error))?;
    }
    transaction.commit().map_err(sqlite::fault)
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
