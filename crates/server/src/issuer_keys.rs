//! The keys of OpenID issuers whose workloads are admitted (OpenID Connect Discovery §4), read when they are
//! needed and remembered for a while. Only issuers that an administrator named are ever asked; what a token
//! says of where its keys are (`jku`) is not read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::admission::{is_loopback, is_secure};
use protocol::jwk::Jwks;
use protocol::time::{Lifetime, Timestamp};
use reqwest::redirect::Policy;
use serde_json::Value;
use store::Fault;
use url::Url;

/// A key that its issuer took back stops counting within this time.
const KEPT: Lifetime = Lifetime::from_seconds(3600);
/// For a key that is not known yet, and after silence: what bounds how often strangers make us ask.
const ASKED_AGAIN: Lifetime = Lifetime::from_seconds(60);
/// Discovery documents and key sets have a few thousand bytes.
const LARGEST_ANSWER: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct IssuerKeys {
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>,
}

#[derive(Default)]
struct Known {
    asked_at: Option<Timestamp>,
    /// And when they were read.
    keys: Option<(Arc<Jwks>, Timestamp)>,
}

impl Known {
    /// The keys, while they count.
    fn keys(&self, now: Timestamp) -> Option<&Arc<Jwks>> {
        self.keys
            .as_ref()
            .filter(|(_, read_at)| now - *read_at < KEPT)
            .map(|(keys, _)| keys)
    }
}

impl IssuerKeys {
    /// The keys of a configured issuer, with the one called `kid` among them if it has that.
    pub async fn of(&self, issuer: &str, kid: Option<&str>, now: Timestamp) -> Result<Arc<Jwks>, Fault> {
        let known = {
            let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(issuer.to_owned()).or_default().clone()
        };
        // One asks, the others of this issuer wait for what it learns.
        let mut known = known.lock().await;
        let has_it = known.keys(now).is_some_and(|keys| kid.is_none_or(|kid| keys.has(kid)));
        let may_ask = known.asked_at.is_none_or(|asked_at| now - asked_at >= ASKED_AGAIN);
        if !has_it && may_ask {
            known.asked_at = Some(now);
            match fetch(issuer).await {
                Ok(keys) => known.keys = Some((Arc::new(keys), now)),
                Err(why) => tracing::warn!(issuer, why, "the keys of an issuer of workload tokens cannot be read"),
            }
        }
        let keys = known.keys(now).cloned();
        keys.ok_or_else(|| Fault::busy("the keys of an issuer of workload tokens cannot be read"))
    }
}

/// Why not: a fixed phrase, since what an issuer answers reaches no log.
type Unread = &'static str;

async fn fetch(issuer: &str) -> Result<Jwks, Unread> {
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let discovery = Url::parse(&discovery).map_err(|_| "it is no URL")?;
    let document = get(&discovery).await?;
    // OpenID Connect Discovery §4.3: "MUST exactly match". Else one issuer could speak for another.
    if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err("its discovery document names another issuer");
    }
    let jwks_uri = document.get("jwks_uri").and_then(Value::as_str);
    let jwks_uri = jwks_uri.and_then(|text| Url::parse(text).ok());
    let jwks_uri = jwks_uri.ok_or("its discovery document has no jwks_uri")?;
    if !is_secure(&jwks_uri) || is_loopback(&jwks_uri) != is_loopback(&discovery) {
        return Err("its jwks_uri is neither https nor on the issuer's side");
    }
    Jwks::parse(&get(&jwks_uri).await?).map_err(|flaw| flaw.0)
}

/// One JSON answer: no redirect, nothing large, nothing slow.
async fn get(url: &Url) -> Result<Value, Unread> {
    let mut builder = reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .http1_only()
        .user_agent("waypass");
    if is_loopback(url) {
        // A proxy would ask its own loopback. And where TLS is not spoken, no authorities are needed.
        builder = builder.no_proxy();
        if url.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
    }
    let client = builder.build().map_err(|_| "TLS cannot be set up")?;
    let answer = client.get(url.clone()).send().await;
    let mut answer = answer.map_err(|_| "it cannot be reached")?;
    if answer.status() != http::StatusCode::OK {
        return Err("it does not answer with 200");
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| "its answer breaks off")? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err("its answer is too large");
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| "its answer is not JSON")
}

#[cfg(test)]
mod tests;
