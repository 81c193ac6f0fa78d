//! `key list|rotate`.

use axum::Json;
use axum::extract::State;
use protocol::time::Timestamp;
use protocol::wire::local::KeyView;

use crate::app::Shared;
use crate::failure::Failure;
use crate::signing_keys;

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<KeyView>>, Failure> {
    let keys = app.store.signing_keys().await?.into_iter().map(|key| KeyView {
        kid: key.kid,
        alg: key.alg,
        state: key.state,
        created_at: key.created_at.millis(),
        retires_at: key.retires_at.map(Timestamp::millis),
    });
    Ok(Json(keys.collect()))
}

pub async fn rotate(State(app): State<Shared>) -> Result<Json<Vec<KeyView>>, Failure> {
    signing_keys::rotate(&app).await?;
    list(State(app)).await
}
