//! Calls that prove possession of a key (RFC 9449), with the nonce kept as the server wants it.

use std::borrow::Cow;
use std::path::Path;

use http::Method;
use protocol::base64url;
use protocol::posture::PARAMETER;
use protocol::secret::Entropy;
use protocol::time::Timestamp;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::files;
use crate::http::{Answer, Http, Unanswered};
use crate::io::Io;
use crate::keys::{Key, Proof};
use crate::machine;

/// One key talking to one server in one role. RFC 9449 §9: nonces of an authorization server and of a
/// resource server are not the same, so each gets a `Caller` of its own.
pub struct Caller<'a> {
    http: &'a Http,
    key: &'a Key,
    nonce: Option<String>,
    /// The server, where it is called as one of its clients.
    issuer: Option<&'a str>,
    /// To authenticate as that client with the same key; not known before the first answer.
    authenticates: Option<bool>,
    /// The server has asked for the posture of this machine.
    states_posture: bool,
    /// Where a device management keeps its word on it.
    posture_jwt: Option<&'a Path>,
    /// As in [`Call`], with every form.
    attestation: Option<&'a str>,
    /// How many seconds an answer may be held until there is something to say (RFC 7240 §4.3).
    pub prefers_to_wait: Option<i64>,
}

pub enum Body<'a> {
    None,
    Form(&'a [(&'a str, &'a str)]),
    Json(&'a Value),
    /// As it was typed, with its media type.
    Text(&'a str, &'a str),
}

pub struct Call<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub body: Body<'a>,
    pub access_token: Option<&'a str>,
    /// What kind of token it is: `DPoP` or `Bearer`.
    pub scheme: &'a str,
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
            scheme: "DPoP",
            attestation: None,
        }
    }
}

impl<'a> Caller<'a> {
    pub fn new(http: &'a Http, key: &'a Key) -> Self {
        Self {
            http,
            key,
            nonce: None,
            issuer: None,
            authenticates: None,
            states_posture: false,
            posture_jwt: None,
            attestation: None,
            prefers_to_wait: None,
        }
    }

    /// For calls of a client: some authenticate with the key of their enrolled instance (RFC 7523 §2.2). Which
    /// ones do, only their server knows.
    pub fn of_client(http: &'a Http, key: &'a Key, issuer: &'a str) -> Self {
        Self {
            issuer: Some(issuer),
            ..Self::new(http, key)
        }
    }

    /// The posture of this machine is then a device management's word, where it is asked for.
    pub fn with_posture(self, posture_jwt: Option<&'a Path>) -> Self {
        Self { posture_jwt, ..self }
    }

    pub fn with_attestation(self, attestation: Option<&'a str>) -> Self {
        Self { attestation, ..self }
    }

    /// What is wanted beside it and can be brought without a person goes along, then and from then on.
    pub async fn form(&mut self, io: &mut Io, url: &Url, form: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        let answer = self.stated_form(io, url, form).await?;
        let needs = answer.error().and_then(|body| body.needs);
        if self.states_posture || needs.as_deref() != Some(PARAMETER) {
            return Ok(answer);
        }
        self.states_posture = true;
        self.stated_form(io, url, form).await
    }

    async fn stated_form(&mut self, io: &mut Io, url: &Url, form: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        if !self.states_posture {
            return self.authenticated_form(io, url, form).await;
        }
        let posture = match (self.posture_jwt, self.issuer) {
            (Some(file), _) => files::text_of(file).map_err(|failure| Unanswered::NotStated(failure.what))?,
            (None, Some(issuer)) => machine::posture(io, self.key, issuer).ok_or(Unanswered::NotProven)?,
            (None, None) => return Err(Unanswered::NotProven),
        };
        let mut form = form.to_vec();
        form.push((PARAMETER, posture.trim()));
        self.authenticated_form(io, url, &form).await
    }

    async fn authenticated_form(
        &mut self,
        io: &mut Io,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<Answer, Unanswered> {
        if self.authenticates != Some(true) {
            let answer = self.plain_form(io, url, form).await?;
            let is_wanted = answer.error().is_some_and(|body| body.error == "invalid_client");
            if !is_wanted || self.issuer.is_none() || self.authenticates.is_some() {
                // A client that was let in without authenticates never.
                self.authenticates = Some(false);
                return Ok(answer);
            }
        }
        let Some(assertion) = self.client_assertion(io, form) else {
            return Err(Unanswered::NotProven);
        };
        let mut form = form.to_vec();
        form.extend([
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion.as_str()),
        ]);
        let answer = self.plain_form(io, url, &form).await?;
        if answer.error().is_none_or(|body| body.error != "invalid_client") {
            self.authenticates = Some(true);
        }
        Ok(answer)
    }

    /// RFC 7523 §3, with the audience of RFC 10070.
    fn client_assertion(&self, io: &mut Io, form: &[(&str, &str)]) -> Option<String> {
        const LIFETIME: i64 = 60;
        let (_, client_id) = form.iter().find(|(name, _)| *name == "client_id")?;
        let now = io.now().seconds();
        let header = json!({"typ": "client-authentication+jwt", "alg": "ES256", "kid": self.key.thumbprint()});
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": self.issuer?, "iat": now, "exp": now + LIFETIME,
            "jti": base64url::encode(&io.draw().ok()?.0)
        });
        self.key.jwt(&header, &claims)
    }

    async fn plain_form(&mut self, io: &mut Io, url: &Url, form: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        let call = Call {
            body: Body::Form(form),
            attestation: self.attestation,
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
        if let Some(seconds) = self.prefers_to_wait {
            request = request.header("Prefer", format!("wait={seconds}"));
        }
        if let Some(token) = call.access_token {
            request = request.header("Authorization", format!("{} {token}", call.scheme));
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
            Body::Text(media_type, text) => request.header("Content-Type", media_type).body(text.to_owned()),
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
    let at = (io.draw().ok()?, io.now());
    proof_at(key, call, nonce, &at)
}

/// With its `jti` and its time.
pub fn proof_at(key: &Key, call: &Call<'_>, nonce: Option<&str>, (jti, now): &(Entropy, Timestamp)) -> Option<String> {
    key.proof(&Proof {
        method: call.method.as_str(),
        url: &htu(call.url),
        nonce,
        access_token: call.access_token,
        jti,
        now: *now,
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
