//! Tables `approver` and `enrollment`: people, and the links on which they register a first key.

use protocol::approver::Approver;
use protocol::digest::Digest;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::{Batch, Fault, Row, Store};

const BY_ID: &str = "SELECT id, name, created_at, disabled_at, version FROM approver WHERE id = $1";
const BY_NAME: &str = "SELECT id, name, created_at, disabled_at, version FROM approver WHERE name = $1";
const ALL: &str = "SELECT a.id, a.name, a.created_at, a.disabled_at, a.version,
    (SELECT COUNT(*) FROM passkey p WHERE p.approver_id = a.id),
    (SELECT COUNT(*) FROM software_key s WHERE s.approver_id = a.id)
    FROM approver a ORDER BY a.name";
const INSERT: &str =
    "INSERT INTO approver (id, name, created_at, version) VALUES ($1, $2, $3, 1) ON CONFLICT DO NOTHING";
const SET_DISABLED: &str = "UPDATE approver SET disabled_at = $3, version = version + 1 WHERE id = $1 AND version = $2";
const TOUCH: &str = "UPDATE approver SET version = version + 1 WHERE id = $1 AND version = $2";
const UNCHANGED: &str = "SELECT 1 FROM approver WHERE id = $1 AND version = $2";
const INVITE: &str = "INSERT INTO enrollment (token_digest, approver_id, expires_at) VALUES ($1, $2, $3)";
const END_INVITATIONS: &str = "DELETE FROM enrollment WHERE approver_id = $1";
const INVITED: &str = "SELECT a.id, a.name, a.created_at, a.disabled_at, a.version
    FROM enrollment e JOIN approver a ON a.id = e.approver_id
    WHERE e.token_digest = $1 AND e.used_at IS NULL AND e.expires_at > $2 AND a.disabled_at IS NULL";
const USE_INVITATION: &str = "UPDATE enrollment SET used_at = $2
    WHERE token_digest = $1 AND used_at IS NULL AND expires_at > $2";

/// An approver in a list, with the number of keys.
pub struct ListedApprover {
    pub approver: Approver,
    pub passkeys: i64,
    pub software_keys: i64,
}

impl Store {
    pub async fn approver(&self, id: &str) -> Result<Option<Approver>, Fault> {
        self.row(BY_ID, args![id]).await?.as_ref().map(approver).transpose()
    }

    pub async fn approver_named(&self, name: &str) -> Result<Option<Approver>, Fault> {
        self.row(BY_NAME, args![name]).await?.as_ref().map(approver).transpose()
    }

    pub async fn approvers(&self) -> Result<Vec<ListedApprover>, Fault> {
        let rows = self.rows(ALL, args![]).await?;
        let listed = |row: &Row| {
            Ok(ListedApprover {
                approver: approver(row)?,
                passkeys: row.int(5)?,
                software_keys: row.int(6)?,
            })
        };
        rows.iter().map(listed).collect()
    }

    /// Whom an enrollment link is for, while it can be used.
    pub async fn invited_approver(&self, token: &Digest, now: Timestamp) -> Result<Option<Approver>, Fault> {
        self.row(INVITED, args![token.as_str(), now.millis()])
            .await?
            .as_ref()
            .map(approver)
            .transpose()
    }
}

impl Batch {
    pub fn add_approver(self, approver: &Approver) -> Self {
        self.one(
            INSERT,
            args![&*approver.id, &*approver.name, approver.created_at.millis()],
            Refusal::ApproverExists,
        )
    }

    /// `Some` disables, `None` enables.
    pub fn set_approver_disabled(self, approver: &Approver, disabled_at: Option<Timestamp>) -> Self {
        self.guard(
            SET_DISABLED,
            args![&*approver.id, approver.version, disabled_at.map(Timestamp::millis)],
        )
    }

    /// The approver's keys change: whatever was decided upon them is decided again.
    pub fn touch_approver(self, approver: &Approver) -> Self {
        self.guard(TOUCH, args![&*approver.id, approver.version])
    }

    pub fn approver_is_unchanged(self, approver: &Approver) -> Self {
        self.guard(UNCHANGED, args![&*approver.id, approver.version])
    }

    /// A new link; earlier ones of the same approver end.
    pub fn invite(self, approver: &Approver, token: &Digest, expires_at: Timestamp) -> Self {
        self.any(END_INVITATIONS, args![&*approver.id])
            .any(INVITE, args![token.as_str(), &*approver.id, expires_at.millis()])
    }

    /// One use.
    pub fn use_invitation(self, token: &Digest, now: Timestamp) -> Self {
        self.one(
            USE_INVITATION,
            args![token.as_str(), now.millis()],
            Refusal::EnrollmentLinkInvalid,
        )
    }

    pub fn end_invitations(self, approver: &Approver) -> Self {
        self.any(END_INVITATIONS, args![&*approver.id])
    }
}

pub(crate) fn approver(row: &Row) -> Result<Approver, Fault> {
    Ok(Approver {
        id: row.text(0)?,
        name: row.text(1)?,
        created_at: Timestamp::from_millis(row.int(2)?),
        disabled_at: row.maybe_int(3)?.map(Timestamp::from_millis),
        version: row.int(4)?,
    })
}
