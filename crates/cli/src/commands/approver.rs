//! `waypass approver`: the people who decide. All but `enroll` is for whoever runs the server.

use clap::Subcommand;
use protocol::time::Timestamp;
use protocol::wire::local::{AddApprover, ApproverView, EnrollmentLink};
use serde_json::Value;

use crate::commands::enroll::{self, EnrollArgs};
use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};
use crate::print::say;

/// Manage approvers: the people who decide about requests.
#[derive(Debug, Subcommand)]
pub enum ApproverCommand {
    Enroll(EnrollArgs),
    /// Add an approver and print the link with which they make their first key
    Add(OneArgs),
    /// List all approvers
    List(LocalArgs),
    /// For a lost key: end all keys and sessions of an approver and print a new link
    Relink(OneArgs),
    /// Stop an approver: no sign-in and no decision
    Disable(OneArgs),
    /// Let a disabled approver work again
    Enable(OneArgs),
}

#[derive(Debug, clap::Args)]
pub struct OneArgs {
    /// The approver's name, `alice` for instance
    name: String,
    #[command(flatten)]
    local: LocalArgs,
}

impl ApproverCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Enroll(args) => args.json(),
            Self::List(local) => local.json,
            Self::Add(args) | Self::Relink(args) | Self::Disable(args) | Self::Enable(args) => args.local.json,
        }
    }
}

pub async fn run(command: &ApproverCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        ApproverCommand::Enroll(args) => enroll::run(args, io).await,
        ApproverCommand::Add(args) => {
            let body = AddApprover {
                name: args.name.clone(),
            };
            let value = Local::open(&args.local.data)?.post(io, &["approvers"], &body).await?;
            print_link(io, args.local.json, value)
        }
        ApproverCommand::List(local) => list(local, io).await,
        ApproverCommand::Relink(args) => {
            let local = Local::open(&args.local.data)?;
            let value = local
                .post(io, &["approvers", &args.name, "relink"], &Value::Null)
                .await?;
            print_link(io, args.local.json, value)
        }
        ApproverCommand::Disable(args) => change(args, io, "disable").await,
        ApproverCommand::Enable(args) => change(args, io, "enable").await,
    }
}

fn print_link(io: &mut Io, as_json: bool, value: Value) -> Result<(), Failure> {
    if as_json {
        io.output.json(&value);
        return Ok(());
    }
    let link: EnrollmentLink = read(value)?;
    let end = date::utc(Timestamp::from_millis(link.expires_at));
    say!(io.output, "The link for {}, good once and until {end}:", link.approver);
    say!(io.output, "");
    say!(io.output, "    {}", link.enrollment_link);
    say!(io.output, "");
    say!(
        io.output,
        "Whoever opens it first becomes {}. Opened in a browser, it makes a passkey.",
        link.approver
    );
    Ok(())
}

async fn list(local: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
    let value = Local::open(&local.data)?.get(io, &["approvers"]).await?;
    if local.json {
        io.output.json(&value);
        return Ok(());
    }
    let mut rows = vec![
        ["APPROVER", "PASSKEYS", "SOFTWARE KEYS", "STATE", "SINCE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for approver in read::<Vec<ApproverView>>(value)? {
        let state = if approver.disabled_at.is_some() {
            "disabled"
        } else {
            "enabled"
        };
        rows.push(vec![
            approver.name,
            approver.passkeys.to_string(),
            approver.software_keys.to_string(),
            state.to_owned(),
            date::utc(Timestamp::from_millis(approver.created_at)),
        ]);
    }
    io.output.table(&rows);
    Ok(())
}

async fn change(args: &OneArgs, io: &mut Io, verb: &str) -> Result<(), Failure> {
    let local = Local::open(&args.local.data)?;
    let value = local.post(io, &["approvers", &args.name, verb], &Value::Null).await?;
    if args.local.json {
        io.output.json(&value);
    } else {
        say!(io.output, "Approver {} is {verb}d.", args.name);
    }
    Ok(())
}
