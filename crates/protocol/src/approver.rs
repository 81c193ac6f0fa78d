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

/// How somebody came to be signed in on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMethod {
    Passkey,
    /// By the approver's own enrollment link, which is used up, together with an upstream sign-in.
    Invited,
    /// By an upstream provider alone, which says who it is.
    Upstream,
}

impl SignInMethod {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Invited => "invited",
            Self::Upstream => "upstream",
        }
    }

    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Passkey, Self::Invited, Self::Upstream]
            .into_iter()
            .find(|method| method.as_str() == text)
    }

    /// Whether keys may be changed on the strength of it. Whoever took over the upstream account must not
    /// be able to add a passkey: with one they could approve.
    pub fn may_change_keys(self) -> bool {
        match self {
            Self::Passkey | Self::Invited => true,
            Self::Upstream => false,
        }
    }

    /// `acr`: phishing-resistant for a passkey, else a name of ours that promises nothing.
    pub fn acr(self) -> &'static str {
        match self {
            Self::Passkey => "phr",
            Self::Invited | Self::Upstream => "urn:waypass:acr:upstream",
        }
    }
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
