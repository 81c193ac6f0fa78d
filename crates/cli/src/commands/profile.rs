//! `waypass profile`: what is demanded of a class of client, and why. For whoever runs the server.

use clap::Subcommand;
use protocol::wire::local::{MitigationView, ProfileView};

use crate::failure::Failure;
use crate::io::Io;
use crate::local::{LocalArgs, read};
use crate::print::say;

/// Profiles of the server: which mitigations hold for which clients (RFC 10027).
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// List all profiles, and the clients that have them
    List(LocalArgs),
    /// Show one profile: what is feared, what holds against it, and what is left
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The profile's name, `standard` for instance
    name: String,
    #[command(flatten)]
    local: LocalArgs,
    /// Print its text, to be changed and named in the configuration
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

impl ProfileCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::List(local) => local.json,
            Self::Show(args) => args.local.json,
        }
    }
}

pub async fn run(command: &ProfileCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        ProfileCommand::List(local) => {
            let value = local.open()?.get(io, &["profiles"]).await?;
            local.tell(io, value, list)
        }
        ProfileCommand::Show(args) => show(args, io).await,
    }
}

fn list(io: &mut Io, profiles: Vec<ProfileView>) {
    let rows = profiles
        .into_iter()
        .map(|profile| [profile.name, profile.clients.len().to_string(), profile.purpose]);
    io.output.table(["PROFILE", "CLIENTS", "FOR"], rows);
}

async fn show(args: &ShowArgs, io: &mut Io) -> Result<(), Failure> {
    let value = args.local.open()?.get(io, &["profiles", &args.name]).await?;
    if !args.toml {
        return args
            .local
            .tell(io, value, |io, profile: ProfileView| print(io, &profile));
    }
    let profile: ProfileView = read(value)?;
    let text = profile
        .toml
        .ok_or_else(|| Failure::failed("the server does not tell the text of this profile"))?;
    for line in text.lines() {
        say!(io.output, "{line}");
    }
    Ok(())
}

pub fn print(io: &mut Io, profile: &ProfileView) {
    let mut fields = vec![
        ("Profile", profile.name.clone()),
        ("For", profile.purpose.clone()),
        ("Clients", profile.clients.join(" ")),
        ("Feared", profile.risk.clone()),
    ];
    fields.extend(holding(&profile.mitigations));
    fields.push(("Left", profile.residual.clone()));
    fields.extend(profile.warning.iter().map(|warning| ("WARNING", warning.clone())));
    fields.push(("Version", profile.version.clone()));
    io.output.record(&fields);
}

pub fn holding(mitigations: &[MitigationView]) -> impl Iterator<Item = (&str, String)> {
    mitigations.iter().map(|held| (held.id.as_str(), held.how.clone()))
}
