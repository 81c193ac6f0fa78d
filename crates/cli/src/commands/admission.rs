//! `waypass admission`: whose word lets instances of a client in. For whoever runs the server.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::time::Lifetime;
use protocol::wire::local::{AddAdmission, AdmissionView};
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::{or_dash, say};

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
        AdmissionCommand::Add(args) => {
            let value = args.local.open()?.post(io, &["admissions"], &meant(args)?).await?;
            args.local.tell(io, value, added)
        }
        AdmissionCommand::List(local) => {
            let value = local.open()?.get(io, &["admissions"]).await?;
            local.tell(io, value, list)
        }
        AdmissionCommand::Remove(RemoveArgs { id, local }) => {
            let value = local.open()?.delete(io, &["admissions", id]).await?;
            let sentence = format!("Admission {id} is removed. Instances that came in by it stay.");
            local.tell_done(io, &value, &sentence);
            Ok(())
        }
    }
}

fn added(io: &mut Io, admission: AdmissionView) {
    let AdmissionView {
        id, subject, by, owner, ..
    } = admission;
    let who = subject.unwrap_or_else(|| "Whoever it attests".to_owned());
    say!(io.output, "{who} is let in by {by}, as {owner}'s.");
    say!(io.output, "Admission {id}");
}

/// What was typed, with its files read.
fn meant(args: &AddArgs) -> Result<AddAdmission, Failure> {
    Ok(AddAdmission {
        client_id: args.client_id.clone(),
        owner: args.owner.clone(),
        environment: args.environment.clone(),
        lifetime: date::length(&args.lifetime)?.seconds(),
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
    serde_json::from_str(&files::text_of(file)?)
        .map_err(|_| Failure::usage(format!("{} holds no JSON", file.display())).hint(r#"it reads {"keys": [...]}"#))
}

fn list(io: &mut Io, admissions: Vec<AdmissionView>) {
    let rows = admissions.into_iter().map(|admission| {
        let state = if admission.removed_at.is_some() {
            "removed"
        } else {
            "stands"
        };
        [
            admission.id,
            admission.client_id,
            admission.by,
            or_dash(admission.subject),
            admission.owner,
            date::countdown(Lifetime::from_seconds(admission.lifetime)),
            state.to_owned(),
        ]
    });
    let headings = ["ADMISSION", "CLIENT", "BY", "SUBJECT", "OWNER", "LIFETIME", "STATE"];
    io.output.table(headings, rows);
}
