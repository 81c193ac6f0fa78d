//! `waypass grant`: what came of approvals, and taking it back. For whoever runs the server.

use clap::Subcommand;
use protocol::time::Timestamp;
use protocol::wire::local::GrantView;
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::or_dash;

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
        GrantCommand::List(args) => {
            let value = args.open()?.get(io, &["grants"]).await?;
            args.tell(io, value, list)
        }
        GrantCommand::Show(OneArgs { grant_id, local }) => {
            let value = local.open()?.get(io, &["grants", grant_id]).await?;
            local.tell(io, value, show)
        }
        GrantCommand::Revoke(OneArgs { grant_id, local }) => {
            let value = local
                .open()?
                .post(io, &["grants", grant_id, "revoke"], &Value::Null)
                .await?;
            local.tell_done(io, &value, &format!("Grant {grant_id} is revoked."));
            Ok(())
        }
    }
}

fn state(grant: &GrantView, now: Timestamp) -> String {
    match (&grant.ended_because, grant.ended_at) {
        (Some(why), _) => format!("ended: {why}"),
        (None, Some(_)) => "ended".to_owned(),
        (None, None) if Timestamp::from_millis(grant.expires_at) <= now => "expired".to_owned(),
        (None, None) => "holds".to_owned(),
    }
}

fn list(io: &mut Io, grants: Vec<GrantView>) {
    let now = io.now();
    let rows = grants.into_iter().map(|grant| {
        let (state, until) = (state(&grant, now), date::moment(grant.expires_at));
        [
            grant.grant_id,
            state,
            grant.client_id,
            grant.approver,
            until,
            grant.scope,
        ]
    });
    io.output
        .table(["GRANT", "STATE", "CLIENT", "APPROVER", "UNTIL", "SCOPE"], rows);
}

fn show(io: &mut Io, grant: GrantView) {
    let state = state(&grant, io.now());
    let client = match (&grant.client_name, grant.client_kind.as_deref()) {
        (Some(name), Some(kind)) => format!("{name} ({}), of kind {kind}", grant.client_id),
        _ => grant.client_id,
    };
    let evidence = grant.evidence.map(|_| "kept: see --json".to_owned());
    io.output.fields([
        ("Grant", grant.grant_id),
        ("State", state),
        (
            "Request",
            grant.request_id.unwrap_or_else(|| "nobody was asked".to_owned()),
        ),
        ("Client", client),
        ("Instance", or_dash(grant.instance_id)),
        ("Approver", grant.approver),
        ("Scope", grant.scope),
        ("Resources", grant.resource.join(" ")),
        ("Details", grant.authorization_details.canonical()),
        ("Runs left", or_dash(grant.runs_left.map(|left| left.to_string()))),
        ("Bound to key", grant.jkt.unwrap_or_else(|| "no key".to_owned())),
        ("Approved", date::moment(grant.created_at)),
        ("Until", date::moment(grant.expires_at)),
        ("Signed decision", or_dash(evidence)),
    ]);
}
