//! A permission that nobody uses is taken away, by steps: first it is reported, then it goes (F17). Using it
//! brings it back from the report; only an administrator brings it back from off.

use protocol::client::{Client, Registration};
use protocol::event::Action;
use protocol::grant::Origin;
use store::{Batch, Rejected};

use crate::app::App;
use crate::failure::Failure;

/// Looks at every client once. What another node has changed meanwhile is looked at the next time.
pub async fn review(app: &App) -> Result<(), Failure> {
    let last_used = app.store.last_grants().await?;
    for client in app.store.clients().await? {
        let mut changed = client.registration.clone();
        if changed.profile.is_none() {
            continue;
        }
        let given_at = changed.profile_given_at.unwrap_or(client.created_at);
        for origin in Origin::ALL {
            let used_at = last_used
                .get(&(client.client_id.clone(), origin))
                .map_or(given_at, |used| given_at.max(*used));
            let permission = changed.permission_mut(origin);
            *permission = permission.reviewed(used_at, app.config.unused, app.now());
        }
        let is_same = |origin: Origin| changed.permission(origin) == client.registration.permission(origin);
        if !Origin::ALL.into_iter().all(is_same) {
            change(app, &client, &changed).await?;
        }
    }
    Ok(())
}

async fn change(app: &App, client: &Client, registration: &Registration) -> Result<(), Failure> {
    let event = app
        .event(Action::ClientUnused)
        .client(&client.client_id)
        .with("client.device_grant", registration.device_grant.as_str())
        .with("client.client_credentials", registration.client_credentials.as_str());
    let batch = Batch::default().change_client(client, registration)?.record(&event)?;
    match app.store.commit(batch).await {
        Ok(()) => Ok(app.clients.reload(&app.store, app.now()).await?),
        Err(Rejected::Conflict) => Ok(()),
        Err(rejected) => Err(store::Fault::from(rejected).into()),
    }
}
