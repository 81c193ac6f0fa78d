//! `client set`: another profile, ceiling or key set. What was asked of the client as it was is void, since
//! whoever approves it would approve something else.

use axum::Json;
use axum::extract::{Path, Request, State};
use protocol::client::{AssertionAudience, Authentication, Client, Permission, Registration};
use protocol::event::Action;
use protocol::grant::Origin;
use protocol::jwk::Jwks;
use protocol::scope::Scope;
use protocol::wire::local::{ChangeClient, ClientView};
use serde_json::json;
use store::Batch;

use super::clients::{details_ceiling, find, give, grants, invalid, must_be_certificates, must_be_profile, view};
use crate::app::{App, Shared};
use crate::failure::Failure;

const BECAUSE: &str = "client_changed";

pub async fn change(
    State(app): State<Shared>,
    Path(client_id): Path<String>,
    request: Request,
) -> Result<Json<ClientView>, Failure> {
    let asked: ChangeClient = super::body(request).await?;
    let attempt = || async {
        let client = find(&app, &client_id).await?;
        let registration = changed(&app, &client, &asked)?;
        let open = app.store.open_requests_of_client(&client_id, app.now()).await?;
        let event = app
            .event(Action::ClientChanged)
            .client(&client_id)
            .with("profile", registration.profile.clone())
            .with("scope", registration.scope.clone())
            .with("resource", registration.resource.clone())
            .with("authorization_details", json!(registration.authorization_details))
            .with("grants", grants(&registration))
            .with("certificate_bound", registration.certificate_bound)
            .with("requests.voided", open.len());
        let mut batch = Batch::default().change_client(&client, &registration)?.record(&event)?;
        for request in &open {
            batch = batch.then(app.cancel(request, BECAUSE).await?);
        }
        Ok::<_, Failure>((batch, (Client { registration, ..client }, open)))
    };
    let (client, open) = app.store.decide(attempt).await?;
    for request in open {
        app.pending.forget(&request.device_code);
    }
    app.clients.reload(&app.store, app.now()).await?;
    Ok(Json(view(&client)))
}

fn changed(app: &App, client: &Client, asked: &ChangeClient) -> Result<Registration, Failure> {
    let mut changed = client.registration.clone();
    if let Some(name) = &asked.profile {
        if !name.is_empty() {
            must_be_profile(app, name)?;
        }
        changed.profile = Some(name.clone()).filter(|name| !name.is_empty());
        for origin in Origin::ALL {
            let permission = changed.permission_mut(origin);
            if *permission != Permission::Withheld {
                *permission = Permission::On;
            }
        }
        changed.profile_given_at = Some(app.now());
    }
    if let Some(grants) = &asked.grants {
        give(&mut changed, grants)?;
        changed.profile_given_at = Some(app.now());
    }
    if let Some(scope) = &asked.scope {
        let scope = Scope::parse(scope).map_err(|refusal| invalid(refusal.sentence()))?;
        changed.scope = scope.to_string();
    }
    if let Some(resource) = &asked.resource {
        for name in resource {
            protocol::resource::parse(name).map_err(|refusal| invalid(refusal.sentence()))?;
        }
        changed.resource.clone_from(resource);
    }
    if let Some(details) = &asked.authorization_details {
        changed.authorization_details = details_ceiling(app, Some(details))?;
    }
    if let Some(jwks) = &asked.jwks {
        changed.authentication = other_keys(&changed.authentication, jwks)?;
    }
    if let Some(is_bound) = asked.certificate_bound {
        changed.certificate_bound = is_bound;
    }
    if let Some(certificates) = &asked.certificates {
        must_be_certificates(certificates)?;
        let others = changed.authentication.with_certificates(certificates);
        changed.authentication =
            others.ok_or_else(|| invalid("this client does not authenticate with certificates"))?;
    }
    Ok(changed)
}

fn other_keys(authentication: &Authentication, jwks: &serde_json::Value) -> Result<Authentication, Failure> {
    let jwks = Jwks::parse(jwks).map_err(|flaw| invalid(&format!("the key set is not usable: {flaw}")))?;
    let audience: AssertionAudience = match authentication {
        Authentication::PrivateKeyJwt { audience, .. } => *audience,
        _ => return Err(invalid("this client does not authenticate with a key set")),
    };
    Ok(Authentication::PrivateKeyJwt {
        jwks: jwks.to_value(),
        audience,
    })
}
