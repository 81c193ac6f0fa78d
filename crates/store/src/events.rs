//! Table `event`. An event is written in the batch of the change that it records.

use protocol::event::Event;
use protocol::time::Timestamp;
use serde_json::Value as Json;

use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const INSERT: &str = "INSERT INTO event (id, at, action, outcome, request_id, grant_id, client_id, approver_id, detail)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const AFTER: &str = "SELECT id, at, action, outcome, request_id, grant_id, client_id, approver_id, detail FROM event
    WHERE id > $1 ORDER BY id LIMIT $2";
const OF_REQUEST: &str =
    "SELECT id, at, action, outcome, request_id, grant_id, client_id, approver_id, detail FROM event
    WHERE id > $1 AND request_id = $2 ORDER BY id LIMIT $3";
const LAST: &str = "SELECT id, at, action, outcome, request_id, grant_id, client_id, approver_id, detail FROM event
    ORDER BY id DESC LIMIT $1";

/// An event as it is read back: its action is text, since an older or newer release may have written it.
pub struct StoredEvent {
    pub id: String,
    pub at: Timestamp,
    pub action: String,
    pub outcome: String,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
    pub client_id: Option<String>,
    pub approver_id: Option<String>,
    pub detail: Json,
}

impl Store {
    /// Oldest first.
    pub async fn events_after(&self, id: &str, limit: i64) -> Result<Vec<StoredEvent>, Fault> {
        self.rows(AFTER, args![id, limit]).await?.iter().map(event).collect()
    }

    /// Of one request, oldest first. Its id says when it was made, and nothing is recorded of it before: what is
    /// older is not read.
    pub async fn events_of_request(&self, request_id: &str, limit: i64) -> Result<Vec<StoredEvent>, Fault> {
        const TIME: usize = "018bcfe5-6800".len();
        let since: String = request_id.chars().take(TIME).collect();
        let rows = self.rows(OF_REQUEST, args![since, request_id, limit]).await?;
        rows.iter().map(event).collect()
    }

    /// The newest ones, oldest first.
    pub async fn last_events(&self, limit: i64) -> Result<Vec<StoredEvent>, Fault> {
        let rows = self.rows(LAST, args![limit]).await?;
        rows.iter().rev().map(event).collect()
    }
}

impl Batch {
    pub fn record(self, event: &Event) -> Result<Self, Fault> {
        let arguments = args![
            &*event.id,
            event.at.millis(),
            event.action.as_str(),
            event.outcome,
            event.request_id.as_deref(),
            event.grant_id.as_deref(),
            event.client_id.as_deref(),
            event.approver_id.as_deref(),
            to_json(&event.detail)?,
        ];
        Ok(self.any(INSERT, arguments))
    }
}

fn event(row: &Row) -> Result<StoredEvent, Fault> {
    Ok(StoredEvent {
        id: row.text(0)?,
        at: Timestamp::from_millis(row.int(1)?),
        action: row.text(2)?,
        outcome: row.text(3)?,
        request_id: row.maybe_text(4)?,
        grant_id: row.maybe_text(5)?,
        client_id: row.maybe_text(6)?,
        approver_id: row.maybe_text(7)?,
        detail: from_json(&row.text(8)?)?,
    })
}
