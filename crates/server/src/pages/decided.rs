//! What the person reads after deciding: it is done, and the device goes on by itself (RFC 8628 §3.3).

use askama::Template;

use super::Frame;
use super::moment::Moment;

#[derive(Template)]
#[template(path = "decided.html")]
pub struct DecidedPage {
    pub frame: Frame,
    /// Passed through `shown` by whoever fills it in.
    pub client_name: String,
    pub outcome: Outcome,
}

pub enum Outcome {
    Approved { grant_ends_at: Moment },
    Declined,
    Reported,
}
