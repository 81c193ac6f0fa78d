//! One server on one database, its clock, and those who use it: a client's key, an approver's key.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use protocol::base64url;
use protocol::digest::canonical_json;
use protocol::jwk::PublicJwk;
use protocol::jwt::signing_input;
use protocol::time::{Lifetime, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::postgres_server::PostgresServer;
use crate::app::Shared;
use crate::clock::Clock;
use crate::config::{Config, ServeArgs};
use crate::entropy::EntropySource;
use crate::peer::Peer;
use crate::start::Surroundings;
use crate::{local, routes, start};

pub const ISSUER: &str = "http://localhost:8628";
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub struct World {
    pub app: Shared,
    router: Router,
    local: Router,
    directory: PathBuf,
    owns_directory: bool,
}

/// Where a server keeps its data.
pub struct Place {
    pub directory: PathBuf,
    pub database: Option<String>,
}

/// A directory of this test process.
pub fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("waypass-server-{}-{name}", std::process::id()))
}

/// Status, headers and JSON of one answer; of a page its text.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub html: String,
}

impl Answer {
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or("none")
    }

    pub fn text(&self, name: &str) -> String {
        self.body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {}", self.body))
            .to_owned()
    }
}

/// Runs one test on both databases; PostgreSQL where it is installed (`PostgresServer::shared` says so).
pub fn on_both(test: impl AsyncFn(&World)) {
    on_both_as(&ServeArgs::default(), test);
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
pub fn on_both_as(args: &ServeArgs, test: impl AsyncFn(&World)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        test(&World::new(args.clone()).await).await;
        if let Some(server) = PostgresServer::shared() {
            let database = Some(server.fresh_database());
            test(
                &World::new(ServeArgs {
                    database,
                    ..args.clone()
                })
                .await,
            )
            .await;
        }
    });
}

/// Runs one test on both databases, with a `[limits]` section of its own.
pub fn with_limits(limits: &str, test: impl AsyncFn(&World)) {
    with_settings(
        &format!("limits-{}", limits.len()),
        &format!("[limits]\n{limits}\n"),
        test,
    );
}

/// Runs one test on both databases, with this as the file of settings.
pub fn with_settings(name: &str, settings: &str, test: impl AsyncFn(&World)) {
    let file = directory(name).with_extension("toml");
    std::fs::write(&file, settings).unwrap();
    let args = ServeArgs {
        config: Some(file.to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    on_both_as(&args, test);
    std::fs::remove_file(&file).unwrap();
}

/// Runs one test on both databases, with profiles of its own beside those that are built in.
pub fn with_profiles(texts: &[&str], test: impl AsyncFn(&World)) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = directory(&format!("profiles-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&folder).unwrap();
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.toml")), text).unwrap();
    }
    let args = ServeArgs {
        profiles: Some(folder.to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    on_both_as(&args, test);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Runs one test on SQLite, with an issuer of its own (behind a proxy, where it is https).
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
pub fn with_issuer(issuer: &str, test: impl AsyncFn(&World)) {
    let args = ServeArgs {
        issuer: Some(issuer.to_owned()),
        trusted_proxy: vec!["127.0.0.1".to_owned()],
        ..ServeArgs::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { test(&World::new(args).await).await });
}

impl World {
    async fn new(args: ServeArgs) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            directory: directory(&number.to_string()),
            database: args.database.clone(),
        };
        let surroundings = Surroundings {
            clock: Clock::manual(Timestamp::from_seconds(1_800_000_000)),
            entropy: EntropySource::seeded(u64::from(number)),
            statement_hook: None,
        };
        let mut world = Self::open_as(&place, args, surroundings).await;
        world.owns_directory = true;
        world
    }

    /// A server at a place that outlives it.
    pub async fn open(place: &Place, surroundings: Surroundings) -> Self {
        Self::open_as(place, ServeArgs::default(), surroundings).await
    }

    /// As in production, but for the time, which is every test's.
    pub async fn started(place: &Place, args: ServeArgs) -> Self {
        let surroundings = Surroundings {
            clock: Clock::manual(Timestamp::from_seconds(1_800_000_000)),
            entropy: EntropySource::System,
            statement_hook: None,
        };
        Self::open_as(place, args, surroundings).await
    }

    async fn open_as(place: &Place, args: ServeArgs, surroundings: Surroundings) -> Self {
        let key_file = place.directory.join("key");
        std::fs::create_dir_all(&place.directory).unwrap();
        make_key_file(&key_file);
        let args = ServeArgs {
            data: Some(place.directory.to_str().unwrap().to_owned()),
            key_file: place.database.is_some().then(|| key_file.to_str().unwrap().to_owned()),
            database: place.database.clone(),
            ..args
        };
        let config = Config::load(&args).unwrap_or_else(|problems| panic!("{}", crate::check::told(&problems)));
        let app = Arc::new(Box::pin(start::open(config, surroundings)).await.unwrap());
        let (router, local) = (routes::routes(&app), local::routes(app.clone()));
        Self {
            app,
            router,
            local,
            directory: place.directory.clone(),
            owns_directory: false,
        }
    }

    /// A second process on the same PostgreSQL database, with a directory of its own and the same key and time.
    pub async fn another_node(&self) -> Self {
        let database = self.app.config.database.as_ref().map(|url| url.expose().to_owned());
        let place = Place {
            directory: self.directory.join("another-node"),
            database,
        };
        let surroundings = Surroundings {
            clock: self.app.clock.clone(),
            entropy: EntropySource::System,
            statement_hook: None,
        };
        Self::open(&place, surroundings).await
    }

    /// Gives the directory back to whoever opens it next.
    pub async fn close(self) {
        self.app.store.clone().close().await;
    }

    pub fn advance(&self, seconds: i64) {
        self.app.clock.advance(Lifetime::from_seconds(seconds));
    }

    /// From loopback, unless the request says from where.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        let here = Peer(SocketAddr::from(([127, 0, 0, 1], 1)));
        request.extensions_mut().get_or_insert(here);
        answered(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// A form of a client without a key.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, None).await
    }

    /// A form with a proof by `key`, nonce and all.
    pub async fn post_by(&self, path: &str, form: &[(&str, &str)], key: &Key) -> Answer {
        let nonce = self.app.derived.nonces.issue(self.app.now());
        let proof = key.proof(path, self.app.now(), Some(&nonce));
        self.post_with(path, form, Some(&proof)).await
    }

    /// The same from an address that is not loopback.
    pub async fn post_from(&self, address: [u8; 4], path: &str, form: &[(&str, &str)], key: &Key) -> Answer {
        let nonce = self.app.derived.nonces.issue(self.app.now());
        let proof = key.proof(path, self.app.now(), Some(&nonce));
        let mut request = posted(path, form, Some(&proof));
        request.extensions_mut().insert(Peer(SocketAddr::from((address, 1))));
        self.send(request).await
    }

    pub async fn post_with(&self, path: &str, form: &[(&str, &str)], proof: Option<&str>) -> Answer {
        self.send(posted(path, form, proof)).await
    }

    /// A call of an approver's terminal.
    pub async fn call(&self, path: &str, body: &Value, key: &Key) -> Answer {
        let nonce = self.app.derived.nonces.issue(self.app.now());
        let proof = key.proof(path, self.app.now(), Some(&nonce));
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("dpop", proof);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Until what was begun and left is done: writes and reads that wait behind it in the same queues.
    pub async fn settled(&self) {
        for _ in 0..5 {
            self.app
                .store
                .commit(store::Batch::default().set_once("settled", ""))
                .await
                .unwrap();
            self.app.store.clients().await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    pub async fn administer(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        answered(self.local.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn client(&self, client_id: &str, more: Value) -> Answer {
        let mut body = json!({ "client_id": client_id, "scope": "openid offline_access profile read" });
        let members = body.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let has = |name: &&str| members.contains_key(*name);
        if !["attested", "instance_key", "jwks", "secret"].iter().any(has) {
            members.insert("public".to_owned(), json!(true));
        }
        self.administer("POST", "/local/clients", &body).await
    }

    /// A stock client under `open`, named `cli`.
    pub async fn cli(&self) {
        assert_eq!(
            self.client("cli", json!({ "profile": "open" })).await.status,
            StatusCode::CREATED
        );
    }

    /// A client under `standard`: its known instances ask, and their owners decide.
    pub async fn standard_client(&self, client_id: &str) {
        let added = self.client(client_id, json!({ "profile": "standard" })).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    }

    /// The key of an instance that an administrator registered for the approver of this name, for 90 days.
    pub async fn enrolled(&self, client_id: &str, owner: &str) -> Key {
        let key = Key::new();
        let added = self.preregister(client_id, owner, &key).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        key
    }

    pub async fn preregister(&self, client_id: &str, owner: &str, key: &Key) -> Answer {
        let expires_at = self.app.now() + Lifetime::from_seconds(90 * 86_400);
        let body = json!({
            "client_id": client_id, "owner": owner, "name": format!("Laptop of {owner}"), "jwk": key.jwk(),
            "expires_at": expires_at.millis(),
        });
        self.administer("POST", "/local/instances", &body).await
    }

    /// The instance that a key belongs to, as administrators see it.
    pub async fn instance_of(&self, key: &Key) -> Value {
        let all = self.administer("GET", "/local/instances", &Value::Null).await.body;
        let thumbprint = key.thumbprint();
        let has_key = |instance: &&Value| {
            let keys = instance["keys"].as_array().unwrap();
            keys.iter().any(|key| key["thumbprint"] == *thumbprint)
        };
        all.as_array()
            .unwrap()
            .iter()
            .find(has_key)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// One act of an administrator on the instance of a key: `suspend`, `resume`, `remove`.
    pub async fn act_on(&self, key: &Key, act: &str) -> Answer {
        let id = self.instance_of(key).await["instance_id"].as_str().unwrap().to_owned();
        self.administer("POST", &format!("/local/instances/{id}/{act}"), &json!({}))
            .await
    }

    /// An approver with a software key.
    pub async fn approver(&self, name: &str) -> Key {
        let link = self
            .administer("POST", "/local/approvers", &json!({ "name": name }))
            .await
            .text("enrollment_link");
        let key = Key::new();
        let token = link.split_once('#').unwrap().1;
        let enrolled = self
            .call("/approver/enroll", &json!({ "enrollment_token": token }), &key)
            .await;
        assert_eq!(enrolled.status, StatusCode::OK, "{}", enrolled.body);
        key
    }

    pub async fn ask(&self, client_id: &str) -> Answer {
        let form = [("client_id", client_id), ("scope", "openid offline_access read")];
        let asked = self.post("/device_authorization", &form).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        asked
    }

    pub async fn view(&self, user_code: &str, approver: &Key) -> Answer {
        self.call("/approver/view", &json!({ "user_code": user_code }), approver)
            .await
    }

    /// Views and approves.
    pub async fn approve(&self, user_code: &str, approver: &Key) -> Answer {
        let view = self.view(user_code, approver).await;
        assert_eq!(view.status, StatusCode::OK, "{}", view.body);
        self.call("/approver/approve", &approver.decision(&view.body), approver)
            .await
    }

    pub async fn poll(&self, device_code: &str) -> Answer {
        self.post("/token", &poll_form(device_code)).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.post("/token", &refresh_form(refresh_token)).await
    }

    /// Asked, approved, redeemed: by a stock client without a key.
    pub async fn tokens(&self, approver: &Key) -> Answer {
        let asked = self.ask("cli").await;
        assert_eq!(
            self.approve(&asked.text("user_code"), approver).await.status,
            StatusCode::OK
        );
        let redeemed = self.poll(&asked.text("device_code")).await;
        assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.body);
        redeemed
    }

    /// What a resource server that is asked by the issuer's name learns.
    pub async fn is_active(&self, access_token: &str) -> bool {
        let _ = self
            .client("rs", json!({ "secret": "resource server secret", "introspect": true }))
            .await;
        let form = [
            ("client_id", "rs"),
            ("client_secret", "resource server secret"),
            ("token", access_token),
        ];
        self.post("/introspect", &form).await.body["active"].as_bool().unwrap()
    }

    pub async fn events(&self, action: &str) -> Vec<Value> {
        let events = self.administer("GET", "/local/events", &Value::Null).await.body;
        events
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["action"] == action)
            .cloned()
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.owns_directory {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// What a JWT says.
pub fn claims(token: &str) -> Value {
    let payload = base64url::decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

pub fn poll_form(device_code: &str) -> [(&str, &str); 3] {
    [
        ("client_id", "cli"),
        ("grant_type", DEVICE_CODE),
        ("device_code", device_code),
    ]
}

pub fn refresh_form(refresh_token: &str) -> [(&str, &str); 3] {
    [
        ("client_id", "cli"),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ]
}

/// The same key for every server of these tests; the second one at a place finds it there.
fn make_key_file(path: &std::path::Path) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    if let Ok(mut file) = made {
        file.write_all(base64url::encode(&[7; 32]).as_bytes()).unwrap();
    }
}

fn posted(path: &str, form: &[(&str, &str)], proof: Option<&str>) -> Request<Body> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    request.body(Body::from(body)).unwrap()
}

async fn answered(response: axum::response::Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
        html: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// An ES256 key of a client or of an approver's terminal.
pub struct Key {
    pair: EcdsaKeyPair,
    count: AtomicU32,
}

impl Key {
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self {
            pair,
            count: AtomicU32::new(0),
        }
    }

    /// A key that another process can use too.
    pub fn from_pkcs8(bytes: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).unwrap();
        Self {
            pair,
            count: AtomicU32::new(std::process::id() << 8),
        }
    }

    pub fn to_pkcs8(&self) -> Vec<u8> {
        self.pair.to_pkcs8v1().unwrap().as_ref().to_vec()
    }

    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "x": base64url::encode(&point[1..33]), "y": base64url::encode(&point[33..65]) })
    }

    pub fn thumbprint(&self) -> String {
        PublicJwk::parse(&self.jwk()).unwrap().thumbprint()
    }

    pub fn sign(&self, message: &[u8]) -> String {
        base64url::encode(self.pair.sign(random(), message).unwrap().as_ref())
    }

    /// RFC 9449 §4.2, for a POST.
    pub fn proof(&self, path: &str, now: Timestamp, nonce: Option<&str>) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut claims = json!({
            "jti": format!("a proof of at least 96 bits, number {number}"),
            "htm": "POST",
            "htu": format!("{ISSUER}{path}"),
            "iat": now.seconds(),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.proof_of(&claims)
    }

    pub fn proof_of(&self, claims: &Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let input = signing_input(&header, claims);
        let signature = self.sign(input.as_bytes());
        format!("{input}.{signature}")
    }

    /// RFC 7523 §3, by the key of an instance.
    pub fn assertion(&self, client_id: &str, now: Timestamp) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": ISSUER, "jti": format!("an assertion, number {number}"),
            "iat": now.seconds(), "exp": now.seconds() + 60,
        });
        let header = json!({ "typ": "client-authentication+jwt", "alg": "ES256", "kid": self.thumbprint() });
        let input = signing_input(&header, &claims);
        format!("{input}.{}", self.sign(input.as_bytes()))
    }

    /// The signed decision on what was viewed.
    pub fn decision(&self, view: &Value) -> Value {
        let decision = &view["decision"];
        let signature = self.sign(canonical_json(decision).unwrap().as_bytes());
        json!({ "request_id": view["request_id"], "decision": decision, "signature": signature })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the signature's own randomness; no test depends on it"
)]
pub fn random() -> &'static SystemRandom {
    static RANDOM: OnceLock<SystemRandom> = OnceLock::new();
    RANDOM.get_or_init(SystemRandom::new)
}
