//! `waypass client`: which programs may ask, for what, and how. For whoever runs the server.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::time::Timestamp;
use protocol::wire::local::{AddClient, ClientView};
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};
use crate::print::say;

/// Register and manage clients: the programs that may ask for access.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    Add(Box<AddArgs>),
    /// List all clients
    List(LocalArgs),
    /// Show one client
    Show(OneArgs),
    /// Stop a client: it can ask for nothing and its tokens are not renewed
    Disable(OneArgs),
    /// Let a disabled client work again
    Enable(OneArgs),
    /// Remove a client for good
    Delete(OneArgs),
}

#[derive(Debug, clap::Args)]
pub struct OneArgs {
    /// The client id
    client_id: String,
    #[command(flatten)]
    local: LocalArgs,
}

/// Register a client; its name is the client id
///
///   waypass client add cli --data DIR --public --profile open --scope "openid offline_access read"
///   waypass client add svc --data DIR --jwks-file svc.jwks --profile open --scope read
///   waypass client add api --data DIR --secret-file api.secret --introspect
#[expect(clippy::struct_excessive_bools, reason = "each flag is one")]
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[group(id = "authentication", required = true, multiple = false, args = ["public", "secret_file", "jwks_file"])]
pub struct AddArgs {
    /// The client id
    client_id: String,
    #[command(flatten)]
    local: LocalArgs,
    /// It has no credentials of its own: a command line tool, for instance
    #[arg(long)]
    public: bool,
    /// It authenticates with the secret in this file (one newline at the end is dropped)
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// It authenticates with a key of this JWK set (private_key_jwt)
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// What is demanded of it; without a profile it has no device grant
    #[arg(long)]
    profile: Option<String>,
    /// The scopes it may ask for, separated by spaces
    #[arg(long, default_value = "", hide_default_value = true)]
    scope: String,
    /// A resource it may ask for, or with --introspect the one it is; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// It is a resource server and may introspect tokens
    #[arg(long)]
    introspect: bool,
    /// Refuse its token requests without a DPoP proof
    #[arg(long)]
    require_dpop: bool,
    /// Seconds until its codes end, if not as the profile says
    #[arg(long, value_name = "SECONDS")]
    code_lifetime: Option<i64>,
    /// `legacy` also takes assertions addressed to the token endpoint
    #[arg(long, value_parser = ["issuer", "legacy"])]
    assertion_audience: Option<String>,
    /// How its tokens are signed
    #[arg(long, value_parser = ["ES256", "RS256", "EdDSA"])]
    signing_alg: Option<String>,
    /// Refuse parameters that are not known instead of ignoring them
    #[arg(long)]
    strict: bool,
    /// The name that approvers see, if it is not the client id
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Who is responsible for it
    #[arg(long)]
    owner: Option<String>,
    /// What it is
    #[arg(long, value_parser = ["cli", "agent", "workload", "service"])]
    kind: Option<String>,
    /// Where it runs, `production` for instance
    #[arg(long)]
    environment: Option<String>,
    /// What it is for, in a sentence that approvers see
    #[arg(long)]
    purpose: Option<String>,
    /// You have checked who is behind it; approvers see that
    #[arg(long)]
    verified: bool,
    /// When it ends: `90d`, `12h`, or a day such as 2027-01-31
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

impl ClientCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Add(args) => args.local.json,
            Self::List(local) => local.json,
            Self::Show(args) | Self::Disable(args) | Self::Enable(args) | Self::Delete(args) => args.local.json,
        }
    }
}

pub async fn run(command: &ClientCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(args) => add(args, io).await,
        ClientCommand::List(local) => list(local, io).await,
        ClientCommand::Show(args) => {
            let value = Local::open(&args.local.data)?
                .get(io, &["clients", &args.client_id])
                .await?;
            show(io, args.local.json, value)
        }
        ClientCommand::Disable(args) => change(args, io, "disable").await,
        ClientCommand::Enable(args) => change(args, io, "enable").await,
        ClientCommand::Delete(args) => delete(args, io).await,
    }
}

async fn add(args: &AddArgs, io: &mut Io) -> Result<(), Failure> {
    let local = Local::open(&args.local.data)?;
    let value = local.post(io, &["clients"], &meant(args, io.now())?).await?;
    let client: ClientView = read(value.clone())?;
    for warning in &client.warnings {
        say!(io.errors, "warning: {warning}");
    }
    if args.local.json {
        io.output.json(&value);
    } else {
        say!(io.output, "Client {} is registered.", client.client_id);
    }
    Ok(())
}

/// What was typed, with its files read.
fn meant(args: &AddArgs, now: Timestamp) -> Result<AddClient, Failure> {
    let expires_at = match &args.expires {
        None => None,
        Some(text) => Some(date::parse_end(text, now).ok_or_else(|| {
            Failure::usage(format!("{text:?} is no end")).hint("write 90d, 12h, or a day such as 2027-01-31")
        })?),
    };
    Ok(AddClient {
        client_id: args.client_id.clone(),
        name: args.display_name.clone(),
        kind: args.kind.clone(),
        environment: args.environment.clone(),
        owner: args.owner.clone(),
        purpose: args.purpose.clone(),
        verified: args.verified,
        expires_at: expires_at.map(Timestamp::millis),
        scope: args.scope.clone(),
        resource: args.resource.clone(),
        profile: args.profile.clone(),
        public: args.public,
        secret: args.secret_file.as_deref().map(secret).transpose()?,
        jwks: args.jwks_file.as_deref().map(jwks).transpose()?,
        assertion_audience: args.assertion_audience.clone(),
        require_dpop: args.require_dpop,
        strict: args.strict,
        code_lifetime: args.code_lifetime,
        signing_alg: args.signing_alg.clone(),
        introspect: args.introspect,
    })
}

fn text_of(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

fn secret(file: &Path) -> Result<String, Failure> {
    let text = text_of(file)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    if secret.is_empty() {
        return Err(Failure::usage(format!("{} holds no secret", file.display())));
    }
    Ok(secret.to_owned())
}

fn jwks(file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&text_of(file)?)
        .map_err(|_| Failure::usage(format!("{} holds no JWK set", file.display())).hint(r#"it reads {"keys": [...]}"#))
}

async fn list(local: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
    let value = Local::open(&local.data)?.get(io, &["clients"]).await?;
    if local.json {
        io.output.json(&value);
        return Ok(());
    }
    let mut rows = vec![
        ["CLIENT", "PROFILE", "AUTHENTICATION", "STATE", "SCOPE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for client in read::<Vec<ClientView>>(value)? {
        let state = if client.disabled_at.is_some() {
            "disabled"
        } else {
            "enabled"
        };
        rows.push(vec![
            client.client_id,
            client.profile.unwrap_or_else(|| "-".to_owned()),
            client.authentication,
            state.to_owned(),
            client.scope,
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
    let client: ClientView = read(value)?;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let moment = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), |at| date::utc(Timestamp::from_millis(at)));
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let lifetime = client
        .code_lifetime
        .map_or_else(|| "as the profile says".to_owned(), |seconds| format!("{seconds} s"));
    let rows = [
        ("Client", client.client_id),
        ("Name", client.name),
        ("Kind", client.kind),
        ("Environment", or_none(client.environment)),
        ("Owner", or_none(client.owner)),
        ("Purpose", or_none(client.purpose)),
        ("Verified", yes(client.verified)),
        ("Profile", or_none(client.profile)),
        ("Authentication", client.authentication),
        ("Assertion audience", or_none(client.assertion_audience)),
        ("Scope", client.scope),
        ("Resources", client.resource.join(" ")),
        ("DPoP required", yes(client.require_dpop)),
        ("Strict", yes(client.strict)),
        ("May introspect", yes(client.introspect)),
        ("Code lifetime", lifetime),
        ("Signed with", client.signing_alg),
        ("Registered", moment(Some(client.created_at))),
        ("Ends", moment(client.expires_at)),
        ("Disabled", moment(client.disabled_at)),
    ];
    io.output.table(&rows.map(|(name, text)| vec![name.to_owned(), text]));
    for warning in &client.warnings {
        say!(io.errors, "warning: {warning}");
    }
    Ok(())
}

async fn change(args: &OneArgs, io: &mut Io, verb: &str) -> Result<(), Failure> {
    let local = Local::open(&args.local.data)?;
    let value = local
        .post(io, &["clients", &args.client_id, verb], &Value::Null)
        .await?;
    if args.local.json {
        io.output.json(&value);
    } else {
        say!(io.output, "Client {} is {verb}d.", args.client_id);
    }
    Ok(())
}

async fn delete(args: &OneArgs, io: &mut Io) -> Result<(), Failure> {
    let value = Local::open(&args.local.data)?
        .delete(io, &["clients", &args.client_id])
        .await?;
    if args.local.json {
        io.output.json(&value);
    } else {
        say!(io.output, "Client {} is deleted.", args.client_id);
    }
    Ok(())
}
