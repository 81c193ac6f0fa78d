//! `waypass approver`: the people who decide. All but `enroll` is for whoever runs the server.

use clap::Subcommand;
use protocol::wire::local::{AddApprover, ApproverView, EnrollmentLink, SetMail};
use serde_json::Value;

use self::enroll::EnrollArgs;
use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::say;

pub mod enroll;

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
    Mail(MailArgs),
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

/// Set the address that an approver's notices go to
///
/// Only an administrator sets it. A notice says that something waits, and nothing else.
#[derive(Debug, clap::Args)]
pub struct MailArgs {
    /// The approver's name
    name: String,
    /// The address; none with --remove
    #[arg(required_unless_present = "remove", conflicts_with = "remove")]
    address: Option<String>,
    /// Take the address away
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    local: LocalArgs,
}

impl ApproverCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Enroll(args) => args.json(),
            Self::List(local) => local.json,
            Self::Mail(args) => args.local.json,
            Self::Add(args) | Self::Relink(args) | Self::Disable(args) | Self::Enable(args) => args.local.json,
        }
    }
}

pub async fn run(command: &ApproverCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        ApproverCommand::Enroll(args) => enroll::run(args, io).await,
        ApproverCommand::Add(OneArgs { name, local }) => {
            let value = local
                .open()?
                .post(io, &["approvers"], &AddApprover { name: name.clone() })
                .await?;
            local.tell(io, value, print_link)
        }
        ApproverCommand::List(local) => {
            let value = local.open()?.get(io, &["approvers"]).await?;
            local.tell(io, value, list)
        }
        ApproverCommand::Relink(args) => {
            let value = post(args, io, "relink").await?;
            args.local.tell(io, value, print_link)
        }
        ApproverCommand::Mail(MailArgs {
            name, address, local, ..
        }) => {
            let body = SetMail {
                address: address.clone(),
            };
            let value = local.open()?.post(io, &["approvers", name, "mail"], &body).await?;
            let sentence = match address {
                Some(address) => format!("Notices for {name} go to {address}."),
                None => format!("Notices for {name} go to no address."),
            };
            local.tell_done(io, &value, &sentence);
            Ok(())
        }
        ApproverCommand::Disable(args) => change(args, io, "disable").await,
        ApproverCommand::Enable(args) => change(args, io, "enable").await,
    }
}

fn print_link(io: &mut Io, link: EnrollmentLink) {
    let EnrollmentLink {
        approver,
        enrollment_link,
        expires_at,
    } = link;
    let end = date::moment(expires_at);
    say!(io.output, "The link for {approver}, good once and until {end}:");
    say!(io.output, "");
    say!(io.output, "    {enrollment_link}");
    say!(io.output, "");
    say!(
        io.output,
        "Whoever opens it first becomes {approver}. Opened in a browser, it makes a passkey."
    );
}

fn list(io: &mut Io, approvers: Vec<ApproverView>) {
    let rows = approvers.into_iter().map(|approver| {
        let state = if approver.disabled_at.is_some() {
            "disabled"
        } else {
            "enabled"
        };
        [
            approver.name,
            approver.passkeys.to_string(),
            approver.software_keys.to_string(),
            state.to_owned(),
            date::moment(approver.created_at),
        ]
    });
    io.output
        .table(["APPROVER", "PASSKEYS", "SOFTWARE KEYS", "STATE", "SINCE"], rows);
}

async fn post(args: &OneArgs, io: &Io, verb: &str) -> Result<Value, Failure> {
    args.local
        .open()?
        .post(io, &["approvers", &args.name, verb], &Value::Null)
        .await
}

async fn change(args: &OneArgs, io: &mut Io, verb: &str) -> Result<(), Failure> {
    let value = post(args, io, verb).await?;
    args.local
        .tell_done(io, &value, &format!("Approver {} is {verb}d.", args.name));
    Ok(())
}
