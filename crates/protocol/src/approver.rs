//! An approver: the person who decides (the RFC's end user).

use crate::refusal::Refusal;
use crate::time::Timestamp;

/// Every approver's id, which is the `sub` of what comes of an approval, begins so; no client's does.
pub const ID_PREFIX: &str = "approver_";

#[derive(Clone, Debug)]
pub struct Approver {
    pub id: String,
    /// Unique, chosen by an administrator.
    pub name: String,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    pub version: i64,
}

impl Approver {
    pub fn must_be_active(&self) -> Result<(), Refusal> {
        if self.disabled_at.is_some() {
            Err(Refusal::ApproverDisabled)
        } else {
            Ok(())
        }
    }
}

/// A name that prints as it is in a table, a URL and a log line.
pub fn is_name(text: &str) -> bool {
    const LONGEST: usize = 64;
    !text.is_empty()
        && text.len() <= LONGEST
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+'))
}
