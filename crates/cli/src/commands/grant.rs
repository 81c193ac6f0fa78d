//! `waypass grant`: what came of approvals, and taking it back. For whoever runs the server.

use clap::Subcommand;
use protocol::time::Timestamp;
use protocol::wire::local::GrantView;
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};
use crate::print::say;

/// See and revoke grants: what was approved and still holds.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// List grants
    List(LocalArgs),
    /// Show one grant; with --json also the signed decision, for `waypass verify-decision`
    Show(OneArgs),
    /// End a grant: its tokens are not renewed and are inactive where resource servers ask
    Revoke(OneArgs),
}

#[derive(Debug, clap::Args)]
pub struct OneArgs {
    /// The grant's id
    grant_id: String,
    #[command(flatten)]
    local: LocalArgs,
}

impl GrantCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::List(local) => local.json,
            Self::Show(args) | Self::Revoke(args) => args.local.json,
        }
    }
}

pub async fn run(command: &GrantCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        GrantCommand::List(local) => list(local, io).await,
        GrantCommand::Show(args) => {
            let value = Local::open(&args.local.data)?
                .get(io, &["grants", &args.grant_id])
                .await?;
            show(io, args.local.json, value)
        }
        GrantCommand::Revoke(args) => {
            let local = Local::open(&args.local.data)?;
            let value = local
                .post(io, &["grants", &args.grant_id, "revoke"], &Value::Null)
                .await?;
            if args.local.json {
                io.output.json(&value);
            } else {
                say!(io.output, "Grant {} is revoked.", args.grant_id);
            }
            Ok(())
        }
    }
}

fn moment(at: i64) -> String {
    date::utc(Timestamp::from_millis(at))
}

fn state(grant: &GrantView, now: Timestamp) -> String {
    match (&grant.ended_because, grant.ended_at) {
        (Some(why), _) => format!("ended: {why}"),
        (None, Some(_)) => "ended".to_owned(),
        (None, None) if Timestamp::from_millis(grant.expires_at) <= now => "expired".to_owned(),
        (None, None) => "holds".to_owned(),
    }
}

async fn list(local: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
    let value = Local::open(&local.data)?.get(io, &["grants"]).await?;
    if local.json {
        io.output.json(&value);
        return Ok(());
    }
    let mut rows = vec![
        ["GRANT", "STATE", "CLIENT", "APPROVER", "UNTIL", "SCOPE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for grant in read::<Vec<GrantView>>(value)? {
        let state = state(&grant, io.now());
        rows.push(vec![
            grant.grant_id,
            state,
            grant.client_id,
            grant.approver,
            moment(grant.expires_at),
            grant.scope,
        ]);
    }
    io.output.table(&rows);
    Ok(())
}

fn show(io: &mut Io, as_json: bool, value: Value) -> Result<(), Failure> {
    if as_json {
        io.output.json(&value);
        return Ok(());
    }
    let grant: GrantView = read(value)?;
    let state = state(&grant, io.now());
    let rows = [
        ("Grant", grant.grant_id),
        ("State", state),
        ("Request", grant.request_id),
        ("Client", grant.client_id),
        ("Approver", grant.approver),
        ("Scope", grant.scope),
        ("Resources", grant.resource.join(" ")),
        ("Bound to key", grant.jkt.unwrap_or_else(|| "no key".to_owned())),
        ("Approved", moment(grant.created_at)),
        ("Until", moment(grant.expires_at)),
        (
            "Signed decision",
            if grant.evidence.is_some() {
                "kept: see --json"
            } else {
                "-"
            }
            .to_owned(),
        ),
    ];
    io.output.table(&rows.map(|(name, text)| vec![name.to_owned(), text]));
    Ok(())
}
