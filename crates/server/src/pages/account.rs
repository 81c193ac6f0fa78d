//! What is an approver's own: passkeys, browser sessions, grants, software keys; each can be ended here
//! (software keys by an administrator). Whoever fills this in passes texts from elsewhere through `shown`.

use askama::Template;

use super::Frame;
use super::moment::Moment;

#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    pub frame: Frame,
    /// What the last act did: "The passkey was removed."
    pub notice: Option<&'static str>,
    /// Why the last act was refused.
    pub problem: Option<&'static str>,
    pub grants: Vec<GrantLine>,
    pub passkeys: Vec<PasskeyLine>,
    pub sessions: Vec<SessionLine>,
    pub software_keys: Vec<SoftwareKeyLine>,
}

pub struct GrantLine {
    pub id: String,
    pub client_name: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub since: Moment,
    pub until: Moment,
    pub key_words: Option<String>,
}

pub struct PasskeyLine {
    pub id: String,
    pub name: String,
    pub added_at: Moment,
    pub last_used_at: Option<Moment>,
}

pub struct SessionLine {
    pub id: String,
    /// "Firefox on Linux", from the User-Agent: a claim.
    pub browser: String,
    pub address: Option<String>,
    pub signed_in_at: Moment,
    pub is_this: bool,
}

pub struct SoftwareKeyLine {
    pub thumbprint: String,
    pub key_words: String,
    pub added_at: Moment,
}
