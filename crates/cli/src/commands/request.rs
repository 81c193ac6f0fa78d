//! `waypass request`: what has been asked for. For whoever runs the server.

use clap::{Args, Subcommand};
use protocol::time::Timestamp;
use protocol::wire::local::RequestSummary;
use serde_json::{Value, json};

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};
use crate::print::say;

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
        RequestCommand::List(local) => list(local, io).await,
        RequestCommand::Cancel(args) => cancel(args, io).await,
    }
}

async fn cancel(args: &CancelArgs, io: &mut Io) -> Result<(), Failure> {
    let local = Local::open(&args.local.data)?;
    local
        .post(io, &["requests", &args.request_id, "cancel"], &Value::Null)
        .await?;
    if args.local.json {
        io.output
            .json(&json!({ "request_id": args.request_id, "state": "cancelled" }));
    } else {
        say!(io.output, "Request {} is cancelled.", args.request_id);
    }
    Ok(())
}

async fn list(local: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
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
