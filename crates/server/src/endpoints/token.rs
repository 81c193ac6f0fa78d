//! The token endpoint: the phases that every grant shares stand here, so that none can forget one.
//! RFC 6749 §3.2 and §5, RFC 9449 §5.

mod client_credentials;
pub mod device_code;
mod issue;
pub mod polling;
mod refresh_token;
mod run;
mod standing;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, PRAGMA};
use protocol::authorization_request::CodeKind;
use protocol::refusal::Refusal;

use self::device_code::by_code;
use crate::app::Shared;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::holding::{Hold, PREFERENCE_APPLIED};

pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// OpenID CIBA Core §10.1.
pub const CIBA: &str = "urn:openid:params:grant-type:ciba";
pub const REFRESH_TOKEN: &str = "refresh_token";
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// Of ours: one more run of a command under the grant that allows several.
pub const RUN: &str = "urn:waypass:oauth:grant-type:run";
pub const GRANT_TYPES: [&str; 5] = [CLIENT_CREDENTIALS, CIBA, DEVICE_CODE, REFRESH_TOKEN, RUN];

pub async fn token(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let mut hold = app.holds.hold(request.headers());
    let answer = answered(&app, request, hold.as_mut()).await;
    let Some(applied) = hold.and_then(|hold| hold.applied()) else {
        return answer;
    };
    let mut response = answer.into_response();
    response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    Ok(response)
}

async fn answered(app: &Shared, request: Request, hold: Option<&mut Hold<'_>>) -> Result<Response, Failure> {
    let asked = ClientRequest::read(app, request, Endpoint::Token).await?;
    asked.must_prove_where_registered()?;
    // What a pending poll never comes to is boxed: its future is moved with every poll.
    let (kind, response) = match asked.form.required("grant_type")? {
        DEVICE_CODE => (DEVICE_CODE, by_code(app, &asked, CodeKind::Device, hold).await?),
        CIBA => (CIBA, by_code(app, &asked, CodeKind::Backchannel, hold).await?),
        CLIENT_CREDENTIALS => (
            CLIENT_CREDENTIALS,
            Box::pin(client_credentials::client_credentials(app, &asked)).await?,
        ),
        REFRESH_TOKEN => (
            REFRESH_TOKEN,
            Box::pin(refresh_token::refresh_token(app, &asked)).await?,
        ),
        RUN => (RUN, Box::pin(run::run(app, &asked)).await?),
        _ => return Err(Refusal::GrantTypeUnsupported.into()),
    };
    app.metrics.token_issued(kind);
    Ok((
        [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")],
        axum::Json(response),
    )
        .into_response())
}
