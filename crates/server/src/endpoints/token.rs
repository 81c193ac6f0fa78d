//! The token endpoint: the phases that every grant shares stand here, so that none can forget one.
//! RFC 6749 §3.2 and §5, RFC 9449 §5.

mod client_credentials;
pub mod device_code;
mod issue;
mod refresh_token;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, PRAGMA};
use protocol::refusal::Refusal;

use crate::app::Shared;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const REFRESH_TOKEN: &str = "refresh_token";
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
pub const GRANT_TYPES: [&str; 3] = [CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH_TOKEN];

pub async fn token(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::Token).await?;
    asked.must_prove_where_registered()?;
    let (kind, response) = match asked.form.required("grant_type")? {
        DEVICE_CODE => (DEVICE_CODE, device_code::device_code(&app, &asked).await?),
        CLIENT_CREDENTIALS => (
            CLIENT_CREDENTIALS,
            client_credentials::client_credentials(&app, &asked).await?,
        ),
        REFRESH_TOKEN => (REFRESH_TOKEN, refresh_token::refresh_token(&app, &asked).await?),
        _ => return Err(Refusal::GrantTypeUnsupported.into()),
    };
    app.metrics.token_issued(kind);
    Ok((
        [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
        axum::Json(response),
    )
        .into_response())
}
