//! `waypass request`: what has been asked for. For whoever runs the server.

use clap::Subcommand;
use protocol::time::Timestamp;
use protocol::wire::local::RequestSummary;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};

/// See the requests and how they were decided.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// List requests, with state, client and requester
    List(LocalArgs),
}

impl RequestCommand {
    pub fn json(&self) -> bool {
        let Self::List(local) = self;
        local.json
    }
}

pub async fn run(command: &RequestCommand, io: &mut Io) -> Result<(), Failure> {
    let RequestCommand::List(local) = command;
    let value = Local::open(&local.data)?.get(io, &["requests"]).await?;
    if local.json {
        io.output.json(&value);
        return Ok(());
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let headings = ["REQUEST", "STATE", "CLIENT", "FROM", "ASKED AT", "APPROVER", "SCOPE"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for request in read::<Vec<RequestSummary>>(value)? {
        rows.push(vec![
            request.request_id,
            request.state,
            request.client_id,
            or_none(request.requester_address),
            date::utc(Timestamp::from_millis(request.requested_at)),
            or_none(request.approver),
            request.scope,
        ]);
    }
    io.output.table(&rows);
    Ok(())
}
