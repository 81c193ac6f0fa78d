//! A small real resource server, as somebody else would write one: it verifies access tokens by the published keys
//! (RFC 9068 §4), wants the proof (RFC 9449 §7) or the certificate (RFC 8705 §3) that a token is bound to, and does
//! what the token's `authorization_details` permit and nothing else. What it checks a token by is in `token.rs`.

mod token;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::details::{Details, Types, enforce};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use self::token::{Caller, Claims};
use crate::chance;
use crate::http::{Answer, CLIENT};

/// One that does what it was told to, until it is dropped.
pub struct ResourceServer {
    /// Where it is reached, which need not be its name.
    pub url: String,
    pub name: String,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    /// Its name, which tokens have as `aud`.
    resource: String,
    url: String,
    issuer: String,
    keys: Value,
    types: Types,
    /// Each proof serves once.
    used: Mutex<HashSet<String>>,
    /// RFC 9449 §9: of its own.
    nonce: String,
}

/// For `/vault`: an approval by a passkey, and none of yesterday.
const STRONG: &str = "phr";
const FRESH: i64 = 300;

/// RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3.
pub struct Refused {
    status: u16,
    error: &'static str,
    nonce: Option<String>,
    more: String,
}

impl Refused {
    fn new(status: u16, error: &'static str) -> Self {
        Self {
            status,
            error,
            nonce: None,
            more: String::new(),
        }
    }

    fn token() -> Self {
        Self::new(401, "invalid_token")
    }

    fn proof() -> Self {
        Self::new(401, "invalid_dpop_proof")
    }
}

impl ResourceServer {
    /// Over plain HTTP on loopback. `resource` is its name.
    pub async fn start(issuer: &str, resource: &str) -> Self {
        Self::serve(issuer, |_| resource.to_owned(), None).await
    }

    /// The same by the name of where it is reached.
    pub async fn at_home(issuer: &str) -> Self {
        Self::below(issuer, "").await
    }

    /// By the name of what is below a path there.
    pub async fn below(issuer: &str, path: &str) -> Self {
        Self::serve(issuer, |url| format!("{url}{path}"), None).await
    }

    /// Over TLS, asking for certificates of this authority.
    pub async fn with_tls(issuer: &str, resource: &str, identity: [&str; 2], authority: &str) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let [certificate, key] = identity.map(str::as_bytes);
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate).unwrap()],
                PrivateKeyDer::from_pem_slice(key).unwrap(),
            )
            .unwrap();
        Self::serve(issuer, |_| resource.to_owned(), Some(Arc::new(config).into())).await
    }

    async fn serve(issuer: &str, name: impl Fn(&str) -> String, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let metadata = Answer::to(CLIENT.get(format!("{issuer}/.well-known/oauth-authorization-server"))).await;
        let jwks_uri = metadata.json()["jwks_uri"].as_str().unwrap().to_owned();
        let state = Arc::new(State {
            resource: name(&url),
            url: url.clone(),
            issuer: issuer.to_owned(),
            keys: Answer::to(CLIENT.get(jwks_uri)).await.json(),
            types: Types::built_in(),
            used: Mutex::default(),
            nonce: chance::nonce(),
        });
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, tls.clone(), state.clone()));
            }
        });
        Self {
            name: name(&url),
            url,
            serving,
        }
    }
}

impl Drop for ResourceServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn connection(stream: tokio::net::TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let http = hyper::server::conn::http1::Builder::new();
    let service =
        |certificate: Option<Vec<u8>>| service_fn(move |request| answer(state.clone(), certificate.clone(), request));
    // A connection that breaks is the other side's loss.
    let _ = match tls {
        None => http.serve_connection(TokioIo::new(stream), service(None)).await,
        Some(tls) => {
            let Ok(stream) = tls.accept(stream).await else { return };
            let shown = stream.get_ref().1.peer_certificates().and_then(|shown| shown.first());
            let shown = shown.map(|leaf| leaf.to_vec());
            http.serve_connection(TokioIo::new(stream), service(shown)).await
        }
    };
}

async fn answer(
    state: Arc<State>,
    certificate: Option<Vec<u8>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let caller = Caller {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
        certificate: certificate.as_deref(),
    };
    Ok(match state.act(&caller, &body) {
        Ok(done) => response(200, &done),
        Err(refused) => refused.told(),
    })
}

impl State {
    fn act(&self, caller: &Caller<'_>, body: &[u8]) -> Result<Value, Refused> {
        let claims = self.admit(caller)?;
        match caller.path {
            "/vault" => must_be_strong(&claims, chance::now())?,
            "/run" => self.must_permit(&claims, command(body))?,
            path if path.starts_with("/deploys/") => {
                self.must_permit(&claims, self.request(caller, body))?;
                must_be_of_command(&claims, body)?;
            }
            _ => self.must_permit(&claims, self.request(caller, body))?,
        }
        Ok(json!({ "done": caller.path, "by": claims["client_id"] }))
    }

    /// All that is known of it.
    fn request(&self, caller: &Caller<'_>, body: &[u8]) -> Option<Value> {
        enforce::request(&self.resource, caller.method, caller.path, caller.query, Some(body)).ok()
    }

    fn must_permit(&self, claims: &Claims, act: Option<Value>) -> Result<(), Refused> {
        let granted: Option<Details> = claims
            .get("authorization_details")
            .and_then(|granted| serde_json::from_value(granted.clone()).ok());
        let (granted, act) = (granted.unwrap_or_default(), act.unwrap_or_default());
        if self.types.permits(&granted, &act) {
            Ok(())
        } else {
            Err(Refused::new(403, "insufficient_authorization_details"))
        }
    }
}

/// What it is asked to run, in the words of the type: everything it is about to do, and nothing else.
fn command(body: &[u8]) -> Option<Value> {
    let mut act: Value = serde_json::from_slice(body).ok()?;
    act.as_object_mut()?.insert("type".to_owned(), "command".into());
    Some(act)
}

/// What a command on another machine has done here: it says which one it is, and the token was given for that one.
fn must_be_of_command(claims: &Claims, body: &[u8]) -> Result<(), Refused> {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let granted = claims.get("authorization_details").and_then(Value::as_array);
    let is_it = |detail: &&Value| {
        let same = |name: &str| !said[name].is_null() && detail[name] == said[name];
        detail["type"] == "command" && same("argv") && same("executable_sha256")
    };
    let found = granted.and_then(|granted| granted.iter().find(is_it));
    found
        .map(drop)
        .ok_or(Refused::new(403, "insufficient_authorization_details"))
}

/// RFC 9470 §3.
fn must_be_strong(claims: &Claims, now: i64) -> Result<(), Refused> {
    let age = now - claims["auth_time"].as_i64().unwrap_or(0);
    if claims["acr"] == STRONG && age <= FRESH {
        return Ok(());
    }
    Err(Refused {
        more: format!(r#", acr_values="{STRONG}", max_age="{FRESH}""#),
        ..Refused::new(401, "insufficient_user_authentication")
    })
}

impl Refused {
    fn told(self) -> Response<String> {
        let mut response = response(self.status, &json!({ "error": self.error }));
        let challenge = format!(r#"DPoP error="{}", algs="ES256"{}"#, self.error, self.more);
        let headers = response.headers_mut();
        headers.insert("www-authenticate", challenge.parse().unwrap());
        if let Some(nonce) = self.nonce {
            headers.insert("dpop-nonce", nonce.parse().unwrap());
        }
        response
    }
}

fn response(status: u16, body: &Value) -> Response<String> {
    let response = Response::builder().status(status);
    let response = response
        .header("content-type", "application/json")
        .header("cache-control", "no-store");
    response.body(body.to_string()).unwrap()
}
