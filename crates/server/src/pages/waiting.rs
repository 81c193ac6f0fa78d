//! The inbox: what waits for this approver without a code. A page of its own that keeps itself up to date, and a
//! part of the start page and of the account. Opening is a POST, since a look is on the record.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use futures_util::stream;
use protocol::client::Kind;
use protocol::shown::shown;
use protocol::time::Timestamp;
use protocol::wire::approver::Waiting;
use store::announcement::Announcement;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::moment::Moment;
use super::notices::{self, PushOffer};
use super::{Frame, PageFailure, html};
use crate::app::{App, Shared};
use crate::deciding::Deciding;
use crate::extract::csrf::Posted;
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::holding::Place;
use crate::inbox::{self, Listed};
use crate::request_view;

/// How long one stream of events lasts: the browser comes again by itself, with its session looked at anew.
const STREAM: Duration = Duration::from_secs(25);
const AT_ONCE: Duration = Duration::from_secs(1);
const NOW_AND_THEN: Duration = Duration::from_secs(30);

pub struct WaitingLine {
    pub request_id: String,
    pub client_name: String,
    pub client_id: String,
    pub is_agent: bool,
    pub instance_name: Option<String>,
    pub binding_message: Option<String>,
    pub asks: Vec<String>,
    /// Where it takes more than one: who has approved, and how many have to.
    pub people: Option<(Vec<String>, u32)>,
    pub since: Moment,
    pub until: Moment,
}

impl WaitingLine {
    fn of(waiting: Waiting) -> Self {
        let people = waiting.quorum.filter(|quorum| quorum.have > 0);
        Self {
            request_id: waiting.request_id,
            client_name: shown(&waiting.client_name),
            client_id: shown(&waiting.client_id),
            is_agent: waiting.client_kind == Kind::Agent.as_str(),
            instance_name: waiting.instance_name.as_deref().map(shown),
            binding_message: waiting.binding_message.as_deref().map(shown),
            asks: waiting.asks.iter().map(|sentence| shown(sentence)).collect(),
            people: people.map(|quorum| {
                let names = quorum.approved_by.iter().map(|name| shown(name));
                (names.collect(), quorum.needed)
            }),
            since: Moment::at(Timestamp::from_millis(waiting.requested_at)),
            until: Moment::at(Timestamp::from_millis(waiting.expires_at)),
        }
    }
}

/// As far as it is shown.
#[derive(Default)]
pub struct WaitingList {
    pub lines: Vec<WaitingLine>,
    pub more: usize,
}

impl WaitingList {
    fn of(app: &App, listed: &Listed) -> Self {
        let listed = request_view::listed(listed, app.details());
        Self {
            lines: listed.requests.into_iter().map(WaitingLine::of).collect(),
            more: listed.more,
        }
    }

    pub fn count(&self) -> usize {
        self.lines.len() + self.more
    }
}

#[derive(Template)]
#[template(path = "inbox.html")]
pub struct InboxPage {
    pub frame: Frame,
    pub waiting: WaitingList,
    /// What is shown, by name: see [`inbox::version`].
    pub version: String,
    pub push: PushOffer,
}

pub async fn show(State(app): State<Shared>, by: SignedIn) -> Result<Html<String>, PageFailure> {
    let listed = by.deciding().waiting(&app).await?;
    Ok(html(&InboxPage {
        frame: Frame::new(&app, Some(&by)),
        waiting: WaitingList::of(&app, &listed),
        version: inbox::version(&listed),
        push: notices::offer(&app, &by).await?,
    })?)
}

pub async fn list(app: &App, by: &SignedIn) -> Result<WaitingList, Failure> {
    Ok(WaitingList::of(app, &by.deciding().waiting(app).await?))
}

pub async fn open(
    State(app): State<Shared>,
    Path(request_id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageFailure> {
    posted.by.deciding().open_waiting(&app, &request_id).await?;
    let base = app.config.issuer.base_path();
    Ok(Redirect::to(&format!("{base}/device/{request_id}")))
}

/// Which inbox there is now, and again whenever it is another: its name and nothing of what is in it. Where the places
/// are taken it is told once, and the browser comes again by itself.
pub async fn events(State(app): State<Shared>, by: SignedIn) -> Result<Response, PageFailure> {
    let heard = app.inboxes.listen();
    let place = app.inboxes.place(&by.approver.id).zip(app.holds.place());
    let (lasts, again) = match place {
        Some(_) => (STREAM, AT_ONCE),
        None => (Duration::ZERO, NOW_AND_THEN),
    };
    let watch = Watch {
        _place: place,
        groups: app.every_group_of(&by.approver.id).await?,
        deciding: by.deciding(),
        told: None,
        until: Instant::now() + lasts,
        again,
        heard,
        app,
    };
    let events = stream::unfold(watch, async |mut watch| {
        let version = watch.next().await?;
        let event = Event::default().event("inbox").data(version).retry(watch.again);
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(Sse::new(Box::pin(events)).into_response())
}

struct Watch {
    app: Shared,
    deciding: Deciding,
    groups: Vec<String>,
    heard: Receiver<Announcement>,
    told: Option<String>,
    until: Instant,
    again: Duration,
    _place: Option<(Place, Place)>,
}

impl Watch {
    /// The next version; none at the end of the stream, or where it cannot be read.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.told.is_some() {
                timeout_at(self.until, self.concerned()).await.ok()??;
            }
            let listed = self.deciding.waiting(&self.app).await.ok()?;
            let version = inbox::version(&listed);
            if self.told.as_ref() != Some(&version) {
                self.told = Some(version.clone());
                return Some(version);
            }
        }
    }

    /// Until something is announced that may concern this approver.
    async fn concerned(&mut self) -> Option<()> {
        let mut stopping = self.app.holds.stopping();
        loop {
            let heard = tokio::select! {
                heard = self.heard.recv() => heard,
                () = stopping.stopped() => return None,
            };
            match heard {
                Ok(Announcement::Inbox(id)) if id != self.deciding.approver.id => {}
                Ok(Announcement::GroupInbox(group)) if !self.groups.contains(&group) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
