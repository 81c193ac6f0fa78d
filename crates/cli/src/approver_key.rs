//! An approver's software key: the file it lives in, and calls to the server that it signs.

use std::path::Path;

use protocol::base64url;
use protocol::wire::ErrorBody;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use crate::dpop::Caller;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::keys::{Key, PrivateJwk};
use crate::metadata::Issuer;

/// The file: a JWK with two members more. No `Debug`.
#[derive(Serialize, Deserialize)]
pub struct KeyFile {
    #[serde(flatten)]
    pub jwk: PrivateJwk,
    /// The approver's name, once the server has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// The approver's id, as it stands in what is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver_id: Option<String>,
    /// The issuer at which the key is registered.
    pub server: String,
}

impl KeyFile {
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let unusable = |why: &str| {
            Failure::usage(format!("the key file {} cannot be used: {why}", path.display()))
                .hint("waypass approver enroll LINK --key-file FILE makes one")
        };
        let text = files::read_private(path)
            .map_err(|error| unusable(&error.to_string()))?
            .map(Zeroizing::new)
            .ok_or_else(|| unusable("it is not there"))?;
        // Without serde's words: they could quote the key.
        serde_json::from_str(&text).map_err(|_| unusable("it holds no software key"))
    }

    pub fn key(&self) -> Result<Key, Failure> {
        Key::from_jwk(&self.jwk).ok_or_else(|| Failure::usage("the key file holds no usable P-256 key"))
    }

    pub fn to_text(&self) -> Result<Zeroizing<String>, Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::failed(error.to_string()))?;
        Ok(Zeroizing::new(text + "\n"))
    }

    /// The file with what the server has told, in place of the file without. One step.
    pub fn replace(&self, path: &Path) -> Result<(), Failure> {
        files::replace(path, self.to_text()?.as_bytes())
            .map_err(|error| Failure::failed(format!("{} cannot be completed: {error}", path.display())))
    }

    /// A key is registered at one server; another one would only learn that it exists.
    pub fn must_be_for(&self, issuer: &Issuer) -> Result<(), Failure> {
        if self.server.trim_end_matches('/') == issuer.as_str().trim_end_matches('/') {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "this key is registered at {}, not at {}",
            self.server,
            issuer.as_str()
        ))
        .hint(format!("use --server {}", self.server)))
    }
}

/// A person says on the consumption device that this key asks for them, before there is a code (RFC 10027 §6.1.15).
pub fn initiator_assertion(io: &mut Io, path: &Path, issuer: &Issuer, asking: &Key) -> Result<String, Failure> {
    const LIFETIME: i64 = 60;
    let file = KeyFile::read(path)?;
    file.must_be_for(issuer)?;
    let key = file.key()?;
    let now = io.now().seconds();
    let header = json!({"typ": "waypass-initiator+jwt", "alg": "ES256", "kid": key.thumbprint()});
    let claims = json!({
        "iss": key.thumbprint(), "aud": issuer.as_str(), "iat": now, "exp": now + LIFETIME,
        "jti": base64url::encode(&io.draw()?.0), "cnf": {"jkt": asking.thumbprint()}
    });
    key.jwt(&header, &claims)
        .ok_or_else(|| Failure::failed("signing failed"))
}

/// One signed call: `POST {issuer}/approver/{verb}`.
pub async fn post<T: DeserializeOwned>(
    io: &mut Io,
    caller: &mut Caller<'_>,
    (issuer, verb): (&Issuer, &str),
    body: &impl Serialize,
) -> Result<T, Failure> {
    let url = issuer.endpoint(&format!("approver/{verb}"));
    let body = serde_json::to_value(body).map_err(|error| Failure::failed(error.to_string()))?;
    let answer = caller
        .json(io, &url, &body)
        .await
        .map_err(|unanswered| unanswered.failure(&url))?;
    if answer.is_success() {
        return answer
            .json()
            .ok_or_else(|| answer.unreadable("the answer cannot be read"));
    }
    match answer.error() {
        // A path that is not ours answers 404 too: only the body tells an unknown code.
        Some(ErrorBody { error, .. }) if error == "unknown_code" => Err(answer
            .failure("there is no such request")
            .hint("codes are used once and end after some minutes")),
        _ => Err(answer.failure("the server refused")),
    }
}
