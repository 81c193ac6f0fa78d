//! `/healthz`: the process answers. `/readyz`: the database answers too.

use axum::extract::State;
use http::StatusCode;

use crate::app::Shared;
use crate::failure;

pub async fn healthz() -> &'static str {
    "ok\n"
}

pub async fn readyz(State(app): State<Shared>) -> (StatusCode, &'static str) {
    match app.store.setting("master_key_check").await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(fault) => {
            failure::log(&fault);
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}
