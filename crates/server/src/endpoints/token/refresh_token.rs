//! RFC 6749 §6. What a presented refresh token means is decided in `protocol/refresh.rs`, and whether its grant gives
//! another token in `standing.rs`.

use protocol::digest::Digest;
use protocol::event::Action;
use protocol::refresh::{self, Rotation, StoredToken};
use protocol::refusal::Refusal;
use protocol::secret::RefreshToken;
use protocol::wire::token::TokenResponse;
use store::Batch;

use super::standing::Standing;
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;

type Answer = Result<TokenResponse, Refusal>;

/// A token and its grant.
struct Presented {
    token: StoredToken,
    standing: Standing,
}

impl Presented {
    /// What the refresh token itself is bound to, and what was brought of that kind.
    fn binding<'a>(&'a self, asked: &'a ClientRequest) -> (Option<&'a str>, Option<&'a str>) {
        let Standing { grant, client, .. } = &self.standing;
        if grant.jkt.is_none() && client.is_public() {
            (grant.x5t.as_deref(), asked.shown_x5t())
        } else {
            (grant.jkt.as_deref(), asked.jkt())
        }
    }
}

pub async fn refresh_token(app: &App, asked: &ClientRequest) -> Result<TokenResponse, Failure> {
    let presented = RefreshToken::presented(asked.form.required("refresh_token")?);
    if !presented.is_well_formed() {
        return Err(Refusal::RefreshTokenUnknown.into());
    }
    let digest = presented.digest();
    let answer: Answer = app.store.decide(|| async { decide(app, asked, &digest).await }).await?;
    Ok(answer?)
}

async fn decide(app: &App, asked: &ClientRequest, digest: &Digest) -> Result<(Batch, Answer), Failure> {
    let presented = load(app, asked, digest).await?.ok_or(Refusal::RefreshTokenUnknown)?;
    let (bound_to, by) = presented.binding(asked);
    let rotation = refresh::rotate(&presented.token, bound_to, by, app.now())?;
    match rotation {
        Rotation::Fresh => rotated(app, asked, &presented, None).await,
        Rotation::Again { void } => rotated(app, asked, &presented, Some(&void)).await,
        Rotation::Replayed => reused(app, asked, &presented, true).await,
        Rotation::Voided => reused(app, asked, &presented, false).await,
    }
}

async fn load(app: &App, asked: &ClientRequest, digest: &Digest) -> Result<Option<Presented>, Failure> {
    let Some(token) = app.store.refresh_token(digest).await? else {
        return Ok(None);
    };
    let Some(grant) = app.store.grant(&token.grant_id).await? else {
        return Ok(None);
    };
    let standing = Standing::load(app, asked, grant).await?;
    Ok(standing.map(|standing| Presented { token, standing }))
}

async fn rotated(
    app: &App,
    asked: &ClientRequest,
    presented: &Presented,
    void: Option<&Digest>,
) -> Result<(Batch, Answer), Failure> {
    let another = presented.standing.another(app, asked, Action::TokenRefreshed).await?;
    let issued = another.issued;
    let successor = issued.refresh_token.ok_or(Refusal::RefreshTokenUnknown)?;
    let event = another
        .event
        .with("token.incoming_kind", "refresh")
        .with("token.retried", void.is_some());
    let mut batch = asked
        .used_up()
        .use_refresh_token(&presented.token, &successor, app.now())
        .then(another.batch)
        .then(issued.batch)
        .record(&event)?;
    if let Some(void) = void {
        batch = batch.void_refresh_token(void);
    }
    Ok((batch, Ok(issued.response)))
}

/// An old token came up. RFC 9700 §4.14.2: the grant ends, unless the token was only ever replaced.
async fn reused(
    app: &App,
    asked: &ClientRequest,
    presented: &Presented,
    ends: bool,
) -> Result<(Batch, Answer), Failure> {
    let grant = &presented.standing.grant;
    // Where nothing is left to end, presenting it again and again fills no record.
    if !grant.is_live(app.now()) {
        return Ok((Batch::default(), Err(Refusal::RefreshTokenVoided)));
    }
    let event = asked
        .event(app, Action::TokenReused)
        .grant(grant)
        .ai_agent(asked.client())
        .with("grant.ended", ends)
        .failed("invalid_grant");
    let mut batch = Batch::default().record(&event)?;
    if ends {
        batch = batch.then(app.end_grant(grant, "refresh_token_reused").await?);
    }
    Ok((batch, Err(Refusal::RefreshTokenVoided)))
}
