//! HTTP as a stranger speaks it: no redirects followed, the answer read whole, and raw bytes where a
//! library would put them right.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::tls_roots;

/// Above every hold, below every test's patience.
const DEADLINE: Duration = Duration::from_mins(1);

/// Well below the time after which the server closes a connection that says nothing: one that is taken
/// from the pool in the very moment it is closed fails a test that has nothing to do with it.
const IDLE: Duration = Duration::from_secs(3);

pub static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_merge(tls_roots())
        .timeout(DEADLINE)
        .pool_idle_timeout(IDLE)
        .build()
        .unwrap()
});

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    /// The header's value, when it stands there exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        values.next().is_none().then(|| first.to_str().unwrap())
    }

    /// RFC 9110 §11.6.1: one challenge or several, in one header or several.
    pub fn challenges(&self) -> String {
        let values = self.headers.get_all("www-authenticate").iter();
        values
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// RFC 6749 §5.2's `error`, or the whole answer so that a failing comparison tells what came instead.
    pub fn error(&self) -> String {
        let body: Option<Value> = serde_json::from_str(&self.body).ok();
        let error = body.and_then(|body| body["error"].as_str().map(str::to_owned));
        error.unwrap_or_else(|| format!("no error, but {} {}", self.status, self.body))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Fails unless this is the refusal `error`, complete as RFC 6749 §5.2 wants it.
    #[track_caller]
    pub fn refused(&self, error: &str) {
        assert_eq!(self.error(), error, "{self:?}");
        assert!((400..500).contains(&self.status), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert!(
            self.header("content-type")
                .is_some_and(|value| value.starts_with("application/json")),
            "{self:?}"
        );
        assert_eq!(self.status == 401, !self.challenges().is_empty(), "{self:?}");
        let description = self.json()["error_description"].as_str().unwrap_or_default().to_owned();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(allowed), "B05: {description:?}");
    }
}

/// `application/x-www-form-urlencoded`.
pub fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

pub fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!(
        "Basic {}",
        base64::prelude::BASE64_STANDARD.encode(format!("{id}:{secret}"))
    )
}

/// Sends bytes as they are and reads until the other side closes or the deadline passes.
pub async fn raw(port: u16, request: &[u8], within: Duration) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // The server may refuse, and close, before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(within, stream.read_to_end(&mut answer)).await;
    read.is_ok().then(|| String::from_utf8_lossy(&answer).into_owned())
}
