//! Every way a page says no: in the page's own words, with a way back and, for a fault of ours, the
//! number under which the log has the cause.

use askama::Template;

use super::Frame;

#[derive(Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    pub frame: Frame,
    pub title: &'static str,
    pub sentence: String,
    pub reference: Option<String>,
    pub back: Option<Back>,
}

/// The way on from here.
pub struct Back {
    /// A path of this server, with its base.
    pub href: String,
    pub text: &'static str,
}
