//! RFC 7517 §5: the public keys that tokens are verified with.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;

use crate::app::Shared;

/// Short enough that a rotated key is known everywhere before the old one is gone.
pub async fn jwks(State(app): State<Shared>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(app.keys.load().jwks()))
}
