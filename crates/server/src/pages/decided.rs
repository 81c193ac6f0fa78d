//! What the person reads after deciding: it is done, and the device goes on by itself (RFC 8628 §3.3).

use askama::Template;
use protocol::authorization_request::{AuthorizationRequest, Purpose, State, Viewer};
use protocol::shown::shown;

use super::Frame;
use super::moment::Moment;
use crate::app::App;
use crate::extract::session::SignedIn;
use crate::failure::Failure;

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
    Declined,
    Reported,
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
    let ends_at = Moment::at(request.content.grant_expires_at);
    let approved = match &request.content.purpose {
        Purpose::Access => Outcome::Approved { grant_ends_at: ends_at },
        Purpose::Enrollment(device) => Outcome::Known {
            name: shown(&device.name),
            ends_at,
        },
    };
    Ok(match &request.state {
        State::Approved { viewer, .. } if is_own(viewer) && !request.has_expired(app.now()) => Some(approved),
        State::Denied {
            viewer, reported: true, ..
        } if is_own(viewer) => Some(Outcome::Reported),
        State::Denied { viewer, .. } if is_own(viewer) => Some(Outcome::Declined),
        State::Enrolled { instance_id, .. } => {
            let instance = app.store.instance(instance_id).await?;
            instance
                .filter(|instance| instance.owner == by.approver.id)
                .map(|_| approved)
        }
        State::Redeemed { grant_id, .. } => {
            let grant = app.store.grant(grant_id).await?;
            grant
                .filter(|grant| grant.subject == by.approver.id && grant.is_live(app.now()))
                .map(|_| approved)
        }
        _ => None,
    })
}
