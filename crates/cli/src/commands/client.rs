//! `waypass client`: which programs may ask, for what, and how. For whoever runs the server.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::client_certificate;
use protocol::time::Timestamp;
use protocol::wire::local::{AddClient, ChangeClient, ClientView, TlsClientAuth};
use serde_json::{Value, json};

use crate::date;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::local::{LocalArgs, read};
use crate::print::{or_dash, say};

/// Register and manage clients: the programs that may ask for access.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    Add(Box<AddArgs>),
    Set(SetArgs),
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
///   waypass client add job --data DIR --tls-client-auth --ca-file ca.pem --san-dns job.example.org --certificate-bound
///   waypass client add api --data DIR --secret-file api.secret --introspect
///   waypass client add nightly --data DIR --instance-key --profile standard --grant client_credentials --scope read
#[expect(clippy::struct_excessive_bools, reason = "each flag is one")]
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[group(id = "authentication", required = true, multiple = false, args = ["public", "secret_file", "jwks_file", "instance_key", "attested", "tls_client_auth", "self_signed_cert"])]
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
    /// It authenticates with the key of an enrolled instance (private_key_jwt)
    #[arg(long)]
    instance_key: bool,
    /// It authenticates by what its admissions take: a client attestation, or an SVID
    #[arg(long)]
    attested: bool,
    /// It authenticates with a certificate by one of these authorities, which says the one name given with it
    #[arg(long, requires_all = ["ca_file", "certificate_name"])]
    tls_client_auth: bool,
    /// It authenticates with a certificate of this PEM file or JWK set (with x5c), whoever issued it
    #[arg(long, value_name = "FILE")]
    self_signed_cert: Option<PathBuf>,
    /// PEM file with the authorities of its certificates
    #[arg(long, value_name = "FILE", requires = "tls_client_auth")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    name: CertificateName,
    /// Bind its codes and tokens to the certificate of its connection
    #[arg(long)]
    certificate_bound: bool,
    /// What is demanded of it; without a profile it has no device grant
    #[arg(long)]
    profile: Option<String>,
    /// The scopes it may ask for, separated by spaces
    #[arg(long, default_value = "", hide_default_value = true)]
    scope: String,
    /// A resource it may ask for, or with --introspect the one it is; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    #[command(flatten)]
    details: DetailsArgs,
    /// It is a resource server and may introspect tokens
    #[arg(long)]
    introspect: bool,
    /// It may report codes that were seen in messages: a mail gateway, for instance
    #[arg(long)]
    report_codes: bool,
    /// How it may come to tokens: by asking a person, or as a known machine without any; may be repeated
    #[arg(long, value_name = "GRANT", default_value = "device_code", value_parser = GRANTS)]
    grant: Vec<String>,
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

#[derive(Debug, clap::Args)]
#[group(id = "certificate_name", multiple = false)]
struct CertificateName {
    /// The subject of its certificate, such as CN=job,O=Example,C=CH
    #[arg(long, value_name = "DN", requires = "tls_client_auth")]
    subject_dn: Option<String>,
    /// The DNS name in its certificate
    #[arg(long, value_name = "NAME", requires = "tls_client_auth")]
    san_dns: Option<String>,
    /// The URI in its certificate
    #[arg(long, value_name = "URI", requires = "tls_client_auth")]
    san_uri: Option<String>,
    /// The IP address in its certificate
    #[arg(long, value_name = "ADDR", requires = "tls_client_auth")]
    san_ip: Option<String>,
    /// The mail address in its certificate
    #[arg(long, value_name = "MAIL", requires = "tls_client_auth")]
    san_email: Option<String>,
}

/// Change what a client may do; what is not named stays. Its open requests are void then
///
///   waypass client set cli --data DIR --profile standard
#[expect(clippy::struct_excessive_bools, reason = "each flag is one")]
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[group(id = "change", required = true, multiple = true, args = ["profile", "no_profile", "scope", "resource", "details_type", "details", "no_details", "jwks_file", "certificates_file", "certificate_bound", "no_certificate_bound", "grant"])]
pub struct SetArgs {
    /// The client id
    client_id: String,
    #[command(flatten)]
    local: LocalArgs,
    /// What is demanded of it; the same one again brings back a device grant that went off unused
    #[arg(long)]
    profile: Option<String>,
    /// Take its profile, and with it the device grant
    #[arg(long, conflicts_with = "profile")]
    no_profile: bool,
    /// The scopes it may ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// The resources it may ask for, all of them; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    #[command(flatten)]
    details: DetailsArgs,
    /// It may ask for no authorization_details any more
    #[arg(long, conflicts_with_all = ["details_type", "details"])]
    no_details: bool,
    /// It authenticates with a key of this JWK set from now on
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// How it may come to tokens, all of the ways; may be repeated
    #[arg(long, value_name = "GRANT", value_parser = GRANTS)]
    grant: Vec<String>,
    /// Its certificates from now on, or the authorities of them: what it was added with
    #[arg(long, value_name = "FILE")]
    certificates_file: Option<PathBuf>,
    /// Its codes and tokens are bound to the certificate of its connection from now on
    #[arg(long)]
    certificate_bound: bool,
    /// They are bound to none any more
    #[arg(long, conflicts_with = "certificate_bound")]
    no_certificate_bound: bool,
}

/// The ceiling of what exactly it may ask for (RFC 9396); without it that is nothing.
#[derive(Debug, clap::Args)]
struct DetailsArgs {
    /// A type of authorization_details it may ask for, without bounds; may be repeated
    #[arg(long, value_name = "TYPE")]
    details_type: Vec<String>,
    /// The bounds of what it may ask for: a JSON array of authorization_details that may leave out what they do not bound
    #[arg(long, value_name = "FILE")]
    details: Option<PathBuf>,
}

impl DetailsArgs {
    fn ceiling(&self) -> Result<Option<Value>, Failure> {
        let mut ceiling: Vec<Value> = match &self.details {
            Some(file) => serde_json::from_str(&files::text_of(file)?)
                .map_err(|_| Failure::usage(format!("{} holds no JSON array", file.display())))?,
            None => Vec::new(),
        };
        ceiling.extend(self.details_type.iter().map(|name| json!({ "type": name })));
        Ok((!ceiling.is_empty()).then_some(Value::Array(ceiling)))
    }
}

const GRANTS: [&str; 2] = ["device_code", "client_credentials"];

impl ClientCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Add(args) => args.local.json,
            Self::Set(args) => args.local.json,
            Self::List(local) => local.json,
            Self::Show(args) | Self::Disable(args) | Self::Enable(args) | Self::Delete(args) => args.local.json,
        }
    }
}

pub async fn run(command: &ClientCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(args) => add(args, io).await,
        ClientCommand::Set(args) => set(args, io).await,
        ClientCommand::List(local) => {
            let value = local.open()?.get(io, &["clients"]).await?;
            local.tell(io, value, list)
        }
        ClientCommand::Show(OneArgs { client_id, local }) => {
            let value = local.open()?.get(io, &["clients", client_id]).await?;
            local.tell(io, value, show)
        }
        ClientCommand::Disable(args) => change(args, io, "disable").await,
        ClientCommand::Enable(args) => change(args, io, "enable").await,
        ClientCommand::Delete(OneArgs { client_id, local }) => {
            let value = local.open()?.delete(io, &["clients", client_id]).await?;
            local.tell_done(io, &value, &format!("Client {client_id} is deleted."));
            Ok(())
        }
    }
}

async fn add(args: &AddArgs, io: &mut Io) -> Result<(), Failure> {
    let value = args
        .local
        .open()?
        .post(io, &["clients"], &meant(args, io.now())?)
        .await?;
    let client: ClientView = read(value.clone())?;
    warn(io, &client);
    let sentence = format!("Client {} is registered.", client.client_id);
    args.local.tell_done(io, &value, &sentence);
    Ok(())
}

async fn set(args: &SetArgs, io: &mut Io) -> Result<(), Failure> {
    let body = ChangeClient {
        profile: args.profile.clone().or(args.no_profile.then(String::new)),
        scope: args.scope.clone(),
        resource: (!args.resource.is_empty()).then(|| args.resource.clone()),
        authorization_details: match args.details.ceiling()? {
            None if args.no_details => Some(json!([])),
            ceiling => ceiling,
        },
        jwks: args.jwks_file.as_deref().map(jwks).transpose()?,
        grants: (!args.grant.is_empty()).then(|| args.grant.clone()),
        certificates: args.certificates_file.as_deref().map(certificates).transpose()?,
        certificate_bound: (args.certificate_bound || args.no_certificate_bound).then_some(args.certificate_bound),
    };
    let value = args
        .local
        .open()?
        .post(io, &["clients", &args.client_id, "change"], &body)
        .await?;
    let client: ClientView = read(value.clone())?;
    warn(io, &client);
    args.local
        .tell_done(io, &value, &format!("Client {} is changed.", client.client_id));
    Ok(())
}

fn warn(io: &mut Io, client: &ClientView) {
    for warning in &client.warnings {
        say!(io.errors, "warning: {warning}");
    }
}

/// What was typed, with its files read.
fn meant(args: &AddArgs, now: Timestamp) -> Result<AddClient, Failure> {
    let expires_at = args.expires.as_deref().map(|text| date::end(text, now)).transpose()?;
    Ok(AddClient {
        instance_key: args.instance_key,
        attested: args.attested,
        report_codes: args.report_codes,
        grants: args.grant.clone(),
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
        authorization_details: args.details.ceiling()?,
        profile: args.profile.clone(),
        public: args.public,
        secret: args.secret_file.as_deref().map(secret).transpose()?,
        jwks: args.jwks_file.as_deref().map(jwks).transpose()?,
        assertion_audience: args.assertion_audience.clone(),
        tls_client_auth: tls_client_auth(args)?,
        self_signed_certificates: args.self_signed_cert.as_deref().map(certificates).transpose()?,
        certificate_bound: args.certificate_bound,
        require_dpop: args.require_dpop,
        strict: args.strict,
        code_lifetime: args.code_lifetime,
        signing_alg: args.signing_alg.clone(),
        introspect: args.introspect,
    })
}

fn secret(file: &Path) -> Result<String, Failure> {
    let text = files::text_of(file)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    if secret.is_empty() {
        return Err(Failure::usage(format!("{} holds no secret", file.display())));
    }
    Ok(secret.to_owned())
}

fn jwks(file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(&files::text_of(file)?)
        .map_err(|_| Failure::usage(format!("{} holds no JWK set", file.display())).hint(r#"it reads {"keys": [...]}"#))
}

/// clap has made sure that there is one name.
fn tls_client_auth(args: &AddArgs) -> Result<Option<TlsClientAuth>, Failure> {
    let names = [
        ("subject_dn", &args.name.subject_dn),
        ("san_dns", &args.name.san_dns),
        ("san_uri", &args.name.san_uri),
        ("san_ip", &args.name.san_ip),
        ("san_email", &args.name.san_email),
    ];
    let mut given = names.into_iter().filter_map(|(kind, name)| Some((kind, name.clone()?)));
    let (Some((kind, name)), Some(file)) = (given.next(), &args.ca_file) else {
        return Ok(None);
    };
    Ok(Some(TlsClientAuth {
        authorities: certificates(file)?,
        kind: kind.to_owned(),
        name,
    }))
}

fn certificates(file: &Path) -> Result<Vec<String>, Failure> {
    let certificates = client_certificate::to_register(&files::text_of(file)?);
    certificates.map_err(|flaw| Failure::usage(format!("{} cannot be used: {flaw}", file.display())))
}

fn list(io: &mut Io, clients: Vec<ClientView>) {
    let rows = clients.into_iter().map(|client| {
        let state = if client.disabled_at.is_some() {
            "disabled"
        } else {
            "enabled"
        };
        [
            client.client_id,
            or_dash(client.profile),
            client.authentication,
            state.to_owned(),
            client.scope,
        ]
    });
    io.output
        .table(["CLIENT", "PROFILE", "AUTHENTICATION", "STATE", "SCOPE"], rows);
}

fn show(io: &mut Io, client: ClientView) {
    warn(io, &client);
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let lifetime = client
        .code_lifetime
        .map_or_else(|| "as the profile says".to_owned(), |seconds| format!("{seconds} s"));
    let permission = |standing: String, since: Option<i64>| {
        let since = since.map(|at| format!(", since {}", date::moment(at)));
        standing + &since.unwrap_or_default()
    };
    let device_grant = permission(client.device_grant, client.device_grant_since);
    let client_credentials = permission(client.client_credentials, client.client_credentials_since);
    io.output.fields([
        ("Client", client.client_id),
        ("Name", client.name),
        ("Kind", client.kind),
        ("Environment", or_dash(client.environment)),
        ("Owner", or_dash(client.owner)),
        ("Purpose", or_dash(client.purpose)),
        ("Verified", yes(client.verified)),
        ("Profile", or_dash(client.profile)),
        ("Authentication", client.authentication),
        ("Assertion audience", or_dash(client.assertion_audience)),
        ("Scope", client.scope),
        ("Resources", client.resource.join(" ")),
        ("Details", client.authorization_details.canonical()),
        ("Certificate", or_dash(client.certificate)),
        ("Certificate-bound", yes(client.certificate_bound)),
        ("DPoP required", yes(client.require_dpop)),
        ("Strict", yes(client.strict)),
        ("May introspect", yes(client.introspect)),
        ("May report codes", yes(client.report_codes)),
        ("Device grant", device_grant),
        ("Without a person", client_credentials),
        ("Code lifetime", lifetime),
        ("Signed with", client.signing_alg),
        ("Registered", date::moment(client.created_at)),
        ("Ends", or_dash(client.expires_at.map(date::moment))),
        ("Disabled", or_dash(client.disabled_at.map(date::moment))),
    ]);
}

async fn change(args: &OneArgs, io: &mut Io, verb: &str) -> Result<(), Failure> {
    let OneArgs { client_id, local } = args;
    let value = local
        .open()?
        .post(io, &["clients", client_id, verb], &Value::Null)
        .await?;
    local.tell_done(io, &value, &format!("Client {client_id} is {verb}d."));
    Ok(())
}
