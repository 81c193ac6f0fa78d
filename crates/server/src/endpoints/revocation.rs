//! RFC 7009. A refresh token takes its grant with it, and so every access token of the grant; an access token does
//! where nothing else can come of its grant.

use axum::extract::{Request, State};
use http::StatusCode;
use protocol::event::Action;
use protocol::grant::{Grant, Origin};
use protocol::refusal::Refusal;
use protocol::secret::RefreshToken;
use protocol::time::Timestamp;
use store::Batch;

use crate::access::{Access, text};
use crate::app::{App, Shared};
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;

/// The hint is read by nobody: what a token is shows in the token (B12).
pub async fn revoke(State(app): State<Shared>, request: Request) -> Result<StatusCode, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::Revocation).await?;
    let token = asked.form.required("token")?;
    let refresh_token = RefreshToken::presented(token);
    if refresh_token.is_well_formed() {
        app.store
            .decide(|| async { end_grant(&app, &asked, &refresh_token).await })
            .await?;
    } else {
        app.store
            .decide(|| async { revoke_access_token(&app, &asked, token).await })
            .await?;
    }
    Ok(StatusCode::OK)
}

async fn end_grant(app: &App, asked: &ClientRequest, token: &RefreshToken) -> Result<(Batch, ()), Failure> {
    let batch = asked.used_up();
    // RFC 7009 §2.2: an unknown token is revoked already.
    let Some(stored) = app.store.refresh_token(&token.digest()).await? else {
        return Ok((batch, ()));
    };
    let Some(grant) = app.store.grant(&stored.grant_id).await? else {
        return Ok((batch, ()));
    };
    if grant.client_id != asked.client().client_id {
        return Err(Refusal::RefreshTokenUnknown.into());
    }
    if grant.ended_at.is_some() {
        return Ok((batch, ()));
    }
    let event = app
        .event(Action::TokenRevoked)
        .grant(&grant)
        .ai_agent(asked.client())
        .with("token.kind", "refresh");
    let batch = batch
        .record(&event)?
        .then(app.end_grant(&grant, "revoked_by_client").await?);
    Ok((batch, ()))
}

async fn revoke_access_token(app: &App, asked: &ClientRequest, token: &str) -> Result<(Batch, ()), Failure> {
    let batch = asked.used_up();
    let access = match Access::check(app, token).await {
        Ok(access) => access,
        Err(Failure::Refusal(_)) => return Ok((batch, ())),
        Err(failure) => return Err(failure),
    };
    if access.grant.client_id != asked.client().client_id {
        return Err(Refusal::RefreshTokenUnknown.into());
    }
    let (Some(jti), Some(exp)) = (
        text(&access.claims, "jti"),
        access.claims.get("exp").and_then(serde_json::Value::as_i64),
    ) else {
        return Ok((batch, ()));
    };
    let event = app
        .event(Action::TokenRevoked)
        .grant(&access.grant)
        .ai_agent(asked.client())
        .with("token.kind", "access")
        .with("token.id", jti);
    let batch = batch
        .revoke_access_token(jti, Timestamp::from_seconds(exp))
        .record(&event)?;
    if gives_no_other(&access.grant) {
        return Ok((batch.then(app.end_grant(&access.grant, "revoked_by_client").await?), ()));
    }
    Ok((batch, ()))
}

/// A code is redeemed once: without a refresh token that was all. Of several runs another may go on beside this one.
fn gives_no_other(grant: &Grant) -> bool {
    let gives_one = grant.origin != Origin::ClientCredentials && grant.runs_left.is_none();
    gives_one && !grant.scope.split(' ').any(|scope| scope == "offline_access")
}
