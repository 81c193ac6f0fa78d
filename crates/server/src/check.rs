//! `waypass check`: says what a configuration would do and what is wrong with it, and starts nothing.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use ipnet::IpNet;
use protocol::client::{Authentication, Client};
use protocol::client_certificate;
use protocol::time::Lifetime;
use store::{Options, Store};

use crate::config::{Config, EX_CONFIG, Problem, ServeArgs};
use crate::hardware::Hardware;
use crate::keys::{KeyFault, MasterKey};
use crate::listen::tls;
use crate::place::Places;
use crate::{local, start};

#[derive(Args, Clone, Default)]
pub struct CheckArgs {
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Problems go to stderr, the report to stdout.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its terminal"
)]
pub fn check(args: &CheckArgs) -> ExitCode {
    match load(&args.serve) {
        Ok(config) => {
            print!("{}", report(&config));
            look_at_clients(&config)
        }
        Err(problems) => {
            eprint!("{}", told(&problems));
            ExitCode::from(EX_CONFIG)
        }
    }
}

/// The configuration, with the files that it names looked at too.
fn load(args: &ServeArgs) -> Result<Config, Vec<Problem>> {
    let config = Config::load(args)?;
    let tls = config
        .tls
        .as_ref()
        .and_then(|files| tls::load(files, std::sync::Arc::default()).err());
    let key = match MasterKey::load(&config.key_file) {
        Ok(_) | Err(KeyFault::FileMissing(_)) => None,
        Err(fault) => Some(Problem {
            place: "key_file".to_owned(),
            text: fault.to_string(),
        }),
    };
    let places = Places::open(&config.networks).err();
    let hardware = Hardware::open(&config.passkeys).err();
    let problems: Vec<Problem> = tls.into_iter().chain(key).chain(places).chain(hardware).collect();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// What `serve` and `check` print before they give up.
pub fn told(problems: &[Problem]) -> String {
    problems
        .iter()
        .fold("This configuration cannot be used:\n".to_owned(), |told, problem| {
            format!("{told}  {problem}\n")
        })
}

/// What fits together and is likely a mistake all the same. `serve` logs it.
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let (issuer, limits) = (&config.issuer, &config.limits);
    let port = config.listen.port();
    if issuer.is_loopback_http() && port != 0 && issuer.port().unwrap_or(80) != port {
        warnings.push(format!(
            "{} leads to another port than {}, which this server listens on",
            issuer.as_str(),
            config.listen
        ));
    }
    if config.metrics_listen.is_some_and(|address| !address.ip().is_loopback()) {
        warnings.push("metrics can be read from other machines by anybody who reaches that address".to_owned());
    }
    let is_off = limits.requests_per_source.is_none()
        || limits.open_requests_per_client.is_none()
        || limits.open_requests_per_source.is_none();
    if is_off && !issuer.is_loopback_http() {
        warnings.push("limits are off, so one source can take this server from all others".to_owned());
    }
    warnings
}

fn report(config: &Config) -> String {
    let Config {
        issuer,
        lifetimes,
        limits,
        networks,
        ..
    } = config;
    let (rate, guesses) = (limits.requests_per_source, limits.guesses);
    let lines = [
        ("issuer", issuer.as_str().to_owned()),
        (
            "metadata",
            format!("{}{}", issuer.origin(), issuer.well_known("oauth-authorization-server")),
        ),
        ("listens on", format!("{}, {}", config.listen, transport(config))),
        ("certificates", certificates(config)),
        ("data", config.data.display().to_string()),
        (
            "database",
            config
                .database
                .as_ref()
                .map_or("SQLite, in the data directory", |_| "PostgreSQL")
                .to_owned(),
        ),
        ("key file", key_file(config)),
        (
            "upstream",
            or_off(config.upstream.as_ref().map(|upstream| &upstream.issuer)),
        ),
        ("policies", policies(config)),
        ("metrics", or_off(config.metrics_listen)),
        ("listed networks", or_none(&networks.trusted)),
        ("shared networks", or_none(&networks.shared)),
        ("operators", file(networks.operator_database.as_deref())),
        ("countries", file(networks.country_database.as_deref())),
        ("device code", time(lifetimes.device_code)),
        ("access token", time(lifetimes.access_token)),
        ("grant", time(lifetimes.grant)),
        ("enrollment link", time(lifetimes.enrollment_link)),
        ("browser session", time(lifetimes.browser_session)),
        (
            "requests",
            or_off(rate.map(|rate| format!("{} a second per source, {} at once", rate.per_second, rate.burst))),
        ),
        ("per client", open(limits.open_requests_per_client)),
        ("per source", open(limits.open_requests_per_source)),
        (
            "wrong codes",
            format!(
                "{} per approver, {} per source, {} in ten minutes",
                guesses.approver, guesses.source, guesses.total
            ),
        ),
        ("connections", limits.connections.to_string()),
    ];
    lines_of(lines) + &lines_of(warnings(config).into_iter().map(|warning| ("warning", warning)))
}

fn lines_of(lines: impl IntoIterator<Item = (&'static str, String)>) -> String {
    lines.into_iter().fold(String::new(), |report, (name, text)| {
        format!("{report}{name:<17}{text}\n")
    })
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its terminal"
)]
fn look_at_clients(config: &Config) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            print!("{}", lines_of(runtime.block_on(clients(config))));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("waypass: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What to know of the registered clients, where the database is there and can be read. It is only
/// looked at: a server may be running on it, or an older one.
pub(crate) async fn clients(config: &Config) -> Vec<(&'static str, String)> {
    let options = Options {
        read_only: true,
        ..start::options(config)
    };
    let clients = async { Store::open(options).await?.clients().await };
    let Ok(clients) = clients.await else {
        return vec![(
            "clients",
            "not looked at: the database cannot be read, or is not there yet".to_owned(),
        )];
    };
    let enabled = clients.iter().filter(|client| client.disabled_at.is_none());
    let is_seen = config.tls.is_some() || !config.mtls.proxies.is_empty();
    let of = |client| {
        let warnings = local::client_warnings(client).into_iter();
        warnings.chain(certificate_warnings(client, is_seen))
    };
    enabled.flat_map(of).map(|warning| ("warning", warning)).collect()
}

fn transport(config: &Config) -> &'static str {
    if config.tls.is_some() {
        return "TLS";
    }
    if config.issuer.is_loopback_http() {
        return "plain HTTP, for this machine alone";
    }
    "plain HTTP, behind a proxy"
}

/// Where clients show theirs, and who tells of them.
fn certificates(config: &Config) -> String {
    let mtls = &config.mtls;
    let asked = match mtls.listen {
        Some(listen) => Some(format!("asked for on {listen}")),
        None if config.tls.is_some() => Some(format!("asked for on {}, while a client has one", config.listen)),
        None => None,
    };
    let told = (!mtls.proxies.is_empty()).then(|| format!("told by {}", or_none(&mtls.proxies)));
    let named = mtls.origin.as_ref().map(|origin| format!("under the name {origin}"));
    let parts: Vec<String> = [asked, told, named].into_iter().flatten().collect();
    if parts.is_empty() {
        return "never seen".to_owned();
    }
    parts.join("; ")
}

/// What a client needs of certificates and cannot have: where this server sees none, or cannot read those it was
/// registered with.
pub(crate) fn certificate_warnings(client: &Client, is_seen: bool) -> Vec<String> {
    let (registration, id) = (&client.registration, &client.client_id);
    let mut warnings = Vec::new();
    if !is_seen && (registration.certificate_bound || registration.authentication.is_by_certificate()) {
        warnings.push(format!(
            "client {id} has to show a certificate and cannot: this server ends no TLS, and no --mtls-proxy tells of it"
        ));
    }
    let certificates = match &registration.authentication {
        Authentication::TlsClientAuth { authorities, .. } => authorities,
        Authentication::SelfSignedTlsClientAuth { certificates } => certificates,
        _ => return warnings,
    };
    if let Err(flaw) = client_certificate::must_be_certificates(certificates) {
        warnings.push(format!("client {id} cannot authenticate: {}", flaw.0));
    }
    warnings
}

fn key_file(config: &Config) -> String {
    let made = if config.key_file.exists() {
        ""
    } else {
        ", made on the first start"
    };
    format!("{}{made}", config.key_file.display())
}

fn policies(config: &Config) -> String {
    let Some(folder) = &config.policies.folder else {
        return "none".to_owned();
    };
    let policies = &config.policies.policies;
    let count = policies.rules().len();
    format!(
        "{count} in {}, version {}",
        folder.display(),
        policies.version().as_str()
    )
}

fn open(limit: Option<u32>) -> String {
    or_off(limit.map(|limit| format!("{limit} open requests")))
}

fn or_off(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "off".to_owned(), |value| value.to_string())
}

fn or_none(networks: &[IpNet]) -> String {
    let texts: Vec<String> = networks.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        "none".to_owned()
    } else {
        texts.join(", ")
    }
}

fn file(path: Option<&Path>) -> String {
    path.map_or_else(|| "no database".to_owned(), |path| path.display().to_string())
}

fn time(lifetime: Lifetime) -> String {
    let seconds = lifetime.seconds();
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{} h", seconds / 3600),
        (_, 0) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn args(issuer: &str, listen: &str, proxy: &[&str]) -> ServeArgs {
        ServeArgs {
            data: Some("d".to_owned()),
            issuer: Some(issuer.to_owned()),
            listen: Some(listen.to_owned()),
            trusted_proxy: proxy.iter().map(ToString::to_string).collect(),
            ..ServeArgs::default()
        }
    }

    fn report(args: &ServeArgs) -> String {
        match load(args) {
            Ok(config) => super::report(&config),
            Err(problems) => told(&problems),
        }
    }

    #[test]
    fn a_report_says_what_the_server_would_do() {
        expect![[r#"
            issuer           https://login.example.com/as
            metadata         https://login.example.com/.well-known/oauth-authorization-server/as
            listens on       127.0.0.1:8628, plain HTTP, behind a proxy
            certificates     never seen
            data             d
            database         SQLite, in the data directory
            key file         d/key, made on the first start
            upstream         off
            policies         none
            metrics          off
            listed networks  none
            shared networks  none
            operators        no database
            countries        no database
            device code      10 min
            access token     10 min
            grant            8 h
            enrollment link  10 min
            browser session  8 h
            requests         50 a second per source, 200 at once
            per client       1000 open requests
            per source       100 open requests
            wrong codes      10 per approver, 30 per source, 1000 in ten minutes
            connections      4096
        "#]]
        .assert_eq(&report(&args(
            "https://login.example.com/as",
            "127.0.0.1:8628",
            &["::1", "127.0.0.1"],
        )));
    }

    #[test]
    fn a_report_says_where_certificates_are_seen() {
        let told = |config: &Config| super::certificates(config);
        let proxy = ServeArgs {
            mtls_proxy: vec!["::1".to_owned()],
            mtls_origin: Some("https://mtls.example.com".to_owned()),
            ..args("https://login.example.com", "127.0.0.1:8628", &["::1"])
        };
        let mut config = Config::load(&proxy).ok().unwrap();
        assert_eq!(
            told(&config),
            "told by ::1/128; under the name https://mtls.example.com"
        );
        let own = ServeArgs {
            tls_certificate: Some("chain.pem".to_owned()),
            tls_key: Some("tls.pem".to_owned()),
            ..args("https://login.example.com", "0.0.0.0:443", &[])
        };
        config = Config::load(&own).ok().unwrap();
        assert_eq!(told(&config), "asked for on 0.0.0.0:443, while a client has one");
        let second = ServeArgs {
            mtls_listen: Some("0.0.0.0:8443".to_owned()),
            ..own
        };
        config = Config::load(&second).ok().unwrap();
        let expected = "asked for on 0.0.0.0:8443; under the name https://login.example.com:8443";
        assert_eq!(told(&config), expected);
    }

    #[test]
    fn a_report_warns_of_what_is_likely_a_mistake() {
        let args = ServeArgs {
            metrics_listen: Some("0.0.0.0:9100".to_owned()),
            ..args("http://localhost:9000", "127.0.0.1:8628", &[])
        };
        let told = report(&args);
        let warnings: Vec<&str> = told.lines().filter(|line| line.starts_with("warning")).collect();
        expect![[r"
            warning          http://localhost:9000 leads to another port than 127.0.0.1:8628, which this server listens on
            warning          metrics can be read from other machines by anybody who reaches that address"]].assert_eq(&warnings.join("\n"));
    }

    #[test]
    fn files_that_cannot_be_read_are_problems() {
        let args = ServeArgs {
            key_file: Some("/etc/passwd/key".to_owned()),
            tls_certificate: Some("/nowhere/chain.pem".to_owned()),
            tls_key: Some("/nowhere/tls.pem".to_owned()),
            ..args("https://login.example.com", "0.0.0.0:443", &[])
        };
        expect![[r"
            This configuration cannot be used:
              tls_certificate /nowhere/chain.pem: cannot be read: No such file or directory (os error 2)
              key_file: the key file /etc/passwd/key cannot be read
        "]]
        .assert_eq(&report(&args));
    }
}
