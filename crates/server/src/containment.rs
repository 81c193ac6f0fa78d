//! What follows when a code turns out to be in other hands than its own (RFC 10027 §6.1.6): a request that is
//! not redeemed ends, and what came of one that is ends with everything that descends from it.

use protocol::authorization_request::{AuthorizationRequest, State};
use protocol::refusal::Refusal;
use store::Batch;

use crate::app::App;
use crate::failure::Failure;
use crate::instances::{self, By, Ended};

/// Empty where there is nothing left to end; and the codes that this node's memory forgets then.
pub async fn contained(app: &App, request: &AuthorizationRequest, because: &str) -> Result<(Batch, Ended), Failure> {
    let mut ended = vec![request.device_code.clone()];
    let batch = match &request.state {
        State::Redeemed { grant_id, .. } => match app.store.grant(grant_id).await? {
            Some(grant) => app.end_grant(&grant, because).await?,
            None => Batch::default(),
        },
        State::Enrolled { instance_id, .. } => match app.store.instance(instance_id).await? {
            // A key that a stranger may hold is never let back in.
            Some(instance) => {
                let act = instances::Act::Remove(because);
                let (batch, _, codes) = instances::acted(app, By::Administrator, &instance, &act).await?;
                ended.extend(codes);
                batch
            }
            None => Batch::default(),
        },
        _ => cancelled(app, request, because).await?,
    };
    Ok((batch, ended))
}

async fn cancelled(app: &App, request: &AuthorizationRequest, because: &str) -> Result<Batch, Failure> {
    match app.cancel(request, because).await {
        Err(Failure::Refusal(Refusal::AlreadyDecided)) => Ok(Batch::default()),
        cancelled => cancelled,
    }
}
