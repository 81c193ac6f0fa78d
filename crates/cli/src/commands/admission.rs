//! `waypass admission`: whose word lets instances of a client in. For whoever runs the server.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::local::{AddAdmission, AdmissionView};
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};
use crate::print::say;

/// Say whose word lets instances of a client in, without a person asked each time.
#[derive(Debug, Subcommand)]
pub enum AdmissionCommand {
    Add(Box<AddArgs>),
    /// List all admissions
    List(LocalArgs),
    /// Let nobody in by an admission any more; instances that came in by it stay
    Remove(RemoveArgs),
}

#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// The admission's id
    id: String,
    #[command(flatten)]
    local: LocalArgs,
}

/// Admit an attester's instances, a workload by its own token, or a workload by its SVID
///
///   waypass admission add ci --data DIR --owner alice --lifetime 1h \
///     --issuer https://token.actions.githubusercontent.com --subject repo:org/app:ref:refs/heads/main
///   waypass admission add app --data DIR --owner alice --lifetime 90d \
///     --attester https://attester.example --jwks-file attester.jwks
///   waypass admission add svc --data DIR --owner alice --lifetime 1d \
///     --spiffe-id spiffe://example.org/svc --bundle-file example.org.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[group(id = "evidence", required = true, multiple = false, args = ["attester", "issuer", "spiffe_id"])]
pub struct AddArgs {
    /// The client whose instances they become
    client_id: String,
    #[command(flatten)]
    local: LocalArgs,
    /// The approver who answers for the instances
    #[arg(long)]
    owner: String,
    /// Where they run, `production` for instance
    #[arg(long)]
    environment: Option<String>,
    /// How long each lives: `90d`, `12h`, `30m`
    #[arg(long)]
    lifetime: String,
    /// The `iss` of the client attestations
    #[arg(long, value_name = "NAME", requires = "jwks_file")]
    attester: Option<String>,
    /// The OpenID issuer of the workload tokens, exactly as in their `iss`
    #[arg(long, value_name = "URL", requires = "subject")]
    issuer: Option<String>,
    /// The one `aud` of the workload tokens, if it is not this server's issuer
    #[arg(long, requires = "issuer")]
    audience: Option<String>,
    /// The `sub` of the workload tokens, whole: no wildcards
    #[arg(long, requires = "issuer")]
    subject: Option<String>,
    /// The workload's SPIFFE ID
    #[arg(long, value_name = "ID", requires = "bundle_file")]
    spiffe_id: Option<String>,
    /// The keys of the attester, or of an issuer that cannot be asked for them
    #[arg(long, value_name = "FILE", conflicts_with = "spiffe_id")]
    jwks_file: Option<PathBuf>,
    /// The SPIFFE bundle of the workload's trust domain
    #[arg(long, value_name = "FILE", requires = "spiffe_id")]
    bundle_file: Option<PathBuf>,
}

impl AdmissionCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Add(args) => args.local.json,
            Self::List(local) => local.json,
            Self::Remove(args) => args.local.json,
        }
    }
}

pub async fn run(command: &AdmissionCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        AdmissionCommand::Add(args) => add(args, io).await,
        AdmissionCommand::List(local) => list(local, io).await,
        AdmissionCommand::Remove(args) => remove(args, io).await,
    }
}

async fn add(args: &AddArgs, io: &mut Io) -> Result<(), Failure> {
    let local = Local::open(&args.local.data)?;
    let value = local.post(io, &["admissions"], &meant(args)?).await?;
    if args.local.json {
        io.output.json(&value);
        return Ok(());
    }
    let admission: AdmissionView = read(value)?;
    let who = admission.subject.unwrap_or_else(|| "Whoever it attests".to_owned());
    say!(
        io.output,
        "{who} is let in by {}, as {}'s.",
        admission.by,
        admission.owner
    );
    say!(io.output, "Admission {}", admission.id);
    Ok(())
}

/// What was typed, with its files read.
fn meant(args: &AddArgs) -> Result<AddAdmission, Failure> {
    let start = Timestamp::default();
    let lifetime = date::parse_end(&args.lifetime, start).map(|end| end - start);
    let lifetime = lifetime.ok_or_else(|| {
        Failure::usage(format!("{:?} is no length of time", args.lifetime)).hint("write 90d, 12h or 30m")
    })?;
    Ok(AddAdmission {
        client_id: args.client_id.clone(),
        owner: args.owner.clone(),
        environment: args.environment.clone(),
        lifetime: lifetime.seconds(),
        attester: args.attester.clone(),
        issuer: args.issuer.clone(),
        audience: args.audience.clone(),
        subject: args.subject.clone(),
        spiffe_id: args.spiffe_id.clone(),
        jwks: args.jwks_file.as_deref().map(json_of).transpose()?,
        bundle: args.bundle_file.as_deref().map(json_of).transpose()?,
    })
}

fn json_of(file: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|_| Failure::usage(format!("{} holds no JSON", file.display())).hint(r#"it reads {"keys": [...]}"#))
}

async fn list(local: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
    let value = Local::open(&local.data)?.get(io, &["admissions"]).await?;
    if local.json {
        io.output.json(&value);
        return Ok(());
    }
    let head = ["ADMISSION", "CLIENT", "BY", "SUBJECT", "OWNER", "LIFETIME", "STATE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for admission in read::<Vec<AdmissionView>>(value)? {
        let state = if admission.removed_at.is_some() {
            "removed"
        } else {
            "stands"
        };
        rows.push(vec![
            admission.id,
            admission.client_id,
            admission.by,
            admission.subject.unwrap_or_else(|| "-".to_owned()),
            admission.owner,
            date::countdown(Lifetime::from_seconds(admission.lifetime)),
            state.to_owned(),
        ]);
    }
    io.output.table(&rows);
    Ok(())
}

async fn remove(args: &RemoveArgs, io: &mut Io) -> Result<(), Failure> {
    let value = Local::open(&args.local.data)?
        .delete(io, &["admissions", &args.id])
        .await?;
    if args.local.json {
        io.output.json(&value);
    } else {
        say!(
            io.output,
            "Admission {} is removed. Instances that came in by it stay.",
            args.id
        );
    }
    Ok(())
}
