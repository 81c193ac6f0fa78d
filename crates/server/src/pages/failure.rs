//! Every way a page says no: in the page's own words, with a way back and, for a fault of ours, the
//! number under which the log has the cause.

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use protocol::refusal::{ErrorCode, Refusal};
use store::{Fault, FaultKind};

use super::Frame;
use crate::app::App;
use crate::failure::{self, Failure};

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

#[derive(Debug)]
pub enum PageFailure {
    Failure(Failure),
    /// Nobody is signed in: the way there and back.
    SignIn {
        location: String,
    },
}

impl From<Failure> for PageFailure {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Refusal> for PageFailure {
    fn from(refusal: Refusal) -> Self {
        Self::Failure(refusal.into())
    }
}

impl From<Fault> for PageFailure {
    fn from(fault: Fault) -> Self {
        Self::Failure(fault.into())
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { location } => Redirect::to(&location).into_response(),
            Self::Failure(failure) => {
                let refusal = failure.refusal();
                let mut response = said(failure).into_response();
                // Counted like those of the endpoints.
                refusal.map(|refusal| response.extensions_mut().insert(refusal));
                response
            }
        }
    }
}

/// The words of a failure, on their way to [`in_words`], which knows the frame around them.
#[derive(Clone)]
struct Said {
    status: StatusCode,
    title: &'static str,
    sentence: String,
    reference: Option<String>,
    back: Option<(&'static str, &'static str)>,
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

pub fn nothing_here() -> Response {
    said(Failure::NotFound("The address is wrong, or what stood here has ended.")).into_response()
}

/// Puts the page around the words, also where the router itself said no.
pub fn in_words(app: &App, mut response: Response) -> Response {
    let Some(said) = response
        .extensions_mut()
        .remove::<Said>()
        .or_else(|| of_the_router(&response))
    else {
        return response;
    };
    let frame = Frame::new(app, None);
    let back = said.back.map(|(path, text)| Back {
        href: format!("{}{path}", frame.base),
        text,
    });
    let page = FailurePage {
        frame,
        title: said.title,
        sentence: said.sentence,
        reference: said.reference,
        back,
    };
    *response.body_mut() = Body::from(page.render().unwrap_or_default());
    response.headers_mut().remove(CONTENT_LENGTH);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn of_the_router(response: &Response) -> Option<Said> {
    let status = response.status();
    let has_body = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| !value.as_bytes().starts_with(b"text/plain"));
    match status {
        _ if !(status.is_client_error() || status.is_server_error()) || has_body => None,
        StatusCode::METHOD_NOT_ALLOWED => {
            let allow = response
                .headers()
                .get(ALLOW)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let sentence = format!("This address takes {allow} only.");
            Some(words(status, "This is not a page", sentence, HOME))
        }
        _ => Some(words(status, "There is nothing here", "The address is wrong.", HOME)),
    }
}

type Way = (&'static str, &'static str);

const HOME: Option<Way> = Some(("/", "To the start"));
const CODE: Option<Way> = Some(("/device", "Enter a code"));
const ACCOUNT: Option<Way> = Some(("/account", "Your account"));
const SIGN_IN: Option<Way> = Some(("/sign-in?next=%2Faccount", "Sign in again"));

fn words(status: StatusCode, title: &'static str, sentence: impl Into<String>, back: Option<Way>) -> Said {
    Said {
        status,
        title,
        sentence: sentence.into(),
        reference: None,
        back,
    }
}

fn said(failure: Failure) -> Said {
    match failure {
        Failure::Refusal(refusal) | Failure::Confirmation { refusal, .. } => refused(refusal),
        Failure::Forbidden { policies, reference } => Said {
            sentence: failure::said_by(&policies),
            reference,
            ..refused(Refusal::PolicyForbids)
        },
        Failure::Fault(fault) => broken(&fault),
        Failure::NotFound(sentence) => words(StatusCode::NOT_FOUND, "There is nothing here", sentence, HOME),
        Failure::BodyTooLarge => words(
            StatusCode::PAYLOAD_TOO_LARGE,
            "That was too much",
            "Too much was sent.",
            HOME,
        ),
        Failure::SlowDown { .. } | Failure::MethodNotAllowed { .. } | Failure::Invalid(_) => words(
            StatusCode::BAD_REQUEST,
            "That was not understood",
            "Nothing was changed.",
            HOME,
        ),
    }
}

/// A title that says what happened, a sentence that says what now. Reasons that share a code on the wire
/// share their words here.
fn refused(refusal: Refusal) -> Said {
    tracing::debug!(refusal = ?refusal, "refused");
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let (title, sentence, back) = match refusal {
        _ if refusal.code() == ErrorCode::UnknownCode => (
            "Not open here",
            "This request is unknown, expired, decided already, or open in another browser. If you still need it, start again on the device.",
            CODE,
        ),
        Refusal::CrossSiteRequest => (
            "This page is out of date",
            "It was opened before you signed in, or another site sent you here. Nothing was changed. Open the page again.",
            HOME,
        ),
        Refusal::ClientDisabled | Refusal::ClientExpired | Refusal::ClientUnknown | Refusal::DeviceGrantNotAllowed => (
            "No longer allowed to ask",
            "An administrator has switched off the program that asks. Nothing was approved.",
            HOME,
        ),
        Refusal::DecisionInvalid | Refusal::PasskeyInvalid => (
            "The passkey was not accepted",
            "Nothing was approved. Enter the code again, and use a passkey that is listed in your account.",
            CODE,
        ),
        Refusal::BindingDataWrong => (
            "That was wrong three times",
            "The request has ended and nothing was approved. If you still need it, start again on the device.",
            CODE,
        ),
        Refusal::PolicyForbids => ("Forbidden by a policy", refusal.sentence(), HOME),
        Refusal::LastPasskey => ("This is your last passkey", refusal.sentence(), ACCOUNT),
        Refusal::ReauthenticationRequired => (
            "Sign in again first",
            "This takes a sign-in with a passkey, ten minutes ago at most, so that a forgotten session is not enough.",
            SIGN_IN,
        ),
        Refusal::UpstreamSignInInvalid => (
            "Not signed in",
            "Signing in there was cancelled, or did not come back as it began here. Start again.",
            SIGN_IN,
        ),
        Refusal::ApproverDisabled => (
            "Signed out",
            "Your account has been disabled. Ask an administrator.",
            HOME,
        ),
        Refusal::ParameterMissing(_) | Refusal::ParameterRepeated | Refusal::RequestMalformed => (
            "That was not understood",
            "Nothing was changed. Open the page again.",
            HOME,
        ),
        other => ("Not now", other.sentence(), HOME),
    };
    words(status, title, sentence, back)
}

fn broken(fault: &Fault) -> Said {
    let reference = failure::log(fault);
    let (status, title) = match fault.kind() {
        FaultKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Too busy"),
        FaultKind::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "Something broke on our side"),
    };
    Said {
        reference: Some(reference),
        ..words(status, title, "Try again in a moment.", HOME)
    }
}
