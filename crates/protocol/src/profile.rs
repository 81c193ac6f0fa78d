//! A profile: the risk assessment that RFC 10027 §2 demands, as data. A client without one has no
//! device grant. `open` is the only profile so far; what the next ones change stands in these fields.
//! Lifetimes are the server's configuration.

use crate::time::Lifetime;

/// Which limits and mitigations hold for a class of client.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: &'static str,
    /// One line for the administrator.
    pub purpose: &'static str,
    /// Shown to the approver and printed by `serve` and `check`.
    pub warning: Option<&'static str>,
    pub interval: Lifetime,
    /// Whether `verification_uri_complete` is returned (design decision G4).
    pub may_link: bool,
    /// Whether an approver may decide with a software key, in a terminal.
    pub may_use_software_key: bool,
    /// Whether the device authorization request must carry a DPoP proof (P20).
    pub demands_key: bool,
}

impl Profile {
    /// Any stock RFC 8628 client, no key demanded. Tokens may depend on an approve click alone, which is
    /// what device code phishing needs: never a default, warned about, said on the page.
    pub const OPEN: Self = Self {
        name: "open",
        purpose: "any stock RFC 8628 client; no key demanded",
        warning: Some(
            "Any program that reaches this server may ask in this client's name. Approve only what you started yourself, just now.",
        ),
        interval: Lifetime::from_seconds(5),
        may_link: true,
        may_use_software_key: true,
        demands_key: false,
    };

    pub const ALL: [&'static Self; 1] = [&Self::OPEN];

    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }
}
