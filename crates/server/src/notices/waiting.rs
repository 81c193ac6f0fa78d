//! Whom a request waits for, and what waits in an inbox at the moment at which it is told of. As on the page of the
//! inbox, but for what depends on where the approver is: nobody knows that yet.

use std::sync::Arc;

use protocol::authorization_request::{AuthorizationRequest, Route, State};
use protocol::client::Client;
use protocol::eligibility::{Decider, must_be_theirs};
use protocol::network::Place;
use protocol::profile::{NoticeChannel, Profile};
use store::authorization_requests::Inbox;
use store::notices::Recipient;

use crate::app::App;
use crate::failure::Failure;
use crate::{inbox, quorum};

/// A request that waits, with what says for whom.
pub struct Asked {
    pub request: AuthorizationRequest,
    pub client: Client,
    pub profile: Arc<Profile>,
}

/// What may be told of an inbox on one kind of channel.
#[derive(Default)]
pub struct Waiting {
    pub count: usize,
    /// Where it is only one: of which client.
    pub client: Option<Client>,
    /// Something else waits that nobody is told of before its quiet hours are over.
    pub later: bool,
}

impl Asked {
    /// None where it waits for nobody any more.
    pub async fn of(app: &App, request: AuthorizationRequest) -> Result<Option<Self>, Failure> {
        let is_open = matches!(
            request.state,
            State::Pending | State::Viewed { .. } | State::Endorsed { .. }
        );
        if !is_open || request.content.expires_at <= app.now() {
            return Ok(None);
        }
        let Some(client) = app.store.client(&request.content.client_id).await? else {
            return Ok(None);
        };
        let profile = match app.profile_of(&client) {
            Ok(profile) if client.must_be_active(app.now()).is_ok() && request.content.is_under(profile) => profile,
            _ => return Ok(None),
        };
        Ok(Some(Self {
            profile: profile.clone(),
            request,
            client,
        }))
    }

    pub fn is_quiet(&self, app: &App) -> bool {
        self.profile
            .limits
            .quiet_hours
            .is_some_and(|quiet| quiet.hold(app.now()))
    }

    pub fn may_be_told_by(&self, channel: NoticeChannel) -> bool {
        self.profile.approval.notices.contains(&channel)
    }

    /// Whether it stands in this inbox now.
    pub async fn is_for(&self, app: &App, recipient: &Recipient) -> Result<bool, Failure> {
        let approver_id = match recipient {
            Recipient::Approver(id) => id,
            Recipient::Group(group) => return Ok(self.is_for_group(app, group)),
        };
        let approver = app.store.approver(approver_id).await?;
        if approver.is_none_or(|approver| approver.must_be_active().is_err())
            || quorum::is_of(&self.request, approver_id)
        {
            return Ok(false);
        }
        let decider = Decider {
            approver_id,
            groups: &app.groups_of(approver_id, &self.profile).await?,
            place: &Place::default(),
            now: app.now(),
        };
        Ok(must_be_theirs(&self.request, &decider, &self.profile, self.is_endorsed()).is_ok())
    }

    fn is_for_group(&self, app: &App, group: &str) -> bool {
        let (content, approval) = (&self.request.content, &self.profile.approval);
        let has_escalated = || {
            let after = approval.escalate_after.filter(|_| content.route == Some(Route::Owner));
            after.is_some_and(|after| app.now() >= content.requested_at + after)
        };
        match &content.route {
            Some(Route::Group(name)) if name == group => true,
            _ => approval.group.as_deref() == Some(group) && (self.is_endorsed() || has_escalated()),
        }
    }

    fn is_endorsed(&self) -> bool {
        matches!(self.request.state, State::Endorsed { .. })
    }
}

impl Waiting {
    pub async fn of(app: &App, recipient: &Recipient, channel: NoticeChannel) -> Result<Self, Failure> {
        let found = match recipient {
            Recipient::Approver(id) => inbox::candidates(app, id).await?,
            Recipient::Group(group) => inbox::candidates_of(app, &[Inbox::OfGroup(group)]).await?,
        };
        let mut waiting = Self::default();
        for request in found {
            let Some(asked) = Asked::of(app, request).await? else {
                continue;
            };
            if !asked.may_be_told_by(channel) || !asked.is_for(app, recipient).await? {
                continue;
            }
            if asked.is_quiet(app) {
                waiting.later = true;
            } else {
                waiting.count += 1;
                waiting.client = Some(asked.client).filter(|_| waiting.count == 1);
            }
        }
        Ok(waiting)
    }
}
