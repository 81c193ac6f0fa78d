//! `waypass request`: what has been asked for. For whoever runs the server.

use clap::{Args, Subcommand};
use protocol::wire::local::{CodeReported, ReportCode, RequestSummary};
use serde_json::{Value, json};

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::{or_dash, say};

/// See the requests and how they were decided.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// List requests, with state, client and requester
    List(LocalArgs),
    /// Cancel a request that nobody has redeemed yet
    Cancel(CancelArgs),
    /// Say that a code was seen in a message: what came of it ends at once
    ReportCode(ReportArgs),
}

#[derive(Args, Debug)]
pub struct ReportArgs {
    /// The code; case and dashes do not matter
    user_code: String,
    /// Where it was seen
    #[arg(long, value_parser = ["mail", "chat", "text_message", "call", "web_page", "other"])]
    seen_in: String,
    #[command(flatten)]
    local: LocalArgs,
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
            Self::ReportCode(args) => args.local.json,
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
        RequestCommand::ReportCode(args) => report(args, io).await,
    }
}

async fn report(args: &ReportArgs, io: &mut Io) -> Result<(), Failure> {
    let body = ReportCode {
        user_code: args.user_code.clone(),
        seen_in: args.seen_in.clone(),
    };
    let value = args.local.open()?.post(io, &["codes", "report"], &body).await?;
    args.local
        .tell(io, value, |io, found: CodeReported| match found.request_id {
            Some(request_id) => say!(
                io.output,
                "The code is of request {request_id}. Ended: {}.",
                found.ended
            ),
            None => say!(
                io.output,
                "There is no such code, or it was used up long ago. Nothing ended."
            ),
        })
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
