//! Table `upstream_identity`: which approver a subject of an upstream OpenID provider is, and the groups of
//! its last sign-in. It is linked by an act of that approver and by nothing that the provider says.

use std::collections::BTreeMap;

use protocol::approver::Approver;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::approvers::approver;
use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const OWNER: &str = "SELECT a.id, a.name, a.created_at, a.disabled_at, a.version
    FROM upstream_identity u JOIN approver a ON a.id = u.approver_id WHERE u.issuer = $1 AND u.subject = $2";
const OF_APPROVER: &str = "SELECT u.issuer, u.subject, a.name, u.groups, u.seen_at
    FROM upstream_identity u JOIN approver a ON a.id = u.approver_id
    WHERE u.approver_id = $1 ORDER BY u.issuer, u.subject";
const SEEN: &str = "SELECT u.issuer, u.subject, a.name, u.groups, u.seen_at
    FROM upstream_identity u JOIN approver a ON a.id = u.approver_id
    WHERE u.issuer = $1 AND u.seen_at > $2 ORDER BY a.name, u.subject";
// Another approver's identity is never taken over: then no row is touched.
const LINK: &str = "INSERT INTO upstream_identity (issuer, subject, approver_id, groups, seen_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (issuer, subject) DO UPDATE SET groups = excluded.groups, seen_at = excluded.seen_at
    WHERE upstream_identity.approver_id = excluded.approver_id";
const SEE: &str = "UPDATE upstream_identity SET groups = $4, seen_at = $5
    WHERE issuer = $1 AND subject = $2 AND approver_id = $3";
const UNLINK: &str = "DELETE FROM upstream_identity WHERE issuer = $1 AND subject = $2 AND approver_id = $3";
const UNLINK_ALL: &str = "DELETE FROM upstream_identity WHERE approver_id = $1";

pub struct UpstreamIdentity {
    pub issuer: String,
    pub subject: String,
    /// The approver's name.
    pub approver: String,
    /// As the provider names them; only those that were configured when they came.
    pub groups: Vec<String>,
    pub seen_at: Timestamp,
}

/// Which claims count now: of this provider, of sign-ins after `since`, and only what is mapped.
pub struct CountedClaims {
    pub issuer: String,
    pub since: Timestamp,
    /// The provider's name of a group, and ours.
    pub groups: BTreeMap<String, String>,
}

/// What one sign-in said.
pub struct Seen<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub groups: &'a [String],
    pub at: Timestamp,
}

impl CountedClaims {
    /// Our names of this identity's groups.
    pub fn names(&self, identity: &UpstreamIdentity) -> Vec<String> {
        let counts = identity.issuer == self.issuer && identity.seen_at > self.since;
        let groups = identity.groups.iter().filter(|_| counts);
        groups.filter_map(|group| self.groups.get(group).cloned()).collect()
    }
}

impl Store {
    /// Who this subject is here.
    pub async fn approver_of_upstream(&self, issuer: &str, subject: &str) -> Result<Option<Approver>, Fault> {
        let row = self.row(OWNER, args![issuer, subject]).await?;
        row.as_ref().map(approver).transpose()
    }

    pub async fn upstream_identities(&self, approver_id: &str) -> Result<Vec<UpstreamIdentity>, Fault> {
        self.rows(OF_APPROVER, args![approver_id])
            .await?
            .iter()
            .map(identity)
            .collect()
    }

    /// Everybody whose claims may count.
    pub async fn upstream_identities_seen(&self, claims: &CountedClaims) -> Result<Vec<UpstreamIdentity>, Fault> {
        let rows = self.rows(SEEN, args![&*claims.issuer, claims.since.millis()]).await?;
        rows.iter().map(identity).collect()
    }

    pub(crate) async fn upstream_groups(
        &self,
        approver_id: &str,
        claims: &CountedClaims,
    ) -> Result<Vec<String>, Fault> {
        let identities = self.upstream_identities(approver_id).await?;
        Ok(identities.iter().flat_map(|identity| claims.names(identity)).collect())
    }
}

impl Batch {
    /// What was decided upon the approver's groups is decided again.
    pub fn link_upstream(self, approver: &Approver, seen: &Seen<'_>) -> Result<Self, Fault> {
        let linked = self.one(LINK, seen.args(approver)?, Refusal::UpstreamIdentityTaken);
        Ok(linked.touch_approver(approver))
    }

    /// One that was unlinked meanwhile signs nobody in.
    pub fn upstream_signed_in(self, approver: &Approver, seen: &Seen<'_>) -> Result<Self, Fault> {
        let signed_in = self.guard(SEE, seen.args(approver)?);
        Ok(signed_in.touch_approver(approver))
    }

    pub fn unlink_upstream(self, approver: &Approver, issuer: &str, subject: &str) -> Self {
        self.any(UNLINK, args![issuer, subject, &*approver.id])
    }

    pub fn unlink_upstream_all(self, approver: &Approver) -> Self {
        self.any(UNLINK_ALL, args![&*approver.id])
    }
}

impl Seen<'_> {
    fn args(&self, approver: &Approver) -> Result<Vec<crate::batch::Value>, Fault> {
        Ok(args![
            self.issuer,
            self.subject,
            &*approver.id,
            to_json(&self.groups)?,
            self.at.millis()
        ])
    }
}

fn identity(row: &Row) -> Result<UpstreamIdentity, Fault> {
    Ok(UpstreamIdentity {
        issuer: row.text(0)?,
        subject: row.text(1)?,
        approver: row.text(2)?,
        groups: from_json(&row.text(3)?)?,
        seen_at: Timestamp::from_millis(row.int(4)?),
    })
}
