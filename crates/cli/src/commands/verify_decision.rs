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

/// The record, the request it is about where the export carries that too, and the others of a quorum.
#[derive(Deserialize)]
struct Export {
    #[serde(default)]
    request: Option<Value>,
    #[serde(default)]
    others: Vec<Export>,
    #[serde(flatten)]
    record: Value,
}

pub fn run(args: &VerifyDecisionArgs, io: &mut Io) -> Result<(), Failure> {
    let export = read(args)?;
    let (record, decision) = export.verified()?;
    let others = export.others_of(&decision)?;
    if args.json {
        let mut told = json!({"valid": true, "approver": decision.approver, "decision": record.decision});
        if let Some(members) = told.as_object_mut().filter(|_| !others.is_empty()) {
            members.insert("others".to_owned(), others.into());
        }
        io.output.json(&told);
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
    for other in &others {
        say!(
            io.output,
            "Approver {other} has approved the same, with a signature of their own."
        );
    }
    if export.request.is_some() {
        say!(io.output, "The request in this file is the one that was decided on.");
    }
    say!(
        io.output,
        "That the key is this approver's is for you to know: compare it with the one you expect."
    );
    Ok(())
}

fn read(args: &VerifyDecisionArgs) -> Result<Export, Failure> {
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
    export.record().map_err(|_| no_record())?;
    Ok(export)
}

impl Export {
    fn record(&self) -> Result<DecisionRecord, serde_json::Error> {
        DecisionRecord::deserialize(&self.record)
    }

    /// The signature fits the decision, and the decision the request.
    fn verified(&self) -> Result<(DecisionRecord, Decision), Failure> {
        let unfit = || refused("the signature does not fit this decision");
        let record = self.record().map_err(|_| unfit())?;
        verify_record(&record).map_err(|_| unfit())?;
        let decision = Decision::from_value(&record.decision).map_err(|_| unfit())?;
        if let Some(request) = &self.request {
            must_be_about(&decision, request)?;
        }
        Ok((record, decision))
    }

    /// The others of a quorum: other people, the same request, the same that was granted.
    fn others_of(&self, first: &Decision) -> Result<Vec<String>, Failure> {
        let mut approvers = vec![first.approver.clone()];
        for other in &self.others {
            let (_, decision) = other.verified()?;
            let is_same = decision.request_digest.matches(&first.request_digest) && decision.granted == first.granted;
            if !is_same || approvers.contains(&decision.approver) || !other.others.is_empty() {
                return Err(refused(
                    "the approvals in this file are not of different people for the same thing",
                ));
            }
            approvers.push(decision.approver);
        }
        approvers.remove(0);
        Ok(approvers)
    }
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
