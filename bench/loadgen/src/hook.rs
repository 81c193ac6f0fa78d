//! The approve hook: requests, from a file, that approve one user code. README.md describes the file.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HOST, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::args::{Args, must_be_loopback, pair};
use crate::bench::{DeviceAnswer, encoded};
use crate::connection::{Answer, Connection};

type Variables = BTreeMap<String, String>;

pub struct Hook {
    steps: Vec<Step>,
    variables: Variables,
    addr: String,
    host: HeaderValue,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default = "post")]
    method: String,
    /// host:port when it differs from --addr
    addr: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// Accepted status codes; without any, success.
    #[serde(default)]
    expect: Vec<u16>,
    /// Text the body must hold.
    #[serde(default)]
    contains: String,
    #[serde(default)]
    extract: Vec<Extract>,
}

#[derive(Deserialize)]
struct Extract {
    var: String,
    /// `body` (also when missing) or `header:NAME`
    #[serde(default)]
    from: String,
    after: String,
    /// Empty: to the end of the body or header.
    #[serde(default)]
    before: String,
}

fn post() -> String {
    "POST".into()
}

impl Hook {
    pub fn new(args: &Args) -> Self {
        let steps: Vec<Step> = args.approve.as_ref().map_or_else(Vec::new, |file| {
            serde_json::from_str(&fs::read_to_string(file).expect("approve hook file")).expect("approve hook JSON")
        });
        for addr in steps.iter().filter_map(|step| step.addr.as_ref()) {
            must_be_loopback(addr);
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut variables: Variables = args.var.iter().map(|text| owned(pair(text))).collect();
        variables.insert("client_id".into(), args.client_id.clone());
        Self {
            steps,
            variables,
            addr: args.addr.clone(),
            host: HeaderValue::from_str(args.host.as_ref().unwrap_or(&args.addr)).unwrap(),
        }
    }

    /// `connections`: by address, kept from one approval to the next.
    pub async fn approve(
        &self,
        connections: &mut BTreeMap<String, Connection>,
        device: &DeviceAnswer,
    ) -> Result<(), String> {
        let mut variables = self.variables.clone();
        variables.insert("user_code".into(), device.user_code.clone());
        variables.insert("user_code_enc".into(), encoded(&device.user_code));
        variables.insert("device_code".into(), device.device_code.clone());
        let complete = device.verification_uri_complete.clone();
        variables.extend(complete.map(|complete| ("verification_uri_complete".into(), complete)));
        for (number, step) in self.steps.iter().enumerate() {
            let failed = |why: String| format!("approve[{number}]: {why}");
            let addr = step.addr.as_ref().unwrap_or(&self.addr);
            let connection = connections.entry(addr.clone()).or_insert_with(|| Connection::new(addr));
            let request = step.request(&self.host, &variables).map_err(failed)?;
            let answer = connection.send(request).await.map_err(failed)?;
            step.check(&answer).map_err(failed)?;
            for extract in &step.extract {
                let value = extract
                    .of(&answer)
                    .ok_or_else(|| failed(format!("cannot extract {}", extract.var)))?;
                variables.insert(extract.var.clone(), value);
            }
        }
        Ok(())
    }
}

impl Step {
    fn request(&self, host: &HeaderValue, variables: &Variables) -> Result<Request<Full<Bytes>>, String> {
        let mut builder = Request::builder()
            .method(self.method.as_str())
            .uri(filled(&self.path, variables))
            .header(HOST, host);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            builder = builder.header(name, filled(value, variables));
        }
        builder
            .body(Full::new(filled(&self.body, variables).into()))
            .map_err(|error| error.to_string())
    }

    fn check(&self, answer: &Answer) -> Result<(), String> {
        let is_expected = if self.expect.is_empty() {
            (200..300).contains(&answer.status)
        } else {
            self.expect.contains(&answer.status)
        };
        if is_expected && String::from_utf8_lossy(&answer.body).contains(&self.contains) {
            return Ok(());
        }
        Err(format!("status {}: {}", answer.status, answer.excerpt()))
    }
}

impl Extract {
    fn of(&self, answer: &Answer) -> Option<String> {
        let text = match self.from.strip_prefix("header:") {
            Some(name) => {
                let lines = answer.headers.get_all(name).iter();
                lines
                    .filter_map(|line| line.to_str().ok())
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            None => String::from_utf8_lossy(&answer.body).into_owned(),
        };
        let (_, rest) = text.split_once(&self.after)?;
        match self.before.as_str() {
            "" => Some(rest.to_owned()),
            before => rest.split_once(before).map(|(value, _)| value.to_owned()),
        }
    }
}

/// `{{name}}` replaced; by nothing where there is none of the name.
fn filled(text: &str, variables: &Variables) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        filled.push_str(before);
        filled.push_str(variables.get(name.trim()).map_or("", String::as_str));
        rest = after;
    }
    filled + rest
}
