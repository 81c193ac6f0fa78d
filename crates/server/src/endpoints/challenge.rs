//! The challenge for an attested client's proof (draft-ietf-oauth-attestation-based-client-auth-11 §5.1). It is a
//! DPoP nonce as well, since in combined mode one value has to be both.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use serde_json::json;

use crate::app::Shared;

/// A POST that writes nothing; its body, if there is one, is not read.
pub async fn challenge(State(app): State<Shared>) -> impl IntoResponse {
    let challenge = app.derived.nonces.issue(app.now());
    (
        [(CACHE_CONTROL, "no-store")],
        Json(json!({ "attestation_challenge": challenge })),
    )
}
