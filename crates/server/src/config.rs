//! What an operator says: flags, environment, file, in this order of precedence, made into a `Config` or
//! into every problem at once. Nothing is opened here but the configuration file itself. What a
//! configuration will do is said in `check`.

mod mail;
mod mtls;
mod networks;
mod passkeys;
mod posture;
mod rules;
mod sources;
#[cfg(test)]
mod tests;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use protocol::client::UnusedLimits;
use protocol::details::Types;
use protocol::guess;
use protocol::network;
use protocol::posture::PostureAttester;
use protocol::time::Lifetime;

use crate::config::sources::Sources;
use crate::issuer::Issuer;
use crate::limits::Rate;
use crate::policies::Configured;
use crate::profiles::Loaded;

pub use crate::config::mail::{Encryption, MailConfig};
pub use crate::config::mtls::Mtls;
pub use crate::config::networks::Networks;
pub use crate::config::passkeys::PasskeyRules;
pub use crate::config::sources::Problem;
pub use crate::config::upstream::{UpstreamConfig, is_protected};

/// The exit code for a configuration that cannot be used: `EX_CONFIG` of sysexits.h.
pub const EX_CONFIG: u8 = 78;

pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8628";
const DEFAULT_ISSUER: &str = "http://localhost:8628";

/// Every flag is text here: it is read in `Config::load`, so that all problems are told together.
#[derive(Args, Clone, Default)]
pub struct ServeArgs {
    /// TOML file with the same settings as these flags, dashes written as underscores. Flags and
    /// WAYPASS_* variables go before it
    #[arg(long, value_name = "FILE", env = "WAYPASS_CONFIG", hide_env_values = true)]
    pub config: Option<String>,

    /// Directory for this server's data: the database (unless --database is given), the lock and the
    /// socket that the other commands talk to. Made on the first start
    #[arg(long, value_name = "DIR", env = "WAYPASS_DATA", hide_env_values = true)]
    pub data: Option<String>,

    /// Keep everything in this PostgreSQL database instead, so that several servers can share it:
    /// postgres://USER@HOST/NAME. Put a password into the variable or the file, not on the command line
    #[arg(long, value_name = "URL", env = "WAYPASS_DATABASE", hide_env_values = true)]
    pub database: Option<String>,

    /// Address and port to listen on [default: 127.0.0.1:8628]
    #[arg(long, value_name = "ADDR", env = "WAYPASS_LISTEN", hide_env_values = true)]
    pub listen: Option<String>,

    /// The address that clients and people know this server by; it may have a path. Everything that is
    /// issued names it, so it cannot be changed later without ceremony [default: http://localhost:8628]
    #[arg(long, value_name = "URL", env = "WAYPASS_ISSUER", hide_env_values = true)]
    pub issuer: Option<String>,

    /// File with the key that encrypts the signing keys in the database. All servers of one database
    /// need the same. Required with --database [default: DIR/key, made on the first start]
    #[arg(long, value_name = "FILE", env = "WAYPASS_KEY_FILE", hide_env_values = true)]
    pub key_file: Option<String>,

    /// Certificate chain for TLS, in PEM, this server's own certificate first
    #[arg(long, value_name = "FILE", env = "WAYPASS_TLS_CERTIFICATE", hide_env_values = true)]
    pub tls_certificate: Option<String>,

    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "WAYPASS_TLS_KEY", hide_env_values = true)]
    pub tls_key: Option<String>,

    /// A proxy in front of this server: its address or network. What Forwarded and X-Forwarded-For say
    /// counts only from these. May be given several times; in the variable, separated by commas
    #[arg(
        long,
        value_name = "ADDR",
        env = "WAYPASS_TRUSTED_PROXY",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<String>,

    /// Address and port of a second listener, with the same TLS certificate, where clients are asked for theirs
    /// (RFC 8705). Without it the one listener asks, as long as a client is registered that shows one
    #[arg(long, value_name = "ADDR", env = "WAYPASS_MTLS_LISTEN", hide_env_values = true)]
    pub mtls_listen: Option<String>,

    /// How clients with certificates reach the endpoints; metadata tells it as mtls_endpoint_aliases
    /// [default: the issuer's host, at the port of --mtls-listen]
    #[arg(long, value_name = "URL", env = "WAYPASS_MTLS_ORIGIN", hide_env_values = true)]
    pub mtls_origin: Option<String>,

    /// A proxy that ends TLS and tells the client's certificate in Client-Cert (RFC 9440): its address or
    /// network. It must take that header away where a client sends it. May be given several times
    #[arg(
        long,
        value_name = "ADDR",
        env = "WAYPASS_MTLS_PROXY",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub mtls_proxy: Vec<String>,

    /// Folder with profiles of your own, one TOML file each, beside those that are built in
    #[arg(long, value_name = "DIR", env = "WAYPASS_PROFILES", hide_env_values = true)]
    pub profiles: Option<String>,

    /// Folder with types of authorization_details of your own, one JSON Schema each, beside those that are built in
    #[arg(long, value_name = "DIR", env = "WAYPASS_DETAILS_TYPES", hide_env_values = true)]
    pub details_types: Option<String>,
    /// Folder with policies in Cedar, `.cedar` files, which are asked at every step [default: none]
    #[arg(long, value_name = "DIR", env = "WAYPASS_POLICIES", hide_env_values = true)]
    pub policies: Option<String>,

    /// Address and port for Prometheus metrics, which are answered nowhere else [default: off]
    #[arg(long, value_name = "ADDR", env = "WAYPASS_METRICS_LISTEN", hide_env_values = true)]
    pub metrics_listen: Option<String>,

    /// How log lines are written: text or json. What is written is said by WAYPASS_LOG, such as
    /// `debug` or `info,server=debug` [default: text]
    #[arg(long, value_name = "FORMAT", env = "WAYPASS_LOG_FORMAT", hide_env_values = true)]
    pub log_format: Option<String>,
}

/// A configuration that fits together. Without `Debug`: the database's address may hold a password.
pub struct Config {
    pub data: PathBuf,
    /// None means SQLite in `data`.
    pub database: Option<DatabaseUrl>,
    pub listen: SocketAddr,
    pub issuer: Issuer,
    /// Made on the first start where it is absent. A second node with a wrong path makes one too, and is
    /// then refused: the database remembers the key that it was begun with.
    pub key_file: PathBuf,
    /// None means plain HTTP, on loopback.
    pub tls: Option<TlsFiles>,
    pub mtls: Mtls,
    pub trusted_proxies: Vec<IpNet>,
    pub networks: Networks,
    pub passkeys: PasskeyRules,
    /// Where an equal address says nothing: `networks.shared`, and unless all of this is one machine's every
    /// address that no operator announces. What is behind a rewriting hop is there, with everybody else.
    pub shared_networks: Vec<IpNet>,
    pub profiles: Loaded,
    pub details_types: Types,
    pub policies: Configured,
    pub unused: UnusedLimits,
    pub metrics_listen: Option<SocketAddr>,
    pub log_format: LogFormat,
    pub lifetimes: Lifetimes,
    pub limits: Limits,
    /// Whose word on machines counts.
    pub posture_attesters: Vec<PostureAttester>,
    /// How notices leave by e-mail, if they do.
    pub mail: Option<MailConfig>,
    /// Where approvers may sign in elsewhere.
    pub upstream: Option<UpstreamConfig>,
}

/// A secret, since it may hold a password.
pub struct DatabaseUrl(String);

pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub device_code: Lifetime,
    pub access_token: Lifetime,
    pub grant: Lifetime,
    pub enrollment_link: Lifetime,
    pub browser_session: Lifetime,
}

/// None is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub requests_per_source: Option<Rate>,
    pub open_requests_per_client: Option<u32>,
    pub open_requests_per_source: Option<u32>,
    /// Never off: they are what keeps a short code from being guessed.
    pub guesses: guess::Limits,
    pub connections: u32,
    /// How many token requests may wait for their decision at once (RFC 7240 §4.3).
    pub held_requests: u32,
}

impl Config {
    pub fn load(args: &ServeArgs) -> Result<Self, Vec<Problem>> {
        let mut sources = Sources::open(args.config.as_deref());
        let config = Self::read(args, &mut sources);
        let problems = sources.finish();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// Whether any client can show this server a certificate.
    pub fn sees_certificates(&self) -> bool {
        self.tls.is_some() || !self.mtls.proxies.is_empty()
    }

    /// Where a path of ours is reached with a certificate, if that is elsewhere (RFC 8705 §5).
    pub fn alias(&self, path: &str) -> Option<String> {
        let origin = self.mtls.origin.as_ref()?;
        Some(format!("{origin}{}{path}", self.issuer.base_path()))
    }

    /// The socket that the other commands find this server by.
    pub fn socket(&self) -> PathBuf {
        self.data.join(rules::SOCKET)
    }

    /// None only where a problem was noted.
    fn read(args: &ServeArgs, sources: &mut Sources) -> Option<Self> {
        let data = sources.text("data", args.data.as_deref());
        let data = rules::data(sources, data);
        let database = sources.parsed("database", args.database.as_deref(), DatabaseUrl::parse);
        let listen = sources.required("listen", args.listen.as_deref(), DEFAULT_LISTEN, rules::address);
        let issuer = sources.required("issuer", args.issuer.as_deref(), DEFAULT_ISSUER, |text| {
            Issuer::parse(text).map_err(|problem| problem.to_string())
        });
        let key_file = sources.text("key_file", args.key_file.as_deref());
        let tls = (
            sources.text("tls_certificate", args.tls_certificate.as_deref()),
            sources.text("tls_key", args.tls_key.as_deref()),
        );
        let trusted = sources.list("trusted_proxy", &args.trusted_proxy, rules::proxy);
        let mtls = Mtls::read(args, sources, issuer.as_ref());
        let metrics_listen = sources.parsed("metrics_listen", args.metrics_listen.as_deref(), rules::address);
        let log_format = sources.required("log_format", args.log_format.as_deref(), "text", LogFormat::parse);
        let networks = Networks::read(sources);
        let passkeys = PasskeyRules::read(sources);
        let profiles = sources.text("profiles", args.profiles.as_deref());
        let profiles = rules::profiles(sources, profiles);
        let details_types = sources.text("details_types", args.details_types.as_deref());
        let details_types = rules::details_types(sources, details_types);
        let policies = sources.text("policies", args.policies.as_deref());
        let policies = rules::policies(sources, policies);
        let unused = rules::unused(sources);
        let lifetimes = rules::lifetimes(sources);
        let limits = rules::limits(
            sources,
            issuer.as_ref().is_some_and(|issuer| issuer.value.is_loopback_http()),
        );
        let upstream = upstream::read(sources);
        let mail = mail::read(sources);
        let posture_attesters = posture::attesters(sources);

        if let (Some(issuer), Some(listen)) = (&issuer, &listen) {
            let has_tls = tls.0.is_some() || tls.1.is_some();
            rules::transport(sources, issuer, listen, has_tls, trusted.is_given);
        }
        rules::metrics(sources, metrics_listen.as_ref(), listen.as_ref());
        let is_one_machine = issuer.as_ref().is_some_and(|issuer| issuer.value.is_loopback_http());
        let mut shared_networks = networks.shared.clone();
        if !is_one_machine {
            shared_networks.extend(network::unannounced());
        }
        let tls = rules::tls(sources, tls);
        mtls.check(sources, tls.as_ref(), listen.as_ref());
        let key_file = rules::key_file(sources, key_file, data.as_deref(), database.is_some());
        Some(Self {
            data: data?,
            database: database.map(|given| given.value),
            listen: listen?.value,
            issuer: issuer?.value,
            key_file: key_file?,
            tls,
            mtls,
            trusted_proxies: trusted.values,
            shared_networks,
            networks,
            passkeys,
            profiles: profiles?,
            details_types: details_types?,
            policies: policies?,
            unused,
            metrics_listen: metrics_listen.map(|given| given.value),
            log_format: log_format?.value,
            lifetimes,
            limits,
            posture_attesters,
            mail,
            upstream,
        })
    }
}

impl DatabaseUrl {
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(text.to_owned()));
        }
        Err("must begin with postgres:// (for SQLite leave it out: the database is then in the data directory)".into())
    }

    /// For the database driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json".into()),
        }
    }
}
