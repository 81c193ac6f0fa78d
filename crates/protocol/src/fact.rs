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
    /// `requester.address`, `requester.user_agent`, `key.thumbprint`, `device.host`, …
    pub name: String,
    pub value: String,
    pub source: Source,
}

impl Fact {
    pub const REQUESTER_ADDRESS: &'static str = "requester.address";
    /// How the server came to know the address: see `server/peer.rs`.
    pub const REQUESTER_IP_SOURCE: &'static str = "requester.ip_source";
    pub const REQUESTER_USER_AGENT: &'static str = "requester.user_agent";
    pub const KEY_THUMBPRINT: &'static str = "key.thumbprint";
    /// The name of the approver who signed at the device that asks (X15).
    pub const INITIATOR: &'static str = "initiator.approver";
    pub const INSTANCE_NAME: &'static str = "instance.name";
    /// What a command asks for that it was not given the last time.
    pub const SINCE_LAST: &'static str = "since_last";
    pub const DEVICE_HOST: &'static str = "device.host";
    pub const DEVICE_KEY_STORAGE: &'static str = "device.key_storage";
    pub const DEVICE_SYSTEM: &'static str = "device.system";
    pub const DEVICE_USER: &'static str = "device.user";
    pub const DEVICE_VERSION: &'static str = "device.version";
    pub const INSTANCE_WAY_IN: &'static str = "instance.way_in";

    /// The longest value that is kept; the rest of a longer one is cut off.
    const LONGEST: usize = 256;

    pub fn new(name: &str, value: &str, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            value: value.chars().take(Self::LONGEST).collect(),
            source,
        }
    }

    /// About the device that holds a key: these stay with its instance.
    pub fn is_of_device(&self) -> bool {
        self.name.starts_with("device.")
    }
}
