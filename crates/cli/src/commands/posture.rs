//! `waypass posture`: where this server stands against device code phishing, client by client (RFC 10027 §5).
//! For whoever runs the server, and with `--json` for whoever watches many.

use protocol::wire::local::{ClientPosture, InstanceCounts, MitigationView, PermissionPosture, PostureView};

use crate::commands::policy;
use crate::commands::profile::{self, holding};
use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::{Escaped, or_dash, say};

/// Show what holds against device code phishing: every client, its profile, and what is blocked since when
#[derive(Debug, clap::Args)]
pub struct PostureArgs {
    #[command(flatten)]
    local: LocalArgs,
}

impl PostureArgs {
    pub fn json(&self) -> bool {
        self.local.json
    }
}

pub async fn run(args: &PostureArgs, io: &mut Io) -> Result<(), Failure> {
    let value = args.local.open()?.get(io, &["posture"]).await?;
    args.local
        .tell(io, value, |io, posture: PostureView| print(io, &posture))
}

fn print(io: &mut Io, posture: &PostureView) {
    let title = format!("{} on {}", posture.issuer, date::moment(posture.at));
    io.output.heading(&Escaped::of(&title));
    say!(io.output, "");
    io.output.table(
        [
            "CLIENT",
            "PROFILE",
            "DEVICE GRANT",
            "SINCE",
            "LAST USED",
            "WITHOUT A PERSON",
            "INSTANCES",
            "HOLDS",
        ],
        posture.clients.iter().map(row),
    );
    for client in &posture.clients {
        for warning in &client.warnings {
            say!(io.output, "warning: {}: {warning}", client.client_id);
        }
    }
    policy::mistakes(io, &posture.policies);
    for profile in posture.profiles.iter().filter(|profile| !profile.clients.is_empty()) {
        say!(io.output, "");
        profile::print(io, profile);
    }
    say!(io.output, "");
    io.output.heading(&Escaped::of("RFC 10027"));
    io.output.record(&holding(&posture.statement).collect::<Vec<_>>());
}

fn row(client: &ClientPosture) -> [String; 8] {
    let because = client.because.as_ref().map(|because| format!(" ({because})"));
    [
        client.client_id.clone(),
        or_dash(client.profile.clone()),
        format!("{}{}", client.device_grant, because.unwrap_or_default()),
        or_dash(client.since.map(date::moment)),
        or_dash(client.last_used_at.map(date::moment)),
        or_dash(client.client_credentials.as_ref().map(without_a_person)),
        counted(client.instances),
        ids(&client.mitigations),
    ]
}

/// `allowed, last used 2027-01-31 09:00`.
fn without_a_person(permission: &PermissionPosture) -> String {
    let because = permission.because.as_ref().map(|because| format!(" ({because})"));
    let used = permission.last_used_at.map_or_else(|| "never".to_owned(), date::moment);
    format!(
        "{}{}, last used {used}",
        permission.standing,
        because.unwrap_or_default()
    )
}

/// `3 active, 1 orphaned`.
fn counted(counts: InstanceCounts) -> String {
    let each = [
        (counts.active, "active"),
        (counts.suspended, "suspended"),
        (counts.expired, "expired"),
        (counts.orphaned, "orphaned"),
    ];
    let told: Vec<String> = each
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    or_dash((!told.is_empty()).then(|| told.join(", ")))
}

fn ids(mitigations: &[MitigationView]) -> String {
    let ids: Vec<&str> = mitigations.iter().map(|held| held.id.as_str()).collect();
    or_dash((!ids.is_empty()).then(|| ids.join(" ")))
}
