//! Every route, grouped by who calls.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};

use crate::app::Shared;
use crate::endpoints::{
    approver, backchannel_authentication, challenge, code_reports, device_authorization, enrollment, introspection,
    jwks, metadata, revocation, token, userinfo,
};
use crate::failure::Failure;
use crate::fresh_nonce::fresh_nonce;
use crate::{health, log, pages};

pub fn routes(app: &Shared) -> Router {
    let served = clients()
        .merge(approvers().layer(middleware::from_fn(carried_through)))
        .layer(middleware::from_fn_with_state(app.clone(), fresh_nonce));
    let pages = pages::routes(app).layer(middleware::from_fn(carried_through));
    under_issuer(app, served.merge(readers()).merge(pages))
}

/// Where clients come with certificates: no people, and so no pages.
pub fn for_certificates(app: &Shared) -> Router {
    let served = clients().layer(middleware::from_fn_with_state(app.clone(), fresh_nonce));
    under_issuer(app, served.merge(readers()))
}

fn under_issuer(app: &Shared, served: Router<Shared>) -> Router {
    let issuer = &app.config.issuer;
    let root = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(well_known(issuer.base_path()));
    let router = match issuer.base_path() {
        "" => root.merge(served),
        base => root
            .nest(base, served)
            .route(&format!("{base}/"), pages::front_page(app)),
    };
    router
        .fallback(pages::not_found)
        .layer(middleware::from_fn_with_state(app.metrics.clone(), log::observe))
        .with_state(app.clone())
}

/// Clients and resource servers: POST of a form, JSON back. Anything but POST says so (RFC 9110 §15.5.6).
fn clients() -> Router<Shared> {
    Router::new()
        .route(
            "/device_authorization",
            post_only(post(device_authorization::device_authorization)),
        )
        .route(
            "/backchannel_authentication",
            post_only(post(backchannel_authentication::backchannel_authentication)),
        )
        .route("/challenge", post_only(post(challenge::challenge)))
        .route("/enrollment", post_only(post(enrollment::enrollment)))
        .route("/enrollment/finish", post_only(post(enrollment::finish)))
        .route("/instance/rotate", post_only(post(enrollment::rotate)))
        .route("/token", post_only(post(token::token)))
        .route("/revoke", post_only(post(revocation::revoke)))
        .route("/introspect", post_only(post(introspection::introspect)))
        .route("/code_reports", post_only(post(code_reports::code_reports)))
}

/// Approvers in a terminal.
fn approvers() -> Router<Shared> {
    Router::new()
        .route("/approver/enroll", post_only(post(approver::enroll)))
        .route("/approver/view", post_only(post(approver::view)))
        .route("/approver/waiting", post_only(post(approver::waiting)))
        .route("/approver/digits", post_only(post(approver::digits)))
        .route("/approver/approve", post_only(post(approver::approve)))
        .route("/approver/deny", post_only(post(approver::deny)))
}

/// What anybody may read, and what an access token opens.
fn readers() -> Router<Shared> {
    Router::new()
        .route("/jwks.json", get(jwks::jwks))
        .route("/authorization_details_types", get(metadata::details_types))
        .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .route("/.well-known/openid-configuration", get(metadata::metadata))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
}

/// RFC 8414 §3.1: before the issuer's path. Without a path this is where the appended form stands too.
fn well_known(base: &str) -> Router<Shared> {
    if base.is_empty() {
        return Router::new();
    }
    Router::new()
        .route(
            &format!("/.well-known/oauth-authorization-server{base}"),
            get(metadata::metadata),
        )
        .route(
            &format!("/.well-known/openid-configuration{base}"),
            get(metadata::metadata),
        )
}

fn post_only(route: axum::routing::MethodRouter<Shared>) -> axum::routing::MethodRouter<Shared> {
    route.fallback(any(|| async { Failure::MethodNotAllowed { allow: "POST" } }))
}

/// Who hangs up, or waits too long, ends the answer and never the act: what follows a commit (this node's
/// memory of it) follows in any case.
pub async fn carried_through(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        // A panic goes on to where panics are caught.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
