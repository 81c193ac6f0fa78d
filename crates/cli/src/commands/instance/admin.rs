//! `waypass instance add`, `list`, `show` and the acts on one: for whoever runs the server.

use std::path::PathBuf;

use protocol::instance::WayIn;
use protocol::wire::local::{AddInstance, HandOverInstance, InstanceView, RenameInstance};
use serde::Serialize;
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::local::{LocalArgs, read};
use crate::print::{or_dash, say};

/// Register the key of a machine before it ever asks; `waypass instance key` prints it there
///
///   waypass instance add cli --data DIR --jwk-file laptop.jwk --owner alice --name "alice's laptop" --expires 90d
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct AddArgs {
    /// The client that it is a copy of
    client_id: String,
    #[command(flatten)]
    local: LocalArgs,
    /// The public key, as a JWK
    #[arg(long, value_name = "FILE")]
    jwk_file: PathBuf,
    /// The approver who answers for it
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// Where it runs, `production` for instance
    #[arg(long, value_name = "TEXT")]
    environment: Option<String>,
    /// When it ends: `90d`, `12h`, or a day such as 2027-01-31
    #[arg(long, value_name = "WHEN")]
    expires: String,
}

#[derive(Debug, clap::Args)]
pub struct OneArgs {
    /// The instance's id, as `instance list` shows it
    instance_id: String,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, clap::Args)]
pub struct RenameArgs {
    #[command(flatten)]
    one: OneArgs,
    /// The new name
    #[arg(long, value_name = "TEXT")]
    name: String,
}

#[derive(Debug, clap::Args)]
pub struct HandOverArgs {
    #[command(flatten)]
    one: OneArgs,
    /// The approver who answers for it from now on
    #[arg(long, value_name = "NAME")]
    to: String,
}

impl AddArgs {
    pub fn json(&self) -> bool {
        self.local.json
    }
}

impl RenameArgs {
    pub fn json(&self) -> bool {
        self.one.local.json
    }
}

impl HandOverArgs {
    pub fn json(&self) -> bool {
        self.one.local.json
    }
}

pub async fn add(args: &AddArgs, io: &mut Io) -> Result<(), Failure> {
    let file = args.jwk_file.display();
    let jwk: Value = serde_json::from_str(&files::text_of(&args.jwk_file)?)
        .map_err(|_| Failure::usage(format!("{file} holds no JWK")).hint("waypass instance key prints one"))?;
    if jwk.get("d").is_some() {
        return Err(Failure::usage(format!(
            "{file} holds a private key, which nobody but its machine may have"
        ))
        .hint("waypass instance key prints the public half"));
    }
    let body = AddInstance {
        client_id: args.client_id.clone(),
        jwk,
        owner: args.owner.clone(),
        name: args.name.clone(),
        environment: args.environment.clone(),
        expires_at: date::end(&args.expires, io.now())?.millis(),
    };
    let value = args.local.open()?.post(io, &["instances"], &body).await?;
    let InstanceView { instance_id, owner, .. } = read(value.clone())?;
    let sentence = format!("Instance {instance_id} is registered; {owner} answers for it.");
    args.local.tell_done(io, &value, &sentence);
    Ok(())
}

pub async fn list(args: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
    let value = args.open()?.get(io, &["instances"]).await?;
    args.tell(io, value, |io, instances: Vec<InstanceView>| {
        let rows = instances.into_iter().map(|instance| {
            [
                instance.instance_id,
                instance.standing,
                instance.client_id,
                instance.name,
                instance.owner,
                date::moment(instance.expires_at),
                or_dash(instance.last_seen_at.map(date::moment)),
            ]
        });
        let headings = ["INSTANCE", "STANDING", "CLIENT", "NAME", "OWNER", "UNTIL", "LAST SEEN"];
        io.output.table(headings, rows);
    })
}

pub async fn show(args: &OneArgs, io: &mut Io) -> Result<(), Failure> {
    let value = args.local.open()?.get(io, &["instances", &args.instance_id]).await?;
    args.local.tell(io, value, print)
}

pub async fn rename(args: &RenameArgs, io: &mut Io) -> Result<(), Failure> {
    let body = RenameInstance {
        name: args.name.clone(),
    };
    let told = |view: &InstanceView| format!("Instance {} is called {} now.", view.instance_id, view.name);
    act(&args.one, io, ("rename", &body), told).await
}

pub async fn hand_over(args: &HandOverArgs, io: &mut Io) -> Result<(), Failure> {
    let body = HandOverInstance { to: args.to.clone() };
    let told = |view: &InstanceView| format!("{} answers for instance {} now.", view.owner, view.instance_id);
    act(&args.one, io, ("hand-over", &body), told).await
}

/// `suspend`, `resume` and `remove`.
pub async fn change(args: &OneArgs, io: &mut Io, verb: &str) -> Result<(), Failure> {
    let told = |view: &InstanceView| format!("Instance {} is {} now.", view.instance_id, view.standing);
    act(args, io, (verb, &Value::Null), told).await
}

async fn act(
    args: &OneArgs,
    io: &mut Io,
    (verb, body): (&str, &impl Serialize),
    told: impl FnOnce(&InstanceView) -> String,
) -> Result<(), Failure> {
    let value = args
        .local
        .open()?
        .post(io, &["instances", &args.instance_id, verb], body)
        .await?;
    args.local
        .tell(io, value, |io, view: InstanceView| say!(io.output, "{}", told(&view)))
}

fn print(io: &mut Io, instance: InstanceView) {
    let mut fields = vec![
        ("Instance", instance.instance_id),
        ("Standing", instance.standing),
        ("Client", instance.client_id),
        ("Name", instance.name),
        ("Owner", instance.owner),
        ("Environment", or_dash(instance.environment)),
        ("Came in by", way_in(&instance.way_in)),
        ("Since", date::moment(instance.created_at)),
        ("Until", date::moment(instance.expires_at)),
        ("Last seen", or_dash(instance.last_seen_at.map(date::moment))),
    ];
    for key in instance.keys {
        let retires = key.retires_at.map(|at| format!(", retires {}", date::moment(at)));
        fields.push((
            "Key",
            format!("{} ({}{})", key.key_words, key.thumbprint, retires.unwrap_or_default()),
        ));
    }
    fields.extend(instance.suspended_at.map(|at| ("Suspended", date::moment(at))));
    fields.extend(instance.removed_at.map(|at| ("Removed", date::moment(at))));
    let facts = instance.facts.iter();
    fields.extend(facts.map(|fact| (fact.name.as_str(), format!("{} [{}]", fact.value, fact.source.as_str()))));
    io.output.record(&fields);
}

/// Who let it in, beside how.
fn way_in(way_in: &WayIn) -> String {
    let by = match way_in {
        WayIn::Preregistered => return way_in.kind().to_owned(),
        WayIn::Attested { attester, .. } => attester.clone(),
        WayIn::WorkloadToken { issuer, subject, .. } => format!("{subject} of {issuer}"),
        WayIn::Svid { spiffe_id, .. } => spiffe_id.clone(),
        WayIn::Ceremony { request, evidence } => format!("request {request}: {}", evidence.join(", ")),
    };
    format!("{}: {by}", way_in.kind())
}
