//! The local API: administration over a Unix socket that only the data folder's owner can open. Shapes
//! are in `protocol/wire/local.rs`.

mod admissions;
mod approvers;
mod client_changes;
mod clients;
mod grants;
mod groups;
mod instances;
mod keys;
pub mod policies;
mod posture;
mod profiles;
mod records;
mod webhooks;

use axum::Router;
use axum::extract::Request;
use axum::routing::{delete, get, post};

use serde::de::DeserializeOwned;

use crate::app::Shared;
use crate::extract::form::read_body;
use crate::failure::Failure;
use crate::routes::carried_through;
pub use clients::warnings as client_warnings;

pub fn routes(app: Shared) -> Router {
    Router::new()
        .route("/local/clients", get(clients::list).post(clients::add))
        .route("/local/clients/{client_id}", get(clients::show).delete(clients::delete))
        .route("/local/clients/{client_id}/disable", post(clients::disable))
        .route("/local/clients/{client_id}/enable", post(clients::enable))
        .route("/local/clients/{client_id}/change", post(client_changes::change))
        .route("/local/profiles", get(profiles::list))
        .route("/local/profiles/{name}", get(profiles::show))
        .route("/local/policies", get(policies::list))
        .route("/local/policies/reload", post(policies::reload))
        .route("/local/policies/explain/{request_id}", get(policies::explain))
        .route("/local/policies/replay", post(policies::replay))
        .route("/local/posture", get(posture::posture))
        .route("/local/admissions", get(admissions::list).post(admissions::add))
        .route("/local/admissions/{id}", axum::routing::delete(admissions::remove))
        .route("/local/approvers", get(approvers::list).post(approvers::add))
        .route("/local/approvers/{name}/relink", post(approvers::relink))
        .route("/local/approvers/{name}/disable", post(approvers::disable))
        .route("/local/approvers/{name}/enable", post(approvers::enable))
        .route("/local/approvers/{name}/mail", post(approvers::mail))
        .route("/local/groups", get(groups::list))
        .route("/local/groups/{name}/members", post(groups::add))
        .route("/local/groups/{name}/members/{approver}", delete(groups::remove))
        .route("/local/requests", get(records::requests))
        .route("/local/requests/{id}/cancel", post(records::cancel))
        .route("/local/codes/report", post(records::report_code))
        .route("/local/events", get(records::events))
        .route("/local/grants", get(grants::list))
        .route("/local/grants/{id}", get(grants::show))
        .route("/local/grants/{id}/revoke", post(grants::revoke))
        .route("/local/instances", get(instances::list).post(instances::add))
        .route("/local/instances/{id}", get(instances::show))
        .route("/local/instances/{id}/rename", post(instances::rename))
        .route("/local/instances/{id}/suspend", post(instances::suspend))
        .route("/local/instances/{id}/resume", post(instances::resume))
        .route("/local/instances/{id}/remove", post(instances::remove))
        .route("/local/instances/{id}/hand-over", post(instances::hand_over))
        .route("/local/webhooks", get(webhooks::list).post(webhooks::add))
        .route("/local/webhooks/{id}", delete(webhooks::remove))
        .route("/local/webhooks/{id}/test", post(webhooks::test))
        .route("/local/keys", get(keys::list))
        .route("/local/keys/rotate", post(keys::rotate))
        .fallback(|| async { Failure::NotFound("The local API has no such path.") })
        .layer(axum::middleware::from_fn(carried_through))
        .with_state(app)
}

/// An administrator is told what is wrong with a body; outsiders never are.
async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Failure> {
    let bytes = read_body(request.into_body()).await?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::Invalid(format!("the body does not fit: {error}")))
}
