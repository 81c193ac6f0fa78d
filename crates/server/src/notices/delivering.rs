//! One notice on one channel: claimed, sent, and what came of it on the record. A storm is one notice, since what
//! waits is counted when it is sent, and a channel rests after each. What failed is tried again a few times, as long as
//! something waits.

use std::error::Error;
use std::io;

use protocol::event::{Action, Event};
use protocol::shown::shown;
use protocol::time::Lifetime;
use store::notices::{Delivery, Recipient};
use store::{Batch, Fault, Rejected};

use super::channel::Channel;
use super::waiting::Waiting;
use super::{mail, push, webhook};
use crate::app::App;
use crate::failure::Failure;

/// How long one channel says nothing more about one inbox.
const REST: Lifetime = Lifetime::from_seconds(30);
/// When a process that claimed one is believed to be gone: longer than any sending takes.
const LEASE: Lifetime = Lifetime::from_seconds(60);
/// Between the attempts; after the last there is none.
const BETWEEN: [i64; 4] = [10, 60, 300, 900];
/// As much of a client's name as a notice carries.
const LONGEST_NAME: usize = 60;

/// Why a notice did not go out. Nothing of it is the receiver's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// It leads into our own networks, or is in the clear.
    AddressNotAllowed,
    /// The receiver says that there is no such thing.
    Gone,
    /// The receiver does not take it.
    Refused,
    Unreachable,
    /// Its certificate does not prove who it is.
    Untrusted,
    /// The mail server lacks what is demanded: STARTTLS, or a way to sign in.
    Unsupported,
    /// What is stored of the channel cannot be used.
    Unusable,
}

impl Undelivered {
    pub fn code(self) -> &'static str {
        match self {
            Self::AddressNotAllowed => "address_not_allowed",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unsupported => "unsupported",
            Self::Untrusted => "untrusted",
            Self::Unusable => "unusable",
        }
    }

    /// Of a connection that failed: somebody in between is not the same as nobody there.
    pub fn unconnected(error: &(dyn Error + 'static)) -> Self {
        if is_about_trust(error) {
            Self::Untrusted
        } else {
            Self::Unreachable
        }
    }

    fn is_final(self) -> bool {
        matches!(self, Self::AddressNotAllowed | Self::Unusable)
    }
}

fn is_about_trust(error: &(dyn Error + 'static)) -> bool {
    // What an `io::Error` was made of is not among its sources.
    if let Some(inner) = error.downcast_ref().and_then(io::Error::get_ref) {
        return is_about_trust(inner);
    }
    let is_it = matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)));
    is_it || error.source().is_some_and(is_about_trust)
}

/// What a notice says: that something waits, for whom and how much, and where. Nothing in it is of use to whoever else
/// reads it.
pub struct Message {
    /// The same at each attempt.
    pub id: String,
    /// `approver` or `group`, and the name.
    pub recipient: (&'static str, String),
    pub waiting: usize,
    /// Where it is only one.
    pub client_name: Option<String>,
    pub inbox: String,
}

impl Message {
    pub fn sentence(&self) -> String {
        let (kind, name) = &self.recipient;
        let whom = match *kind {
            "group" => format!("the group {name}"),
            _ => name.clone(),
        };
        match self.waiting {
            1 => format!("1 request waits for {whom}."),
            several => format!("{several} requests wait for {whom}."),
        }
    }
}

/// What may be sent now, and which of several processes sends it.
pub async fn claim(app: &App) -> Result<Vec<Delivery>, Fault> {
    let mut claimed = Vec::new();
    for delivery in app.store.deliveries(app.now()).await? {
        let batch = Batch::default().claim_delivery(&delivery, app.now() + LEASE);
        match app.store.commit(batch).await {
            Ok(()) => claimed.push(delivery.claimed()),
            // Another process has it.
            Err(Rejected::Conflict) => {}
            Err(rejected) => return Err(rejected.into()),
        }
    }
    Ok(claimed)
}

pub async fn deliver(app: &App, delivery: &Delivery) -> Result<(), Failure> {
    let done = || Batch::default().delivered(delivery, app.now(), REST);
    let Some(channel) = Channel::parse(&delivery.channel) else {
        return app.commit(done()).await;
    };
    let waiting = Waiting::of(app, &delivery.recipient, channel.kind()).await?;
    let batch = match waiting {
        Waiting { count: 1.., .. } => {
            let message = message(app, delivery, &waiting).await?;
            let sent = send(app, &channel, &message).await?;
            after(app, delivery, (&channel, &waiting), sent)?
        }
        Waiting { later: true, .. } => Batch::default().deliver_again(delivery, 0, app.now() + LEASE),
        // Somebody has decided meanwhile.
        Waiting { .. } => done(),
    };
    app.commit(batch).await
}

async fn message(app: &App, delivery: &Delivery, waiting: &Waiting) -> Result<Message, Failure> {
    let recipient = match &delivery.recipient {
        Recipient::Group(name) => ("group", name.clone()),
        Recipient::Approver(id) => {
            let approver = app.store.approver(id).await?;
            ("approver", approver.map_or_else(String::new, |approver| approver.name))
        }
    };
    let client = waiting.client.as_ref();
    let parts = [
        "notice",
        &*delivery.channel,
        &delivery.recipient.to_text(),
        &delivery.number.to_string(),
    ];
    Ok(Message {
        id: format!("msg_{}", app.derived.page_token(&parts).as_str()),
        recipient,
        waiting: waiting.count,
        client_name: client.map(|client| bounded(&client.registration.name)),
        inbox: app.config.issuer.url("/inbox"),
    })
}

fn bounded(name: &str) -> String {
    let name = shown(name);
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

async fn send(app: &App, channel: &Channel, message: &Message) -> Result<Result<(), Undelivered>, Fault> {
    match channel {
        Channel::Webhook(id) => webhook::send(app, id, message).await,
        Channel::Mail(approver_id) => mail::send(app, approver_id, message).await,
        Channel::Push(id) => push::send(app, id, message).await,
    }
}

/// Every attempt is an event.
fn after(
    app: &App,
    delivery: &Delivery,
    (channel, waiting): (&Channel, &Waiting),
    sent: Result<(), Undelivered>,
) -> Result<Batch, Fault> {
    let event = event(app, delivery, channel).with("notice.waiting", waiting.count);
    let done = Batch::default().delivered(delivery, app.now(), REST);
    let Err(why) = sent else {
        return done.record(&event);
    };
    if let (Undelivered::Gone, Channel::Push(id), Recipient::Approver(owner)) = (why, channel, &delivery.recipient) {
        let event = event.failed(why.code()).with("notice.given_up", true);
        return push::ended(app, id, owner)?.record(&event);
    }
    let between = usize::try_from(delivery.attempt - 1)
        .ok()
        .and_then(|made| BETWEEN.get(made));
    let again = between.filter(|_| !why.is_final());
    let batch = match again {
        Some(seconds) => {
            let at = app.now() + Lifetime::from_seconds(*seconds);
            Batch::default().deliver_again(delivery, delivery.attempt, at)
        }
        None => done,
    };
    let event = event.failed(why.code()).with("notice.given_up", again.is_none());
    batch.record(&event)
}

/// Addresses are left out: they are somebody's secret.
fn event(app: &App, delivery: &Delivery, channel: &Channel) -> Event {
    let event = app
        .event(Action::NoticeSent)
        .with("notice.channel", channel.kind().as_str())
        .with("notice.channel_id", channel.id())
        .with("notice.attempt", delivery.attempt);
    match &delivery.recipient {
        Recipient::Approver(id) => event.approver(id),
        Recipient::Group(name) => event.with("group.name", name.clone()),
    }
}
