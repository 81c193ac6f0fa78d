//! What follows when a code turns out to be in other hands than its own (RFC 10027 §6.1.6): a request that is
//! not redeemed ends, and what came of one that is ends with everything that descends from it.

use protocol::authorization_request::{Act, AuthorizationRequest, State};
use protocol::event::Action;
use protocol::instance::Instance;
use protocol::refusal::Refusal;
use store::Batch;

use crate::app::App;
use crate::failure::Failure;

/// Empty where there is nothing left to end. Whoever commits it forgets what `pending` remembers.
pub async fn contained(app: &App, request: &AuthorizationRequest, because: &str) -> Result<Batch, Failure> {
    match &request.state {
        State::Redeemed { grant_id, .. } => match app.store.grant(grant_id).await? {
            Some(grant) => Ok(app.end_grant(&grant, because)?),
            None => Ok(Batch::default()),
        },
        State::Enrolled { instance_id, .. } => match app.store.instance(instance_id).await? {
            Some(instance) => removed(app, &instance, because).await,
            None => Ok(Batch::default()),
        },
        _ => cancelled(app, request, because),
    }
}

fn cancelled(app: &App, request: &AuthorizationRequest, because: &str) -> Result<Batch, Failure> {
    let state = match request.act(&Act::Cancel { because }, app.now()) {
        Ok(state) => state,
        Err(Refusal::AlreadyDecided) => return Ok(Batch::default()),
        Err(refusal) => return Err(refusal.into()),
    };
    let event = app
        .event(Action::DeviceCancelled)
        .request(request)
        .with("because", because);
    Ok(Batch::default().move_request(request, &state)?.record(&event)?)
}

/// A key that a stranger may hold is never let back in.
async fn removed(app: &App, instance: &Instance, because: &str) -> Result<Batch, Failure> {
    if instance.removed_at.is_some() {
        return Ok(Batch::default());
    }
    let changed = Instance {
        removed_at: Some(app.now()),
        ..instance.clone()
    };
    let event = app
        .event(Action::InstanceRemoved)
        .client(&instance.client_id)
        .with("instance.id", instance.id.clone())
        .with("because", because);
    let mut batch = Batch::default().change_instance(instance, &changed)?.record(&event)?;
    for grant in app.store.grants_of_instance(&instance.id, app.now()).await? {
        batch = batch.then(app.end_grant(&grant, because)?);
    }
    Ok(batch)
}
