//! The root of the issuer, for a person who types its address.

use askama::Template;

use super::Frame;

#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    pub frame: Frame,
}
