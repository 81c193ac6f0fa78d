//! Table `group_member`: who is in which group by an administrator's act, and with it every group that
//! counts for somebody. What an upstream provider says is in `upstream_identities`.

use std::collections::BTreeSet;

use protocol::approver::Approver;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::upstream_identities::CountedClaims;
use crate::{Batch, Fault, Store};

const OF_APPROVER: &str = "SELECT group_name FROM group_member WHERE approver_id = $1";
const ALL: &str = "SELECT g.group_name, a.name, g.added_at
    FROM group_member g JOIN approver a ON a.id = g.approver_id ORDER BY g.group_name, a.name";
const ADD: &str = "INSERT INTO group_member (group_name, approver_id, added_at) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING";
const REMOVE: &str = "DELETE FROM group_member WHERE group_name = $1 AND approver_id = $2";

/// A line of a list of groups.
pub struct GroupMember {
    pub group: String,
    /// The approver's name.
    pub approver: String,
    pub added_at: Timestamp,
}

impl Store {
    /// Every group that counts for this approver, sorted: local ones, and those of upstream claims as far
    /// as `claims` lets them.
    pub async fn groups_of(&self, approver_id: &str, claims: Option<&CountedClaims>) -> Result<Vec<String>, Fault> {
        let rows = self.rows(OF_APPROVER, args![approver_id]).await?;
        let mut groups = rows.iter().map(|row| row.text(0)).collect::<Result<BTreeSet<_>, _>>()?;
        if let Some(claims) = claims {
            groups.extend(self.upstream_groups(approver_id, claims).await?);
        }
        Ok(groups.into_iter().collect())
    }

    pub async fn group_members(&self) -> Result<Vec<GroupMember>, Fault> {
        let rows = self.rows(ALL, args![]).await?;
        let member = |row: &crate::Row| {
            Ok(GroupMember {
                group: row.text(0)?,
                approver: row.text(1)?,
                added_at: Timestamp::from_millis(row.int(2)?),
            })
        };
        rows.iter().map(member).collect()
    }
}

impl Batch {
    /// What is being decided upon this approver's groups is decided again.
    pub fn add_group_member(self, group: &str, approver: &Approver, now: Timestamp) -> Self {
        self.one(
            ADD,
            args![group, &*approver.id, now.millis()],
            Refusal::GroupMemberExists,
        )
        .touch_approver(approver)
    }

    /// Whoever was removed meanwhile is loaded again, and found to be gone.
    pub fn remove_group_member(self, group: &str, approver: &Approver) -> Self {
        self.guard(REMOVE, args![group, &*approver.id]).touch_approver(approver)
    }
}
