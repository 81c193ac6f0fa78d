//! A code is presented before anybody has decided: the answer comes from memory and writes nothing, at once or,
//! where that was preferred, when there is something to say. RFC 8628 §3.5; CIBA §11.

use std::sync::Arc;

use protocol::authorization_request::{AuthorizationRequest, CodeKind, Poll, PollMark};
use protocol::digest::Digest;
use protocol::event::{Action, Event};
use protocol::refusal::Refusal;
use protocol::secret::DeviceCode;
use protocol::time::{Lifetime, Timestamp};
use store::Batch;

use super::device_code::{CONFIRMATION, load};
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::holding::{Hold, Woken};

/// What there is to wait for, and of which request; none once there is nothing.
type Standing = Option<(Poll, Arc<str>)>;

/// A code as it is presented.
pub struct Presented<'a> {
    pub asked: &'a ClientRequest,
    pub kind: CodeKind,
    pub code: Digest,
    at: Timestamp,
}

impl<'a> Presented<'a> {
    pub fn read(app: &App, asked: &'a ClientRequest, kind: CodeKind) -> Result<Self, Refusal> {
        let parameter = match kind {
            CodeKind::Device | CodeKind::Enrollment => "device_code",
            CodeKind::Backchannel => "auth_req_id",
        };
        Ok(Self {
            asked,
            kind,
            code: DeviceCode::presented(asked.form.required(parameter)?).digest(),
            at: app.now(),
        })
    }

    /// X16.
    fn brings_digits(&self) -> bool {
        self.asked.form.get(CONFIRMATION).is_some()
    }

    /// Returns once there is nothing to wait for any more; else the answer to a poll.
    pub async fn decided(&self, app: &App, hold: Option<&mut Hold<'_>>) -> Result<(), Failure> {
        let mut standing = self.standing(app).await?;
        if let Some(hold) = hold {
            while matches!(standing, Some((Poll::Pending, _))) && self.woken(app, hold).await == Woken::Look {
                standing = Box::pin(self.looked_up(app, None)).await?;
            }
        }
        match standing {
            Some((poll, request_id)) => Err(waiting(app, &poll, &request_id).await?),
            None => Ok(()),
        }
    }

    async fn woken(&self, app: &App, hold: &mut Hold<'_>) -> Woken {
        match app.pending.decided(&self.code) {
            Some(decided) => hold.wait(decided).await,
            // Decided since it was asked, or there is no room to remember it: one look tells.
            None => hold.look_once(),
        }
    }

    async fn standing(&self, app: &App) -> Result<Standing, Failure> {
        let by = self.asked.poller(self.kind);
        if !self.brings_digits()
            && let Some(answer) = app.pending.poll(&self.code, by, self.at)
        {
            return Ok(Some(answer?));
        }
        Box::pin(self.looked_up(app, app.pending.mark(&self.code))).await
    }

    /// As the database has it. Who was held polls once, however often it is looked at meanwhile.
    async fn looked_up(&self, app: &App, mark: Option<PollMark>) -> Result<Standing, Failure> {
        let ticket = app.pending.ticket(&self.code);
        let now = app.now();
        let request = load(app, &self.code).await?;
        let mark = mark.unwrap_or(PollMark {
            last: None,
            interval: request.interval,
        });
        let poll = match request.poll(self.asked.poller(self.kind), mark, now)? {
            Poll::Confirm { .. } if self.brings_digits() => return Ok(None),
            Poll::Confirm { tries } => AuthorizationRequest::pending(Some(tries), mark, now),
            Poll::Redeem | Poll::Replayed { .. } | Poll::Enrolled { .. } => return Ok(None),
            poll => poll,
        };
        let interval = match poll {
            Poll::SlowDown { interval, .. } => interval,
            _ => mark.interval,
        };
        let last = Some(self.at);
        app.pending
            .remember(&request, PollMark { last, interval }, &ticket, now);
        Ok(Some((poll, request.content.id.as_str().into())))
    }
}

/// Pending, or a raised interval, which is stored: the other nodes and the next start hold it too.
async fn waiting(app: &App, poll: &Poll, request_id: &str) -> Result<Failure, Failure> {
    let (interval, raised) = match poll {
        Poll::SlowDown { interval, raised } => (interval, raised),
        Poll::Confirm { tries } => return Ok(digits_awaited(*tries)),
        _ => return Ok(Refusal::AuthorizationPending.into()),
    };
    if *raised {
        let event = early(app, request_id, *interval);
        let raise = Batch::default().raise_interval(request_id, *interval).record(&event)?;
        Box::pin(app.commit(raise)).await?;
    }
    Ok(Failure::SlowDown {
        interval: interval.seconds(),
    })
}

/// X16: somebody has approved, and the device has to send what the page shows.
pub fn digits_awaited(tries: u32) -> Failure {
    Failure::Confirmation {
        refusal: Refusal::AuthorizationPending,
        tries,
    }
}

fn early(app: &App, request_id: &str, interval: Lifetime) -> Event {
    let mut event = app
        .event(Action::DevicePolledEarly)
        .with("interval", interval.seconds());
    event.request_id = Some(request_id.to_owned());
    event
}
