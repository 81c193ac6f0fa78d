//! A person with a passkey at the pages of Waypass: enrolls once, and for each code signs in, looks, approves.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderValue, SET_COOKIE};
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::bench::{Bench, FORM, form};
use crate::connection::{Answer, Connection};
use crate::passkey::Passkey;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub struct Person {
    passkey: Passkey,
    connection: Connection,
    host: HeaderValue,
    cookie: Option<HeaderValue>,
}

/// A page that asks for a decision.
struct Asking {
    path: String,
    html: String,
}

impl Person {
    pub async fn enrolled(bench: &Bench, link: &str) -> Result<Self, String> {
        let host = bench.host.to_str().map_err(|error| error.to_string())?;
        let mut person = Self {
            passkey: Passkey::new(&format!("http://{host}")),
            connection: Connection::new(&bench.args.addr),
            host: bench.host.clone(),
            cookie: None,
        };
        let (_, token) = link.trim().split_once('#').ok_or("no token in the link")?;
        let started = person
            .call("/enroll/start", &json!({ "enrollment_token": token }))
            .await?;
        let credential = person.passkey.create(&started["options"]);
        let finish = json!({ "ceremony": started["ceremony"], "enrollment_token": token, "credential": credential });
        person.call("/enroll/finish", &finish).await?;
        Ok(person)
    }

    /// Returns when the decision was sent.
    pub async fn decide(&mut self, bench: &Bench, user_code: &str) -> Result<Instant, String> {
        let begun = Instant::now();
        let asking = self.view(user_code).await?;
        let viewed = Instant::now();
        bench.took("view", viewed - begun);
        self.approve(&asking).await?;
        bench.took("approve", viewed.elapsed());
        Ok(viewed)
    }

    /// Two requests.
    pub async fn sign_in(&mut self, bench: &Bench) -> Result<(), String> {
        let begun = Instant::now();
        let started = self.call("/sign-in/start", &json!({})).await?;
        let credential = self.passkey.get(&started["options"]);
        let finish = json!({ "ceremony": started["ceremony"], "next": "/device", "credential": credential });
        self.call("/sign-in/finish", &finish).await?;
        bench.took("sign_in", begun.elapsed());
        Ok(())
    }

    /// Three: the page with the field, the code, the page that asks.
    async fn view(&mut self, user_code: &str) -> Result<Asking, String> {
        let typing = self.get("/device").await?;
        let csrf = field(&typing, "csrf").ok_or("no csrf")?;
        let typed = form(&[("csrf", &csrf), ("user_code", user_code)]);
        let path = self.post("/device", typed).await?;
        let html = self.get(&path).await?;
        Ok(Asking { path, html })
    }

    /// One: the decision that the page shows, signed.
    async fn approve(&mut self, asking: &Asking) -> Result<(), String> {
        let options = value_behind(&asking.html, "data-options=\"").ok_or("nothing to sign")?;
        let options: Value = serde_json::from_str(&options).map_err(|error| format!("options: {error}"))?;
        let credential = self.passkey.get(&options).to_string();
        let csrf = field(&asking.html, "csrf").ok_or("no csrf")?;
        let granted = field(&asking.html, "granted");
        let mut pairs = vec![("csrf", &*csrf), ("credential", &*credential)];
        pairs.extend(granted.as_deref().map(|granted| ("granted", granted)));
        self.post(&format!("{}/approve", asking.path), form(&pairs))
            .await
            .map(|_| ())
    }

    async fn call(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.send(Method::POST, path, JSON, body.to_string()).await?;
        if answer.status != 200 {
            return Err(format!("{path}: status {}: {}", answer.status, answer.excerpt()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| format!("{path}: {error}"))
    }

    async fn get(&mut self, path: &str) -> Result<String, String> {
        let answer = self.send(Method::GET, path, FORM, String::new()).await?;
        if answer.status != 200 {
            return Err(format!("GET: status {}: {}", answer.status, answer.excerpt()));
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Where the answer leads.
    async fn post(&mut self, path: &str, form: String) -> Result<String, String> {
        let answer = self.send(Method::POST, path, FORM, form).await?;
        let location = answer
            .headers
            .get("location")
            .and_then(|location| location.to_str().ok());
        match location {
            Some(location) if answer.status == 303 => Ok(location.to_owned()),
            _ => Err(format!("POST: status {}: {}", answer.status, answer.excerpt())),
        }
    }

    async fn send(&mut self, method: Method, path: &str, kind: HeaderValue, body: String) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, kind)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| format!("{path}: {error}"))?;
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        let answer = self.connection.send(request).await?;
        let set = answer
            .headers
            .get(SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        if let Some(pair) = set {
            self.cookie = HeaderValue::from_str(pair).ok();
        }
        Ok(answer)
    }
}

/// The value of a hidden field.
fn field(html: &str, name: &str) -> Option<String> {
    value_behind(html, &format!("name=\"{name}\" value=\""))
}

fn value_behind(html: &str, before: &str) -> Option<String> {
    let (_, rest) = html.split_once(before)?;
    let (value, _) = rest.split_once('"')?;
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    [
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
