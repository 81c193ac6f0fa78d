//! What waits for this approver without a code: others of a quorum have approved it. Part of the start page and
//! of the account; opening is a POST, since a look is on the record.

use axum::extract::{Path, State};
use axum::response::Redirect;
use protocol::shown::shown;

use super::PageFailure;
use super::moment::Moment;
use crate::app::{App, Shared};
use crate::deciding::Opened;
use crate::extract::csrf::Posted;
use crate::extract::session::SignedIn;
use crate::failure::Failure;

pub struct WaitingLine {
    pub request_id: String,
    pub client_name: String,
    pub client_id: String,
    pub approved_by: Vec<String>,
    pub needed: u32,
    pub until: Moment,
}

impl WaitingLine {
    fn of(opened: &Opened) -> Option<Self> {
        let quorum = opened.quorum.as_ref()?;
        let content = &opened.request.content;
        Some(Self {
            request_id: content.id.clone(),
            client_name: shown(&opened.client.registration.name),
            client_id: shown(&content.client_id),
            approved_by: quorum.approved_by.iter().map(|name| shown(name)).collect(),
            needed: quorum.needed,
            until: Moment::at(content.expires_at),
        })
    }
}

pub async fn lines(app: &App, by: &SignedIn) -> Result<Vec<WaitingLine>, Failure> {
    let waiting = by.deciding().waiting(app).await?;
    Ok(waiting.iter().filter_map(WaitingLine::of).collect())
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
