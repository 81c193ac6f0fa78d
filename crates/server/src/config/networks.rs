//! What an administrator knows about networks.

use ipnet::IpNet;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Both devices in one of these: evidence that they are in the same hands.
    pub trusted: Vec<IpNet>,
    /// Strangers share an address here: equal says nothing.
    pub shared: Vec<IpNet>,
}
