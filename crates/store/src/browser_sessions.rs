//! Tables `browser_session` and `ceremony`: who is signed in, and passkey ceremonies under way.

use protocol::approver::SignInMethod;
use protocol::digest::Digest;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use serde_json::Value as Json;

use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const BY_TOKEN: &str =
    "SELECT id, approver_id, user_agent, address, created_at, expires_at, method FROM browser_session
    WHERE token_digest = $1 AND expires_at > $2";
const OF_APPROVER: &str =
    "SELECT id, approver_id, user_agent, address, created_at, expires_at, method FROM browser_session
    WHERE approver_id = $1 AND expires_at > $2 ORDER BY created_at DESC";
const INSERT: &str = "INSERT INTO browser_session
    (id, token_digest, approver_id, user_agent, address, created_at, expires_at, method)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const END: &str = "DELETE FROM browser_session WHERE id = $1 AND approver_id = $2";
const END_ALL: &str = "DELETE FROM browser_session WHERE approver_id = $1";
const END_UPSTREAM: &str = "DELETE FROM browser_session WHERE approver_id = $1 AND method <> 'passkey'";
const BEGIN_CEREMONY: &str = "INSERT INTO ceremony (id, content, expires_at) VALUES ($1, $2, $3)";
const CEREMONY: &str = "SELECT content FROM ceremony WHERE id = $1 AND expires_at > $2";
const END_CEREMONY: &str = "DELETE FROM ceremony WHERE id = $1";

#[derive(Clone, Debug)]
pub struct BrowserSession {
    pub id: String,
    pub approver_id: String,
    pub user_agent: String,
    pub address: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub method: SignInMethod,
}

impl Store {
    pub async fn browser_session(&self, token: &Digest, now: Timestamp) -> Result<Option<BrowserSession>, Fault> {
        self.row(BY_TOKEN, args![token.as_str(), now.millis()])
            .await?
            .as_ref()
            .map(session)
            .transpose()
    }

    pub async fn browser_sessions(&self, approver_id: &str, now: Timestamp) -> Result<Vec<BrowserSession>, Fault> {
        self.rows(OF_APPROVER, args![approver_id, now.millis()])
            .await?
            .iter()
            .map(session)
            .collect()
    }

    /// What a passkey ceremony began with.
    pub async fn ceremony(&self, id: &str, now: Timestamp) -> Result<Option<Json>, Fault> {
        let row = self.row(CEREMONY, args![id, now.millis()]).await?;
        row.map(|row| from_json(&row.text(0)?)).transpose()
    }
}

impl Batch {
    pub fn begin_browser_session(self, session: &BrowserSession, token: &Digest) -> Self {
        let arguments = args![
            &*session.id,
            token.as_str(),
            &*session.approver_id,
            &*session.user_agent,
            session.address.as_deref(),
            session.created_at.millis(),
            session.expires_at.millis(),
            session.method.as_str(),
        ];
        self.any(INSERT, arguments)
    }

    /// One that has ended already, or was never theirs, leaves nothing to end.
    pub fn end_browser_session(self, id: &str, approver_id: &str) -> Self {
        self.any(END, args![id, approver_id])
    }

    pub fn end_browser_sessions(self, approver_id: &str) -> Self {
        self.any(END_ALL, args![approver_id])
    }

    /// Those that stand on an upstream identity.
    pub fn end_upstream_sessions(self, approver_id: &str) -> Self {
        self.any(END_UPSTREAM, args![approver_id])
    }

    pub fn begin_ceremony(self, id: &str, content: &Json, expires_at: Timestamp) -> Result<Self, Fault> {
        Ok(self.any(BEGIN_CEREMONY, args![id, to_json(content)?, expires_at.millis()]))
    }

    /// One use: of two answers to one ceremony the second finds none.
    pub fn end_ceremony(self, id: &str) -> Self {
        self.one(END_CEREMONY, args![id], Refusal::PasskeyInvalid)
    }

    /// The same for a sign-in through an upstream provider.
    pub fn end_upstream_ceremony(self, id: &str) -> Self {
        self.one(END_CEREMONY, args![id], Refusal::UpstreamSignInInvalid)
    }
}

fn session(row: &Row) -> Result<BrowserSession, Fault> {
    Ok(BrowserSession {
        id: row.text(0)?,
        approver_id: row.text(1)?,
        user_agent: row.text(2)?,
        address: row.maybe_text(3)?,
        created_at: Timestamp::from_millis(row.int(4)?),
        expires_at: Timestamp::from_millis(row.int(5)?),
        method: SignInMethod::from_stored(&row.text(6)?)
            .ok_or_else(|| Fault::broken("a stored browser session does not decode"))?,
    })
}
