//! RFC 10027 §6.1.5 and §6.1.6: what filters mail and chat, or a person at the help desk, has seen a code in a
//! message. It is in other hands than its own, so everything that hangs on it ends. Whether there is
//! such a code is told to nobody but an administrator.

use axum::extract::{Request, State};
use http::StatusCode;
use protocol::authorization_request::{AuthorizationRequest, State as RequestState};
use protocol::event::Action;
use protocol::refusal::Refusal;
use protocol::user_code::UserCode;
use store::Batch;

use crate::app::{App, Shared};
use crate::containment::contained;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::instances::{self, Ended};

/// A closed list, as every value that rules are written on.
pub const SEEN_IN: [&str; 6] = ["mail", "chat", "text_message", "call", "web_page", "other"];

const BECAUSE: &str = "code_reported";

/// The same answer whatever the code is: a reporter learns nothing about it.
pub async fn code_reports(State(app): State<Shared>, request: Request) -> Result<StatusCode, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::CodeReports).await?;
    if asked.client().is_public() {
        return Err(Refusal::ClientAuthenticationMissing.into());
    }
    if !asked.client().registration.report_codes {
        return Err(Refusal::CodeReportsNotAllowed.into());
    }
    let report = Report {
        user_code: asked.form.required("user_code")?,
        seen_in: asked.form.get("seen_in").unwrap_or("other"),
        by: &format!("client:{}", asked.client().client_id),
    };
    report.take(&app, asked.used_up()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub struct Report<'a> {
    pub user_code: &'a str,
    pub seen_in: &'a str,
    /// `client:` and its id, or `administrator`.
    pub by: &'a str,
}

impl Report<'_> {
    /// Ends what hangs on the code. The request, as it was, where there is one.
    pub async fn take(&self, app: &App, used_up: Batch) -> Result<Option<AuthorizationRequest>, Failure> {
        if !SEEN_IN.contains(&self.seen_in) {
            return Err(Refusal::RequestMalformed.into());
        }
        let mac = UserCode::parse(self.user_code).map(|code| app.derived.user_code_mac(code.canonical()));
        let attempt = || async {
            let found = match &mac {
                Some(mac) => app.store.request_by_user_code(mac).await?,
                None => None,
            };
            let event = app
                .event(Action::DeviceCodeReported)
                .with("code.seen_in", self.seen_in)
                .with("reported_by", self.by);
            let batch = used_up.clone();
            let Some(request) = found else {
                return Ok((batch.record(&event.failed("unknown_code"))?, (None, Ended::new())));
            };
            let (ends, ended) = contained(app, &request, BECAUSE).await?;
            let batch = batch.record(&event.request(&request))?.then(ends);
            Ok::<_, Failure>((batch, (Some(request), ended)))
        };
        let (request, ended) = app.store.decide(attempt).await?;
        instances::forget(app, &ended);
        Ok(request)
    }
}

/// What the report ended: for an administrator.
pub fn ended(request: &AuthorizationRequest) -> &'static str {
    match request.state {
        RequestState::Redeemed { .. } => "grant",
        RequestState::Enrolled { .. } => "instance",
        RequestState::Denied { .. } | RequestState::Cancelled { .. } => "nothing",
        _ => "request",
    }
}
