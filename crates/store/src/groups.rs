//! Table `group_member`.

use crate::batch::args;
use crate::{Fault, Store};

const OF_APPROVER: &str = "SELECT group_name FROM group_member WHERE approver_id = $1 ORDER BY group_name";

impl Store {
    pub async fn groups_of(&self, approver_id: &str) -> Result<Vec<String>, Fault> {
        let rows = self.rows(OF_APPROVER, args![approver_id]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }
}
