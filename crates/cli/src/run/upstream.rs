//! Requests to the approved resource, with the token and a fresh proof for each (RFC 9449 §7). Redirects are not
//! followed, and what would make a token of an answer stays here. Nothing of this is ever written to a disk.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Response, StatusCode};
use protocol::time::Timestamp;
use reqwest::Body;
use url::Url;

use super::admission::HEADER;
use super::replay::Source;
use crate::clock::Clock;
use crate::credentials::Tokens;
use crate::dpop::{self, Call};
use crate::entropy;
use crate::http::{Http, challenge_of_nonce};
use crate::keys::Key;

const NONCE: &str = "dpop-nonce";

/// One resource, one token, one key.
pub struct Upstream {
    http: Http,
    key: Arc<Key>,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    nonce: Mutex<Option<String>>,
}

/// A request that was admitted.
pub struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Sent,
}

pub enum Sent {
    Nothing,
    Whole(bytes::Bytes),
    Streamed(Source),
}

/// Why there is no answer of the resource.
#[derive(Debug)]
pub enum NotSent {
    Ended,
    NotProven,
    /// It has gone by and cannot be sent again. The next request has the nonce.
    NonceWanted,
    Unreachable(String),
}

impl Upstream {
    pub fn new(http: Http, key: Arc<Key>, tokens: Tokens, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            key,
            tokens,
            clock,
            nonce: Mutex::default(),
        }
    }

    pub async fn send(&self, outgoing: &Outgoing) -> Result<Response<Body>, NotSent> {
        if self.clock.now() >= Timestamp::from_seconds(self.tokens.expires_at) {
            return Err(NotSent::Ended);
        }
        let answer = self.attempt(outgoing).await?;
        if !challenge_of_nonce(&answer) {
            return Ok(cleaned(answer));
        }
        drop(answer);
        let again = self.attempt(outgoing).await?;
        Ok(cleaned(again))
    }

    async fn attempt(&self, outgoing: &Outgoing) -> Result<Response<Body>, NotSent> {
        let mut headers = outgoing.headers.clone();
        self.authorize(&mut headers, outgoing).ok_or(NotSent::NotProven)?;
        let request = self.http.request(outgoing.method.clone(), outgoing.url.clone());
        let request = match &outgoing.body {
            Sent::Nothing => request,
            Sent::Whole(bytes) => request.body(bytes.clone()),
            Sent::Streamed(source) => request.body(Body::wrap(source.attempt().ok_or(NotSent::NonceWanted)?)),
        };
        let answer = request.headers(headers).send().await;
        let answer = answer.map_err(|error| NotSent::Unreachable(crate::http::cause(&error)))?;
        if let Some(nonce) = answer.headers().get(NONCE).and_then(|nonce| nonce.to_str().ok()) {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
        }
        Ok(answer.into())
    }

    fn authorize(&self, headers: &mut HeaderMap, outgoing: &Outgoing) -> Option<()> {
        let is_bearer = self.tokens.token_type.eq_ignore_ascii_case("Bearer");
        let scheme = if is_bearer { "Bearer" } else { "DPoP" };
        let token = &self.tokens.access_token;
        headers.insert(AUTHORIZATION, format!("{scheme} {token}").parse().ok()?);
        if !is_bearer {
            let call = Call {
                access_token: Some(token),
                ..Call::new(outgoing.method.clone(), &outgoing.url)
            };
            let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let at = (entropy::draw()?, self.clock.now());
            let proof = dpop::proof_at(&self.key, &call, nonce.as_deref(), &at)?;
            headers.insert("dpop", proof.parse().ok()?);
        }
        Some(())
    }
}

/// Of what a command sends: all that is not ours to say, or the connection's (RFC 9110 §7.6.1).
pub fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut headers = end_to_end(headers);
    for name in [AUTHORIZATION, COOKIE, HOST, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    for name in ["dpop", HEADER, "x-api-key", "forwarded", "x-real-ip"] {
        headers.remove(name);
    }
    // Where a request has come by is a proxy's to say.
    let told = |name: &&HeaderName| name.as_str().replace('_', "-").starts_with("x-forwarded-");
    for name in headers.keys().filter(told).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    headers
}

/// A cookie would be a token beside the one that is kept from the command.
fn cleaned(answer: Response<Body>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    parts.headers = end_to_end(&parts.headers);
    parts.headers.remove(SET_COOKIE);
    parts.headers.remove(NONCE);
    // What we refuse is told from what the resource does by this.
    parts.headers.remove(HEADER);
    Response::from_parts(parts, body)
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let named = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    for name in named.flat_map(|line| line.split(',')) {
        if let Ok(name) = name.trim().parse::<HeaderName>() {
            kept.remove(name);
        }
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        kept.remove(name);
    }
    for name in [
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
    ] {
        kept.remove(name);
    }
    kept
}

impl NotSent {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Ended => StatusCode::UNAUTHORIZED,
            Self::NotProven => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NonceWanted => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable(_) => StatusCode::BAD_GATEWAY,
        }
    }

    pub fn error(&self) -> &'static str {
        match self {
            Self::Ended => "approval_ended",
            Self::NotProven => "not_proven",
            Self::NonceWanted => "send_again",
            Self::Unreachable(_) => "unreachable",
        }
    }

    pub fn sentence(&self) -> String {
        match self {
            Self::Ended => "What was approved has ended.".to_owned(),
            Self::NotProven => "No proof could be signed.".to_owned(),
            Self::NonceWanted => "The resource wanted a nonce when the body had gone by. Send it again.".to_owned(),
            Self::Unreachable(why) => format!("The resource cannot be reached: {why}"),
        }
    }
}
