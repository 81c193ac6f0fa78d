//! An enrollment link turns this device into an approver's key. The token stands behind the `#`: the
//! page is the same for everybody, and only its script ever sees the token.

use askama::Template;

use super::Frame;

#[derive(Template)]
#[template(path = "enroll.html")]
pub struct EnrollPage {
    pub frame: Frame,
}
