//! Table `code_presentation`: who presented a code that somebody else had opened (RFC 10027 §6.1.4). A code
//! that was sent to many shows here.

use protocol::time::Timestamp;

use crate::batch::args;
use crate::{Batch, Fault, Store};

const COUNT: &str = "SELECT COUNT(*) FROM code_presentation WHERE request_id = $1 AND approver_id <> $2";
const PRESENT: &str = "INSERT INTO code_presentation (request_id, approver_id, presented_at) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING";

impl Store {
    /// How many others than this one have presented the code.
    pub async fn other_presenters(&self, request_id: &str, approver_id: &str) -> Result<i64, Fault> {
        let row = self.row(COUNT, args![request_id, approver_id]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }
}

impl Batch {
    /// Counted once for each person.
    pub fn present_code(self, request_id: &str, approver_id: &str, now: Timestamp) -> Self {
        self.any(PRESENT, args![request_id, approver_id, now.millis()])
    }
}
