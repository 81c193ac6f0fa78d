//! Who is at the other end: the address a request came from, as far as it can be known. Pure. Forwarded
//! (RFC 7239) and X-Forwarded-For are anybody's words, except for what a trusted proxy added to them.

mod certificates;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::header::{FORWARDED, ORIGIN};
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use protocol::client_certificate;
use rustls::pki_types::CertificateDer;

pub use self::certificates::{Proxies, shown};

/// The other end of the connection. In the extensions of every request of the public listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The certificates that the other end showed, the leaf first. Its key was there; whose it is was not asked.
#[derive(Clone, Debug)]
pub struct Certificates(pub Arc<[CertificateDer<'static>]>);

impl Certificates {
    /// What is bound to them is bound to the first.
    pub fn thumbprint(&self) -> Option<String> {
        client_certificate::thumbprint(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAddress {
    /// The requester's address as a fact, or None where it is not known: None matches nothing.
    pub address: Option<IpAddr>,
    /// What limits count: the requester, or whoever is nearest to it and known.
    pub counted: IpAddr,
    pub via: Via,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Direct,
    TrustedProxy,
    /// Forwarding headers by somebody who is not trusted with them.
    UntrustedHeaders,
    /// A web page, where only programs ask.
    Browser,
}

impl Via {
    /// Field `requester.ip_source` and `approver.ip_source` of events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::TrustedProxy => "trusted_proxy",
            Self::UntrustedHeaders => "untrusted_headers",
            Self::Browser => "browser",
        }
    }
}

/// What limits count as one source: an IPv4 address, or an IPv6 network of one site.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Network(IpAddr);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A chain of trusted proxies is short; a longer one is somebody playing with the header.
const MOST_HOPS: usize = 16;

pub fn seen(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> SeenAddress {
    let peer = peer.to_canonical();
    let has_headers = headers.contains_key(FORWARDED) || headers.contains_key(X_FORWARDED_FOR);
    if is_trusted(peer, trusted) {
        // A trusted proxy that names nobody: its own address would make all its clients neighbours.
        let address = if has_headers { forwarded(headers, trusted) } else { None };
        return SeenAddress {
            address,
            counted: address.unwrap_or(peer),
            via: Via::TrustedProxy,
        };
    }
    let (address, via) = if has_headers {
        (None, Via::UntrustedHeaders)
    } else {
        (Some(peer), Via::Direct)
    };
    SeenAddress {
        address,
        counted: peer,
        via,
    }
}

/// What a browser adds by itself to what a page of another site sends, and no page can leave out: `Origin`
/// (RFC 6454 §7.3) to every POST, `Sec-Fetch-Site` by the newer ones.
const BROWSERS: [HeaderName; 2] = [ORIGIN, HeaderName::from_static("sec-fetch-site")];

impl SeenAddress {
    /// Of a program's request. An attacker's page, open in the victim's browser, could send one too and lend
    /// it the victim's address, which would then match the victim's own: such an address is nobody's.
    pub fn of_program(self, headers: &HeaderMap) -> Self {
        if !BROWSERS.iter().any(|name| headers.contains_key(name)) {
            return self;
        }
        Self {
            address: None,
            via: Via::Browser,
            ..self
        }
    }
}

pub fn network(address: IpAddr) -> Network {
    /// A site gets at least this much: whoever has one address of it has them all.
    const SITE: u32 = 64;
    Network(match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << SITE)).into(),
    })
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// A proxy writes one of the two headers and lets the other through as the client sent it, and we cannot
/// know which. So where there are two, they must agree: a forger makes its own address unknown, no more.
fn forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let standard = || requester(headers, FORWARDED, forwarded_hops, trusted);
    let customary = || requester(headers, X_FORWARDED_FOR, x_forwarded_for_hops, trusted);
    match (headers.contains_key(FORWARDED), headers.contains_key(X_FORWARDED_FOR)) {
        (true, true) => standard().filter(|address| customary() == Some(*address)),
        (true, false) => standard(),
        (false, true) => customary(),
        (false, false) => None,
    }
}

/// Each hop appends the one before it, so the last entry is by the nearest proxy and the reading goes
/// leftwards past trusted hops only. If all are trusted, the first of them asked.
fn requester(
    headers: &HeaderMap,
    name: HeaderName,
    hops: fn(&str) -> Vec<Option<IpAddr>>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let lines = headers.get_all(name).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], hops).into_iter().rev());
    let mut first = None;
    for (index, hop) in hops.enumerate() {
        if hop.is_none_or(|address| !is_trusted(address, trusted)) {
            return hop;
        }
        if index >= MOST_HOPS {
            return None;
        }
        first = hop;
    }
    first
}

fn x_forwarded_for_hops(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(node).collect()
}

/// RFC 7239 §4: elements between commas, pairs between semicolons, either may be inside quotes.
fn forwarded_hops(line: &str) -> Vec<Option<IpAddr>> {
    match split_unquoted(line, ',') {
        Some(elements) => elements.into_iter().map(forwarded_for).collect(),
        None => vec![None],
    }
}

/// The one `for` of an element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = split_unquoted(element, ';')?;
    let mut nodes = pairs.iter().filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    match (nodes.next(), nodes.next()) {
        (Some(value), None) => node(
            value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(value),
        ),
        _ => None,
    }
}

/// None where a quote is left open: a client that opens one must not swallow what its proxy appends.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text
        .split(|c| {
            let was_escaped = std::mem::take(&mut is_escaped);
            is_escaped = is_quoted && c == '\\' && !was_escaped;
            is_quoted ^= c == '"' && !was_escaped;
            c == separator && !is_quoted
        })
        .collect();
    (!is_quoted).then_some(parts)
}

/// `192.0.2.1`, `2001:db8::1`, either with a port (RFC 7239 §6: IPv6 in brackets); never a name.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
