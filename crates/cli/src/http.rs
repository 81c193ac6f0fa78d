//! HTTP as the command line speaks it: no redirects, a deadline on everything, one bounded answer.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use protocol::time::Lifetime;
use protocol::wire::ErrorBody;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::client_certificate::ClientCertificate;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::settings::Profile;

/// No answer of ours is near it; a server that sends more wants to fill our memory.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// Of our own server, asked for its record.
const LARGEST_LOCAL_ANSWER: usize = 32 * 1024 * 1024;
const PATIENCE: Lifetime = Lifetime::from_seconds(30);

pub struct Http {
    client: Client,
    largest: usize,
    /// It shows one where it is asked.
    pub has_certificate: bool,
}

pub struct Answer {
    pub status: u16,
    /// RFC 9449 §8.
    pub dpop_nonce: Option<String>,
    /// The server waited with this answer, as was preferred (RFC 7240 §3).
    pub was_held: bool,
    /// `WWW-Authenticate`, once a line.
    pub challenges: Vec<String>,
    body: Vec<u8>,
}

/// Why there is no answer. What was asked may have taken effect all the same.
#[derive(Debug)]
pub enum Unanswered {
    TimedOut,
    Unreachable(String),
    TooLarge,
    /// Nothing was sent: no proof could be made.
    NotProven,
    /// The posture that was asked for is in no file.
    NotStated(String),
}

impl Http {
    /// For the server at `url`. Certificate authorities are those of `--ca-file`, else of
    /// `SSL_CERT_FILE`, else the system's.
    pub fn for_server(io: &Io, url: &Url, ca_file: Option<&Path>) -> Result<Self, Failure> {
        Self::with(io, url, ca_file, None)
    }

    /// With the authorities and the certificate that a profile has.
    pub fn for_profile(io: &Io, url: &Url, profile: Option<&Profile>) -> Result<Self, Failure> {
        let ca_file = profile.and_then(|profile| profile.ca_file.as_deref());
        let certificate = profile.and_then(|profile| profile.certificate.as_ref());
        Self::with(io, url, ca_file, certificate)
    }

    fn with(
        io: &Io,
        url: &Url,
        ca_file: Option<&Path>,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Self, Failure> {
        // The kind of system goes along, so that an approver can be told where a request comes from (X25).
        let user_agent = format!("waypass ({})", std::env::consts::OS);
        let mut builder = Client::builder().redirect(Policy::none()).user_agent(user_agent);
        if is_loopback(url) {
            // A proxy on another machine would ask its own loopback.
            builder = builder.no_proxy();
        }
        let of_environment = || {
            (io.environment)("SSL_CERT_FILE")
                .filter(|file| !file.is_empty())
                .map(PathBuf::from)
        };
        let ca_file = ca_file.map(PathBuf::from).or_else(of_environment);
        if let Some(file) = ca_file {
            builder = builder.tls_certs_only(certificates(&file)?);
        } else if url.scheme() == "http" {
            // Not even loaded: a container without any can still talk to its own loopback.
            builder = builder.tls_certs_only([]);
        }
        if let Some(certificate) = certificate {
            builder = builder.identity(certificate.identity()?);
        }
        let client = builder.build().map_err(|error| {
            Failure::failed(format!("TLS cannot be set up: {}", cause(&error)))
                .hint("name the certificate authorities to trust with --ca-file or SSL_CERT_FILE")
        })?;
        Ok(Self {
            client,
            largest: LARGEST_ANSWER,
            has_certificate: certificate.is_some(),
        })
    }

    pub fn for_socket(path: &Path) -> Result<Self, Failure> {
        let builder = Client::builder()
            .redirect(Policy::none())
            .tls_certs_only([])
            .unix_socket(path);
        let client = builder.build().map_err(|error| Failure::failed(cause(&error)))?;
        Ok(Self {
            client,
            largest: LARGEST_LOCAL_ANSWER,
            has_certificate: false,
        })
    }

    pub fn request(&self, method: http::Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    pub async fn send(&self, clock: &dyn Clock, request: RequestBuilder) -> Result<Answer, Unanswered> {
        tokio::select! {
            answer = exchange(request, self.largest) => answer,
            () = clock.deadline(PATIENCE) => Err(Unanswered::TimedOut),
        }
    }
}

async fn exchange(request: RequestBuilder, largest: usize) -> Result<Answer, Unanswered> {
    let mut response = request
        .send()
        .await
        .map_err(|error| Unanswered::Unreachable(cause(&error)))?;
    let status = response.status().as_u16();
    let dpop_nonce = header(&response, "dpop-nonce");
    let was_held = header(&response, "preference-applied").is_some_and(|applied| applied.contains("wait="));
    let challenges = response.headers().get_all("www-authenticate").iter();
    let challenges = challenges
        .filter_map(|line| line.to_str().ok().map(str::to_owned))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Unanswered::Unreachable(cause(&error)))?
    {
        if body.len() + chunk.len() > largest {
            return Err(Unanswered::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        dpop_nonce,
        was_held,
        challenges,
        body,
    })
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

pub fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let unusable = |why: String| Failure::usage(format!("no certificates in {}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(cause(&error)))?;
    if certificates.is_empty() {
        return Err(unusable("it holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

/// The innermost reason: "Connection refused" and not "error sending request".
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl Answer {
    pub fn is_success(&self) -> bool {
        matches!(self.status, 200..=202)
    }

    /// It may be asked again later.
    pub fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 502..=504)
    }

    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The error in the form of RFC 6749 §5.2, if the body has one.
    pub fn error(&self) -> Option<ErrorBody> {
        self.json()
    }

    /// RFC 9449 §8 (authorization servers) and §9 (resource servers).
    pub fn wants_nonce(&self) -> bool {
        let in_body = || self.error().is_some_and(|body| body.error == "use_dpop_nonce");
        let in_challenge = || self.challenges.iter().any(|text| text.contains("use_dpop_nonce"));
        matches!(self.status, 400 | 401) && (in_body() || in_challenge())
    }

    /// A failure for an answer that is no success.
    pub fn failure(&self, what: &str) -> Failure {
        match self.error() {
            Some(body) if self.status < 500 => Failure::refusal(what, &body),
            Some(body) => {
                let why = body.error_description.as_deref().unwrap_or(&body.error);
                let reference = body
                    .reference
                    .map(|number| format!(" (reference {number})"))
                    .unwrap_or_default();
                Failure::new(
                    Exit::Failed,
                    &body.error,
                    format!("{what}: the server failed: {why}{reference}"),
                )
            }
            None => Failure::failed(format!("{what}: the server answered {} and no reason", self.status)),
        }
    }

    pub fn unreadable(&self, what: &str) -> Failure {
        Failure::failed(format!(
            "{what}: the server answered {} with something else than expected",
            self.status
        ))
        .hint("is this the address of an authorization server, and is it up to date?")
    }
}

impl Unanswered {
    pub fn failure(&self, url: &Url) -> Failure {
        let origin = url.origin().ascii_serialization();
        match self {
            Self::TimedOut => Failure::unreachable(format!("{origin} does not answer")),
            Self::Unreachable(why) => {
                let failure = Failure::unreachable(format!("{origin} cannot be reached: {why}"));
                if why.contains("certificate") || why.contains("UnknownIssuer") {
                    failure.hint("a private certificate authority can be named with --ca-file")
                } else {
                    failure.hint("check the address and that the server is running")
                }
            }
            Self::TooLarge => Failure::failed(format!("{origin} sent more than 1 MiB")),
            Self::NotProven => Failure::failed("no proof could be signed"),
            Self::NotStated(why) => Failure::failed(format!("the posture of this machine cannot be read: {why}")),
        }
    }
}

/// RFC 9449 §9, of a resource's answer whose body is not read.
pub fn challenge_of_nonce<B>(answer: &http::Response<B>) -> bool {
    let challenges = answer.headers().get_all("www-authenticate").iter();
    let mut told = challenges.filter_map(|line| line.to_str().ok());
    answer.status() == 401
        && answer.headers().contains_key("dpop-nonce")
        && told.any(|line| line.contains("use_dpop_nonce"))
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Codes and tokens travel encrypted, or not beyond this machine.
pub fn is_safe_address(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_no_further_than_this_machine() {
        for (url, safe) in [
            ("https://as.example", true),
            ("http://localhost:8628", true),
            ("http://as.localhost", false),
            ("http://127.0.0.9", true),
            ("http://[::1]:1", true),
            ("http://as.example", false),
            ("http://localhost.example", false),
            ("http://128.0.0.1", false),
            ("ftp://localhost", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_safe_address(&Url::parse(url).unwrap()), safe, "{url}");
        }
    }
}
