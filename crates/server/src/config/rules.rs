//! What the settings mean, and which of them fit together. The transport rule is the sharpest: no token
//! and no code crosses a network in the clear.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use protocol::client::UnusedLimits;
use protocol::details::Types;
use protocol::guess;
use protocol::time::Lifetime;
use toml::Value;

use super::sources::{Given, Problem, Sources, is_off};
use super::{Lifetimes, Limits, TlsFiles};
use crate::issuer::Issuer;
use crate::limits::Rate;
use crate::policies::Configured;
use crate::profiles::Loaded;

pub const SOCKET: &str = "waypass.sock";

/// What the kernel takes as the path of a Unix socket (unix(7)), less the closing zero.
const LONGEST_SOCKET: usize = 107;

pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not an IP address with a port, such as {}",
            super::DEFAULT_LISTEN
        )
    })
}

pub fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().into(),
        Err(_) => text
            .parse()
            .map_err(|_| format!("{text:?} is neither an IP address nor a network such as 10.0.0.0/8"))?,
    };
    Ok(network.trunc())
}

pub fn proxy(text: &str) -> Result<IpNet, String> {
    let proxy = network(text)?;
    if proxy.prefix_len() == 0 {
        return Err(format!(
            "{text} would trust everybody, and anybody could then claim any address; name the proxy"
        ));
    }
    Ok(proxy)
}

/// Notes a problem unless the connection is protected from the client to this process.
pub fn transport(
    sources: &mut Sources,
    issuer: &Given<Issuer>,
    listen: &Given<SocketAddr>,
    has_tls: bool,
    has_proxy: bool,
) {
    let is_http = issuer.value.is_loopback_http();
    let is_local = listen.value.ip().is_loopback();
    let (issuer_text, address) = (issuer.value.as_str(), listen.value);
    if is_http && has_tls {
        let text = format!("a TLS certificate is given, but {issuer_text} is plain http: make it https");
        sources.problem(issuer.place.clone(), text);
    }
    if is_http && !is_local {
        let text = format!(
            "{address} can be reached from other machines, but {issuer_text} is plain http: listen on 127.0.0.1, or \
             give an https issuer with --tls-certificate and --tls-key"
        );
        sources.problem(listen.place.clone(), text);
    }
    if !is_http && !has_tls && !has_proxy {
        let text = format!(
            "{issuer_text} needs TLS: give --tls-certificate and --tls-key, or let a proxy on this machine speak TLS \
             and name it with --trusted-proxy"
        );
        sources.problem(issuer.place.clone(), text);
    }
    if !is_http && !has_tls && has_proxy && !is_local {
        let text = format!(
            "behind a proxy this server speaks plain HTTP, but {address} can be reached from other machines: listen \
             on 127.0.0.1, or give --tls-certificate and --tls-key"
        );
        sources.problem(listen.place.clone(), text);
    }
}

pub fn metrics(sources: &mut Sources, metrics: Option<&Given<SocketAddr>>, listen: Option<&Given<SocketAddr>>) {
    if let (Some(metrics), Some(listen)) = (metrics, listen)
        && metrics.value == listen.value
        && listen.value.port() != 0
    {
        let text = format!(
            "{} is the listening address; metrics need a port of their own",
            metrics.value
        );
        sources.problem(metrics.place.clone(), text);
    }
}

/// Certificate and key: both or none.
pub fn tls(sources: &mut Sources, files: (Option<Given<String>>, Option<Given<String>>)) -> Option<TlsFiles> {
    match files {
        (Some(certificate), Some(key)) => Some(TlsFiles {
            certificate: certificate.value.into(),
            key: key.value.into(),
        }),
        (Some(alone), None) => {
            sources.problem(alone.place, "the private key is missing: give --tls-key too");
            None
        }
        (None, Some(alone)) => {
            sources.problem(alone.place, "the certificate is missing: give --tls-certificate too");
            None
        }
        (None, None) => None,
    }
}

pub fn data(sources: &mut Sources, given: Option<Given<String>>) -> Option<PathBuf> {
    let Some(Given { value, place }) = given else {
        sources.problem("--data", "say where this server keeps its data: --data DIR");
        return None;
    };
    let data = PathBuf::from(value);
    let length = data.join(SOCKET).as_os_str().len();
    if length > LONGEST_SOCKET {
        let text = format!(
            "the socket {SOCKET} in this directory would have a path of {length} bytes, and {LONGEST_SOCKET} are \
             allowed: choose a shorter one, or a relative one"
        );
        sources.problem(place, text);
    }
    Some(data)
}

/// None only where a problem was noted.
pub fn key_file(
    sources: &mut Sources,
    given: Option<Given<String>>,
    data: Option<&Path>,
    has_database: bool,
) -> Option<PathBuf> {
    match given {
        Some(given) => Some(given.value.into()),
        None if has_database => {
            let text = "required with --database: all servers of one database need the same key, so it cannot be made \
                        in one data directory";
            sources.problem("--key-file", text);
            None
        }
        None => Some(data?.join("key")),
    }
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The ranges are what the design can bear: a device code longer than half an hour is a gift to
/// phishing (RFC 8628 §5.4), and an access token cannot be taken back by a server that only reads it.
pub fn lifetimes(sources: &mut Sources) -> Lifetimes {
    let mut seconds =
        |key, default, range| Lifetime::from_seconds(i64::from(sources.number(["lifetimes", key], default, range)));
    let lifetimes = Lifetimes {
        device_code: seconds("device_code", 10 * MINUTE, 15..=30 * MINUTE),
        access_token: seconds("access_token", 10 * MINUTE, MINUTE..=HOUR),
        grant: seconds("grant", 8 * HOUR, MINUTE..=30 * DAY),
        enrollment_link: seconds("enrollment_link", 10 * MINUTE, MINUTE..=DAY),
        browser_session: seconds("browser_session", 8 * HOUR, 5 * MINUTE..=DAY),
    };
    if lifetimes.access_token > lifetimes.grant {
        sources.problem(
            sources.in_file("lifetimes.grant"),
            "shorter than access_token, but no token outlives its grant: make it longer",
        );
    }
    lifetimes
}

/// Days without a use after which a client's device grant is reported, and then taken away.
pub fn unused(sources: &mut Sources) -> UnusedLimits {
    const DAY: i64 = 24 * 3_600;
    let mut days = |key, default| {
        let days = sources.number_or_off(["unused", key], Some(default), 1..=3_650);
        days.map(|days| Lifetime::from_seconds(i64::from(days) * DAY))
    };
    let limits = UnusedLimits {
        report_after: days("report_after_days", 30),
        off_after: days("off_after_days", 60),
    };
    if limits.off_after.is_some() && limits.off_after < limits.report_after {
        let text = "sooner than `report_after_days`, but nothing goes off that was not reported before";
        sources.problem(sources.in_file("unused.off_after_days"), text);
    }
    limits
}

/// None only where problems were noted.
pub fn profiles(sources: &mut Sources, folder: Option<Given<String>>) -> Option<Loaded> {
    let folder = folder.map(|given| PathBuf::from(given.value));
    loaded(sources, crate::profiles::load(folder.as_deref()))
}

/// None only where problems were noted.
pub fn details_types(sources: &mut Sources, folder: Option<Given<String>>) -> Option<Types> {
    let folder = folder.map(|given| PathBuf::from(given.value));
    loaded(sources, crate::details_types::load(folder.as_deref()))
}

fn loaded<T>(sources: &mut Sources, loaded: Result<T, Vec<Problem>>) -> Option<T> {
    match loaded {
        Ok(loaded) => Some(loaded),
        Err(problems) => {
            for Problem { place, text } in problems {
                sources.problem(place, text);
            }
            None
        }
    }
}

/// The same.
pub fn policies(sources: &mut Sources, folder: Option<Given<String>>) -> Option<Configured> {
    let configured = Configured::load(folder.map(|given| PathBuf::from(given.value)));
    let noted = |problems: Vec<Problem>| {
        for Problem { place, text } in problems {
            sources.problem(place, text);
        }
    };
    configured.map_err(noted).ok()
}

/// On plain HTTP, which is this machine alone, limits that only weigh on honest load are off.
pub fn limits(sources: &mut Sources, is_loopback: bool) -> Limits {
    let rate = (!is_loopback).then_some(Rate {
        per_second: 50,
        burst: 200,
    });
    let mut guesses = |key, default: i64, range| {
        i64::from(sources.number(["limits", key], u32::try_from(default).unwrap_or(u32::MAX), range))
    };
    let guesses = guess::Limits {
        approver: guesses("guesses_per_approver", guess::Limits::DEFAULT.approver, 1..=100),
        source: guesses("guesses_per_source", guess::Limits::DEFAULT.source, 1..=1_000),
        total: guesses("guesses_total", guess::Limits::DEFAULT.total, 1..=100_000),
    };
    let mut open =
        |key, default| sources.number_or_off(["limits", key], (!is_loopback).then_some(default), 1..=1_000_000);
    Limits {
        open_requests_per_client: open("open_requests_per_client", 1_000),
        open_requests_per_source: open("open_requests_per_source", 100),
        requests_per_source: requests_per_source(sources, rate),
        connections: sources.number(["limits", "connections"], 4_096, 1..=1_000_000),
        held_requests: sources.number(["limits", "held_requests"], 3_000, 0..=1_000_000),
        guesses,
    }
}

/// `"off"`, or `{ per_second = N, burst = N }`.
fn requests_per_source(sources: &mut Sources, default: Option<Rate>) -> Option<Rate> {
    let name = ["limits", "requests_per_source"];
    let value = match sources.in_section(name) {
        None => return default,
        Some(value) if is_off(&value) => return None,
        Some(value) => value,
    };
    let number = |key| value.get(key).cloned();
    let (Some(2), Some(per_second), Some(burst)) = (
        value.as_table().map(toml::Table::len),
        number("per_second"),
        number("burst"),
    ) else {
        let text = "must be { per_second = NUMBER, burst = NUMBER } or \"off\"";
        sources.problem(sources.in_file(&name.join(".")), text);
        return None;
    };
    let mut in_range = |key, value: &Value| sources.in_range(["limits.requests_per_source", key], value, 1..=100_000);
    let (per_second, burst) = (in_range("per_second", &per_second), in_range("burst", &burst));
    Some(Rate {
        per_second: per_second?,
        burst: burst?,
    })
}
