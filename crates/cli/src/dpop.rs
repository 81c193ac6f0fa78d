//! Calls that prove possession of a key (RFC 9449), with the nonce kept as the server wants it.

use std::borrow::Cow;

use http::Method;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::http::{Answer, Http, Unanswered};
use crate::io::Io;
use crate::keys::{Key, Proof};

/// One key talking to one server in one role. RFC 9449 §9: nonces of an authorization server and of a
/// resource server are not the same, so each gets a `Caller` of its own.
pub struct Caller<'a> {
    http: &'a Http,
    key: &'a Key,
    nonce: Option<String>,
}

pub enum Body<'a> {
    None,
    Form(&'a [(&'a str, &'a str)]),
    Json(&'a Value),
}

pub struct Call<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub body: Body<'a>,
    pub access_token: Option<&'a str>,
    /// A client attestation, whose proof is the DPoP proof beside it.
    pub attestation: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub fn new(method: Method, url: &'a Url) -> Self {
        Self {
            method,
            url,
            body: Body::None,
            access_token: None,
            attestation: None,
        }
    }
}

impl<'a> Caller<'a> {
    pub fn new(http: &'a Http, key: &'a Key) -> Self {
        Self { http, key, nonce: None }
    }

    pub async fn form(&mut self, io: &mut Io, url: &Url, form: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        let call = Call {
            body: Body::Form(form),
            ..Call::new(Method::POST, url)
        };
        self.call(io, &call).await
    }

    pub async fn json(&mut self, io: &mut Io, url: &Url, body: &Value) -> Result<Answer, Unanswered> {
        let call = Call {
            body: Body::Json(body),
            ..Call::new(Method::POST, url)
        };
        self.call(io, &call).await
    }

    /// The newest nonce of this server, for a proof that travels in a body.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Sends; when the server asks for a nonce, sends once more at once. That is the same request as
    /// far as polling is concerned (design decision G3).
    pub async fn call(&mut self, io: &mut Io, call: &Call<'_>) -> Result<Answer, Unanswered> {
        let answer = self.send(io, call).await?;
        if answer.wants_nonce() && answer.dpop_nonce.is_some() {
            return self.send(io, call).await;
        }
        Ok(answer)
    }

    async fn send(&mut self, io: &mut Io, call: &Call<'_>) -> Result<Answer, Unanswered> {
        let proof = proof(io, self.key, call, self.nonce.as_deref()).ok_or(Unanswered::NotProven)?;
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .header("DPoP", proof);
        request = request.header("Accept", "application/json");
        if let Some(token) = call.access_token {
            request = request.header("Authorization", format!("DPoP {token}"));
        }
        if let Some(attestation) = call.attestation {
            request = request.header("OAuth-Client-Attestation", attestation);
        }
        request = match call.body {
            Body::None => request,
            Body::Form(form) => request
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(Serializer::new(String::new()).extend_pairs(form).finish()),
            Body::Json(value) => request.json(value),
        };
        let answer = self.http.send(&*io.clock, request).await?;
        // RFC 9449 §8.2: the newest nonce counts, whatever answer brought it.
        if answer.dpop_nonce.is_some() {
            self.nonce.clone_from(&answer.dpop_nonce);
        }
        Ok(answer)
    }
}

pub fn proof(io: &mut Io, key: &Key, call: &Call<'_>, nonce: Option<&str>) -> Option<String> {
    let jti = io.draw().ok()?;
    key.proof(&Proof {
        method: call.method.as_str(),
        url: &htu(call.url),
        nonce,
        access_token: call.access_token,
        jti: &jti,
        now: io.now(),
    })
}

/// RFC 9449 §4.2: "without query and fragment parts".
fn htu(url: &Url) -> Cow<'_, str> {
    if url.query().is_none() && url.fragment().is_none() {
        return Cow::Borrowed(url.as_str());
    }
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    Cow::Owned(bare.into())
}
