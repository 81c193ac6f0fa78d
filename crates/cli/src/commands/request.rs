//! `waypass request`: what has been asked for. For whoever runs the server.

use clap::{Args, Subcommand};
use protocol::wire::local::RequestSummary;
use serde_json::{Value, json};

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::or_dash;

/// See the requests and how they were decided.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// List requests, with state, client and requester
    List(LocalArgs),
    /// Cancel a request that nobody has redeemed yet
    Cancel(CancelArgs),
}

#[derive(Args, Debug)]
pub struct CancelArgs {
    /// The request's id, as `request list` shows it
    request_id: String,
    #[command(flatten)]
    local: LocalArgs,
}

impl RequestCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::List(local) => local.json,
            Self::Cancel(args) => args.local.json,
        }
    }
}

pub async fn run(command: &RequestCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        RequestCommand::List(local) => {
            let value = local.open()?.get(io, &["requests"]).await?;
            local.tell(io, value, list)
        }
        RequestCommand::Cancel(CancelArgs { request_id, local }) => {
            local
                .open()?
                .post(io, &["requests", request_id, "cancel"], &Value::Null)
                .await?;
            let value = json!({ "request_id": request_id, "state": "cancelled" });
            local.tell_done(io, &value, &format!("Request {request_id} is cancelled."));
            Ok(())
        }
    }
}

fn list(io: &mut Io, requests: Vec<RequestSummary>) {
    let rows = requests.into_iter().map(|request| {
        [
            request.request_id,
            request.state,
            request.client_id,
            or_dash(request.requester_address),
            date::moment(request.requested_at),
            or_dash(request.approver),
            request.scope,
        ]
    });
    let headings = ["REQUEST", "STATE", "CLIENT", "FROM", "ASKED AT", "APPROVER", "SCOPE"];
    io.output.table(headings, rows);
}
