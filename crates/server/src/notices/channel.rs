//! The ways on which notices go out, as deliveries name them, and which of them an inbox has.

use protocol::profile::NoticeChannel;
use store::Fault;
use store::channels::{MailAddress, PushSubscription, Webhook};
use store::notices::Recipient;

use crate::app::App;

/// One channel, by what it is and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    Webhook(String),
    /// The address of this approver.
    Mail(String),
    Push(String),
}

impl Channel {
    pub fn to_text(&self) -> String {
        format!("{} {}", self.kind().as_str(), self.id())
    }

    /// None for what a later version of this program sends on.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ')? {
            ("webhook", id) => Some(Self::Webhook(id.to_owned())),
            ("mail", id) => Some(Self::Mail(id.to_owned())),
            ("push", id) => Some(Self::Push(id.to_owned())),
            _ => None,
        }
    }

    pub fn kind(&self) -> NoticeChannel {
        match self {
            Self::Webhook(_) => NoticeChannel::Webhook,
            Self::Mail(_) => NoticeChannel::Mail,
            Self::Push(_) => NoticeChannel::Push,
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Webhook(id) | Self::Mail(id) | Self::Push(id) => id,
        }
    }
}

/// Every channel there is.
pub struct Channels {
    pub webhooks: Vec<Webhook>,
    pub mail: Vec<MailAddress>,
    pub push: Vec<PushSubscription>,
}

impl Channels {
    pub async fn load(app: &App) -> Result<Self, Fault> {
        Ok(Self {
            webhooks: app.store.webhooks().await?,
            mail: app.store.mail_addresses().await?,
            push: app.store.push_subscriptions().await?,
        })
    }

    /// Everybody who has one of their own.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        let hooks = self.webhooks.iter().filter_map(|hook| match &hook.recipient {
            Some(Recipient::Approver(id)) => Some(id.as_str()),
            _ => None,
        });
        let mail = self.mail.iter().map(|mail| mail.approver_id.as_str());
        let push = self.push.iter().map(|push| push.approver_id.as_str());
        hooks.chain(mail).chain(push)
    }

    /// What one approver is told on alone, as far as it is turned on.
    pub fn own<'a>(&'a self, approver_id: &'a str) -> impl Iterator<Item = Channel> + 'a {
        let mail = self.mail.iter();
        let mail = mail.filter(move |mail| mail.approver_id == approver_id && mail.off_at.is_none());
        let push = self.push.iter().filter(move |push| push.approver_id == approver_id);
        let is_theirs = move |recipient: Option<&Recipient>| matches!(recipient, Some(Recipient::Approver(id)) if id == approver_id);
        self.hooks(is_theirs)
            .chain(mail.map(|mail| Channel::Mail(mail.approver_id.clone())))
            .chain(push.map(|push| Channel::Push(push.id.clone())))
    }

    /// What is told of an inbox beside its owner: webhooks for all, and a group's.
    pub fn shared<'a>(&'a self, recipient: &'a Recipient) -> impl Iterator<Item = Channel> + 'a {
        self.hooks(move |of| match of {
            None => true,
            Some(Recipient::Group(_)) => of == Some(recipient),
            Some(Recipient::Approver(_)) => false,
        })
    }

    fn hooks<'a>(&'a self, is_told: impl Fn(Option<&Recipient>) -> bool + 'a) -> impl Iterator<Item = Channel> + 'a {
        let on = self.webhooks.iter().filter(|hook| hook.off_at.is_none());
        on.filter(move |hook| is_told(hook.recipient.as_ref()))
            .map(|hook| Channel::Webhook(hook.id.clone()))
    }
}
