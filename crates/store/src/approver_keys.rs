//! Tables `passkey` and `software_key`: what an approver signs with.

use protocol::approver::Approver;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use serde_json::Value as Json;

use crate::approvers::approver;
use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const PASSKEYS_OF: &str =
    "SELECT credential_id, approver_id, label, public_key, credential, sign_count, created_at, last_used_at
    FROM passkey WHERE approver_id = $1 ORDER BY created_at, credential_id";
const PASSKEY: &str =
    "SELECT credential_id, approver_id, label, public_key, credential, sign_count, created_at, last_used_at
    FROM passkey WHERE credential_id = $1";
const ADD_PASSKEY: &str = "INSERT INTO passkey
    (credential_id, approver_id, label, public_key, credential, sign_count, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
// A counter only grows: two signatures checked at once must not set it back.
const PASSKEY_USED: &str = "UPDATE passkey SET last_used_at = $2,
    sign_count = CASE WHEN sign_count < $3 THEN CAST($3 AS BIGINT) ELSE sign_count END
    WHERE credential_id = $1";
const PASSKEY_SIGNED_IN: &str = "UPDATE passkey SET last_used_at = $2, credential = $4,
    sign_count = CASE WHEN sign_count < $3 THEN CAST($3 AS BIGINT) ELSE sign_count END
    WHERE credential_id = $1";
const REMOVE_PASSKEY: &str = "DELETE FROM passkey WHERE credential_id = $1 AND approver_id = $2
    AND (SELECT COUNT(*) FROM passkey WHERE approver_id = $2) > 1";
const REMOVE_PASSKEYS: &str = "DELETE FROM passkey WHERE approver_id = $1";
const SOFTWARE_KEYS_OF: &str = "SELECT thumbprint, public_key, created_at, last_used_at
    FROM software_key WHERE approver_id = $1 ORDER BY created_at, thumbprint";
const BY_SOFTWARE_KEY: &str = "SELECT a.id, a.name, a.created_at, a.disabled_at, a.version, s.public_key
    FROM software_key s JOIN approver a ON a.id = s.approver_id WHERE s.thumbprint = $1";
const ADD_SOFTWARE_KEY: &str = "INSERT INTO software_key (thumbprint, approver_id, public_key, created_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const SOFTWARE_KEY_USED: &str = "UPDATE software_key SET last_used_at = $2 WHERE thumbprint = $1";
const REMOVE_SOFTWARE_KEYS: &str = "DELETE FROM software_key WHERE approver_id = $1";

pub struct Passkey {
    /// base64url.
    pub credential_id: String,
    pub approver_id: String,
    pub label: String,
    /// A public JWK, against which decisions are checked.
    pub public_key: Json,
    pub credential: Json,
    pub sign_count: i64,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

pub struct SoftwareKey {
    pub thumbprint: String,
    pub public_key: Json,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    pub async fn passkeys(&self, approver_id: &str) -> Result<Vec<Passkey>, Fault> {
        self.rows(PASSKEYS_OF, args![approver_id])
            .await?
            .iter()
            .map(passkey)
            .collect()
    }

    pub async fn passkey(&self, credential_id: &str) -> Result<Option<Passkey>, Fault> {
        self.row(PASSKEY, args![credential_id])
            .await?
            .as_ref()
            .map(passkey)
            .transpose()
    }

    pub async fn software_keys(&self, approver_id: &str) -> Result<Vec<SoftwareKey>, Fault> {
        self.rows(SOFTWARE_KEYS_OF, args![approver_id])
            .await?
            .iter()
            .map(software_key)
            .collect()
    }

    /// Whose software key this is, and the key as it was registered.
    pub async fn approver_of_software_key(&self, thumbprint: &str) -> Result<Option<(Approver, Json)>, Fault> {
        let row = self.row(BY_SOFTWARE_KEY, args![thumbprint]).await?;
        row.map(|row| Ok((approver(&row)?, from_json(&row.text(5)?)?)))
            .transpose()
    }
}

impl Batch {
    pub fn add_passkey(self, passkey: &Passkey) -> Result<Self, Fault> {
        let arguments = args![
            &*passkey.credential_id,
            &*passkey.approver_id,
            &*passkey.label,
            to_json(&passkey.public_key)?,
            to_json(&passkey.credential)?,
            passkey.sign_count,
            passkey.created_at.millis(),
        ];
        Ok(self.one(ADD_PASSKEY, arguments, Refusal::KeyAlreadyRegistered))
    }

    /// A decision was signed with it.
    pub fn passkey_used(self, credential_id: &str, sign_count: i64, now: Timestamp) -> Self {
        self.one(
            PASSKEY_USED,
            args![credential_id, now.millis(), sign_count],
            Refusal::PasskeyInvalid,
        )
    }

    /// Somebody signed in with it; the library's own record of it may have changed.
    pub fn passkey_signed_in(self, passkey: &Passkey, sign_count: i64, now: Timestamp) -> Result<Self, Fault> {
        let arguments = args![
            &*passkey.credential_id,
            now.millis(),
            sign_count,
            to_json(&passkey.credential)?
        ];
        Ok(self.one(PASSKEY_SIGNED_IN, arguments, Refusal::PasskeyInvalid))
    }

    /// Never the last one.
    pub fn remove_passkey(self, credential_id: &str, approver_id: &str) -> Self {
        self.one(REMOVE_PASSKEY, args![credential_id, approver_id], Refusal::LastPasskey)
    }

    /// All keys of an approver: a lost device.
    pub fn remove_keys(self, approver: &Approver) -> Self {
        self.any(REMOVE_PASSKEYS, args![&*approver.id])
            .any(REMOVE_SOFTWARE_KEYS, args![&*approver.id])
    }

    pub fn add_software_key(self, approver: &Approver, key: &SoftwareKey) -> Result<Self, Fault> {
        let arguments = args![
            &*key.thumbprint,
            &*approver.id,
            to_json(&key.public_key)?,
            key.created_at.millis()
        ];
        Ok(self.one(ADD_SOFTWARE_KEY, arguments, Refusal::KeyAlreadyRegistered))
    }

    pub fn software_key_used(self, thumbprint: &str, now: Timestamp) -> Self {
        self.one(
            SOFTWARE_KEY_USED,
            args![thumbprint, now.millis()],
            Refusal::SignInRequired,
        )
    }
}

fn passkey(row: &Row) -> Result<Passkey, Fault> {
    Ok(Passkey {
        credential_id: row.text(0)?,
        approver_id: row.text(1)?,
        label: row.text(2)?,
        public_key: from_json(&row.text(3)?)?,
        credential: from_json(&row.text(4)?)?,
        sign_count: row.int(5)?,
        created_at: Timestamp::from_millis(row.int(6)?),
        last_used_at: row.maybe_int(7)?.map(Timestamp::from_millis),
    })
}

fn software_key(row: &Row) -> Result<SoftwareKey, Fault> {
    Ok(SoftwareKey {
        thumbprint: row.text(0)?,
        public_key: from_json(&row.text(1)?)?,
        created_at: Timestamp::from_millis(row.int(2)?),
        last_used_at: row.maybe_int(3)?.map(Timestamp::from_millis),
    })
}
