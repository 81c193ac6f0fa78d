//! Table `admission`: whose word lets an instance in. A removed one stays, for the record.

use protocol::admission::Admission;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const ALL: &str = "SELECT id, client_id, content, created_at, removed_at FROM admission ORDER BY id";
const INSERT: &str = "INSERT INTO admission (id, client_id, content, created_at) VALUES ($1, $2, $3, $4)";
const REMOVE: &str = "UPDATE admission SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL";
const STANDS: &str = "SELECT 1 FROM admission WHERE id = $1 AND removed_at IS NULL";

/// An admission as it is listed.
pub struct ListedAdmission {
    pub admission: Admission,
    pub created_at: Timestamp,
    pub removed_at: Option<Timestamp>,
}

impl Store {
    pub async fn admissions(&self) -> Result<Vec<ListedAdmission>, Fault> {
        self.rows(ALL, args![]).await?.iter().map(listed).collect()
    }
}

impl Batch {
    pub fn add_admission(self, admission: &Admission, now: Timestamp) -> Result<Self, Fault> {
        let terms = to_json(&admission.terms)?;
        let arguments = args![&*admission.id, &*admission.client_id, terms, now.millis()];
        Ok(self.any(INSERT, arguments))
    }

    /// Once.
    pub fn remove_admission(self, id: &str, now: Timestamp) -> Self {
        self.guard(REMOVE, args![id, now.millis()])
    }

    /// Nobody comes in by an admission that was taken back this very moment.
    pub fn admission_stands(self, id: &str, refusal: Refusal) -> Self {
        self.one(STANDS, args![id], refusal)
    }
}

fn listed(row: &Row) -> Result<ListedAdmission, Fault> {
    Ok(ListedAdmission {
        admission: Admission {
            id: row.text(0)?,
            client_id: row.text(1)?,
            terms: from_json(&row.text(2)?)?,
        },
        created_at: Timestamp::from_millis(row.int(3)?),
        removed_at: row.maybe_int(4)?.map(Timestamp::from_millis),
    })
}
