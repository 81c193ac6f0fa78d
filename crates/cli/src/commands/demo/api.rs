//! The demo's protected resource: one small API on loopback, as a resource server does it that trusts
//! nobody. It asks the authorization server about the token (RFC 7662) and wants a proof by the token's
//! key (RFC 9449 §7). Only in the demo: nonces are not asked for and used `jti`s are kept for good.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use protocol::digest::Digest;
use protocol::dpop::{self, NonceKey, NonceRule, ProofExpectation, VerifiedProof};
use protocol::time::Timestamp;
use protocol::wire::token::IntrospectionResponse;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::http::Http;

/// The name under which this API is registered as a resource server.
pub const CLIENT_ID: &str = "demo-api";
/// What the API wants a token to be good for.
pub const SCOPE: &str = "deploy:staging";

pub struct Api {
    pub url: Url,
    introspection: Introspection,
    nonces: NonceKey,
    used: Mutex<HashSet<Digest>>,
    clock: Arc<dyn Clock>,
}

/// RFC 7662 §2.1, from the side that asks.
pub struct Introspection {
    pub http: Http,
    pub url: Url,
    pub secret: Zeroizing<String>,
    pub clock: Arc<dyn Clock>,
}

/// RFC 9449 §7.1, RFC 6750 §3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    status: StatusCode,
    error: &'static str,
    why: &'static str,
}

impl Refused {
    fn token(why: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error: "invalid_token",
            why,
        }
    }

    fn proof(why: &'static str) -> Self {
        Self {
            error: "invalid_dpop_proof",
            ..Self::token(why)
        }
    }
}

impl Introspection {
    /// `None` when the server does not answer.
    pub async fn ask(&self, token: &str) -> Option<IntrospectionResponse> {
        let body = Serializer::new(String::new()).append_pair("token", token).finish();
        let request = self
            .http
            .request(Method::POST, self.url.clone())
            .basic_auth(CLIENT_ID, Some(self.secret.as_str()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let answer = self.http.send(&*self.clock, request).await.ok()?;
        answer.is_success().then(|| answer.json()).flatten()
    }
}

impl Api {
    pub fn new(url: Url, introspection: Introspection, nonces: NonceKey) -> Self {
        Self {
            clock: Arc::clone(&introspection.clock),
            url,
            introspection,
            nonces,
            used: Mutex::default(),
        }
    }

    pub fn introspection(&self) -> &Introspection {
        &self.introspection
    }

    /// Serves until the returned set is dropped.
    pub fn serve(self: Arc<Self>, listener: TcpListener) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = Arc::clone(&self);
                let service = service_fn(move |request| Arc::clone(&api).answer(request));
                let mut connection = http1::Builder::new();
                // One caller, which is this process: one connection after the other. A broken one is its loss.
                let _ = connection
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        });
        tasks
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<String>, Infallible> {
        let (parts, _) = request.into_parts();
        Ok(match self.deploy(&parts).await {
            Ok(value) => response(StatusCode::OK, &value),
            Err(refused) => refused.into_response(),
        })
    }

    async fn deploy(&self, request: &http::request::Parts) -> Result<Value, Refused> {
        let token = token(&request.headers)?;
        let proof = self.proof(request, token, self.clock.now())?;
        let known = self.introspection.ask(token).await.ok_or(Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "temporarily_unavailable",
            why: "the authorization server does not answer",
        })?;
        admit(&known, proof.thumbprint())?;
        self.take(&proof)?;
        Ok(json!({"deployed": "staging", "by": known.claims.get("client_id")}))
    }

    /// RFC 9449 §4.3: for this method, this address and this token.
    fn proof(&self, request: &http::request::Parts, token: &str, now: Timestamp) -> Result<VerifiedProof, Refused> {
        let proofs: Vec<_> = request
            .headers
            .get_all("dpop")
            .iter()
            .filter_map(|proof| proof.to_str().ok())
            .collect();
        let expected = ProofExpectation {
            htm: request.method.as_str(),
            htu: self.url.as_str(),
            alias: None,
            access_token: Some(token),
            nonce: NonceRule::Optional(&self.nonces),
        };
        dpop::verify(&proofs, &expected, now).map_err(|_| Refused::proof("the proof is not for this call"))
    }

    /// RFC 9449 §11.1: each proof once.
    fn take(&self, proof: &VerifiedProof) -> Result<(), Refused> {
        let is_new = self
            .used
            .lock()
            .is_ok_and(|mut used| used.insert(proof.jti_digest().clone()));
        if is_new {
            Ok(())
        } else {
            Err(Refused::proof("the proof was used before"))
        }
    }
}

/// RFC 9449 §7.1: the scheme is `DPoP`.
fn token(headers: &HeaderMap) -> Result<&str, Refused> {
    let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = credentials
        .and_then(|text| text.split_once(' '))
        .ok_or(Refused::token("there is no token"))?;
    if !scheme.eq_ignore_ascii_case("DPoP") {
        return Err(Refused::token("a token without proof is not enough"));
    }
    Ok(token)
}

/// What the authorization server says about the token, and whose key it is bound to.
fn admit(known: &IntrospectionResponse, thumbprint: &str) -> Result<(), Refused> {
    if !known.active {
        return Err(Refused::token("the token is not active"));
    }
    let jkt = known
        .claims
        .get("cnf")
        .and_then(|cnf| cnf.get("jkt"))
        .and_then(Value::as_str);
    if jkt != Some(thumbprint) {
        return Err(Refused::proof("the proof is by another key"));
    }
    let scope = known.claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    if !scope.split(' ').any(|name| name == SCOPE) {
        return Err(Refused {
            status: StatusCode::FORBIDDEN,
            error: "insufficient_scope",
            why: "the token is for something else",
        });
    }
    Ok(())
}

impl Refused {
    fn into_response(self) -> Response<String> {
        let mut answer = response(
            self.status,
            &json!({"error": self.error, "error_description": self.why}),
        );
        let algorithms: Vec<_> = dpop::ALGORITHMS.iter().map(|algorithm| algorithm.as_str()).collect();
        let challenge = format!(
            r#"DPoP error="{}", error_description="{}", algs="{}""#,
            self.error,
            self.why,
            algorithms.join(" ")
        );
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

fn response(status: StatusCode, body: &Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
