//! A profile: the risk assessment that RFC 10027 §2 demands, as data. It says which mitigations hold for a
//! class of client, and how; without one a client has no device grant. Not here: where profiles are read
//! from (`server/profiles.rs`), and what each rule does (`eligibility.rs` and the endpoints).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use crate::client::{Client, Permission};
use crate::details::Details;
use crate::digest::Digest;
use crate::grant::Origin;
use crate::network::{self, NetworkMatch};
use crate::posture_demand::PostureDemand;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::time::{Lifetime, Timestamp};

mod mitigations;
mod posture;
mod read;
mod table;

pub use mitigations::Mitigation;
pub use table::Mistake;

#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub name: String,
    /// Names what the profile says, to the letter: digest of its canonical form (X20).
    pub version: Digest,
    /// One line for the administrator.
    pub purpose: String,
    /// Shown to the approver and printed by `serve` and `check`.
    pub warning: Option<String>,
    pub assessment: Assessment,
    pub approval: Approval,
    pub interval: Lifetime,
    /// X01.
    pub proximity: Option<Proximity>,
    /// X02; the server's own where it says nothing. The same for those of X10.
    pub code_lifetime: Option<Lifetime>,
    /// X04.
    pub repeated: Repeated,
    /// X07 and X12.
    pub key: AskingKey,
    /// X07: whether a person may make an unknown key known.
    pub ceremony: Ceremony,
    /// X08: where requests may come from; empty is anywhere.
    pub networks: Vec<IpNet>,
    /// X09: the most that this flow gives, whatever the client's ceiling.
    pub scopes: Option<Scope>,
    pub lifetimes: Lifetimes,
    /// X11 and X37.
    pub limits: Limits,
    /// X13: shown on the page.
    pub education: Option<String>,
    /// X15: a person authenticates at the consumption device before there is a code.
    pub initiator: bool,
    /// X16: the page shows six digits, and the consumption device has to send them.
    pub confirm_back: bool,
    /// X17: what was typed at the consumption device has to be typed on the page.
    pub binding_data: bool,
    /// X25.
    pub same_device: SameDevice,
    /// What the machine that asks has to be like.
    pub posture: Option<PostureDemand>,
}

/// X20 and X23: what is feared, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    pub risk: String,
    pub residual: String,
}

/// Who decides, and what beside the click has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub by: ApprovedBy,
    /// Whose members decide, or, where the owner comes first, the others of the quorum.
    pub group: Option<String>,
    /// How many people, each by a signature over the same request digest.
    pub quorum: u32,
    /// What the decision's `acr` has to be.
    pub acr: Option<String>,
    /// How old a decision may be when tokens first come of it, whatever the request allows.
    pub max_age: Option<Lifetime>,
    /// Whether an approver may decide with a software key, in a terminal.
    pub software_keys: bool,
    /// Whether `verification_uri_complete` is returned (design decision G4).
    pub link: bool,
    /// Whether a command may be handed the token itself, bound to no key.
    pub token_env: bool,
    /// How often at most a command may be run under one approval.
    pub runs: u32,
    /// After so long without a decision a request in the owner's inbox stands in those of the group as well.
    pub escalate_after: Option<Lifetime>,
    /// How approvers may be told that a request waits; on none, nobody is.
    pub notices: Vec<NoticeChannel>,
    /// What proves that the starter is the approver's: one of these has to hold. Empty only for `open`.
    pub starter: Vec<StarterProof>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovedBy {
    Anyone,
    /// The owner of the instance that asks; with a quorum the owner first.
    Owner,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeChannel {
    Webhook,
    Mail,
    Push,
}

/// Why a request may be believed to be the approver's own. An approve click is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StarterProof {
    /// The key that asks was enrolled by or for this approver before.
    OwnInstance,
    /// The key that asks was enrolled by or for this approver's group, and the request came to the inbox of its
    /// members.
    GroupInstance,
    SameAddress,
    /// Both devices are in networks that an administrator has listed.
    ListedNetwork,
    /// Six digits went from the page to the consumption device (X16). A phisher can ask for them.
    CarriedBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proximity {
    pub at_least: NetworkMatch,
    pub otherwise: Otherwise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    Warn,
    Refuse,
}

/// What follows when so many people beside the first present one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    pub presenters: u32,
    /// Ends the request; else it is an event only.
    pub ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskingKey {
    /// None is demanded; one that is proven binds.
    Any,
    /// A DPoP proof by any key (P20).
    Proof,
    /// A DPoP proof by the key of an enrolled instance.
    Enrolled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    Off,
    /// Only together with the same address or a listed network.
    WithNetwork,
    /// A person alone is enough: whoever can be talked through it enrolls a stranger.
    Alone,
}

/// None is the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    pub token: Option<Lifetime>,
    /// Of one refresh token; never beyond its grant.
    pub refresh: Option<Lifetime>,
    pub grant: Option<Lifetime>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How often one approver is asked.
    pub prompts_per_hour: Option<u32>,
    /// How many requests of one client may wait.
    pub open_requests: Option<u32>,
    pub quiet_hours: Option<QuietHours>,
}

/// A part of every day in which nobody is asked. Minutes since midnight, at a fixed distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    pub from: i64,
    pub to: i64,
    pub offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameDevice {
    Off,
    Warn,
    Refuse,
}

impl NoticeChannel {
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Mail, Self::Push];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
            Self::Push => "push",
        }
    }
}

impl Profile {
    /// The one profile whose tokens may depend on an approve click alone.
    pub const OPEN: &'static str = "open";

    /// From the profile's own text, in the shape of TOML or JSON: all of it, or every mistake.
    pub fn read(value: &Value) -> Result<Self, Vec<Mistake>> {
        read::profile(value)
    }

    /// X08: with no list, from anywhere; with one, an unknown address is outside.
    pub fn may_ask_from(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty() || address.is_some_and(|address| network::is_within(address, &self.networks))
    }

    /// Tokens may depend on an approve click alone, which is what device code phishing needs.
    pub fn is_open(&self) -> bool {
        self.approval.starter.is_empty()
    }

    pub fn must_allow_runs(&self, details: &Details) -> Result<(), Refusal> {
        if details.most_runs() <= i64::from(self.approval.runs) {
            Ok(())
        } else {
            Err(Refusal::RunsNotAllowed)
        }
    }

    pub fn demands_key(&self) -> bool {
        self.key != AskingKey::Any
    }
}

/// All profiles of a server, by name.
#[derive(Clone, Debug, Default)]
pub struct Profiles(BTreeMap<String, Arc<Profile>>);

impl Profiles {
    /// The later of two profiles with one name is left out: whoever loads them says so.
    pub fn new(profiles: impl IntoIterator<Item = Profile>) -> Self {
        let mut all = BTreeMap::new();
        for profile in profiles {
            all.entry(profile.name.clone()).or_insert_with(|| Arc::new(profile));
        }
        Self(all)
    }

    pub fn named(&self, name: &str) -> Option<&Arc<Profile>> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.0.values()
    }

    /// The device grant is off until a client is given it, and goes off when nobody uses it.
    pub fn of(&self, client: &Client) -> Result<&Arc<Profile>, Refusal> {
        self.under(client, Origin::DeviceCode)
    }

    /// The profile under which a client comes to grants of this origin, while it may.
    pub fn under(&self, client: &Client, origin: Origin) -> Result<&Arc<Profile>, Refusal> {
        let (never, no_more) = match origin {
            Origin::DeviceCode => (Refusal::DeviceGrantNotAllowed, Refusal::DeviceGrantUnused),
            Origin::ClientCredentials => (Refusal::ClientCredentialsNotAllowed, Refusal::ClientCredentialsUnused),
        };
        match client.registration.permission(origin) {
            Permission::Withheld => return Err(never),
            Permission::Off { .. } => return Err(no_more),
            Permission::On | Permission::Report { .. } => {}
        }
        let name = client.registration.profile.as_deref();
        name.and_then(|name| self.named(name)).ok_or(never)
    }

    /// The profile under which a client comes to any grant at all.
    pub fn of_any(&self, client: &Client) -> Result<&Arc<Profile>, Refusal> {
        self.of(client).or_else(|refusal| {
            let other = self.under(client, Origin::ClientCredentials);
            other.map_err(|_| refusal)
        })
    }
}

impl QuietHours {
    /// `from` belongs to the quiet, `to` no more; it may go over midnight.
    pub fn hold(self, now: Timestamp) -> bool {
        const DAY: i64 = 24 * 60;
        let minute = (now.seconds().div_euclid(60) + self.offset).rem_euclid(DAY);
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

#[cfg(test)]
mod tests;
