//! What a person sees: one view struct and one template beside it per page, its handlers below, one
//! style sheet, a few small scripts. A struct holds facts that are already labelled; a template only loops
//! and asks whether.
//!
//! Not here: anything from elsewhere on the network, inline style or script, a GET that writes.

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use store::Fault;

use crate::app::{App, Shared};
use crate::extract::client::seen_address;
use crate::extract::csrf::is_json;
use crate::extract::session::SignedIn;

pub mod account;
pub mod assets;
pub mod authorize;
pub mod decide;
pub mod decided;
pub mod enroll;
pub mod failure;
pub mod home;
pub mod instances;
pub mod moment;
pub mod narrowing;
pub mod notices;
pub mod sign_in;
pub mod upstream;
pub mod verify;
pub mod waiting;

pub use failure::PageFailure;

#[cfg(test)]
pub mod outline;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// What every page carries around its own content.
#[derive(Clone)]
pub struct Frame {
    /// The issuer's path: empty, or `/as` for `https://id.example.org/as`.
    pub base: String,
    /// The issuer's host, by which a person knows where this is: `id.example.org`.
    pub host: String,
    /// The name of the signed-in approver.
    pub approver: Option<String>,
    /// For the hidden field of every form; empty when nobody is signed in.
    pub csrf: String,
}

impl Frame {
    pub fn new(app: &App, signed_in: Option<&SignedIn>) -> Self {
        Self {
            base: app.config.issuer.base_path().to_owned(),
            host: app.config.issuer.host().to_owned(),
            approver: signed_in.map(|by| by.approver.name.clone()),
            csrf: signed_in.map(|by| by.csrf(app).as_str().to_owned()).unwrap_or_default(),
        }
    }

    /// The address of a file of [`assets`], which changes with its content.
    pub fn asset(&self, name: &str) -> String {
        assets::address(&self.base, name)
    }
}

pub fn routes(app: &Shared) -> Router<Shared> {
    Router::new()
        .route("/", get(home::show))
        .route("/authorize", get(authorize::show).post(authorize::show))
        .route("/assets/{name}", get(assets::serve))
        .route("/enroll", get(enroll::show))
        .route("/enroll/start", post(enroll::start))
        .route("/enroll/finish", post(enroll::finish))
        .route("/enroll/upstream/start", post(upstream::start_invited))
        .route("/sign-in", get(sign_in::show))
        .route("/sign-in/start", post(sign_in::start))
        .route("/sign-in/finish", post(sign_in::finish))
        .route("/sign-in/upstream/start", post(upstream::start))
        .route("/sign-in/upstream/callback", get(upstream::callback))
        .route("/sign-in/upstream/finish", post(upstream::finish))
        .route("/sign-out", post(sign_in::out))
        .route("/device", get(verify::show).post(verify::submit))
        .route("/inbox", get(waiting::show))
        .route("/inbox/events", get(waiting::events))
        .route("/device/{request_id}", get(decide::show))
        .route("/device/{request_id}/open", post(waiting::open))
        .route("/device/{request_id}/approve", post(decide::approve))
        .route("/device/{request_id}/deny", post(decide::deny))
        .route("/account", get(account::show))
        .route("/account/devices", get(instances::list))
        .route("/account/devices/{id}", get(instances::show))
        .route("/account/devices/{id}/rename", post(instances::rename))
        .route("/account/devices/{id}/suspend", post(instances::suspend))
        .route("/account/devices/{id}/resume", post(instances::resume))
        .route(
            "/account/devices/{id}/remove",
            get(instances::ask_to_remove).post(instances::remove),
        )
        .route("/account/devices/{id}/offer", post(instances::offer))
        .route("/account/devices/{id}/withdraw", post(instances::withdraw))
        .route("/account/devices/{id}/take", post(instances::take))
        .route("/account/devices/{id}/decline", post(instances::decline))
        .route("/account/upstream/start", post(upstream::start_linking))
        .route("/account/upstream/unlink", post(upstream::unlink))
        .route("/account/notices/browser", post(notices::subscribe))
        .route("/account/notices/{act}", post(notices::change))
        .route("/account/grants/{id}/revoke", post(account::revoke))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/passkeys/start", post(account::start_passkey))
        .route("/account/passkeys/finish", post(account::finish_passkey))
        .route("/account/passkeys/{id}/remove", post(account::remove_passkey))
        .layer(middleware::from_fn_with_state(app.clone(), dress))
}

/// The front page under the issuer's path with a slash at its end, where a nested router has no route.
pub fn front_page(app: &Shared) -> MethodRouter<Shared> {
    get(home::show).layer(middleware::from_fn_with_state(app.clone(), dress))
}

/// Everything else.
pub async fn not_found(State(app): State<Shared>) -> Response {
    dressed(&app, failure::nothing_here())
}

/// What every answer carries, errors and files included. The style sheet and the scripts are files of
/// ours and nothing else runs, frames or leaves.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         worker-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "publickey-credentials-create=(self), publickey-credentials-get=(self), camera=(), clipboard-read=(), \
         display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

async fn dress(State(app): State<Shared>, request: Request, next: Next) -> Response {
    // What scripts of ours send is counted where it is read, and answered as JSON.
    let is_counted = !is_json(request.headers()) && !request.uri().path().contains("/assets/");
    let address = seen_address(&app, request.headers(), request.extensions());
    if is_counted && let Err(refusal) = app.limits.check(address.counted, app.now()) {
        return dressed(&app, PageFailure::from(refusal).into_response());
    }
    dressed(&app, next.run(request).await)
}

fn dressed(app: &App, response: Response) -> Response {
    let mut response = failure::in_words(app, response);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if !app.config.issuer.is_loopback_http() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn html(page: &impl Template) -> Result<Html<String>, Fault> {
    page.render()
        .map(Html)
        .map_err(|error| Fault::broken("a page cannot be written").because(error))
}
