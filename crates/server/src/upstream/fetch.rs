//! HTTP to the upstream provider: no redirects, a deadline, one bounded answer. What it answers is an
//! outsider's text and reaches no log.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, DiscoveryError, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use store::Fault;

use crate::config::is_protected;

/// Metadata and key sets have a few thousand bytes; a provider that sends more wants to fill our memory.
const LARGEST_ANSWER: usize = 256 * 1024;
/// Shorter than what a browser waits for us.
const PATIENCE: Duration = Duration::from_secs(8);

pub struct Http {
    client: reqwest::Client,
    /// The provider is on this machine, in the clear; else nothing it names may be.
    is_loopback: bool,
}

#[derive(Debug)]
pub enum Unanswered {
    Unreachable(reqwest::Error),
    TooLarge,
    Malformed,
    NotProtected,
}

impl Http {
    /// HTTP/1.1: the frames of HTTP/2 are logged with what is in them, where everything is.
    pub fn new(is_loopback: bool) -> Result<Self, Fault> {
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .http1_only()
            .user_agent("waypass");
        if is_loopback {
            // A proxy on another machine would ask its own loopback; and no authorities are needed here.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        let client = builder.build();
        Ok(Self {
            is_loopback,
            client: client.map_err(|error| Fault::broken("TLS cannot be set up").because(error))?,
        })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let request: reqwest::Request = request.try_into().map_err(Unanswered::Unreachable)?;
        // The provider's own metadata says where its keys are: not in the clear.
        if !is_protected(request.url()) || (request.url().scheme() == "http" && !self.is_loopback) {
            return Err(Unanswered::NotProtected);
        }
        let mut response = self.client.execute(request).await.map_err(Unanswered::Unreachable)?;
        let mut answer = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Unanswered::Unreachable)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Unanswered::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        answer.body(body).map_err(|_| Unanswered::Malformed)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Unanswered;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Unanswered>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// The address is the operator's own, but what stands behind it may carry a code: it is left out.
impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) if error.is_timeout() => f.write_str("no answer in time"),
            Self::Unreachable(_) => f.write_str("it cannot be reached"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Malformed => f.write_str("the answer is malformed"),
            Self::NotProtected => f.write_str("an address of it is not https"),
        }
    }
}

impl std::error::Error for Unanswered {}

/// Of what it sent instead nothing is told.
pub fn undiscovered(error: &DiscoveryError<Unanswered>) -> Fault {
    let why = match error {
        DiscoveryError::Request(unanswered) => unanswered.to_string(),
        DiscoveryError::Response(status, ..) => format!("its metadata or keys are answered with {status}"),
        DiscoveryError::Validation(_) => "it names another issuer".to_owned(),
        _ => "its metadata or keys are not understood".to_owned(),
    };
    Fault::busy(format!("the upstream provider cannot be used: {why}"))
}
