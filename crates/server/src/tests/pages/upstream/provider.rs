//! An OpenID provider on loopback that does as it is told: honest by default, and wrong in one way where a
//! test says so.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::base64url;
use protocol::digest::Digest;
use protocol::jwt::signing_input;
use serde_json::{Value, json};
use url::Url;

use crate::tests::world::{Key, World, with_settings};

pub const CLIENT_ID: &str = "waypass-here";
const SECRET: &str = "a secret of the upstream provider";

/// A profile of the test's own: only members of a group decide.
const OPERATORS: &str = "name = \"operators\"\npurpose = \"what operators decide\"\n\
    [assessment]\nrisk = \"some\"\nresidual = \"some\"\n\
    [approval]\nby = \"group\"\ngroup = \"ops\"\nstarter = [\"carried_back\"]\n[mitigations]\nX16 = true\n";

#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    listener: Arc<TcpListener>,
    shared: Arc<Mutex<Told>>,
}

/// What it was told to do, and what it saw.
pub struct Told {
    key: Arc<Key>,
    pub kid: &'static str,
    /// Members put over those of the ID token's claims; null takes one away.
    pub claims: Value,
    pub header: Value,
    /// Members put over those of its metadata.
    pub metadata: Value,
    pub signed: Signed,
    /// Answers with a redirection.
    pub redirects: bool,
    pub metadata_asked: usize,
    pub codes_exchanged: usize,
    /// By code: nonce and challenge.
    codes: HashMap<String, (String, String)>,
    now: i64,
}

#[derive(Clone, Copy)]
pub enum Signed {
    ByItsKey,
    ByAnotherKey,
    /// HS256 by the client's own secret.
    WithOurSecret,
    Not,
}

/// Where a browser was sent, taken apart.
pub struct Sent {
    parameters: HashMap<String, String>,
    issuer: String,
    shared: Arc<Mutex<Told>>,
}

/// Runs one test on both databases, on servers that know this provider and map two groups of it.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
pub fn with_provider(name: &str, test: impl AsyncFn(&World, &Provider)) {
    let provider = Provider::new();
    let folder = std::env::temp_dir().join(format!("waypass-upstream-{}-{name}", std::process::id()));
    let (secret, profile) = (folder.join("secret"), folder.join("operators.toml"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    std::fs::write(profile, OPERATORS).unwrap();
    let settings = format!(
        "profiles = {folder:?}\n[upstream]\nissuer = {:?}\nclient_id = {CLIENT_ID:?}\nclient_secret_file = {:?}\nlabel = \"Example\"\n\
         scopes = [\"profile\"]\n[upstream.groups]\n\"their operators\" = \"ops\"\n\"their builders\" = \"build\"\n",
        provider.issuer,
        secret.to_str().unwrap(),
    );
    with_settings(&format!("upstream-{name}"), &settings, async |world: &World| {
        let own = provider.anew(world);
        let serving = tokio::spawn(own.clone().serve());
        test(world, &own).await;
        serving.abort();
        let _ = serving.await;
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

impl Provider {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            issuer: format!("http://localhost:{}", listener.local_addr().unwrap().port()),
            listener: Arc::new(listener),
            shared: Arc::new(Mutex::new(Told::new(0))),
        }
    }

    /// On the same port, with nothing told and nothing seen.
    fn anew(&self, world: &World) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Told::new(world.app.now().seconds()))),
            ..self.clone()
        }
    }

    async fn serve(self) {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone().unwrap()).unwrap();
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(self);
        axum_serve(listener, router).await;
    }

    pub fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.shared.lock().unwrap()
    }

    /// Reads the address that a browser was sent to.
    pub fn sent(&self, address: &str) -> Sent {
        let url = Url::parse(address).unwrap();
        assert!(address.starts_with(&format!("{}/authorize?", self.issuer)), "{address}");
        let parameters: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(parameters["client_id"], CLIENT_ID);
        assert_eq!(parameters["scope"], "openid profile");
        assert_eq!(parameters["response_type"], "code");
        assert_eq!(parameters["code_challenge_method"], "S256");
        assert_eq!(
            parameters["redirect_uri"],
            "http://localhost:8628/sign-in/upstream/callback"
        );
        Sent {
            parameters,
            issuer: self.issuer.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl Sent {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Somebody signs in there; what the browser brings back.
    pub fn signed_in(&self) -> Value {
        let mut told = self.shared.lock().unwrap();
        let code = format!("code-{}", told.codes.len());
        let kept = (
            self.parameters["nonce"].clone(),
            self.parameters["code_challenge"].clone(),
        );
        told.codes.insert(code.clone(), kept);
        json!({ "code": code, "state": self.parameters["state"], "iss": self.issuer })
    }
}

impl Told {
    fn new(now: i64) -> Self {
        Self {
            key: Arc::new(Key::new()),
            kid: "first",
            claims: json!({}),
            header: json!({}),
            metadata: json!({}),
            signed: Signed::ByItsKey,
            redirects: false,
            metadata_asked: 0,
            codes_exchanged: 0,
            codes: HashMap::new(),
            now,
        }
    }

    pub fn misbehave(&mut self, claims: Value, header: Value, signed: Signed) {
        (self.claims, self.header, self.signed) = (claims, header, signed);
    }

    pub fn behave(&mut self) {
        self.misbehave(json!({}), json!({}), Signed::ByItsKey);
    }

    /// A new key under a new name; the old one is gone.
    pub fn rotate(&mut self) {
        self.key = Arc::new(Key::new());
        self.kid = "second";
    }

    fn id_token(&self, issuer: &str, nonce: &str) -> String {
        let header = over(json!({ "alg": "ES256", "kid": self.kid }), &self.header);
        let claims = json!({
            "iss": issuer, "sub": "alice-upstream", "aud": CLIENT_ID, "nonce": nonce,
            "iat": self.now, "exp": self.now + 300, "groups": ["their operators", "something else"],
        });
        let input = signing_input(&header, &over(claims, &self.claims));
        let signature = match self.signed {
            Signed::Not => String::new(),
            Signed::ByAnotherKey => Key::new().sign(input.as_bytes()),
            Signed::ByItsKey => self.key.sign(input.as_bytes()),
            Signed::WithOurSecret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                base64url::encode(hmac::sign(&key, input.as_bytes()).as_ref())
            }
        };
        format!("{input}.{signature}")
    }
}

fn over(mut value: Value, more: &Value) -> Value {
    let members = value.as_object_mut().unwrap();
    for (name, member) in more.as_object().unwrap() {
        if member.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), member.clone());
        }
    }
    value
}

async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn metadata(State(provider): State<Provider>) -> Response {
    let mut told = provider.told();
    told.metadata_asked += 1;
    if told.redirects {
        return Redirect::temporary("/elsewhere").into_response();
    }
    let issuer = &provider.issuer;
    let metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": true,
    });
    Json(over(metadata, &told.metadata)).into_response()
}

async fn jwks(State(provider): State<Provider>) -> Json<Value> {
    let told = provider.told();
    let key = over(
        told.key.jwk(),
        &json!({ "kid": told.kid, "use": "sig", "alg": "ES256" }),
    );
    Json(json!({ "keys": [key] }))
}

/// A code serves once, and only with its verifier (RFC 7636 §4.6).
async fn token(State(provider): State<Provider>, body: String) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let mut told = provider.told();
    let kept = told.codes.remove(&form["code"]);
    let is_theirs = |challenge: &str| Digest::of(form["code_verifier"].as_bytes()).as_str() == challenge;
    let Some((nonce, _)) = kept.filter(|(_, challenge)| is_theirs(challenge)) else {
        return (http::StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    told.codes_exchanged += 1;
    let id_token = told.id_token(&provider.issuer, &nonce);
    Json(json!({ "access_token": "of no use", "token_type": "Bearer", "id_token": id_token })).into_response()
}
