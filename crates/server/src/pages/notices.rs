//! How an approver is told that something waits: each way stands on the account page and is turned off there; a
//! browser is added from the inbox. What an administrator set up for others too is shown and stays.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Redirect;
use protocol::event::Action;
use protocol::shown::shown;
use serde::Deserialize;
use store::Batch;
use store::notices::Recipient;

use super::moment::Moment;
use super::{Frame, PageFailure, account};
use crate::app::{App, Shared};
use crate::extract::csrf::{Posted, Sent};
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::notices::channel::{Channel, Channels};
use crate::notices::push::{self, Subscription};

/// On the account page.
#[derive(Template)]
#[template(path = "notices.html")]
pub struct NoticesSection {
    pub frame: Frame,
    pub lines: Vec<NoticeLine>,
    /// Whether an administrator could set an address.
    pub has_mail: bool,
}

pub struct NoticeLine {
    /// What a form of this line names.
    pub channel: String,
    pub kind: &'static str,
    pub name: String,
    /// Whose it is, where it is not theirs alone.
    pub whose: Option<String>,
    pub since: Moment,
    pub is_on: bool,
    pub act: Option<(&'static str, &'static str)>,
}

/// On the page of the inbox.
pub struct PushOffer {
    /// By which push services know this server.
    pub key: String,
    /// The browsers that are told already, by name.
    pub known: String,
}

pub async fn offer(app: &App, by: &SignedIn) -> Result<PushOffer, Failure> {
    let all = app.store.push_subscriptions().await?;
    let own = all.into_iter().filter(|push| push.approver_id == by.approver.id);
    Ok(PushOffer {
        key: app.vapid.public(),
        known: own.map(|push| push.id).collect::<Vec<_>>().join(" "),
    })
}

const OFF: (&str, &str) = ("off", "Turn off");
const ON: (&str, &str) = ("on", "Turn on");
const REMOVE: (&str, &str) = ("remove", "Remove");

pub async fn section(app: &App, by: &SignedIn) -> Result<NoticesSection, Failure> {
    let id = &by.approver.id;
    let channels = Channels::load(app).await?;
    let groups = app.every_group_of(id).await?;
    let mut lines = Vec::new();
    for mail in channels.mail.iter().filter(|mail| mail.approver_id == *id) {
        lines.push(NoticeLine {
            channel: Channel::Mail(id.clone()).to_text(),
            kind: "E-mail",
            name: shown(&mail.address),
            whose: None,
            since: Moment::at(mail.created_at),
            is_on: mail.off_at.is_none(),
            act: Some(if mail.off_at.is_none() { OFF } else { ON }),
        });
    }
    for push in channels.push.iter().filter(|push| push.approver_id == *id) {
        lines.push(NoticeLine {
            channel: Channel::Push(push.id.clone()).to_text(),
            kind: "Browser",
            name: shown(&push.browser),
            whose: None,
            since: Moment::at(push.created_at),
            is_on: true,
            act: Some(REMOVE),
        });
    }
    for hook in &channels.webhooks {
        let whose = match &hook.recipient {
            Some(Recipient::Approver(own)) if own == id => None,
            Some(Recipient::Approver(_)) => continue,
            Some(Recipient::Group(group)) if !groups.contains(group) => continue,
            Some(Recipient::Group(group)) => Some(format!("for the group {}", shown(group))),
            None => Some("for everybody".to_owned()),
        };
        let switch = if hook.off_at.is_none() { OFF } else { ON };
        lines.push(NoticeLine {
            channel: Channel::Webhook(hook.id.clone()).to_text(),
            kind: "Webhook",
            name: shown(&hook.host),
            act: whose.is_none().then_some(switch),
            whose,
            since: Moment::at(hook.created_at),
            is_on: hook.off_at.is_none(),
        });
    }
    Ok(NoticesSection {
        frame: Frame::new(app, Some(by)),
        lines,
        has_mail: app.mailer.is_some(),
    })
}

#[derive(Deserialize)]
pub struct Subscribe {
    csrf: String,
    #[serde(flatten)]
    subscription: Subscription,
}

pub async fn subscribe(State(app): State<Shared>, sent: Sent<Subscribe>) -> Result<Json<serde_json::Value>, Failure> {
    let by = sent.by(&app, &sent.body.csrf).await?;
    let browser = account::browser(&by.session.user_agent);
    push::subscribe(&app, &by, &sent.body.subscription, browser).await?;
    Ok(Json(serde_json::json!({})))
}

pub async fn change(
    State(app): State<Shared>,
    Path(act): Path<String>,
    Posted { by, form }: Posted,
) -> Result<Redirect, PageFailure> {
    let nothing = || Failure::NotFound("Nothing of yours has this name.");
    let channel = form.get("channel").and_then(Channel::parse).ok_or_else(nothing)?;
    if !is_theirs(&app, &by, &channel).await? {
        return Err(nothing().into());
    }
    let (off_at, action) = match act.as_str() {
        "on" => (None, Action::NoticeChannelOn),
        _ => (Some(app.now()), Action::NoticeChannelOff),
    };
    let batch = match (&channel, act.as_str()) {
        (Channel::Push(id), "remove") => {
            app.commit(push::ended(&app, id, &by.approver.id)?).await?;
            return Ok(account::done(&app, "notice-removed"));
        }
        (Channel::Mail(id), "on" | "off") => Batch::default().set_mail_off(id, off_at),
        (Channel::Webhook(id), "on" | "off") => Batch::default().set_webhook_off(id, off_at),
        _ => return Err(nothing().into()),
    };
    // What was still to be told on it is not told later.
    let batch = match off_at {
        Some(_) => batch.end_channel(&channel.to_text()),
        None => batch,
    };
    let event = by.event(&app, action).with("notice.channel", channel.kind().as_str());
    app.commit(
        batch
            .record(&event.with("notice.channel_id", channel.id()))
            .map_err(Failure::from)?,
    )
    .await?;
    Ok(account::done(
        &app,
        if off_at.is_some() { "notice-off" } else { "notice-on" },
    ))
}

async fn is_theirs(app: &App, by: &SignedIn, channel: &Channel) -> Result<bool, Failure> {
    let id = &by.approver.id;
    let channels = Channels::load(app).await?;
    Ok(match channel {
        Channel::Mail(approver_id) => approver_id == id && channels.mail.iter().any(|mail| mail.approver_id == *id),
        Channel::Push(push_id) => channels
            .push
            .iter()
            .any(|push| push.id == *push_id && push.approver_id == *id),
        Channel::Webhook(hook_id) => {
            let own = Recipient::Approver(id.clone());
            channels
                .webhooks
                .iter()
                .any(|hook| hook.id == *hook_id && hook.recipient.as_ref() == Some(&own))
        }
    })
}
