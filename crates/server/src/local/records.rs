//! `request list|cancel` and `event tail`.

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use http::StatusCode;
use protocol::authorization_request::{AuthorizationRequest, State as RequestState};
use protocol::fact::Fact;
use protocol::time::Timestamp;
use protocol::wire::local::{CodeReported, EventView, ReportCode, RequestSummary};
use serde::Deserialize;
use store::Batch;
use store::events::StoredEvent;

use super::grants::names;
use crate::app::Shared;
use crate::endpoints::code_reports::{self, Report, SEEN_IN};
use crate::failure::Failure;

const MOST: i64 = 1000;

pub async fn requests(State(app): State<Shared>) -> Result<Json<Vec<RequestSummary>>, Failure> {
    let names = names(&app).await?;
    let now = app.now();
    let requests = app.store.recent_requests(MOST).await?;
    let summary = |request: AuthorizationRequest| {
        let approver = approver_id(&request.state).map(|id| names.get(id).cloned().unwrap_or_else(|| id.to_owned()));
        RequestSummary {
            state: state_name(&request, now).to_owned(),
            requester_address: request
                .content
                .fact(Fact::REQUESTER_ADDRESS)
                .map(|fact| fact.value.clone()),
            approver,
            request_id: request.content.id,
            client_id: request.content.client_id,
            scope: request.content.scope,
            requested_at: request.content.requested_at.millis(),
            expires_at: request.content.expires_at.millis(),
        }
    };
    Ok(Json(requests.into_iter().map(summary).collect()))
}

/// `request cancel`: an administrator ends what has not been redeemed yet.
pub async fn cancel(State(app): State<Shared>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let because = "cancelled_by_administrator";
    let attempt = || async {
        let found = app.store.request(&id).await?;
        let request = found.ok_or(Failure::NotFound("There is no request of this id."))?;
        Ok::<_, Failure>((app.cancel(&request, because).await?, request.device_code))
    };
    let device_code = app.store.decide(attempt).await?;
    app.pending.forget(&device_code);
    Ok(StatusCode::NO_CONTENT)
}

/// A person at the help desk reports a code that was seen in a message.
pub async fn report_code(State(app): State<Shared>, request: Request) -> Result<Json<CodeReported>, Failure> {
    let asked: ReportCode = super::body(request).await?;
    if !SEEN_IN.contains(&&*asked.seen_in) {
        return Err(Failure::Invalid(format!("seen_in is one of {}", SEEN_IN.join(", "))));
    }
    let report = Report {
        user_code: &asked.user_code,
        seen_in: &asked.seen_in,
        by: "administrator",
    };
    let found = report.take(&app, Batch::default()).await?;
    Ok(Json(CodeReported {
        ended: found.as_ref().map_or("nothing", code_reports::ended).to_owned(),
        request_id: found.map(|request| request.content.id),
    }))
}

fn approver_id(state: &RequestState) -> Option<&str> {
    match state {
        RequestState::Viewed { viewer, .. }
        | RequestState::Endorsed { viewer, .. }
        | RequestState::Approved { viewer, .. }
        | RequestState::Denied { viewer, .. } => Some(&viewer.approver_id),
        RequestState::Pending
        | RequestState::Redeemed { .. }
        | RequestState::Enrolled { .. }
        | RequestState::Cancelled { .. } => None,
    }
}

/// Expiry is never stored: it is asked of the clock here, for a reader.
fn state_name(request: &AuthorizationRequest, now: Timestamp) -> &'static str {
    let is_open = matches!(
        request.state,
        RequestState::Pending
            | RequestState::Viewed { .. }
            | RequestState::Endorsed { .. }
            | RequestState::Approved { .. }
    );
    if is_open && request.has_expired(now) {
        "expired"
    } else {
        request.state.name()
    }
}

#[derive(Deserialize)]
pub struct Window {
    /// The id of the last event that the caller has seen; without it the newest ones are answered.
    after: Option<String>,
    limit: Option<i64>,
}

pub async fn events(State(app): State<Shared>, Query(window): Query<Window>) -> Result<Json<Vec<EventView>>, Failure> {
    let limit = window.limit.unwrap_or(MOST).clamp(1, MOST);
    let events = match window.after {
        Some(after) => app.store.events_after(&after, limit).await?,
        None => app.store.last_events(limit).await?,
    };
    Ok(Json(events.into_iter().map(view).collect()))
}

fn view(event: StoredEvent) -> EventView {
    EventView {
        id: event.id,
        at: event.at.millis(),
        action: event.action,
        outcome: event.outcome,
        request_id: event.request_id,
        grant_id: event.grant_id,
        client_id: event.client_id,
        approver_id: event.approver_id,
        detail: event.detail,
    }
}
