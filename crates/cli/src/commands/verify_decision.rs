//! `waypass verify-decision`: checks an exported decision without any server.

use std::path::PathBuf;

use protocol::decision::{Decision, DecisionRecord, verify_record};
use protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::date;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::print::say;

/// Check, without a server, that an approver's key has signed a decision.
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

pub fn run(args: &VerifyDecisionArgs, io: &mut Io) -> Result<(), Failure> {
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let no_record =
        || Failure::usage(format!("{file} holds no decision")).hint("waypass grant show ID --json prints one");
    let value: Value = serde_json::from_str(&text).map_err(|_| no_record())?;
    let record = value
        .get("evidence")
        .filter(|evidence| evidence.get("decision").is_some())
        .unwrap_or(&value);
    let record: DecisionRecord = serde_json::from_value(record.clone()).map_err(|_| no_record())?;
    let refused = |_| {
        Failure::new(
            Exit::Refused,
            "signature_invalid",
            "the signature does not fit this decision",
        )
        .hint("decision, evidence or key were changed, or do not belong together")
    };
    verify_record(&record).map_err(refused)?;
    let decision = Decision::from_value(&record.decision).map_err(refused)?;
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
    io.output.table(&[
        vec!["  request".to_owned(), decision.request_digest.as_str().to_owned()],
        vec!["  scope".to_owned(), decision.granted.scope.to_string()],
        vec!["  resources".to_owned(), decision.granted.resource.join(" ")],
        vec!["  until".to_owned(), until],
        vec!["  signed for".to_owned(), record.relying_party.origin.clone()],
    ]);
    say!(
        io.output,
        "That the key is this approver's is for you to know: compare it with the one you expect."
    );
    Ok(())
}
