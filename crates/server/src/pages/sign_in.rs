//! Signing in: one button, no name typed. The passkey says who it is (WebAuthn discoverable credential).

use askama::Template;

use super::Frame;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
    /// Where the person was going: a path of this server, checked before it gets here.
    pub next: String,
}
