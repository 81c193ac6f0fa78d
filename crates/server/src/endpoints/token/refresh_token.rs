//! RFC 6749 §6. What a presented refresh token means is decided in `protocol/refresh.rs`.

use protocol::approver::Approver;
use protocol::client::Client;
use protocol::digest::Digest;
use protocol::event::{Action, Event};
use protocol::grant::{Grant, Ground};
use protocol::instance::Instance;
use protocol::profile::Profile;
use protocol::refresh::{self, Rotation, StoredToken};
use protocol::refusal::Refusal;
use protocol::resource;
use protocol::scope::Scope;
use protocol::secret::RefreshToken;
use protocol::time::Timestamp;
use protocol::wire::token::TokenResponse;
use store::Batch;

use super::issue::{Issue, issue};
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::instances;
use crate::judging;
use crate::posture;
use crate::quorum;
use crate::refused;

type Answer = Result<TokenResponse, Refusal>;

/// A token, its grant, and everything that the grant stands on.
struct Presented {
    token: StoredToken,
    grant: Grant,
    /// To another key of its instance, or another certificate of its client, with this refresh.
    has_moved: bool,
    client: Client,
    approver: Approver,
    instance: Option<Instance>,
}

impl Presented {
    /// What the refresh token itself is bound to, and what was brought of that kind.
    fn binding<'a>(&'a self, asked: &'a ClientRequest) -> (Option<&'a str>, Option<&'a str>) {
        if self.grant.jkt.is_none() && self.client.is_public() {
            (self.grant.x5t.as_deref(), asked.shown_x5t())
        } else {
            (self.grant.jkt.as_deref(), asked.jkt())
        }
    }

    /// Whatever was decided upon is as it was.
    fn is_unchanged(&self, approvers: &[Approver], now: Timestamp) -> Batch {
        let batch = Batch::default().client_is_unchanged(&self.client);
        let batch = if self.has_moved {
            batch.bind_grant(&self.grant)
        } else {
            batch.grant_is_unchanged(&self.grant)
        };
        let batch = approvers.iter().fold(batch, Batch::approver_is_unchanged);
        match &self.instance {
            Some(instance) => batch.instance_is_unchanged(instance).instance_seen(&instance.id, now),
            None => batch,
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
    let now = app.now();
    let presented = load(app, asked, digest).await?;
    let (bound_to, by) = presented.binding(asked);
    let rotation = refresh::rotate(&presented.token, bound_to, by, now)?;
    match rotation {
        Rotation::Fresh => rotated(app, asked, &presented, None).await,
        Rotation::Again { void } => rotated(app, asked, &presented, Some(&void)).await,
        Rotation::Replayed => reused(app, asked, &presented, true).await,
        Rotation::Voided => reused(app, asked, &presented, false).await,
    }
}

/// C23: what an instance was granted is the instance's, by whichever of its keys serves. So a grant follows its
/// instance to a new key with the next refresh, and none is lost on the way.
async fn of_its_key(app: &App, grant: Grant, asked: &ClientRequest) -> Result<Grant, Failure> {
    match &grant.instance_id {
        Some(id) if !instances::has_key(app, id, asked.jkt()).await? => Err(Refusal::DpopKeyMismatch.into()),
        Some(_) => Ok(Grant {
            jkt: asked.jkt().map(str::to_owned),
            ..grant
        }),
        None => Ok(grant),
    }
}

/// P33: to the certificate that is shown now, where that may be another.
fn of_its_certificate(grant: Grant, asked: &ClientRequest, client: &Client) -> Result<Grant, Refusal> {
    let is_bound = grant.x5t.is_some() || client.registration.certificate_bound;
    let shown = asked.shown_x5t().filter(|_| is_bound);
    let x5t = refresh::certificate(grant.x5t.as_deref(), shown, client.is_public())?;
    let x5t = x5t.map(str::to_owned);
    Ok(Grant { x5t, ..grant })
}

/// B06: another client's token is as unknown as none.
async fn load(app: &App, asked: &ClientRequest, digest: &Digest) -> Result<Presented, Failure> {
    let unknown = Failure::Refusal(Refusal::RefreshTokenUnknown);
    let Some(token) = app.store.refresh_token(digest).await? else {
        return Err(unknown);
    };
    let Some(grant) = app.store.grant(&token.grant_id).await? else {
        return Err(unknown);
    };
    if grant.client_id != asked.client().client_id {
        return Err(unknown);
    }
    let stored = (grant.jkt.clone(), grant.x5t.clone());
    let grant = of_its_key(app, grant, asked).await?;
    let client = app.stored_client(&grant.client_id).await?;
    let grant = of_its_certificate(grant, asked, &client)?;
    let Some(approver) = app.store.approver(&grant.subject).await? else {
        return Err(unknown);
    };
    let instance = app.named_instance(grant.instance_id.as_deref()).await?;
    Ok(Presented {
        has_moved: (&grant.jkt, &grant.x5t) != (&stored.0, &stored.1),
        token,
        grant,
        client,
        approver,
        instance,
    })
}

/// An approval that is too weak by now was good enough once: what the profile demands today, and what there was, goes
/// on the record.
async fn must_still_stand(
    app: &App,
    (grant, ground): (&Grant, &Ground<'_>),
    profile: &Profile,
    refused: impl FnOnce() -> Event,
) -> Result<(), Failure> {
    let judged = grant.must_still_stand(ground, app.now());
    if judged == Err(Refusal::ApprovalTooWeak) {
        let event = refused()
            .with("acr_values", profile.approval.acr.iter().cloned().collect::<Vec<_>>())
            .with("auth.acr", grant.acr.clone())
            .with("auth.amr", grant.amr.clone());
        refused::record(app, event, Refusal::ApprovalTooWeak, &[&grant.id]).await?;
    }
    Ok(judged?)
}

async fn rotated(
    app: &App,
    asked: &ClientRequest,
    presented: &Presented,
    void: Option<&Digest>,
) -> Result<(Batch, Answer), Failure> {
    let Presented {
        token,
        grant,
        client,
        approver,
        instance,
        ..
    } = presented;
    let now = app.now();
    let ground = app.ground(client, approver, instance.as_ref());
    let profile = app.profiles().under(client, grant.origin)?;
    let refused = || asked.event(app, Action::TokenRefused).grant(grant);
    must_still_stand(app, (grant, &ground), profile, refused).await?;
    let approvers = quorum::of_grant(app, grant, client).await?;
    // Neither the token nor the grant is lost by it: the machine is mended, and asks again.
    let posture = posture::again(app, asked, profile, (refused, &grant.id)).await?;
    // Of the access token only; the refresh token keeps what was granted (RFC 6749 §6).
    let scope = Scope::parse(&grant.scope)?
        .narrowed(asked.form.get("scope"))?
        .to_string();
    let audience = resource::audience(&asked.form.resource()?, &grant.resource)?;
    let authorization_details = app
        .details()
        .narrowed(&grant.authorization_details, asked.form.get("authorization_details"))?;
    let issued = (&*scope, &*audience, &authorization_details);
    let judged = judging::refreshed(app, asked, (grant, &ground), issued, &posture).await?;

    let issued = issue(
        app,
        &Issue {
            grant,
            client,
            approver,
            scope: &scope,
            audience,
            authorization_details,
        },
    )?;
    let successor = issued.refresh_token.ok_or(Refusal::RefreshTokenUnknown)?;
    let event = asked
        .event(app, Action::TokenRefreshed)
        .grant(grant)
        .ai_agent(asked.client())
        .posture(&posture)
        .with("token.id", issued.jti)
        .with("token.incoming_kind", "refresh")
        .with("token.retried", void.is_some());
    let mut batch = asked
        .used_up()
        .use_refresh_token(token, &successor, now)
        .then(presented.is_unchanged(&approvers, now))
        .then(issued.batch)
        .record(&judged.on(event))?;
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
    let grant = &presented.grant;
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
