//! What the person reads after deciding: it is done, and the device goes on by itself (RFC 8628 §3.3), or what
//! is still to be done: digits to carry back, others who have to approve too.

use askama::Template;
use protocol::authorization_request::{AuthorizationRequest, Purpose, State, Viewer};
use protocol::shown::shown;
use protocol::time::Timestamp;

use super::Frame;
use super::moment::Moment;
use crate::app::App;
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::{confirmation, quorum};

#[derive(Template)]
#[template(path = "decided.html")]
pub struct DecidedPage {
    pub frame: Frame,
    /// Passed through `shown` by whoever fills it in.
    pub client_name: String,
    pub outcome: Outcome,
}

pub enum Outcome {
    Approved {
        grant_ends_at: Moment,
    },
    /// A device became known as this approver's.
    Known {
        name: String,
        ends_at: Moment,
    },
    /// By another of a quorum, in the name of who came first.
    ApprovedFor {
        name: String,
        grant_ends_at: Moment,
    },
    /// Six digits have to go to the device that asks (X16).
    Confirm {
        /// `123 456`.
        digits: String,
        until: Moment,
    },
    /// Others of a quorum have to approve too.
    Waiting {
        request_id: String,
        missing: u32,
        until: Moment,
    },
    /// Approved here, used, and over already: a short command is done before the page has come.
    Over,
    Declined,
    Reported,
    /// Approved here, declined by another of the quorum.
    Overruled,
}

/// None where this approver has not decided this request.
pub async fn load(app: &App, by: &SignedIn, request_id: &str) -> Result<Option<DecidedPage>, Failure> {
    let Some(request) = app.store.request(request_id).await? else {
        return Ok(None);
    };
    let Some(outcome) = outcome(app, by, &request).await? else {
        return Ok(None);
    };
    let client = app.store.client(&request.content.client_id).await?;
    let name = client.map_or(request.content.client_id, |client| client.registration.name);
    Ok(Some(DecidedPage {
        frame: Frame::new(app, Some(by)),
        client_name: shown(&name),
        outcome,
    }))
}

async fn outcome(app: &App, by: &SignedIn, request: &AuthorizationRequest) -> Result<Option<Outcome>, Failure> {
    let is_own = |viewer: &Viewer| viewer.approver_id == by.approver.id;
    let is_open = !request.has_expired(app.now());
    match &request.state {
        State::Endorsed { .. } if is_open && quorum::is_of(request, &by.approver.id) => Ok(waiting(app, request)),
        State::Approved { viewer, .. } if is_open => {
            if let Some(digits) = confirmation::shown_to(app, request, &by.deciding().viewer) {
                return Ok(Some(Outcome::Confirm {
                    digits: in_halves(digits.reveal()),
                    until: Moment::at(request.content.expires_at),
                }));
            }
            approved(app, by, request, &viewer.approver_id).await
        }
        State::Enrolled { instance_id, .. } => match app.store.instance(instance_id).await? {
            Some(instance) => approved(app, by, request, &instance.owner).await,
            None => Ok(None),
        },
        State::Denied {
            viewer, reported: true, ..
        } if is_own(viewer) => Ok(Some(Outcome::Reported)),
        State::Denied { viewer, .. } if is_own(viewer) => Ok(Some(Outcome::Declined)),
        State::Denied { .. } => {
            let is_among = has_approved(app, by, request).await?;
            Ok(is_among.then_some(Outcome::Overruled))
        }
        State::Redeemed { grant_id, .. } => match app.store.grant(grant_id).await? {
            Some(grant) if grant.is_live(app.now()) => approved(app, by, request, &grant.subject).await,
            _ => Ok(has_approved(app, by, request).await?.then_some(Outcome::Over)),
        },
        _ => Ok(None),
    }
}

fn waiting(app: &App, request: &AuthorizationRequest) -> Option<Outcome> {
    let profile = app.profiles().named(&request.content.profile)?;
    Some(Outcome::Waiting {
        request_id: request.content.id.clone(),
        missing: quorum::missing(request, profile),
        until: Moment::at(request.content.expires_at),
    })
}

async fn has_approved(app: &App, by: &SignedIn, request: &AuthorizationRequest) -> Result<bool, Failure> {
    let approvals = app.store.approvals(&request.content.id).await?;
    Ok(approvals.iter().any(|approval| approval.approver_id == by.approver.id))
}

/// For the first it is their own access, for the others of a quorum the first one's.
async fn approved(
    app: &App,
    by: &SignedIn,
    request: &AuthorizationRequest,
    first: &str,
) -> Result<Option<Outcome>, Failure> {
    let granted = quorum::left(app, request).await?;
    let grant_ends_at = Moment::at(Timestamp::from_seconds(granted.expires_at));
    if first == by.approver.id {
        return Ok(Some(match &request.content.purpose {
            Purpose::Access => Outcome::Approved { grant_ends_at },
            Purpose::Enrollment(device) => Outcome::Known {
                name: shown(&device.name),
                ends_at: grant_ends_at,
            },
        }));
    }
    if !has_approved(app, by, request).await? {
        return Ok(None);
    }
    let first = app.store.approver(first).await?;
    Ok(first.map(|first| Outcome::ApprovedFor {
        name: shown(&first.name),
        grant_ends_at,
    }))
}

/// `123 456` is read and typed with fewer slips; the space does not count.
fn in_halves(digits: &str) -> String {
    match digits.split_at_checked(3) {
        Some((first, second)) => format!("{first} {second}"),
        None => digits.to_owned(),
    }
}
