//! An enrollment link turns this device into an approver's key. The token stands behind the `#`: the
//! page is the same for everybody, and only its script ever sees the token.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::SET_COOKIE;
use protocol::event::Action;
use protocol::refusal::Refusal;
use protocol::secret::EnrollmentToken;
use serde::Deserialize;
use store::Batch;
use webauthn_rs::prelude::RegisterPublicKeyCredential;

use super::account::key_event;
use super::sign_in::Finished;
use super::{Frame, PageFailure, html, upstream};
use crate::app::{App, Shared};
use crate::extract::csrf::Sent;
use crate::extract::session::{Begun, through};
use crate::failure::Failure;
use crate::passkeys::{self, Ceremony, Started};

#[derive(Template)]
#[template(path = "enroll.html")]
pub struct EnrollPage {
    pub frame: Frame,
    /// What the second button calls the upstream provider, where there is one.
    pub upstream: Option<String>,
}

pub async fn show(State(app): State<Shared>) -> Result<Html<String>, PageFailure> {
    Ok(html(&EnrollPage {
        frame: Frame::new(&app, None),
        upstream: upstream::label(&app),
    })?)
}

#[derive(Deserialize)]
pub struct Start {
    enrollment_token: String,
}

/// Shows whose link it is. The link stays good.
pub async fn start(State(app): State<Shared>, sent: Sent<Start>) -> Result<Json<Started>, Failure> {
    let token = EnrollmentToken::presented(sent.body.enrollment_token).digest();
    let approver = app
        .store
        .invited_approver(&token, app.now())
        .await?
        .ok_or(Refusal::EnrollmentLinkInvalid)?;
    let known = app.store.passkeys(&approver.id).await?;
    let (options, state) = passkeys::start_registration(&app, &approver, &known)?;
    let started = Ceremony::Enroll {
        approver_id: approver.id,
        state,
    }
    .begin(&app, options)
    .await?;
    Ok(Json(Started {
        approver: Some(approver.name),
        ..started
    }))
}

#[derive(Deserialize)]
pub struct Finish {
    ceremony: String,
    enrollment_token: String,
    #[serde(default)]
    label: String,
    credential: RegisterPublicKeyCredential,
}

/// Link and ceremony serve once; what comes of them is a passkey and a session.
pub async fn finish(State(app): State<Shared>, sent: Sent<Finish>) -> Result<Response, Failure> {
    let begun = app.store.decide(|| async { enrolled(&app, &sent).await }).await?;
    let next = format!("{}/account", app.config.issuer.base_path());
    Ok(([(SET_COOKIE, begun.cookie(&app)?)], Json(Finished { next })).into_response())
}

async fn enrolled(app: &App, sent: &Sent<Finish>) -> Result<(Batch, Begun), Failure> {
    let token = EnrollmentToken::presented(sent.body.enrollment_token.clone()).digest();
    let approver = app
        .store
        .invited_approver(&token, app.now())
        .await?
        .ok_or(Refusal::EnrollmentLinkInvalid)?;
    let state = match Ceremony::find(app, &sent.body.ceremony).await? {
        Ceremony::Enroll { approver_id, state } if approver_id == approver.id => state,
        _ => return Err(Refusal::PasskeyInvalid.into()),
    };
    let passkey = passkeys::finish_registration(app, &approver.id, &sent.body.label, (&sent.body.credential, &state))?;
    let begun = Begun::new(app, &approver, &sent.headers, sent.address);
    let event = key_event(app.event(Action::ApproverKeyAdded).approver(&approver.id), &passkey);
    let batch = Batch::default()
        .use_invitation(&token, app.now())
        .end_ceremony(&sent.body.ceremony)
        .touch_approver(&approver)
        .add_passkey(&passkey)?
        .record(&event.with("session.id", through(&begun.session.id)))?
        .then(sent.ends_session_before(app).await?)
        .then(begun.batch(sent.address)?);
    Ok((batch, begun))
}
