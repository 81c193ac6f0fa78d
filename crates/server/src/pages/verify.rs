//! RFC 8628 §3.3: the page that asks for the code. Nothing is looked up to show it, and every failure
//! reads the same: unknown, expired, used, open in another browser.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use protocol::authorization_request::CodeEntry;
use protocol::refusal::{ErrorCode, Refusal};
use protocol::user_code::UserCode;

use super::sign_in::parameter;
use super::{Frame, PageFailure, html};
use crate::app::{App, Shared};
use crate::extract::csrf::Posted;
use crate::extract::form::Form;
use crate::extract::session::SignedIn;
use crate::failure::Failure;

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

/// G4: a server cannot tell a scanned code from a mailed link, so a link brings only half of the code,
/// and whether there is such a code is not asked here.
pub async fn show(
    State(app): State<Shared>,
    by: SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, PageFailure> {
    let first_half = parameter(query.as_deref(), "user_code").and_then(|code| first_half(&code));
    let frame = Frame::new(&app, Some(&by));
    Ok(html(&VerifyPage {
        frame,
        first_half,
        problem: None,
        is_throttled: false,
    })?)
}

pub async fn submit(State(app): State<Shared>, posted: Posted) -> Result<Response, PageFailure> {
    let typed = Typed::read(&posted.form);
    match posted.by.deciding().try_code(&app, &typed.code, typed.entry).await {
        Ok(request_id) => {
            let page = format!("{}/device/{request_id}", app.config.issuer.base_path());
            Ok(Redirect::to(&page).into_response())
        }
        Err(Failure::Refusal(refusal)) if says_no_more(refusal) => again(&app, &posted.by, typed.first_half, refusal),
        Err(failure) => Err(failure.into()),
    }
}

/// Shared by all reasons why a code does not work.
fn says_no_more(refusal: Refusal) -> bool {
    refusal == Refusal::GuessesExhausted || refusal.code() == ErrorCode::UnknownCode
}

fn again(app: &App, by: &SignedIn, first_half: Option<String>, refusal: Refusal) -> Result<Response, PageFailure> {
    let page = VerifyPage {
        frame: Frame::new(app, Some(by)),
        first_half,
        problem: Some(refusal.sentence()),
        is_throttled: refusal == Refusal::GuessesExhausted,
    };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    Ok((status, html(&page)?).into_response())
}

/// What was typed, with the half that a link brought.
struct Typed {
    code: String,
    entry: CodeEntry,
    first_half: Option<String>,
}

impl Typed {
    /// Somebody who types all eight letters after a link has typed the code.
    fn read(form: &Form) -> Self {
        let typed = form.get("user_code").unwrap_or_default();
        let given = form
            .get("first_half")
            .and_then(|half| first_half(&format!("{half}BBBB")));
        match &given {
            Some(half) if UserCode::parse(typed).is_none() => Self {
                code: format!("{half}{typed}"),
                entry: CodeEntry::Link,
                first_half: given,
            },
            _ => Self {
                code: typed.to_owned(),
                entry: CodeEntry::Typed,
                first_half: given,
            },
        }
    }
}

fn first_half(code: &str) -> Option<String> {
    UserCode::parse(code)?.canonical().get(..4).map(str::to_owned)
}
