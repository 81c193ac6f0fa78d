//! Why an endpoint says no: the rules (`Refusal`) or the machinery (`Fault`). One way onto the wire for
//! each. RFC 6749 §5.2, RFC 6750 §3, RFC 9449 §7.1.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use protocol::refusal::{ErrorCode, Refusal};
use protocol::wire::ErrorBody;
use store::{Fault, FaultKind};

use crate::entropy;

#[derive(Debug)]
pub enum Failure {
    Refusal(Refusal),
    /// RFC 8628 §3.5: the interval that holds from now on, in seconds.
    SlowDown {
        interval: i64,
    },
    /// X16: the six digits of the page are wanted, or were wrong.
    Confirmation {
        refusal: Refusal,
        tries: u32,
    },
    /// A policy says no. Which it was, for whoever may know; and the event that says all.
    Forbidden {
        policies: Vec<String>,
        reference: Option<String>,
    },
    Fault(Fault),
    BodyTooLarge,
    MethodNotAllowed {
        allow: &'static str,
    },
    /// Of the local API: what an administrator asked for makes no sense, and why.
    Invalid(String),
    NotFound(&'static str),
}

impl Failure {
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refusal(refusal) | Self::Confirmation { refusal, .. } => Some(*refusal),
            Self::SlowDown { .. } => Some(Refusal::SlowDown),
            Self::Forbidden { .. } => Some(Refusal::PolicyForbids),
            _ => None,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"waypass\", charset=\"UTF-8\"");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"waypass\", error=\"invalid_token\"");
const DPOP: HeaderValue =
    HeaderValue::from_static("DPoP realm=\"waypass\", error=\"invalid_token\", algs=\"ES256 EdDSA RS256 PS256\"");

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refusal(refusal) => refused(refusal, |_| ()),
            Self::SlowDown { interval } => refused(Refusal::SlowDown, |body| body.interval = Some(interval)),
            Self::Confirmation { refusal, tries } => refused(refusal, |body| body.confirmation_tries = Some(tries)),
            Self::Forbidden { policies, reference } => refused(Refusal::PolicyForbids, |body| {
                body.error_description = Some(said_by(&policies));
                body.reference = reference;
            }),
            Self::Fault(fault) => broken(&fault),
            Self::BodyTooLarge => {
                let body = body("invalid_request", "The body is larger than 64 KiB.");
                answer(StatusCode::PAYLOAD_TOO_LARGE, body, &[])
            }
            Self::MethodNotAllowed { allow } => {
                let body = body("invalid_request", "This endpoint does not take that method.");
                answer(
                    StatusCode::METHOD_NOT_ALLOWED,
                    body,
                    &[(ALLOW, HeaderValue::from_static(allow))],
                )
            }
            Self::Invalid(sentence) => answer(StatusCode::BAD_REQUEST, body("invalid", &sentence), &[]),
            Self::NotFound(sentence) => answer(StatusCode::NOT_FOUND, body("not_found", sentence), &[]),
        }
    }
}

/// What a policy's refusal says: its name to those who were given it.
pub fn said_by(policies: &[String]) -> String {
    if policies.is_empty() {
        return Refusal::PolicyForbids.sentence().to_owned();
    }
    let names = policies.join(", ");
    format!("A policy of this server forbids this: {names}. An administrator can change it.")
}

fn refused(refusal: Refusal, also: impl FnOnce(&mut ErrorBody)) -> Response {
    tracing::debug!(refusal = ?refusal, "refused");
    let mut body = ErrorBody {
        needs: refusal.needs().map(str::to_owned),
        ..body(refusal.code().as_str(), &refusal.told())
    };
    also(&mut body);
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let headers: &[(HeaderName, HeaderValue)] = match refusal.code() {
        ErrorCode::InvalidClient => &[(WWW_AUTHENTICATE, BASIC)],
        ErrorCode::InvalidToken => &[(WWW_AUTHENTICATE, DPOP), (WWW_AUTHENTICATE, BEARER)],
        ErrorCode::RateLimited => &[(RETRY_AFTER, HeaderValue::from_static("5"))],
        _ => &[],
    };
    let mut response = answer(status, body, headers);
    response.extensions_mut().insert(refusal);
    response
}

fn broken(fault: &Fault) -> Response {
    let reference = log(fault);
    let (status, error, sentence) = match fault.kind() {
        FaultKind::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "Too busy. Try again shortly.",
        ),
        FaultKind::Broken => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "Something broke on our side.",
        ),
    };
    let body = ErrorBody {
        reference: Some(reference),
        ..body(error, sentence)
    };
    answer(status, body, &[(RETRY_AFTER, HeaderValue::from_static("1"))])
}

/// Logs a fault once, where it is handled; the reference finds the line again.
pub fn log(fault: &Fault) -> String {
    let reference = entropy::reference();
    let chain = std::iter::successors(std::error::Error::source(fault), |error| error.source());
    let causes: Vec<String> = chain.map(ToString::to_string).collect();
    tracing::error!(reference, fault = %fault, causes = ?causes, "fault");
    reference
}

fn body(error: &str, sentence: &str) -> ErrorBody {
    ErrorBody {
        error: error.to_owned(),
        error_description: Some(sentence.to_owned()),
        interval: None,
        confirmation_tries: None,
        needs: None,
        reference: None,
    }
}

fn answer(status: StatusCode, body: ErrorBody, headers: &[(HeaderName, HeaderValue)]) -> Response {
    let mut response = (status, [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], Json(body)).into_response();
    for (name, value) in headers {
        response.headers_mut().append(name, value.clone());
    }
    response
}
