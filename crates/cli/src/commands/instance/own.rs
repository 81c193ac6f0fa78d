//! `waypass instance key` and `status`: this machine's own instance, as it is kept here.

use protocol::wire::enrollment::EnrolledInstance;
use serde_json::json;

use crate::credentials::{Kept, Vault};
use crate::date;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::metadata::Issuer;
use crate::print::or_dash;
use crate::profile_key;
use crate::settings::Settings;
use crate::target::TargetArgs;

#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The profile that was enrolled
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub profile: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What people are told of an instance.
pub fn fields(instance: &EnrolledInstance) -> [(&'static str, String); 8] {
    [
        ("Instance", instance.instance_id.clone()),
        ("Name", instance.name.clone()),
        ("Client", instance.client_id.clone()),
        ("Owner", instance.owner.clone()),
        ("Environment", or_dash(instance.environment.clone())),
        ("Until", date::moment(instance.expires_at)),
        ("Came in by", instance.way_in.clone()),
        ("Key words", protocol::key_words::of(&instance.thumbprint)),
    ]
}

/// The public half, for an administrator: makes the key if there is none yet, and asks nobody.
pub async fn key(args: &KeyArgs, io: &mut Io) -> Result<(), Failure> {
    let (vault, profile) = args.target.settle(io)?;
    Issuer::parse(&profile.server)?;
    let own = profile_key::of(io, &vault, &profile, args.target.key_storage).await?;
    own.must_be_kept(&args.target.profile)?;
    Settings::keep(io, &args.target.profile, &profile)?;
    io.output.json(&own.key.public_jwk());
    Ok(())
}

pub fn status(args: &StatusArgs, io: &mut Io) -> Result<(), Failure> {
    let vault = Vault::of(io, &args.profile)?;
    let (kept, instance) = enrolled(&vault, io, &args.profile)?;
    if args.json {
        io.output.json(&json!({
            "profile": args.profile, "server": kept.credentials.issuer, "instance": instance,
            "key_storage": kept.key_storage().name()
        }));
        return Ok(());
    }
    let stored_in = vault.describe(kept.place, &kept.credentials.key);
    let own = [("Server", kept.credentials.issuer), ("Stored in", stored_in)];
    io.output.fields(fields(&instance).into_iter().chain(own));
    Ok(())
}

/// What is kept of an instance that was enrolled.
pub fn enrolled(vault: &Vault, io: &Io, profile: &str) -> Result<(Kept, EnrolledInstance), Failure> {
    let kept = vault.load(io)?;
    let instance = kept.as_ref().and_then(|kept| kept.credentials.instance.clone());
    kept.zip(instance).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "not_enrolled",
            format!("profile {profile:?} is not enrolled"),
        )
        .hint(format!("waypass enroll --profile {profile}"))
    })
}
