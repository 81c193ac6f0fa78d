//! RFC 6749 §4.4, for machines that ask nobody: an enrolled or attested instance gets what its client's ceiling
//! and profile give, bound to its key (RFC 9449 §5). Absent on purpose: a refresh token and an ID token.

use protocol::approver::Approver;
use protocol::client::Client;
use protocol::event::Action;
use protocol::grant::{Grant, Ground, MachineGranted, Origin};
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::wire::token::TokenResponse;
use store::Batch;

use super::issue::{Issue, Issued, token_lifetime};
use crate::app::App;
use crate::asker::Asker;
use crate::endpoints::device_authorization::{requested_resource, within};
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::judging;

/// So many grants of one instance live at once: all of them have to end in one batch when it is suspended.
const MOST_AT_ONCE: usize = 64;

pub async fn client_credentials(app: &App, asked: &ClientRequest) -> Result<TokenResponse, Failure> {
    app.store.decide(|| async { decide(app, asked).await }).await
}

async fn decide(app: &App, asked: &ClientRequest) -> Result<(Batch, TokenResponse), Failure> {
    let client = app.stored_client(&asked.client().client_id).await?;
    let profile = app.profiles().under(&client, Origin::ClientCredentials)?;
    // RFC 6749 §4.4: "MUST only be used by confidential clients".
    if client.is_public() {
        return Err(Refusal::ClientCredentialsNotAllowed.into());
    }
    if asked.proof.is_none() {
        return Err(Refusal::DpopProofMissing.into());
    }
    let asker = Asker::of_machine(app, asked, profile).await?;
    let instance = asker.instance.as_ref().ok_or(Refusal::InstanceUnknown)?;
    let owner = app.store.approver(&instance.owner).await?;
    let owner = owner.ok_or(Refusal::InstanceSuspended)?;
    let ground = app.ground(&client, &owner, Some(instance));
    let granted = granted(app, asked, &client, profile)?;
    let (grant, begun) = known_or_new(app, asked, &ground, (granted, profile)).await?;
    let judged = judging::redeemed(app, asked, (&grant, &ground), None, asker.posture()).await?;
    let event = asked
        .event(app, Action::TokenIssued)
        .grant(&grant)
        .posture(asker.posture())
        .ai_agent(&client)
        .with("grant.begun", begun);
    let batch = asked
        .used_up()
        .then(asker.seen(app))
        .client_is_unchanged(&client)
        .approver_is_unchanged(&owner)
        .instance_is_unchanged(instance);
    let batch = if begun {
        batch.begin_grant(&grant)?
    } else {
        batch.grant_is_unchanged(&grant)
    };
    let issued = issued(app, &grant, &client, &owner)?;
    let event = judged.on(event.with("token.id", issued.jti));
    Ok((batch.then(issued.batch).record(&event)?, issued.response))
}

/// Nobody signs in and nobody is asked again, so that neither is for a machine to have.
fn granted(app: &App, asked: &ClientRequest, client: &Client, profile: &Profile) -> Result<MachineGranted, Refusal> {
    let ceiling = client.scope_ceiling()?.without("offline_access").without("openid");
    let scope = within(profile, ceiling.narrowed(asked.form.get("scope"))?);
    Ok(MachineGranted {
        resource: requested_resource(app, asked, &scope)?,
        scope: scope.to_string(),
        authorization_details: client.requested_details(app.details(), asked.form.get("authorization_details"))?,
    })
}

/// One that gives the same already, or a new one, and whether it is new: a machine that asks each minute leaves a
/// grant a day and no more.
async fn known_or_new(
    app: &App,
    asked: &ClientRequest,
    ground: &Ground<'_>,
    (granted, profile): (MachineGranted, &Profile),
) -> Result<(Grant, bool), Failure> {
    let now = app.now();
    let ends = now + profile.lifetimes.grant.unwrap_or(app.config.lifetimes.grant);
    let new = Grant::of_machine(app.new_id(), (granted.clone(), ends), ground, asked.keys(), now)?;
    let until = new.token_expiry(token_lifetime(app, profile), now);
    let id = new.instance_id.clone().unwrap_or_default();
    let live = app.store.grants_of_instance(&id, now).await?;
    let known = live.iter().find(|grant| grant.gives(&granted, asked.keys(), until));
    match known {
        Some(known) => {
            known.must_still_stand(ground, now)?;
            Ok((known.clone(), false))
        }
        None if live.len() >= MOST_AT_ONCE => Err(Refusal::TooManyRequests.into()),
        None => Ok((new, true)),
    }
}

fn issued(app: &App, grant: &Grant, client: &Client, owner: &Approver) -> Result<Issued, Failure> {
    let issue = Issue {
        grant,
        client,
        approver: owner,
        scope: &grant.scope,
        audience: grant.resource.clone(),
        authorization_details: grant.authorization_details.clone(),
    };
    super::issue::issue(app, &issue)
}
