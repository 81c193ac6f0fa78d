//! RFC 8414 §2 clients insist on an `authorization_endpoint`. This is it: a page that says what this
//! server does instead. No code is ever issued here, whatever the query says.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::{Frame, PageFailure, html};
use crate::app::Shared;

#[derive(Template)]
#[template(path = "authorize.html")]
pub struct AuthorizePage {
    pub frame: Frame,
    pub device_authorization_endpoint: String,
}

pub async fn show(State(app): State<Shared>) -> Result<Html<String>, PageFailure> {
    let device_authorization_endpoint = app.config.issuer.url("/device_authorization");
    Ok(html(&AuthorizePage {
        frame: Frame::new(&app, None),
        device_authorization_endpoint,
    })?)
}
