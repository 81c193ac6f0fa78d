//! A code that opened nothing: always on the record; where it is somebody else's, it is counted who presents
//! it (RFC 10027 §6.1.4). A code that was sent to many shows here.

use protocol::authorization_request::{AuthorizationRequest, State};
use protocol::event::Action;
use protocol::profile::Repeated;
use protocol::refusal::{ErrorCode, Refusal};
use protocol::time::{Lifetime, Timestamp};
use store::Batch;

use crate::app::App;
use crate::containment::contained;
use crate::deciding::Deciding;
use crate::failure::Failure;
use crate::instances::{self, Ended};

const REPEATED: &str = "code_repeated";

impl Deciding {
    /// What the presenter is told is the caller's: here nothing is said.
    pub async fn not_opened(&self, app: &App, code: Option<&str>, refusal: Refusal) -> Result<(), Failure> {
        let attempt = || async {
            let found = match code {
                Some(mac) => app.store.request_by_user_code(mac).await?,
                None => None,
            };
            let Some(request) = found else {
                let event = app.event(Action::DeviceCodeChecked).failed("unknown_code");
                return Ok((Batch::default().record(&self.seen_from(app, event))?, Ended::new()));
            };
            let event = app
                .naming_agent(self.event(app, Action::DeviceRefused, &request))
                .await?;
            let event = event.failed(refusal.code().as_str()).with("reason", refusal.reason());
            let event = event.with("request.state", state(&request, app.now()));
            let batch = self.given_back(app, refusal);
            // Policies have recorded their own.
            let batch = match refusal {
                Refusal::PolicyForbids => batch,
                _ => batch.record(&event)?,
            };
            let (presented, ended) = self.presented(app, &request).await?;
            Ok::<_, Failure>((batch.then(presented), ended))
        };
        let ended = app.store.decide(attempt).await?;
        instances::forget(app, &ended);
        Ok(())
    }

    /// Whoever is told why knew a right code: that was no guess.
    fn given_back(&self, app: &App, refusal: Refusal) -> Batch {
        if refusal.code() == ErrorCode::UnknownCode {
            Batch::default()
        } else {
            Batch::default().give_back_guess(&self.guesser(), app.now())
        }
    }

    /// X04. As long as something can come of the code: an old one that is mistyped into ends nothing.
    async fn presented(&self, app: &App, request: &AuthorizationRequest) -> Result<(Batch, Ended), Failure> {
        let (id, now) = (&request.content.id, app.now());
        let is_others = match first(app, request).await? {
            Some(first) => first != self.approver.id,
            None => false,
        };
        if !is_others || now >= end_of_reaction(request) || self.is_of_quorum(app, request).await? {
            return Ok((Batch::default(), Ended::new()));
        }
        let batch = Batch::default().present_code(id, &self.approver.id, now);
        let presenters = app.store.other_presenters(id, &self.approver.id).await? + 1;
        let rule = repeated(app, request);
        if presenters < i64::from(rule.presenters) {
            // Written over itself: of two at once the second counts the first.
            return Ok((batch.move_request(request, &request.state)?, Ended::new()));
        }
        let event = self
            .event(app, Action::DeviceCodeRepeated, request)
            .with("code.presenters", presenters)
            .with("code.ended", rule.ends);
        let batch = batch.record(&app.naming_agent(event).await?)?;
        if rule.ends {
            let (ends, ended) = contained(app, request, REPEATED).await?;
            return Ok((batch.then(ends), ended));
        }
        Ok((batch, Ended::new()))
    }

    /// Others of a quorum have pages of their own; one who types the code all the same is no stranger.
    async fn is_of_quorum(&self, app: &App, request: &AuthorizationRequest) -> Result<bool, Failure> {
        if !matches!(request.state, State::Endorsed { .. }) {
            return Ok(false);
        }
        let client = app.stored_client(&request.content.client_id).await?;
        Ok(self.eligible(app, request, &client).await.is_ok())
    }
}

/// Whoever presents it learns none of this: expired, decided and another's look alike to them.
fn state(request: &AuthorizationRequest, now: Timestamp) -> &'static str {
    match request.state {
        State::Pending | State::Viewed { .. } if request.has_expired(now) => "expired",
        _ => request.state.name(),
    }
}

/// As long as what came of it may live. A device lives for months, and by then an old code says nothing.
fn end_of_reaction(request: &AuthorizationRequest) -> Timestamp {
    const A_DAY: Lifetime = Lifetime::from_seconds(24 * 3_600);
    let content = &request.content;
    content.grant_expires_at.min(content.expires_at + A_DAY)
}

/// Who opened it with the code. None where nobody has, or where it came to nothing.
async fn first(app: &App, request: &AuthorizationRequest) -> Result<Option<String>, Failure> {
    match &request.state {
        State::Viewed { viewer, .. } | State::Endorsed { viewer, .. } | State::Approved { viewer, .. } => {
            Ok(Some(viewer.approver_id.clone()))
        }
        State::Redeemed { .. } | State::Enrolled { .. } => {
            let approvals = app.store.approvals(&request.content.id).await?;
            Ok(approvals.into_iter().next().map(|approval| approval.approver_id))
        }
        State::Pending | State::Denied { .. } | State::Cancelled { .. } => Ok(None),
    }
}

/// By the profile that governed the request; where that is no more, the strictest rule.
fn repeated(app: &App, request: &AuthorizationRequest) -> Repeated {
    let profile = app.profiles().named(&request.content.profile);
    let strictest = Repeated {
        presenters: 1,
        ends: true,
    };
    profile.map_or(strictest, |profile| profile.repeated)
}
