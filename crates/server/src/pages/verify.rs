//! RFC 8628 §3.3: the page that asks for the code. Nothing is looked up to show it, and every failure
//! reads the same: unknown, expired, used, open in another browser.

use askama::Template;

use super::Frame;

#[derive(Template)]
#[template(path = "verify.html")]
pub struct VerifyPage {
    pub frame: Frame,
    /// The first half of the code (`WDJB`), from `verification_uri_complete`: letters of a parsed code, never
    /// the text of the link. The person types the other half from the screen (RFC 8628 §3.3.1).
    pub first_half: Option<String>,
    pub problem: Option<&'static str>,
    /// Too many guesses: no field until the limit has passed.
    pub is_throttled: bool,
}
