//! PostgreSQL and what speaks its protocol. To come.

use crate::batch::{Batch, Value};
use crate::{Fault, Hook, Options, Rejected, Row};

pub(crate) struct Postgres;

impl Postgres {
    pub(crate) async fn open(_: &str, _: &Options, _: Hook) -> Result<Self, Fault> {
        Err(missing())
    }
    pub(crate) async fn rows(&self, _: &'static str, _: Vec<Value>) -> Result<Vec<Row>, Fault> {
        Err(missing())
    }
    pub(crate) async fn commit(&self, _: Batch) -> Result<(), Rejected> {
        Err(missing().into())
    }
    pub(crate) async fn close(&self) {}
}

fn missing() -> Fault {
    Fault::broken("PostgreSQL is not here yet")
}
