//! One running `waypass serve`, with its folder, its database and its log. Killed by its process id when
//! the last test that uses it lets go.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::Mutex;

use crate::chance::{nonce, settled, until};
use crate::database::Database;
use crate::http::{Answer, CLIENT};
use crate::process::{signal, waypass};

/// A debug build on a machine that runs many tests at once.
const START: Duration = Duration::from_mins(1);

/// A folder that goes away with its owner. Its name is short: a socket's path has 107 bytes.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("waypass-it-{}", nonce()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Children of a browser that was killed may still be writing.
        settled(Duration::from_secs(5), || {
            let _ = std::fs::remove_dir_all(&self.0);
            !self.0.exists()
        });
    }
}

/// What a server is started with, beside what every server of the tests needs.
#[derive(Clone, Default)]
pub struct Setup {
    /// Replaces the issuer `http://localhost:PORT`.
    pub issuer: Option<String>,
    pub arguments: Vec<String>,
    /// Lines of the configuration file.
    pub config: &'static str,
    /// The only certificates that it trusts, where that is not the system's to say.
    pub trusts: Option<PathBuf>,
    /// With TLS in this process, and a second listener for clients with certificates.
    pub tls: bool,
}

impl Setup {
    /// The fixed line of a server behind a proxy that ends TLS and does not strip the path.
    pub fn behind_proxy() -> Self {
        Self {
            issuer: Some("https://localhost:8443/as".to_owned()),
            arguments: vec!["--trusted-proxy=127.0.0.1".to_owned()],
            ..Self::default()
        }
    }

    pub fn with_certificates() -> Self {
        Self {
            tls: true,
            ..Self::default()
        }
    }

    /// For a server that many tests or workers share: their wrong codes all come from one address, and a
    /// killed server gives none back.
    pub fn busy() -> Self {
        let config = "[limits]\nguesses_per_approver = 100\nguesses_per_source = 1000\nguesses_total = 100000\n";
        Self {
            config,
            ..Self::default()
        }
    }
}

pub struct Server {
    pub port: u16,
    pub metrics_port: u16,
    has_tls: bool,
    pub issuer: String,
    pub database: Database,
    pub folder: Folder,
    arguments: Vec<String>,
    trusts: Option<PathBuf>,
    child: std::sync::Mutex<Option<Child>>,
}

/// The server's own certificate, for localhost: in PEM, and as what a client of it trusts.
pub fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../server/src/listen/testdata")
        .join(name)
}

pub fn tls_authority() -> String {
    std::fs::read_to_string(tls_file("certificate.pem")).unwrap()
}

pub fn tls_key() -> String {
    std::fs::read_to_string(tls_file("key.pem")).unwrap()
}

pub fn tls_roots() -> Vec<reqwest::Certificate> {
    reqwest::Certificate::from_pem_bundle(tls_authority().as_bytes()).unwrap()
}

/// A port that was free a moment ago. Whoever is beaten to it fails to start and is started on another.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Both held at once, so that they are two.
fn two_free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

impl Server {
    pub async fn start(database: Database, setup: &Setup) -> Arc<Self> {
        for _ in 0..5 {
            let server = Self::prepared(database.clone(), setup);
            if server.launch().await {
                return Arc::new(server);
            }
            let log = server.log();
            assert!(log.contains("in use"), "the server did not start:\n{log}");
        }
        panic!("five ports in a row were taken");
    }

    fn prepared(database: Database, setup: &Setup) -> Self {
        let (folder, [port, metrics_port]) = (Folder::new(), two_free_ports());
        let issuer = setup
            .issuer
            .clone()
            .unwrap_or_else(|| format!("{}://localhost:{port}", if setup.tls { "https" } else { "http" }));
        let data = folder.join("data").display().to_string();
        let mut arguments = vec![
            "serve".to_owned(),
            format!("--data={data}"),
            format!("--listen=127.0.0.1:{port}"),
            format!("--issuer={issuer}"),
            format!("--metrics-listen=127.0.0.1:{metrics_port}"),
        ];
        if setup.tls {
            arguments.extend([
                format!("--tls-certificate={}", tls_file("certificate.pem").display()),
                format!("--tls-key={}", tls_file("key.pem").display()),
                format!("--mtls-listen=127.0.0.1:{}", free_port()),
            ]);
        }
        arguments.extend(database.arguments());
        arguments.extend(setup.arguments.iter().cloned());
        let config = folder.join("waypass.toml");
        std::fs::write(&config, setup.config).unwrap();
        arguments.push(format!("--config={}", config.display()));
        Self {
            port,
            metrics_port,
            has_tls: setup.tls,
            issuer,
            database,
            folder,
            arguments,
            trusts: setup.trusts.clone(),
            child: std::sync::Mutex::new(None),
        }
    }

    /// Starts the process on the same port, folder and database as before. False: it ended by itself.
    pub async fn launch(&self) -> bool {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.folder.join("log"))
            .unwrap();
        let mut command = waypass();
        command
            .args(&self.arguments)
            // Everything it can say: what must stand in no log is looked for at every test's end.
            .env("WAYPASS_LOG", "trace")
            .envs(self.trusts.iter().map(|file| ("SSL_CERT_FILE", file)));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true);
        *self.child.lock().unwrap() = Some(command.spawn().unwrap());
        until("the server is ready", START, async || {
            if self.has_ended() {
                return Some(false);
            }
            let ready = CLIENT.get(format!("{}/readyz", self.origin())).send().await;
            ready.is_ok_and(|answer| answer.status() == 200).then_some(true)
        })
        .await
    }

    fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap();
        child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// SIGKILL, and nothing of it left when this returns.
    pub async fn kill(&self) {
        let child = self.child.lock().unwrap().take();
        if let Some(mut child) = child {
            child.kill().await.unwrap();
        }
    }

    pub async fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().as_ref().and_then(Child::id);
        signal(name, id.unwrap()).await;
    }

    /// SIGTERM; the exit code once it has drained.
    pub async fn terminate(&self) -> Option<i32> {
        let mut child = self.child.lock().unwrap().take().unwrap();
        signal("TERM", child.id().unwrap()).await;
        let ended = tokio::time::timeout(START, child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("SIGTERM did not end it"))
            .unwrap()
            .code()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the issuer's paths are served, whatever host the issuer names.
    pub fn base(&self) -> String {
        let path = url::Url::parse(&self.issuer)
            .unwrap()
            .path()
            .trim_end_matches('/')
            .to_owned();
        format!("{}{path}", self.origin())
    }

    fn origin(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.port)
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).unwrap()).into_owned()
    }

    pub async fn metrics(&self) -> String {
        Answer::to(CLIENT.get(format!("http://127.0.0.1:{}/metrics", self.metrics_port)))
            .await
            .expect(200)
            .body
    }
}

/// A server that tests share: alive as long as somebody uses it.
pub struct Shared(Mutex<Weak<Server>>);

pub static SQLITE: Shared = Shared(Mutex::const_new(Weak::new()));
pub static POSTGRES: Shared = Shared(Mutex::const_new(Weak::new()));

impl Shared {
    /// The running one, or a new one on the database that is made for it. None: it cannot be made here.
    pub async fn server(&self, database: impl FnOnce() -> Option<Database>) -> Option<Arc<Server>> {
        let mut running = self.0.lock().await;
        if let Some(server) = running.upgrade() {
            return Some(server);
        }
        let server = Server::start(database()?, &Setup::busy()).await;
        *running = Arc::downgrade(&server);
        Some(server)
    }
}
