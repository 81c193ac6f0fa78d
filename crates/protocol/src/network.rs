//! Two ends of a request compared: the consumption device and the authorization device (RFC 10027 §6.1.1).
//! Equal is weak evidence, since many people can stand behind one address; different is a signal. Not
//! here: who is believed about an address, and looking up what network it belongs to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Where one end is, as far as that is known. What is not known matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub address: Option<IpAddr>,
    pub operator: Option<Operator>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
}

/// The network operator that announces an address: an autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub number: u32,
    pub name: String,
}

/// How near two ends are: a ladder, from what says nothing to what says most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMatch {
    #[default]
    Unknown,
    Different,
    SameCountry,
    SameOperator,
    SamePrefix,
    SameAddress,
}

impl NetworkMatch {
    pub const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Different,
        Self::SameCountry,
        Self::SameOperator,
        Self::SamePrefix,
        Self::SameAddress,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Different => "different",
            Self::SameCountry => "same_country",
            Self::SameOperator => "same_operator",
            Self::SamePrefix => "same_prefix",
            Self::SameAddress => "same_address",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.as_str() == name)
    }
}

/// Strangers stand behind every address here, whatever the configuration lists: the carriers' NAT (RFC 6598).
const ALWAYS_SHARED: [IpNet; 1] = [v4(100, 64, 10)];

/// Here a neighbour is anybody: other machines of a room, or other people's addresses written into these
/// (Teredo, NAT64, IPv4-compatible). Only the very same address is near, and no operator announces it.
const EXACT: [IpNet; 9] = [
    v4(10, 0, 8),
    v4(127, 0, 8),
    v4(169, 254, 16),
    v4(172, 16, 12),
    v4(192, 168, 16),
    v6(0, 0, 8),
    v6(0x2001, 0, 32),
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
];

const fn v4(first: u8, second: u8, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(first, second, 0, 0), length))
}

const fn v6(first: u16, second: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0),
        length,
    ))
}

/// `shared` are networks that many strangers use at once (a carrier's NAT, a VPN's way out, hosting): an
/// address there says nothing about who is behind it.
pub fn compare(one: &Place, other: &Place, shared: &[IpNet]) -> NetworkMatch {
    let (Some(a), Some(b)) = (one.known_address(), other.known_address()) else {
        return NetworkMatch::Unknown;
    };
    let is_shared = [a, b]
        .into_iter()
        .any(|address| is_within(address, shared) || is_within(address, &ALWAYS_SHARED));
    if !is_shared && let Some(near) = nearness(a, b) {
        return near;
    }
    let operators = one.operator.as_ref().zip(other.operator.as_ref());
    let has_same_operator = operators.map(|(one, other)| one.number == other.number);
    let countries = one.country.as_ref().zip(other.country.as_ref());
    let is_same_country = countries.map(|(one, other)| one == other);
    match (has_same_operator, is_same_country) {
        (Some(true), _) => NetworkMatch::SameOperator,
        (_, Some(true)) => NetworkMatch::SameCountry,
        // One host has an address of each family, and a shared one says nothing.
        (None, None) if is_shared || a.is_ipv4() != b.is_ipv4() => NetworkMatch::Unknown,
        _ => NetworkMatch::Different,
    }
}

/// Whether both ends are in networks that an administrator has listed.
pub fn both_are_listed(one: &Place, other: &Place, listed: &[IpNet]) -> bool {
    let is_listed = |place: &Place| place.known_address().is_some_and(|address| is_within(address, listed));
    is_listed(one) && is_listed(other)
}

pub fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Networks whose addresses many places use at once. Seen by a server that others reach from outside, such an
/// address is likely the last hop's and not the sender's.
pub fn unannounced() -> Vec<IpNet> {
    EXACT.to_vec()
}

/// An address that no operator announces: a private one, a loopback or link's own, one made from another.
pub fn is_unannounced(address: IpAddr) -> bool {
    is_within(address, &EXACT)
}

impl Place {
    /// The unspecified address is nobody's.
    fn known_address(&self) -> Option<IpAddr> {
        let address = self.address?.to_canonical();
        (!address.is_unspecified()).then_some(address)
    }
}

/// Whoever has one address of an IPv6 site has them all, and changes them by the day.
fn nearness(a: IpAddr, b: IpAddr) -> Option<NetworkMatch> {
    if is_unannounced(a) || is_unannounced(b) {
        return (a == b).then_some(NetworkMatch::SameAddress);
    }
    let (host, prefix) = match (a, b) {
        (IpAddr::V4(_), IpAddr::V4(_)) => (32, 24),
        (IpAddr::V6(_), IpAddr::V6(_)) => (64, 48),
        _ => return None,
    };
    let share = |length| IpNet::new(a, length).is_ok_and(|network| network.contains(&b));
    if share(host) {
        Some(NetworkMatch::SameAddress)
    } else {
        share(prefix).then_some(NetworkMatch::SamePrefix)
    }
}

#[cfg(test)]
mod tests;
