//! Table `first_seen`: what was part of an approval before, so that "new" can be told on the page and in the
//! event. Subjects are `client:`, `instance:`, `owner:`, `operator:` or `pair:` and a name.

use std::collections::BTreeSet;

use protocol::time::Timestamp;

use crate::batch::args;
use crate::{Batch, Fault, Store};

const SEEN: &str = "SELECT subject FROM first_seen WHERE subject IN ($1, $2, $3, $4, $5)";
const SEE: &str = "INSERT INTO first_seen (subject, seen_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

impl Store {
    /// Which of these were seen before.
    pub async fn seen_before(&self, subjects: [&str; 5]) -> Result<BTreeSet<String>, Fault> {
        let rows = self.rows(SEEN, subjects.map(crate::batch::Value::from)).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }
}

impl Batch {
    pub fn see(self, subject: &str, now: Timestamp) -> Self {
        self.any(SEE, args![subject, now.millis()])
    }
}
