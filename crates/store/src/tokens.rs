//! Tables `refresh_token`, `revoked_token` and `replay`. Access tokens have no row: they are checked by
//! their signature and their grant.

use protocol::digest::Digest;
use protocol::refresh::{State, StoredToken};
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::{Batch, Fault, Row, Store};

const BY_DIGEST: &str = "SELECT t.digest, t.grant_id, t.state, t.used_at, t.expires_at, t.version,
    s.digest, s.state, s.used_at
    FROM refresh_token t LEFT JOIN refresh_token s ON s.digest = t.successor WHERE t.digest = $1";
const INSERT: &str = "INSERT INTO refresh_token (digest, grant_id, state, expires_at, version)
    VALUES ($1, $2, 'unused', $3, 1)";
const USE: &str = "UPDATE refresh_token SET state = 'used', successor = $3, used_at = COALESCE(used_at, $4),
    version = version + 1 WHERE digest = $1 AND version = $2";
const VOID: &str =
    "UPDATE refresh_token SET state = 'voided', version = version + 1 WHERE digest = $1 AND state = 'unused'";
const REVOKE_ACCESS: &str = "INSERT INTO revoked_token (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const IS_REVOKED: &str = "SELECT 1 FROM revoked_token WHERE jti = $1";
const USE_ONCE: &str = "INSERT INTO replay (digest, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

impl Store {
    pub async fn refresh_token(&self, digest: &Digest) -> Result<Option<StoredToken>, Fault> {
        self.row(BY_DIGEST, args![digest.as_str()])
            .await?
            .as_ref()
            .map(token)
            .transpose()
    }

    pub async fn is_revoked(&self, jti: &str) -> Result<bool, Fault> {
        Ok(self.row(IS_REVOKED, args![jti]).await?.is_some())
    }
}

impl Batch {
    pub fn issue_refresh_token(self, digest: &Digest, grant_id: &str, expires_at: Timestamp) -> Self {
        self.any(INSERT, args![digest.as_str(), grant_id, expires_at.millis()])
    }

    /// Marks it used and names its newest successor; the time of the first use stays.
    pub fn use_refresh_token(self, token: &StoredToken, successor: &Digest, now: Timestamp) -> Self {
        self.guard(
            USE,
            args![token.digest.as_str(), token.version, successor.as_str(), now.millis()],
        )
    }

    /// Conflict when it was presented meanwhile.
    pub fn void_refresh_token(self, digest: &Digest) -> Self {
        self.guard(VOID, args![digest.as_str()])
    }

    pub fn revoke_access_token(self, jti: &str, expires_at: Timestamp) -> Self {
        self.any(REVOKE_ACCESS, args![jti, expires_at.millis()])
    }

    /// A proof or an assertion takes effect once.
    pub fn use_once(self, digest: &Digest, expires_at: Timestamp, replayed: Refusal) -> Self {
        self.one(USE_ONCE, args![digest.as_str(), expires_at.millis()], replayed)
    }
}

fn token(row: &Row) -> Result<StoredToken, Fault> {
    let successor = match row.maybe_text(6)? {
        Some(digest) => Some((Digest::from_stored(digest), state(&row.text(7)?, row.maybe_int(8)?)?)),
        None => None,
    };
    Ok(StoredToken {
        digest: Digest::from_stored(row.text(0)?),
        grant_id: row.text(1)?,
        state: state(&row.text(2)?, row.maybe_int(3)?)?,
        expires_at: Timestamp::from_millis(row.int(4)?),
        version: row.int(5)?,
        successor,
    })
}

fn state(name: &str, used_at: Option<i64>) -> Result<State, Fault> {
    match (name, used_at) {
        ("unused", None) => Ok(State::Unused),
        ("used", Some(at)) => Ok(State::Used {
            at: Timestamp::from_millis(at),
        }),
        ("voided", _) => Ok(State::Voided),
        _ => Err(Fault::broken("a refresh token's state does not decode")),
    }
}
