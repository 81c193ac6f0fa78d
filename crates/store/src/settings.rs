//! Tables `setting` and `signing_key`: what belongs to the server itself.

use protocol::time::Timestamp;

use crate::batch::args;
use crate::{Batch, Fault, Row, Store};

const SETTING: &str = "SELECT content FROM setting WHERE name = $1";
const SET_ONCE: &str = "INSERT INTO setting (name, content) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const KEYS: &str = "SELECT kid, alg, state, sealed, created_at, retires_at FROM signing_key ORDER BY created_at, kid";
const ADD_KEY: &str = "INSERT INTO signing_key (kid, alg, state, sealed, created_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING";
const MOVE_KEY: &str = "UPDATE signing_key SET state = $3, retires_at = $4 WHERE kid = $1 AND state = $2";

/// A signing key as stored: the private part sealed under the key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    pub kid: String,
    pub alg: String,
    /// `next`, `active` or `retiring`; at most one key of an algorithm is active, and one next.
    pub state: String,
    pub sealed: String,
    pub created_at: Timestamp,
    /// When the row is deleted; only of a retiring key.
    pub retires_at: Option<Timestamp>,
}

impl Store {
    pub async fn setting(&self, name: &str) -> Result<Option<String>, Fault> {
        self.row(SETTING, args![name]).await?.map(|row| row.text(0)).transpose()
    }

    /// Retiring ones too, oldest first.
    pub async fn signing_keys(&self) -> Result<Vec<SealedKey>, Fault> {
        self.rows(KEYS, args![]).await?.iter().map(sealed_key).collect()
    }
}

impl Batch {
    /// The first writer wins; a second one's value is dropped.
    pub fn set_once(self, name: &str, content: &str) -> Self {
        self.any(SET_ONCE, args![name, content])
    }

    /// Conflict when another node added a key of this algorithm in this state meanwhile.
    pub fn add_signing_key(self, key: &SealedKey) -> Self {
        self.guard(
            ADD_KEY,
            args![&*key.kid, &*key.alg, &*key.state, &*key.sealed, key.created_at.millis()],
        )
    }

    /// Conflict when another node moved it meanwhile.
    pub fn move_signing_key(self, kid: &str, from: &str, to: &str, retires_at: Option<Timestamp>) -> Self {
        self.guard(MOVE_KEY, args![kid, from, to, retires_at.map(Timestamp::millis)])
    }
}

fn sealed_key(row: &Row) -> Result<SealedKey, Fault> {
    Ok(SealedKey {
        kid: row.text(0)?,
        alg: row.text(1)?,
        state: row.text(2)?,
        sealed: row.text(3)?,
        created_at: Timestamp::from_millis(row.int(4)?),
        retires_at: row.maybe_int(5)?.map(Timestamp::from_millis),
    })
}
