//! RFC 8414 §2 clients insist on an `authorization_endpoint`. This is it: a page that says what this
//! server does instead. No code is ever issued here, whatever the query says.

use askama::Template;

use super::Frame;

#[derive(Template)]
#[template(path = "authorize.html")]
pub struct AuthorizePage {
    pub frame: Frame,
    pub device_authorization_endpoint: String,
}
