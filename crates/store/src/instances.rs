//! Tables `instance`, `instance_key` and `handover`. A key that was ever enrolled stays here, so that it is
//! enrolled for nobody else.

use protocol::instance::Instance;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use serde_json::Value as Json;

use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const BY_KEY: &str = "SELECT i.id, i.client_id, i.owner, i.content, i.created_at, i.expires_at, i.last_seen_at,
    i.suspended_at, i.removed_at, i.version FROM instance i JOIN instance_key k ON k.instance_id = i.id
    WHERE k.thumbprint = $1 AND (k.retires_at IS NULL OR k.retires_at > $2)";
const KEY: &str =
    "SELECT thumbprint, public_key, added_at, retires_at, instance_id FROM instance_key WHERE thumbprint = $1";
const BY_ID: &str = "SELECT id, client_id, owner, content, created_at, expires_at, last_seen_at, suspended_at,
    removed_at, version FROM instance WHERE id = $1";
const ALL: &str = "SELECT id, client_id, owner, content, created_at, expires_at, last_seen_at, suspended_at,
    removed_at, version FROM instance ORDER BY id";
const OF_OWNER: &str = "SELECT id, client_id, owner, content, created_at, expires_at, last_seen_at, suspended_at,
    removed_at, version FROM instance WHERE owner = $1 AND removed_at IS NULL ORDER BY id";
const KEYS: &str = "SELECT thumbprint, public_key, added_at, retires_at FROM instance_key
    WHERE instance_id = $1 ORDER BY added_at, thumbprint";
const ALL_KEYS: &str = "SELECT thumbprint, public_key, added_at, retires_at, instance_id FROM instance_key
    ORDER BY added_at, thumbprint";
const INSERT: &str = "INSERT INTO instance (id, client_id, owner, content, created_at, expires_at, version)
    VALUES ($1, $2, $3, $4, $5, $6, 1)";
const INSERT_KEY: &str = "INSERT INTO instance_key (thumbprint, instance_id, public_key, added_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const RETIRE_KEYS: &str = "UPDATE instance_key SET retires_at = $3
    WHERE instance_id = $1 AND thumbprint <> $2 AND (retires_at IS NULL OR retires_at > $3)";
const CHANGE: &str = "UPDATE instance SET owner = $3, content = $4, expires_at = $5, suspended_at = $6,
    removed_at = $7, version = version + 1 WHERE id = $1 AND version = $2";
const UNCHANGED: &str = "SELECT 1 FROM instance WHERE id = $1 AND version = $2";
// No version: being seen changes nothing that anybody decides upon.
const SEEN: &str =
    "UPDATE instance SET last_seen_at = $2 WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < $2)";
const OFFER: &str = "INSERT INTO handover (instance_id, to_approver, from_address, offered_at, expires_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (instance_id) DO UPDATE SET to_approver = $2, from_address = $3, offered_at = $4, expires_at = $5";
const OFFERED_FROM: &str = "SELECT from_address FROM handover WHERE instance_id = $1";
const TAKE_OFFER: &str = "DELETE FROM handover WHERE instance_id = $1 AND to_approver = $2 AND expires_at > $3";
const WITHDRAW: &str = "DELETE FROM handover WHERE instance_id = $1";
const OFFERED_TO: &str = "SELECT i.id, i.client_id, i.owner, i.content, i.created_at, i.expires_at, i.last_seen_at,
    i.suspended_at, i.removed_at, i.version FROM instance i JOIN handover h ON h.instance_id = i.id
    WHERE h.to_approver = $1 AND h.expires_at > $2 AND i.removed_at IS NULL ORDER BY i.id";

/// A key of an instance.
pub struct InstanceKey {
    pub thumbprint: String,
    /// A JWK.
    pub public_key: Json,
    pub added_at: Timestamp,
    /// From then on it is refused.
    pub retires_at: Option<Timestamp>,
}

impl Store {
    /// Whatever its standing: the caller asks for it, and says why it refuses.
    pub async fn instance_by_key(&self, thumbprint: &str, now: Timestamp) -> Result<Option<Instance>, Fault> {
        let row = self.row(BY_KEY, args![thumbprint, now.millis()]).await?;
        row.as_ref().map(instance).transpose()
    }

    /// A key that was ever enrolled, and the instance that it belongs to for ever.
    pub async fn enrolled_key(&self, thumbprint: &str) -> Result<Option<(InstanceKey, Instance)>, Fault> {
        let Some(row) = self.row(KEY, args![thumbprint]).await? else {
            return Ok(None);
        };
        let instance = self.instance(&row.text(4)?).await?;
        let instance = instance.ok_or_else(|| Fault::broken("a key's instance is missing"))?;
        Ok(Some((key(&row)?, instance)))
    }

    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, Fault> {
        self.row(BY_ID, args![id]).await?.as_ref().map(instance).transpose()
    }

    pub async fn instances(&self) -> Result<Vec<Instance>, Fault> {
        self.rows(ALL, args![]).await?.iter().map(instance).collect()
    }

    /// All but removed ones.
    pub async fn instances_of(&self, owner: &str) -> Result<Vec<Instance>, Fault> {
        self.rows(OF_OWNER, args![owner]).await?.iter().map(instance).collect()
    }

    pub async fn instances_offered_to(&self, approver_id: &str, now: Timestamp) -> Result<Vec<Instance>, Fault> {
        let rows = self.rows(OFFERED_TO, args![approver_id, now.millis()]).await?;
        rows.iter().map(instance).collect()
    }

    /// Where its owner was who offers it.
    pub async fn offered_from(&self, id: &str) -> Result<Option<String>, Fault> {
        let row = self.row(OFFERED_FROM, args![id]).await?;
        row.map_or(Ok(None), |row| row.maybe_text(0))
    }

    pub async fn instance_keys(&self, id: &str) -> Result<Vec<InstanceKey>, Fault> {
        self.rows(KEYS, args![id]).await?.iter().map(key).collect()
    }

    /// With the instances that they belong to, in the order in which they came.
    pub async fn all_instance_keys(&self) -> Result<Vec<(String, InstanceKey)>, Fault> {
        let rows = self.rows(ALL_KEYS, args![]).await?;
        rows.iter().map(|row| Ok((row.text(4)?, key(row)?))).collect()
    }
}

impl Batch {
    pub fn add_instance(self, instance: &Instance) -> Result<Self, Fault> {
        let arguments = args![
            &*instance.id,
            &*instance.client_id,
            &*instance.owner,
            to_json(&instance.about)?,
            instance.created_at.millis(),
            instance.expires_at.millis(),
        ];
        Ok(self.any(INSERT, arguments))
    }

    /// Refused where the key was ever enrolled before, for whomever.
    pub fn add_instance_key(self, id: &str, key: &protocol::jwk::PublicJwk, now: Timestamp) -> Self {
        let arguments = args![key.thumbprint(), id, key.to_value().to_string(), now.millis()];
        self.one(INSERT_KEY, arguments, Refusal::InstanceKeyTaken)
    }

    /// All keys but one serve until then only.
    pub fn retire_other_keys(self, id: &str, kept: &str, retires_at: Timestamp) -> Self {
        self.any(RETIRE_KEYS, args![id, kept, retires_at.millis()])
    }

    /// Writes `changed` over the instance that was decided upon: owner, texts, expiry and standing.
    pub fn change_instance(self, decided_upon: &Instance, changed: &Instance) -> Result<Self, Fault> {
        let arguments = args![
            &*decided_upon.id,
            decided_upon.version,
            &*changed.owner,
            to_json(&changed.about)?,
            changed.expires_at.millis(),
            changed.suspended_at.map(Timestamp::millis),
            changed.removed_at.map(Timestamp::millis),
        ];
        Ok(self.guard(CHANGE, arguments))
    }

    pub fn instance_is_unchanged(self, instance: &Instance) -> Self {
        self.guard(UNCHANGED, args![&*instance.id, instance.version])
    }

    pub fn instance_seen(self, id: &str, now: Timestamp) -> Self {
        self.any(SEEN, args![id, now.millis()])
    }

    /// An offer takes the place of an earlier one.
    pub fn offer_instance(
        self,
        id: &str,
        (to_approver, from_address): (&str, Option<String>),
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        self.any(
            OFFER,
            args![id, to_approver, from_address, now.millis(), expires_at.millis()],
        )
    }

    pub fn take_offer(self, id: &str, approver_id: &str, now: Timestamp) -> Self {
        self.guard(TAKE_OFFER, args![id, approver_id, now.millis()])
    }

    pub fn withdraw_offer(self, id: &str) -> Self {
        self.any(WITHDRAW, args![id])
    }
}

fn instance(row: &Row) -> Result<Instance, Fault> {
    Ok(Instance {
        id: row.text(0)?,
        client_id: row.text(1)?,
        owner: row.text(2)?,
        about: from_json(&row.text(3)?)?,
        created_at: Timestamp::from_millis(row.int(4)?),
        expires_at: Timestamp::from_millis(row.int(5)?),
        last_seen_at: row.maybe_int(6)?.map(Timestamp::from_millis),
        suspended_at: row.maybe_int(7)?.map(Timestamp::from_millis),
        removed_at: row.maybe_int(8)?.map(Timestamp::from_millis),
        version: row.int(9)?,
    })
}

fn key(row: &Row) -> Result<InstanceKey, Fault> {
    Ok(InstanceKey {
        thumbprint: row.text(0)?,
        public_key: from_json(&row.text(1)?)?,
        added_at: Timestamp::from_millis(row.int(2)?),
        retires_at: row.maybe_int(3)?.map(Timestamp::from_millis),
    })
}
