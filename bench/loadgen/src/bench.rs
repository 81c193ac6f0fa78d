//! What all connections share, and the two requests of RFC 8628: §3.1 and §3.4.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request};
use serde::Deserialize;

use crate::args::{Args, must_be_loopback, pair};
use crate::connection::{Answer, Connection};
use crate::dpop::Prover;
use crate::hook::Hook;
use crate::tally::Tally;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

pub struct Bench {
    pub args: Args,
    pub host: HeaderValue,
    prover: Option<Prover>,
    headers: Vec<(HeaderName, HeaderValue)>,
    device_form: Bytes,
    /// All but the device code.
    token_form: String,
    pub hook: Hook,
    pub tally: RefCell<Tally>,
    pub is_measuring: Cell<bool>,
    pub is_over: Cell<bool>,
    /// Requests or flows, with the warm-up.
    pub count: Cell<u64>,
}

#[derive(Deserialize)]
pub struct DeviceAnswer {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri_complete: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    error: Option<String>,
    access_token: Option<String>,
}

impl Bench {
    pub fn new(args: Args) -> Self {
        must_be_loopback(&args.addr);
        let host = args.host.as_ref().unwrap_or(&args.addr);
        let mut device = vec![("client_id", &*args.client_id)];
        device.extend(args.client_secret.iter().map(|secret| ("client_secret", &**secret)));
        let mut token = device.clone();
        device.extend(args.scope.iter().map(|scope| ("scope", &**scope)));
        device.extend(args.device_field.iter().map(|field| pair(field)));
        token.extend(args.token_field.iter().map(|field| pair(field)));
        token.push(("grant_type", GRANT));
        let header = |text: &String| {
            let (name, value) = text.split_once(':').expect("Name: value");
            (
                HeaderName::from_bytes(name.trim().as_bytes()).unwrap(),
                HeaderValue::from_str(value.trim()).unwrap(),
            )
        };
        Self {
            host: HeaderValue::from_str(host).unwrap(),
            prover: args.dpop.then(|| Prover::new(host)),
            headers: args.header.iter().map(header).collect(),
            device_form: form(&device).into(),
            token_form: form(&token),
            hook: Hook::new(&args),
            tally: RefCell::default(),
            is_measuring: Cell::new(false),
            is_over: Cell::new(false),
            count: Cell::new(0),
            args,
        }
    }

    pub fn took(&self, name: &'static str, duration: Duration) {
        if self.is_measuring.get() {
            self.tally.borrow_mut().took(name, duration);
        }
    }

    pub fn outcome(&self, name: &str) {
        if self.is_measuring.get() {
            self.tally.borrow_mut().outcome(name);
        }
    }

    pub async fn issue(&self, connection: &mut Connection) -> Result<DeviceAnswer, String> {
        let answer = self
            .post(connection, &self.args.device_path, self.device_form.clone())
            .await?;
        if answer.status != 200 {
            return Err(format!("issue: status {}: {}", answer.status, answer.excerpt()));
        }
        self.tally.borrow_mut().sample("issue", || answer.excerpt());
        serde_json::from_slice(&answer.body).map_err(|error| format!("issue: bad JSON: {error}"))
    }

    /// One poll: the error code of its answer, or `token`.
    pub async fn poll(&self, connection: &mut Connection, code: &str) -> Result<String, String> {
        let form = format!("{}&device_code={}", self.token_form, encoded(code));
        let answer = self.post(connection, &self.args.token_path, form.into()).await?;
        let status = answer.status;
        let body: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| format!("poll: status {status}: not JSON: {}", answer.excerpt()))?;
        match (body.error, body.access_token) {
            // RFC 6749 §5.2 asks for 400; some servers differ: the status stays visible.
            (Some(error), _) if status == 400 => Ok(error),
            (Some(error), _) => Ok(format!("{error}({status})")),
            (None, Some(_)) if status == 200 => Ok("token".into()),
            _ => Err(format!("poll: status {status}: neither error nor token")),
        }
    }

    async fn post(&self, connection: &mut Connection, path: &str, form: Bytes) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .body(Full::new(form))
            .unwrap();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, FORM);
        headers.extend(self.headers.iter().cloned());
        if let Some(prover) = &self.prover {
            headers.insert("dpop", prover.proof(path));
        }
        let answer = connection.send(request).await?;
        if let Some(prover) = &self.prover {
            prover.saw(&answer.headers);
        }
        Ok(answer)
    }
}

pub fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
