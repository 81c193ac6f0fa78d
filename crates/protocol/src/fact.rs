//! One thing known about a request, always with its source. The three are never mixed, on a page or in
//! a record: a claim that looks like a proof is how people are deceived.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A signature by a known key, or the connection's own address.
    Proven,
    /// Looked up or computed from something proven.
    Derived,
    /// What the requester says, signed or not.
    Claimed,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Derived => "derived",
            Self::Claimed => "claimed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// `requester.address`, `requester.user_agent`, `key.thumbprint`.
    pub name: String,
    pub value: String,
    pub source: Source,
}

impl Fact {
    pub const REQUESTER_ADDRESS: &'static str = "requester.address";
    pub const REQUESTER_USER_AGENT: &'static str = "requester.user_agent";
    pub const KEY_THUMBPRINT: &'static str = "key.thumbprint";

    /// The longest value that is kept; the rest of a longer one is cut off.
    const LONGEST: usize = 256;

    pub fn new(name: &str, value: &str, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            value: value.chars().take(Self::LONGEST).collect(),
            source,
        }
    }
}
