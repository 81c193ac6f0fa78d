//! Table `access_grant`.

use std::collections::HashMap;

use protocol::grant::{Grant, Origin};
use protocol::time::Timestamp;

use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const BY_ID: &str = "SELECT id, request_id, client_id, subject, scope, resource, jkt, acr, amr, auth_time, created_at,
    expires_at, ended_at, ended_because, version, instance_id, origin,
    authorization_details, x5t, runs_left FROM access_grant WHERE id = $1";
const OF_SUBJECT: &str =
    "SELECT id, request_id, client_id, subject, scope, resource, jkt, acr, amr, auth_time, created_at,
    expires_at, ended_at, ended_because, version, instance_id, origin,
    authorization_details, x5t, runs_left FROM access_grant
    WHERE subject = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC";
const RECENT: &str = "SELECT id, request_id, client_id, subject, scope, resource, jkt, acr, amr, auth_time, created_at,
    expires_at, ended_at, ended_because, version, instance_id, origin,
    authorization_details, x5t, runs_left FROM access_grant ORDER BY created_at DESC, id DESC LIMIT $1";
const INSERT: &str = "INSERT INTO access_grant (id, request_id, client_id, subject, scope, resource, jkt, acr, amr,
    auth_time, created_at, expires_at, version, instance_id, origin, authorization_details, x5t,
    runs_left)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15, $16, $17)";
const END: &str = "UPDATE access_grant SET ended_at = $3, ended_because = $4, version = version + 1
    WHERE id = $1 AND version = $2 AND ended_at IS NULL";
const OF_CLIENT: &str =
    "SELECT id, request_id, client_id, subject, scope, resource, jkt, acr, amr, auth_time, created_at,
    expires_at, ended_at, ended_because, version, instance_id, origin,
    authorization_details, x5t, runs_left FROM access_grant
    WHERE client_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC";
const OF_INSTANCE: &str =
    "SELECT id, request_id, client_id, subject, scope, resource, jkt, acr, amr, auth_time, created_at,
    expires_at, ended_at, ended_because, version, instance_id, origin,
    authorization_details, x5t, runs_left FROM access_grant
    WHERE instance_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC";
const LAST_OF_CLIENTS: &str = "SELECT client_id, origin, MAX(created_at) FROM access_grant GROUP BY client_id, origin";
const BIND: &str = "UPDATE access_grant SET jkt = $3, x5t = $4, version = version + 1 WHERE id = $1 AND version = $2";
const RUN: &str =
    "UPDATE access_grant SET runs_left = runs_left - 1 WHERE id = $1 AND runs_left = $2 AND ended_at IS NULL";
const UNCHANGED: &str = "SELECT 1 FROM access_grant WHERE id = $1 AND version = $2";

impl Store {
    pub async fn grant(&self, id: &str) -> Result<Option<Grant>, Fault> {
        self.row(BY_ID, args![id]).await?.as_ref().map(grant).transpose()
    }

    /// Live ones, newest first.
    pub async fn grants_of(&self, approver_id: &str, now: Timestamp) -> Result<Vec<Grant>, Fault> {
        self.rows(OF_SUBJECT, args![approver_id, now.millis()])
            .await?
            .iter()
            .map(grant)
            .collect()
    }

    /// Live ones, newest first.
    pub async fn grants_of_client(&self, client_id: &str, now: Timestamp) -> Result<Vec<Grant>, Fault> {
        self.rows(OF_CLIENT, args![client_id, now.millis()])
            .await?
            .iter()
            .map(grant)
            .collect()
    }

    /// Live ones, newest first.
    pub async fn grants_of_instance(&self, instance_id: &str, now: Timestamp) -> Result<Vec<Grant>, Fault> {
        self.rows(OF_INSTANCE, args![instance_id, now.millis()])
            .await?
            .iter()
            .map(grant)
            .collect()
    }

    /// When each client last got a grant of each origin.
    pub async fn last_grants(&self) -> Result<HashMap<(String, Origin), Timestamp>, Fault> {
        let rows = self.rows(LAST_OF_CLIENTS, args![]).await?;
        let last = |row: &Row| {
            Ok((
                (row.text(0)?, origin(&row.text(1)?)?),
                Timestamp::from_millis(row.int(2)?),
            ))
        };
        rows.iter().map(last).collect()
    }

    /// Newest first, ended ones too.
    pub async fn recent_grants(&self, limit: i64) -> Result<Vec<Grant>, Fault> {
        self.rows(RECENT, args![limit]).await?.iter().map(grant).collect()
    }
}

impl Batch {
    pub fn begin_grant(self, grant: &Grant) -> Result<Self, Fault> {
        let arguments = args![
            &*grant.id,
            grant.request_id.as_deref(),
            &*grant.client_id,
            &*grant.subject,
            &*grant.scope,
            to_json(&grant.resource)?,
            grant.jkt.as_deref(),
            &*grant.acr,
            to_json(&grant.amr)?,
            grant.auth_time.millis(),
            grant.created_at.millis(),
            grant.expires_at.millis(),
            grant.instance_id.as_deref(),
            grant.origin.as_str(),
            to_json(&grant.authorization_details)?,
            grant.x5t.as_deref(),
            grant.runs_left,
        ];
        Ok(self.any(INSERT, arguments))
    }

    pub fn end_grant(self, grant: &Grant, because: &str, now: Timestamp) -> Self {
        self.guard(END, args![&*grant.id, grant.version, now.millis(), because])
    }

    /// Its tokens are bound to another key of its instance, or another certificate of its client, from now on.
    pub fn bind_grant(self, grant: &Grant) -> Self {
        self.guard(
            BIND,
            args![&*grant.id, grant.version, grant.jkt.as_deref(), grant.x5t.as_deref()],
        )
    }

    /// Of any number that run the command at once, each uses up one of its runs: `grant` is as it was before this one.
    pub fn run_again(self, grant: &Grant) -> Self {
        self.guard(RUN, args![&*grant.id, grant.runs_left])
    }

    pub fn grant_is_unchanged(self, grant: &Grant) -> Self {
        self.guard(UNCHANGED, args![&*grant.id, grant.version])
    }
}

fn grant(row: &Row) -> Result<Grant, Fault> {
    Ok(Grant {
        id: row.text(0)?,
        origin: origin(&row.text(16)?)?,
        request_id: row.maybe_text(1)?,
        client_id: row.text(2)?,
        subject: row.text(3)?,
        scope: row.text(4)?,
        resource: from_json(&row.text(5)?)?,
        authorization_details: from_json(&row.text(17)?)?,
        jkt: row.maybe_text(6)?,
        x5t: row.maybe_text(18)?,
        acr: row.text(7)?,
        amr: from_json(&row.text(8)?)?,
        auth_time: Timestamp::from_millis(row.int(9)?),
        created_at: Timestamp::from_millis(row.int(10)?),
        expires_at: Timestamp::from_millis(row.int(11)?),
        ended_at: row.maybe_int(12)?.map(Timestamp::from_millis),
        ended_because: row.maybe_text(13)?,
        runs_left: row.maybe_int(19)?,
        version: row.int(14)?,
        instance_id: row.maybe_text(15)?,
    })
}

fn origin(name: &str) -> Result<Origin, Fault> {
    Origin::named(name).ok_or_else(|| Fault::broken("a grant of unknown origin"))
}
