//! `waypass verify-decision`: checks an exported decision without any server.

use std::path::PathBuf;

use protocol::authorization_request::Content;
use protocol::decision::{Decision, DecisionRecord, verify_record};
use protocol::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::date;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::print::say;

/// Check, without a server, that an approver's key has signed a decision
///
///   waypass grant show GRANT --data DIR --json > grant.json
///   waypass verify-decision grant.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct VerifyDecisionArgs {
    /// What `waypass grant show --json` has printed, or its `evidence` alone
    file: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl VerifyDecisionArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

/// The record, and the request it is about where the export carries that too.
#[derive(Deserialize)]
struct Export {
    #[serde(default)]
    request: Option<Value>,
    #[serde(flatten)]
    record: Value,
}

pub fn run(args: &VerifyDecisionArgs, io: &mut Io) -> Result<(), Failure> {
    let (record, request) = read(args)?;
    let refused = |_| refused("the signature does not fit this decision");
    verify_record(&record).map_err(refused)?;
    let decision = Decision::from_value(&record.decision).map_err(refused)?;
    if let Some(request) = &request {
        must_be_about(&decision, request)?;
    }
    if args.json {
        io.output
            .json(&json!({"valid": true, "approver": decision.approver, "decision": record.decision}));
        return Ok(());
    }
    let until = date::utc(Timestamp::from_seconds(decision.granted.expires_at));
    say!(
        io.output,
        "The signature is good: approver {} has approved",
        decision.approver
    );
    io.output.fields([
        ("  request", decision.request_digest.as_str().to_owned()),
        ("  scope", decision.granted.scope.to_string()),
        ("  resources", decision.granted.resource.join(" ")),
        ("  until", until),
        ("  signed for", record.relying_party.origin.clone()),
    ]);
    if request.is_some() {
        say!(io.output, "The request in this file is the one that was decided on.");
    }
    say!(
        io.output,
        "That the key is this approver's is for you to know: compare it with the one you expect."
    );
    Ok(())
}

fn read(args: &VerifyDecisionArgs) -> Result<(DecisionRecord, Option<Value>), Failure> {
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let no_record =
        || Failure::usage(format!("{file} holds no decision")).hint("waypass grant show ID --json prints one");
    let value: Value = serde_json::from_str(&text).map_err(|_| no_record())?;
    // The evidence holds an `evidence` of its own; a grant is told by the decision inside.
    let export = value
        .get("evidence")
        .filter(|evidence| evidence.get("decision").is_some())
        .unwrap_or(&value);
    let export = Export::deserialize(export).map_err(|_| no_record())?;
    let record = serde_json::from_value(export.record).map_err(|_| no_record())?;
    Ok((record, export.request))
}

/// What was signed names the request by the digest of its content. A member that is not read is not
/// covered by the digest either, so there may be none.
fn must_be_about(decision: &Decision, request: &Value) -> Result<(), Failure> {
    let other = || refused("the signed decision is about another request than the one in this file");
    let content = Content::deserialize(request).map_err(|_| other())?;
    let is_all_read = serde_json::to_value(&content).is_ok_and(|read| read == *request);
    match content.digest() {
        Ok(digest) if is_all_read && decision.request_digest.matches(&digest) => Ok(()),
        _ => Err(other()),
    }
}

fn refused(what: &str) -> Failure {
    Failure::new(Exit::Refused, "decision_invalid", what)
        .hint("decision, request, evidence or key were changed, or do not belong together")
}
