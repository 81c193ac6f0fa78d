//! What a test sees: a server (shared, or its own), clients and approvers of its own on it, and a watch
//! over every secret it came to know. When the test ends, none of them may stand in any log, metric,
//! event or database file.

use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::approver::Approver;
use crate::chance::unique;
use crate::database::{Database, postgres};
use crate::http::{self, Answer, CLIENT};
use crate::process::{Ran, run, waypass};
use crate::server::{self, Folder, Server, Setup, Shared, tls_file};

pub const SCOPES: &str = "openid offline_access profile read";
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const CIBA: &str = "urn:openid:params:grant-type:ciba";

const MOST_EVENTS: &str = "1000";

/// One runtime for the whole binary, so that connections may be kept between tests.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Makes of each named function two tests: on SQLite and on PostgreSQL, on the shared server of each.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn on_sqlite() {
                crate::world::on_sqlite(super::$name);
            }
            #[test]
            fn on_postgres() {
                crate::world::on_postgres(super::$name);
            }
        }
    )+};
}

/// On SQLite alone: for what depends on no database.
macro_rules! on_one {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn on_sqlite() {
                crate::world::on_sqlite(super::$name);
            }
        }
    )+};
}

/// The same with a server of the test's own: for what counts guesses, kills, or lists everything.
macro_rules! alone_on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn on_sqlite() {
                crate::world::alone(crate::database::Database::Sqlite, super::$name);
            }
            #[test]
            fn on_postgres() {
                if let Some(database) = crate::database::postgres() {
                    crate::world::alone(database, super::$name);
                }
            }
        }
    )+};
}

pub struct World {
    pub server: Arc<Server>,
    secrets: Mutex<Vec<String>>,
    approver: OnceCell<Approver>,
    resource_server: OnceCell<(String, String)>,
}

/// An answer of the device authorization endpoint, kept together with who asked.
pub struct Started {
    pub client: String,
    pub device_code: String,
    pub user_code: String,
    pub body: Value,
}

pub fn on_sqlite(body: impl AsyncFnOnce(&World)) {
    on_shared(&server::SQLITE, || Some(Database::Sqlite), body);
}

pub fn on_postgres(body: impl AsyncFnOnce(&World)) {
    on_shared(&server::POSTGRES, postgres, body);
}

fn on_shared(shared: &Shared, database: impl FnOnce() -> Option<Database>, body: impl AsyncFnOnce(&World)) {
    RUNTIME.block_on(async {
        if let Some(server) = shared.server(database).await {
            World::on(server).tested(body).await;
        }
    });
}

pub fn alone(database: Database, body: impl AsyncFnOnce(&World)) {
    alone_with(database, &Setup::default(), body);
}

pub fn alone_with(database: Database, setup: &Setup, body: impl AsyncFnOnce(&World)) {
    RUNTIME.block_on(async { World::on(Server::start(database, setup).await).tested(body).await });
}

/// On SQLite, with one profile more than the shipped ones.
pub fn alone_under(profile: &str, body: impl AsyncFnOnce(&World)) {
    let folder = Folder::new();
    std::fs::write(folder.join("profile.toml"), profile).unwrap();
    let setup = Setup {
        arguments: vec![format!("--profiles={}", folder.path().display())],
        ..Setup::default()
    };
    alone_with(Database::Sqlite, &setup, body);
}

impl World {
    pub fn on(server: Arc<Server>) -> Self {
        Self {
            server,
            secrets: Mutex::default(),
            approver: OnceCell::new(),
            resource_server: OnceCell::new(),
        }
    }

    async fn tested(self, body: impl AsyncFnOnce(&World)) {
        body(&self).await;
        self.check_no_secret_leaked().await;
    }

    /// From now on this text may stand nowhere.
    pub fn remember(&self, secret: &str) {
        assert!(secret.len() >= 8, "too short to be told from chance: {secret}");
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    fn remember_all(&self, body: &Value) {
        for name in [
            "auth_req_id",
            "device_code",
            "user_code",
            "access_token",
            "refresh_token",
            "id_token",
        ] {
            if let Some(secret) = body[name].as_str() {
                self.remember(secret);
            }
        }
    }

    /// Logs, metrics, events and, with SQLite, the files themselves.
    async fn check_no_secret_leaked(&self) {
        let mut sinks = vec![("log".to_owned(), self.server.log().into_bytes())];
        if let Ok(answer) = CLIENT
            .get(format!("http://127.0.0.1:{}/metrics", self.server.metrics_port))
            .send()
            .await
        {
            sinks.push(("metrics".to_owned(), answer.bytes().await.unwrap().to_vec()));
            sinks.push((
                "events".to_owned(),
                self.local(&["event", "tail", "--json", "--limit", MOST_EVENTS])
                    .await
                    .stdout
                    .into_bytes(),
            ));
        }
        for entry in std::fs::read_dir(self.server.data()).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                sinks.push((
                    entry.path().display().to_string(),
                    std::fs::read(entry.path()).unwrap_or_default(),
                ));
            }
        }
        for (name, bytes) in &sinks {
            let text = String::from_utf8_lossy(bytes);
            for secret in self.secrets.lock().unwrap().iter() {
                assert!(!text.contains(secret), "a secret stands in {name}: {secret}");
            }
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base())
    }

    /// What a proof names: the issuer's own URL, whatever address was connected to.
    pub fn htu(&self, path: &str) -> String {
        format!("{}{path}", self.server.issuer)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(CLIENT.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.post_with(path, pairs, &[]).await
    }

    pub async fn post_with(&self, path: &str, pairs: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        self.post_raw(path, http::form(pairs), headers).await
    }

    pub async fn post_raw(&self, path: &str, body: String, headers: &[(&str, &str)]) -> Answer {
        let mut request = CLIENT.post(self.url(path));
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("Content-Type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = Answer::to(request.body(body)).await;
        if let Ok(body) = serde_json::from_str(&answer.body) {
            self.remember_all(&body);
        }
        answer
    }

    /// A command of the administrator: `waypass ARGUMENTS --data DIR`.
    pub async fn local(&self, arguments: &[&str]) -> Ran {
        run(waypass().args(arguments).arg("--data").arg(self.server.data())).await
    }

    /// A command of somebody elsewhere: `waypass ARGUMENTS --server ISSUER`, at home in the test's folder.
    pub async fn remote(&self, arguments: &[&str]) -> Ran {
        let mut command = waypass();
        command
            .env("SSL_CERT_FILE", tls_file("certificate.pem"))
            .env("HOME", self.server.folder.path())
            .env("XDG_CONFIG_HOME", self.server.folder.join("config"));
        run(command.args(arguments).arg("--server").arg(&self.server.issuer)).await
    }

    /// Registers a client under a name of its own and returns the name.
    pub async fn client(&self, flags: &[&str]) -> String {
        let name = unique("client");
        let mut arguments = vec!["client", "add", &name];
        arguments.extend(flags);
        self.local(&arguments).await.expect_code(0);
        name
    }

    /// The stock client of the fixed lines: public, `open`, everything it may ask for.
    pub async fn stock_client(&self) -> String {
        self.client(&["--public", "--profile", "open", "--scope", SCOPES]).await
    }

    pub async fn bound_client(&self) -> String {
        self.client(&["--public", "--profile", "open", "--require-dpop", "--scope", SCOPES])
            .await
    }

    /// A confidential client and its secret.
    pub async fn secret_client(&self, flags: &[&str]) -> (String, String) {
        let secret = crate::chance::nonce();
        self.remember(&secret);
        let file = self.file(&format!("{secret}\n"));
        let mut all = vec!["--secret-file", &file];
        all.extend(flags);
        (self.client(&all).await, secret)
    }

    /// A file in the test's folder.
    pub fn file(&self, text: &str) -> String {
        let path = self.server.folder.join(&unique("file"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub async fn enrollment_link(&self, name: &str) -> String {
        let link = self
            .local(&["approver", "add", name, "--json"])
            .await
            .expect_code(0)
            .json();
        let link = link["enrollment_link"].as_str().unwrap().to_owned();
        self.remember(link.split_once('#').unwrap().1);
        link
    }

    /// A further approver with a software key.
    pub async fn new_approver(&self) -> Approver {
        let approver = Approver::new(&unique("approver"));
        let link = self.enrollment_link(&approver.name).await;
        approver.enroll(&self.server, &link).await.expect(200);
        approver
    }

    /// The test's own approver.
    pub async fn approver(&self) -> &Approver {
        self.approver.get_or_init(|| self.new_approver()).await
    }

    pub async fn approve(&self, user_code: &str) {
        self.approver().await.approve(&self.server, user_code).await;
    }

    /// RFC 8628 §3.1 by a public client.
    pub async fn start(&self, client: &str, further: &[(&str, &str)]) -> Started {
        let mut pairs = vec![("client_id", client)];
        pairs.extend(further);
        started(client, &self.post("/device_authorization", &pairs).await.expect(200))
    }

    /// RFC 8628 §3.4 by a public client.
    pub async fn poll(&self, started: &Started) -> Answer {
        self.poll_with(started, &[]).await
    }

    pub async fn poll_with(&self, started: &Started, headers: &[(&str, &str)]) -> Answer {
        let pairs = [
            ("grant_type", DEVICE_CODE),
            ("device_code", &started.device_code),
            ("client_id", &started.client),
        ];
        self.post_with("/token", &pairs, headers).await
    }

    pub async fn refresh(&self, client: &str, tokens: &Value) -> Answer {
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", client),
        ];
        self.post("/token", &pairs).await
    }

    /// The whole walk: asked, approved, redeemed.
    pub async fn tokens(&self, client: &str, further: &[(&str, &str)]) -> Value {
        let started = self.start(client, further).await;
        self.approve(&started.user_code).await;
        self.poll(&started).await.expect(200).json()
    }

    /// RFC 7662 §2.1 by the test's own resource server, for the issuer's audience.
    pub async fn introspect(&self, token: &str) -> Value {
        let (id, secret) = self
            .resource_server
            .get_or_init(|| self.secret_client(&["--introspect"]))
            .await;
        let authorization = http::basic(id, secret);
        let headers = [("Authorization", authorization.as_str())];
        self.post_with("/introspect", &[("token", token)], &headers)
            .await
            .expect(200)
            .json()
    }

    pub async fn is_active(&self, token: &Value) -> bool {
        self.introspect(token.as_str().unwrap()).await["active"] == json!(true)
    }

    /// What `grant show --json` exports of the client's only grant.
    pub async fn exported_grant(&self, client: &str) -> Value {
        let grants = self.local(&["grant", "list", "--json"]).await.expect_code(0).json();
        let mut own = grants
            .as_array()
            .unwrap()
            .iter()
            .filter(|grant| grant["client_id"] == client);
        let id = own.next().unwrap()["grant_id"].as_str().unwrap();
        assert!(own.next().is_none(), "one approval, one grant: {grants}");
        self.local(&["grant", "show", id, "--json"]).await.expect_code(0).json()
    }

    /// `waypass verify-decision`, which needs no server.
    pub async fn verify_decision(&self, exported: &Value) -> Ran {
        let file = self.file(&exported.to_string());
        run(waypass().args(["verify-decision", &file])).await
    }

    /// The last events, oldest first.
    pub async fn events(&self) -> Vec<Value> {
        self.last_events("20").await
    }

    /// Those of this client, among as many as the server gives at once.
    pub async fn events_of(&self, client: &str) -> Vec<Value> {
        let mut events = self.last_events(MOST_EVENTS).await;
        events.retain(|event| event["client_id"] == client);
        events
    }

    async fn last_events(&self, limit: &str) -> Vec<Value> {
        let ran = self
            .local(&["event", "tail", "--json", "--limit", limit])
            .await
            .expect_code(0);
        ran.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub fn started(client: &str, answer: &Answer) -> Started {
    let body = answer.json();
    let text = |name: &str| {
        body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {body}"))
            .to_owned()
    };
    Started {
        client: client.to_owned(),
        device_code: text("device_code"),
        user_code: text("user_code"),
        body,
    }
}
