//! `approver add|list|relink|disable|enable`.

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use protocol::approver::{Approver, ID_PREFIX, is_name};
use protocol::event::Action;
use protocol::secret::EnrollmentToken;
use protocol::time::Timestamp;
use protocol::wire::local::{AddApprover, ApproverView, EnrollmentLink, SetMail};
use store::Batch;

use crate::app::{App, Shared};
use crate::failure::Failure;
use crate::instances::{self, Ended};
use crate::notices;

pub async fn add(State(app): State<Shared>, request: Request) -> Result<(StatusCode, Json<EnrollmentLink>), Failure> {
    let asked: AddApprover = super::body(request).await?;
    if !is_name(&asked.name) {
        return Err(Failure::Invalid(
            "an approver's name is 1 to 64 letters, digits or . - _ @ +".to_owned(),
        ));
    }
    let approver = Approver {
        id: format!("{ID_PREFIX}{}", app.new_id()),
        name: asked.name,
        created_at: app.now(),
        disabled_at: None,
        version: 1,
    };
    let (token, link) = new_link(&app, &approver);
    let batch = Batch::default()
        .add_approver(&approver)
        .invite(&approver, &token.digest(), Timestamp::from_millis(link.expires_at))
        .record(
            &app.event(Action::ApproverAdded)
                .approver(&approver.id)
                .with("approver.name", approver.name.clone()),
        )?;
    app.commit(batch).await?;
    Ok((StatusCode::CREATED, Json(link)))
}

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<ApproverView>>, Failure> {
    let listed = app.store.approvers().await?;
    let views = listed.into_iter().map(|listed| ApproverView {
        id: listed.approver.id,
        name: listed.approver.name,
        passkeys: listed.passkeys,
        software_keys: listed.software_keys,
        created_at: listed.approver.created_at.millis(),
        disabled_at: listed.approver.disabled_at.map(Timestamp::millis),
    });
    Ok(Json(views.collect()))
}

/// A lost passkey: all keys, upstream identities, sessions and told browsers end, and what was decided upon them is decided again.
pub async fn relink(State(app): State<Shared>, Path(name): Path<String>) -> Result<Json<EnrollmentLink>, Failure> {
    let attempt = || async {
        let approver = find(&app, &name).await?;
        let (token, link) = new_link(&app, &approver);
        let batch = Batch::default()
            .touch_approver(&approver)
            .remove_keys(&approver)
            .unlink_upstream_all(&approver)
            .end_browser_sessions(&approver.id)
            .unsubscribe_all(&approver.id)
            .invite(&approver, &token.digest(), Timestamp::from_millis(link.expires_at))
            .record(&app.event(Action::ApproverRelinked).approver(&approver.id))?;
        Ok::<_, Failure>((batch, link))
    };
    Ok(Json(app.store.decide(attempt).await?))
}

/// The address that notices go to; without one they go to none.
pub async fn mail(
    State(app): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let asked: SetMail = super::body(request).await?;
    let approver = find(&app, &name).await?;
    notices::mail::set_address(&app, &approver, asked.address.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn disable(State(app): State<Shared>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    set_disabled(&app, &name, Action::ApproverDisabled).await
}

pub async fn enable(State(app): State<Shared>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    set_disabled(&app, &name, Action::ApproverEnabled).await
}

/// A disabled approver is signed out everywhere, an open link no longer lets anybody in, and what their
/// instances were given ends (NHI1).
async fn set_disabled(app: &App, name: &str, action: Action) -> Result<StatusCode, Failure> {
    let attempt = || async {
        let approver = find(app, name).await?;
        let disabled_at = (action == Action::ApproverDisabled).then(|| app.now());
        let mut batch = Batch::default().set_approver_disabled(&approver, disabled_at);
        let mut ended = Ended::new();
        if disabled_at.is_some() {
            let (ends, codes) = instances::orphaned(app, &approver.id).await?;
            batch = batch
                .end_browser_sessions(&approver.id)
                .end_invitations(&approver)
                .then(ends);
            ended = codes;
        }
        Ok::<_, Failure>((batch.record(&app.event(action).approver(&approver.id))?, ended))
    };
    let ended = app.store.decide(attempt).await?;
    instances::forget(app, &ended);
    Ok(StatusCode::NO_CONTENT)
}

pub async fn find(app: &App, name: &str) -> Result<Approver, Failure> {
    app.store
        .approver_named(name)
        .await?
        .ok_or(Failure::NotFound("There is no approver of this name."))
}

/// The token stands behind the `#`, which browsers send to nobody.
fn new_link(app: &App, approver: &Approver) -> (EnrollmentToken, EnrollmentLink) {
    let token = EnrollmentToken::new(&app.entropy.draw());
    let expires_at = app.now() + app.config.lifetimes.enrollment_link;
    let link = EnrollmentLink {
        approver: approver.name.clone(),
        enrollment_link: format!("{}#{}", app.config.issuer.url("/enroll"), token.reveal()),
        expires_at: expires_at.millis(),
    };
    (token, link)
}
