//! `waypass inbox`: what waits for an approver without a code, in a terminal.

use std::path::PathBuf;

use protocol::client::Kind;
use protocol::time::Timestamp;
use protocol::wire::approver::{Waiting, WaitingRequest, WaitingResponse};
use serde_json::json;

use crate::approver_key::post;
use crate::commands::decide::Approver;
use crate::date;
use crate::dpop::Caller;
use crate::failure::Failure;
use crate::io::Io;
use crate::print::say;

/// List what waits for your decision without a code: what your machines ask, and what others have approved
///
///   waypass inbox --server https://login.example.com --key-file alice.key
///   waypass approve REQUEST --server https://login.example.com --key-file alice.key
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct InboxArgs {
    /// The authorization server
    #[arg(long, value_name = "URL")]
    server: String,
    /// The software key, as `waypass approver enroll` has made it
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl InboxArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

pub async fn run(args: &InboxArgs, io: &mut Io) -> Result<(), Failure> {
    let approver = Approver::open(io, &args.server, &args.key_file, args.ca_file.as_deref())?;
    let mut caller = Caller::new(&approver.http, &approver.key);
    let listed: WaitingResponse = post(io, &mut caller, (&approver.issuer, "waiting"), &WaitingRequest {}).await?;
    if args.json {
        io.output.json(&json!(listed));
    } else if listed.requests.is_empty() {
        say!(io.output, "Nothing waits for you.");
    } else {
        listed.requests.iter().for_each(|request| print(io, request));
        match listed.more {
            0 => {}
            1 => say!(io.output, "1 more waits, and follows as you decide these."),
            more => say!(io.output, "{more} more wait, and follow as you decide these."),
        }
    }
    Ok(())
}

fn print(io: &mut Io, request: &Waiting) {
    let now = io.now();
    let left = date::countdown(Timestamp::from_millis(request.expires_at) - now);
    let by = match &request.instance_name {
        Some(instance) => format!("{} on {instance}", request.client_name),
        None => request.client_name.clone(),
    };
    let kind = match &*request.client_kind {
        agent if agent == Kind::Agent.as_str() => "an AI agent, ",
        _ => "",
    };
    say!(io.output, "{}", request.request_id);
    say!(io.output, "  {by} ({}), {kind}{left} left", request.client_id);
    if let Some(message) = &request.binding_message {
        say!(io.output, "  It shows: {message}");
    }
    for sentence in &request.asks {
        say!(io.output, "  - {sentence}");
    }
    if let Some(quorum) = request.quorum.as_ref().filter(|quorum| quorum.have > 0) {
        let names = quorum.approved_by.join(", ");
        say!(io.output, "  Approved by {names}: {} of {}", quorum.have, quorum.needed);
    }
}
