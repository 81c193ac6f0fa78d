//! RFC 7662. For clients that an administrator registered as resource servers; what is not for the
//! caller is inactive, like what does not exist (B15).

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use protocol::client::Client;
use protocol::refusal::Refusal;
use protocol::wire::token::IntrospectionResponse;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::app::{App, Shared};
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::judging;

pub async fn introspect(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::Introspection).await?;
    if asked.client().is_public() {
        return Err(Refusal::ClientAuthenticationMissing.into());
    }
    if !asked.client().registration.introspect {
        return Err(Refusal::IntrospectionNotAllowed.into());
    }
    let token = asked.form.required("token")?;
    let claims = match read(&app, token, asked.client()).await {
        Ok(claims) => Some(claims),
        Err(failure) if failure.refusal().is_some() => None,
        Err(failure) => return Err(failure),
    };
    app.commit(asked.used_up()).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(response(claims))).into_response())
}

/// What the token says, if it stands and is the caller's to know.
async fn read(app: &App, token: &str, resource_server: &Client) -> Result<Map<String, Value>, Failure> {
    let access = Access::check(app, token).await?;
    if !is_for(app, &access, resource_server) {
        return Err(Refusal::TokenInvalid.into());
    }
    judging::introspected(app, &access, &resource_server.client_id).await?;
    Ok(access.claims)
}

/// A resource server without resources of its own stands for the issuer.
fn is_for(app: &App, access: &Access, resource_server: &Client) -> bool {
    let resources = &resource_server.registration.resource;
    if resources.is_empty() {
        access.has_audience(app.issuer())
    } else {
        resources.iter().any(|resource| access.has_audience(resource))
    }
}

/// B16: member by member what the JWT says.
fn response(claims: Option<Map<String, Value>>) -> IntrospectionResponse {
    let Some(mut claims) = claims else {
        return IntrospectionResponse {
            active: false,
            claims: Map::new(),
        };
    };
    let has_key = claims.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
    let token_type = if has_key { "DPoP" } else { "Bearer" };
    claims.insert("token_type".to_owned(), json!(token_type));
    IntrospectionResponse { active: true, claims }
}
