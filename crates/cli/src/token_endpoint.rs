//! Reading what a token endpoint answers. RFC 6749 §5, of any server: what ours always sends others may
//! leave out.

use protocol::details::Details;
use protocol::time::{Lifetime, Timestamp};
use serde::Deserialize;

use crate::credentials::{Again, Tokens};
use crate::device_flow::Polled;
use crate::failure::Failure;
use crate::http::Answer;

/// OpenID CIBA Core §10.1.
pub const CIBA: &str = "urn:openid:params:grant-type:ciba";
/// Of a Waypass server: one more run of a command under the approval that allows several.
pub const RUN: &str = "urn:waypass:oauth:grant-type:run";
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Deserialize)]
struct Body {
    access_token: String,
    token_type: String,
    /// RECOMMENDED only.
    expires_in: Option<i64>,
    /// "OPTIONAL, if identical to the scope requested by the client".
    scope: Option<String>,
    refresh_token: Option<String>,
    /// RFC 9396 §7: "as granted".
    #[serde(default)]
    authorization_details: Details,
    /// Where a command may be run again.
    grant_id: Option<String>,
    runs_left: Option<i64>,
}

/// What is assumed of a token whose end was not told.
const UNTOLD_LIFETIME: i64 = 300;

/// `asked_at` and not the time of the answer: a token never ends later than we believe.
pub fn read(answer: &Answer, asked_at: Timestamp, requested_scope: &str) -> Result<Polled<Tokens>, Failure> {
    if answer.is_busy() {
        return Ok(Polled::Busy);
    }
    if answer.status != 200 {
        let body = answer.error().ok_or_else(|| answer.failure("no token was issued"))?;
        return Ok(Polled::Refused(body));
    }
    let unreadable = || answer.unreadable("the token cannot be read");
    let body: Body = answer.json().ok_or_else(unreadable)?;
    let is_known = ["dpop", "bearer"].contains(&body.token_type.to_ascii_lowercase().as_str());
    if !is_known || !is_token(&body.access_token) || !body.refresh_token.as_deref().is_none_or(is_token) {
        return Err(unreadable());
    }
    let lifetime = Lifetime::from_seconds(body.expires_in.unwrap_or(UNTOLD_LIFETIME));
    let again = body.grant_id.zip(body.runs_left);
    Ok(Polled::Given(Tokens {
        again: again.map(|(grant_id, runs_left)| Again { grant_id, runs_left }),
        access_token: body.access_token,
        token_type: body.token_type,
        expires_at: (asked_at + lifetime).seconds(),
        scope: body.scope.unwrap_or_else(|| requested_scope.to_owned()),
        refresh_token: body.refresh_token,
        authorization_details: body.authorization_details,
    }))
}

/// RFC 6749 appendix A.12 without the space: what is printed as a token or sent in a header is visible
/// ASCII, so that no answer puts anything else into a terminal or a script.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
