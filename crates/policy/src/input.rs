//! What a decision is made on: plain values, which the caller has at hand. They go on the record as they are, so that
//! a decision can be explained and replayed later. Not here: how policies see them (`entities.rs`).

use std::fmt;
use std::net::IpAddr;

use protocol::digest::Digest;
use protocol::fact::Fact;
use protocol::network::NetworkMatch;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::moment;

/// Where a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A program asks: at the device authorization endpoint, or to be enrolled.
    Request,
    /// A person opens what was asked.
    View,
    Approve,
    /// What was approved becomes a token; or an instance, or a machine's own token.
    Redeem,
    Refresh,
    /// A resource server asks about a token.
    Introspect,
}

impl Step {
    pub const ALL: [Self; 6] = [
        Self::Request,
        Self::View,
        Self::Approve,
        Self::Redeem,
        Self::Refresh,
        Self::Introspect,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::View => "view",
            Self::Approve => "approve",
            Self::Redeem => "redeem",
            Self::Refresh => "refresh",
            Self::Introspect => "introspect",
        }
    }

    /// The group of actions that it is one of, by who acts.
    pub fn group(self) -> Option<&'static str> {
        match self {
            Self::Request | Self::Redeem | Self::Refresh => Some("by_program"),
            Self::View | Self::Approve => Some("by_person"),
            Self::Introspect => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One question. What a step does not know has its neutral value, and policies on that step cannot speak of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub step: Step,
    #[serde(with = "moment")]
    pub now: Timestamp,
    pub client: Client,
    #[serde(default)]
    pub profile: String,
    /// What the grant comes of: `device_code` or `client_credentials`.
    #[serde(default = "device_code")]
    pub origin: String,
    /// What the code or the tokens are bound to: `dpop`, `mtls` or `none`.
    #[serde(default = "none")]
    pub binding: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    #[serde(default)]
    pub access: Access,
    /// Where the program is: at this step if it acts, else when it asked.
    #[serde(default)]
    pub requester: Place,
    /// Who looks or decides; later, who approved first and answers for what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Approver>,
    /// Where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onlooker: Option<Place>,
    #[serde(default)]
    pub network: NetworkMatch,
    /// How the code reached the page: `typed`, `link`, `push`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// How many people the profile asks for, and how many have approved, this one included.
    #[serde(default = "one")]
    pub quorum: u32,
    #[serde(default)]
    pub approvals: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Seconds since the person decided.
    #[serde(default)]
    pub age: i64,
    /// The resource server that asks, by its client_id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The most recent first: of two with one name and source the first counts.
    #[serde(default)]
    pub facts: Vec<Fact>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub id: String,
    #[serde(default = "cli")]
    pub kind: String,
    #[serde(default)]
    pub verified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub way_in: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Of the request or the grant.
    #[serde(default)]
    pub id: String,
    /// To be enrolled, instead of getting access.
    #[serde(default)]
    pub enrolls: bool,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Value>,
    /// Seconds until its end.
    #[serde(default)]
    pub lifetime: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// None unless it is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(default)]
    pub listed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Input {
    /// What every step knows; all else is neutral.
    pub fn new(step: Step, now: Timestamp, client: Client) -> Self {
        Self {
            step,
            now,
            client,
            profile: String::new(),
            origin: device_code(),
            binding: none(),
            instance: None,
            access: Access::default(),
            requester: Place::default(),
            approver: None,
            onlooker: None,
            network: NetworkMatch::default(),
            entry: None,
            quorum: one(),
            approvals: 0,
            acr: None,
            amr: Vec::new(),
            age: 0,
            reader: None,
            facts: Vec::new(),
        }
    }

    /// A bound on one record. A decision is made on all of its input, however long; what is longer than this is
    /// recorded by its digest alone, and cannot be replayed.
    const LONGEST: usize = 16 * 1024;

    /// For the record.
    pub fn recorded(&self) -> Value {
        let value = serde_json::to_value(self).unwrap_or_default();
        let text = value.to_string();
        if text.len() <= Self::LONGEST {
            return value;
        }
        json!({ "too_long": text.len(), "digest": Digest::of(text.as_bytes()) })
    }

    /// From the record. None where only its digest was kept, or where a later version wrote more than is known here.
    pub fn from_record(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

fn device_code() -> String {
    "device_code".to_owned()
}

fn none() -> String {
    "none".to_owned()
}

fn cli() -> String {
    "cli".to_owned()
}

fn one() -> u32 {
    1
}
