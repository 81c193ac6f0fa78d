//! Another token of a grant that stands, for a refresh and for one more run. Whatever was decided upon is asked again,
//! each time.

use protocol::approver::Approver;
use protocol::client::Client;
use protocol::event::{Action, Event};
use protocol::grant::{Grant, Ground};
use protocol::instance::Instance;
use protocol::profile::Profile;
use protocol::refresh;
use protocol::refusal::Refusal;
use protocol::resource;
use protocol::scope::Scope;
use protocol::time::Timestamp;
use store::Batch;

use super::issue::{Issue, Issued, issue};
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::instances;
use crate::judging;
use crate::posture;
use crate::quorum;
use crate::refused;

/// A grant, and everything that it stands on.
pub struct Standing {
    pub grant: Grant,
    /// To another key of its instance, or another certificate of its client, with this token.
    has_moved: bool,
    pub client: Client,
    approver: Approver,
    instance: Option<Instance>,
}

/// A token, the event that tells of it, and the guards under which both are written.
pub struct Another {
    pub issued: Issued,
    pub event: Event,
    pub batch: Batch,
}

impl Standing {
    /// B06: another client's grant is as unknown as none.
    pub async fn load(app: &App, asked: &ClientRequest, grant: Grant) -> Result<Option<Self>, Failure> {
        if grant.client_id != asked.client().client_id {
            return Ok(None);
        }
        let stored = (grant.jkt.clone(), grant.x5t.clone());
        let grant = of_its_key(app, grant, asked).await?;
        let client = app.stored_client(&grant.client_id).await?;
        let grant = of_its_certificate(grant, asked, &client)?;
        let Some(approver) = app.store.approver(&grant.subject).await? else {
            return Ok(None);
        };
        let instance = app.named_instance(grant.instance_id.as_deref()).await?;
        Ok(Some(Self {
            has_moved: (&grant.jkt, &grant.x5t) != (&stored.0, &stored.1),
            grant,
            client,
            approver,
            instance,
        }))
    }

    /// After one more run.
    pub fn run_again(self) -> Result<Self, Refusal> {
        Ok(Self {
            grant: self.grant.run_again()?,
            ..self
        })
    }

    pub async fn another(&self, app: &App, asked: &ClientRequest, action: Action) -> Result<Another, Failure> {
        let Self { grant, client, .. } = self;
        let ground = app.ground(client, &self.approver, self.instance.as_ref());
        let profile = app.profiles().under(client, grant.origin)?;
        let refused = || asked.event(app, Action::TokenRefused).grant(grant);
        must_still_stand(app, (grant, &ground), profile, refused).await?;
        let approvers = quorum::of_grant(app, grant, client).await?;
        // Neither the token nor the grant is lost by it: the machine is mended, and asks again.
        let posture = posture::again(app, asked, profile, (refused, &grant.id)).await?;
        // Of the access token only; the grant keeps what was approved (RFC 6749 §6).
        let scope = Scope::parse(&grant.scope)?
            .narrowed(asked.form.get("scope"))?
            .to_string();
        let audience = resource::audience(&asked.form.resource()?, &grant.resource)?;
        let authorization_details = app
            .details()
            .narrowed(&grant.authorization_details, asked.form.get("authorization_details"))?;
        let narrowed = (&*scope, &*audience, &authorization_details);
        let judged = judging::refreshed(app, asked, (grant, &ground), narrowed, &posture).await?;
        let issued = issue(
            app,
            &Issue {
                grant,
                client,
                approver: &self.approver,
                scope: &scope,
                audience,
                authorization_details,
            },
        )?;
        let event = asked
            .event(app, action)
            .grant(grant)
            .ai_agent(asked.client())
            .posture(&posture);
        Ok(Another {
            event: judged.on(issued.on(event)),
            issued,
            batch: self.is_unchanged(&approvers, app.now()),
        })
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

/// C23: what an instance was granted is the instance's, by whichever of its keys serves. So a grant follows its
/// instance to a new key with the next token, and none is lost on the way.
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
