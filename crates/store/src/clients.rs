//! Table `client`.

use protocol::client::{Client, Registration};
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const BY_ID: &str = "SELECT client_id, registration, created_at, disabled_at, version FROM client
    WHERE client_id = $1 AND deleted_at IS NULL";
const ALL: &str = "SELECT client_id, registration, created_at, disabled_at, version FROM client
    WHERE deleted_at IS NULL ORDER BY client_id";
const INSERT: &str = "INSERT INTO client (client_id, registration, created_at, version) VALUES ($1, $2, $3, 1)
    ON CONFLICT DO NOTHING";
const CHANGE: &str = "UPDATE client SET registration = $3, version = version + 1
    WHERE client_id = $1 AND version = $2 AND deleted_at IS NULL";
const SET_DISABLED: &str = "UPDATE client SET disabled_at = $3, version = version + 1
    WHERE client_id = $1 AND version = $2 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE client SET deleted_at = $3, disabled_at = COALESCE(disabled_at, $3), version = version + 1
    WHERE client_id = $1 AND version = $2 AND deleted_at IS NULL";
const UNCHANGED: &str = "SELECT 1 FROM client WHERE client_id = $1 AND version = $2 AND deleted_at IS NULL";

impl Store {
    pub async fn client(&self, client_id: &str) -> Result<Option<Client>, Fault> {
        self.row(BY_ID, args![client_id])
            .await?
            .as_ref()
            .map(client)
            .transpose()
    }

    pub async fn clients(&self) -> Result<Vec<Client>, Fault> {
        self.rows(ALL, args![]).await?.iter().map(client).collect()
    }
}

impl Batch {
    /// Refused where the identifier was ever given before.
    pub fn add_client(self, client: &Client) -> Result<Self, Fault> {
        let registration = to_json(&client.registration)?;
        Ok(self.one(
            INSERT,
            args![&*client.client_id, registration, client.created_at.millis()],
            Refusal::ClientExists,
        ))
    }

    /// What the client is registered for becomes another; whoever decided upon the old text decides again.
    pub fn change_client(self, client: &Client, registration: &Registration) -> Result<Self, Fault> {
        Ok(self.guard(
            CHANGE,
            args![&*client.client_id, client.version, to_json(registration)?],
        ))
    }

    /// `Some` disables, `None` enables.
    pub fn set_client_disabled(self, client: &Client, disabled_at: Option<Timestamp>) -> Self {
        self.guard(
            SET_DISABLED,
            args![&*client.client_id, client.version, disabled_at.map(Timestamp::millis)],
        )
    }

    pub fn delete_client(self, client: &Client, now: Timestamp) -> Self {
        self.guard(DELETE, args![&*client.client_id, client.version, now.millis()])
    }

    /// The client is still as it was when something was decided upon it.
    pub fn client_is_unchanged(self, client: &Client) -> Self {
        self.guard(UNCHANGED, args![&*client.client_id, client.version])
    }
}

fn client(row: &Row) -> Result<Client, Fault> {
    Ok(Client {
        client_id: row.text(0)?,
        registration: from_json::<Registration>(&row.text(1)?)?,
        created_at: Timestamp::from_millis(row.int(2)?),
        disabled_at: row.maybe_int(3)?.map(Timestamp::from_millis),
        version: row.int(4)?,
    })
}
