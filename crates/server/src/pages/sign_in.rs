//! Signing in: one button, no name typed. The passkey says who it is (WebAuthn discoverable credential).

use askama::Template;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use protocol::event::Action;
use protocol::refusal::Refusal;
use protocol::user_code::UserCode;
use serde::{Deserialize, Serialize};
use store::Batch;
use webauthn_rs::prelude::PublicKeyCredential;

use super::{Frame, PageFailure, html, upstream};
use crate::app::{App, Shared};
use crate::extract::csrf::{Posted, Sent};
use crate::extract::session::{Begun, SignedIn, ended_cookie};
use crate::failure::Failure;
use crate::passkeys::{self, Ceremony, Started};

#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
    /// Where the person was going: a path of this server, checked before it gets here.
    pub next: String,
    /// What the second button calls the upstream provider, where there is one.
    pub upstream: Option<String>,
}

/// Also for those who are signed in: some acts want it fresh.
pub async fn show(
    State(app): State<Shared>,
    signed_in: Option<SignedIn>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, PageFailure> {
    let base = app.config.issuer.base_path();
    let next = parameter(query.as_deref(), "next").and_then(|next| page_of_ours(base, &next));
    let next = next.unwrap_or_else(|| format!("{base}/"));
    Ok(html(&SignInPage {
        frame: Frame::new(&app, signed_in.as_ref()),
        next,
        upstream: upstream::label(&app),
    })?)
}

#[derive(Deserialize)]
pub struct Start {}

pub async fn start(State(app): State<Shared>, _: Sent<Start>) -> Result<Json<Started>, Failure> {
    let (options, state) = passkeys::start_sign_in(&app)?;
    Ok(Json(Ceremony::SignIn(state).begin(&app, options).await?))
}

#[derive(Deserialize)]
pub struct Finish {
    ceremony: String,
    #[serde(default)]
    next: String,
    credential: PublicKeyCredential,
}

/// Where the browser goes on.
#[derive(Serialize)]
pub struct Finished {
    pub next: String,
}

pub async fn finish(State(app): State<Shared>, sent: Sent<Finish>) -> Result<Response, Failure> {
    let begun = app.store.decide(|| async { signed_in(&app, &sent).await }).await?;
    let base = app.config.issuer.base_path();
    let next = page_of_ours(base, &sent.body.next).unwrap_or_else(|| format!("{base}/"));
    Ok(([(SET_COOKIE, begun.cookie(&app)?)], Json(Finished { next })).into_response())
}

/// A new session; the one that this browser had before ends.
async fn signed_in(app: &App, sent: &Sent<Finish>) -> Result<(Batch, Begun), Failure> {
    let Ceremony::SignIn(state) = Ceremony::find(app, &sent.body.ceremony).await? else {
        return Err(Refusal::PasskeyInvalid.into());
    };
    let proven = passkeys::finish_sign_in(app, &sent.body.credential, state).await?;
    let begun = Begun::new(app, &proven.approver, &sent.headers, sent.address);
    let batch = Batch::default()
        .end_ceremony(&sent.body.ceremony)
        .approver_is_unchanged(&proven.approver)
        .passkey_signed_in(&proven.passkey, proven.sign_count, app.now())?
        .then(sent.ends_session_before(app).await?)
        .then(begun.batch(sent.address)?);
    Ok((batch, begun))
}

pub async fn out(State(app): State<Shared>, posted: Posted) -> Result<Response, PageFailure> {
    let by = posted.by;
    let batch = Batch::default()
        .end_browser_session(&by.session.id, &by.approver.id)
        .record(&by.event(&app, Action::ApproverSignedOut))?;
    app.commit(batch).await?;
    let home = format!("{}/", app.config.issuer.base_path());
    Ok(([(SET_COOKIE, ended_cookie(&app)?)], Redirect::to(&home)).into_response())
}

/// The page where somebody goes on who was not signed in at this path (without the base): the nearest
/// one above it that stands by itself.
pub fn way_back(base: &str, path: &str, query: Option<&str>) -> String {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let parents = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above));
    let mut pages = std::iter::once(format!("{path}{query}")).chain(parents.map(str::to_owned));
    let found = pages.find_map(|page| page_of_ours(base, &format!("{base}{page}")));
    found.unwrap_or_else(|| format!("{base}/"))
}

/// The address of a page of ours, put together anew from what was asked for: nobody is sent anywhere
/// else, and nothing of the text but a code and an identifier gets through.
pub fn page_of_ours(base: &str, next: &str) -> Option<String> {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let path = path.strip_prefix(base)?;
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "account"] => Some(format!("{base}/account")),
        ["", "device"] => {
            let code = parameter(Some(query), "user_code").and_then(|code| UserCode::parse(&code));
            let query = code
                .map(|code| format!("?user_code={}", code.reveal()))
                .unwrap_or_default();
            Some(format!("{base}/device{query}"))
        }
        ["", "device", id] if is_identifier(id) => Some(format!("{base}/device/{id}")),
        _ => None,
    }
}

fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_a_page_of_ours_and_nowhere_else() {
        for (base, next, expected) in [
            ("", "/device", Some("/device")),
            ("", "/account", Some("/account")),
            ("", "/device/018f-aB", Some("/device/018f-aB")),
            ("", "/device?user_code=wdjb%20mjht", Some("/device?user_code=WDJB-MJHT")),
            ("", "/device?user_code=%0d%0aSet-Cookie", Some("/device")),
            ("", "/account?done=revoked", Some("/account")),
            ("/as", "/as/device", Some("/as/device")),
            ("/as", "/device", None),
            ("/as", "/asdevice", None),
            ("", "", None),
            ("", "/", None),
            ("", "//evil.example", None),
            ("", "///evil.example/device", None),
            ("", "/\\evil.example", None),
            ("", "\\\\evil.example", None),
            ("", "https://evil.example/device", None),
            ("", "javascript:alert(1)", None),
            ("", "/device/../account", None),
            ("", "/device//evil.example", None),
            ("", "/device/a b", None),
            ("", "/device/", None),
            ("", "/device/1/approve", None),
            ("", "/sign-out", None),
            ("", "/device#https://evil.example", None),
            ("", "device", None),
        ] {
            assert_eq!(page_of_ours(base, next).as_deref(), expected, "{base} {next}");
        }
    }

    #[test]
    fn the_way_back_from_an_act_is_the_page_it_stands_on() {
        for (path, query, expected) in [
            ("/device", Some("user_code=WDJB-MJHT"), "/as/device?user_code=WDJB-MJHT"),
            ("/device/1/approve", None, "/as/device/1"),
            ("/account/passkeys/1/remove", None, "/as/account"),
            ("/sign-out", None, "/as/"),
            ("", None, "/as/"),
        ] {
            assert_eq!(way_back("/as", path, query), expected, "{path}");
        }
    }
}
