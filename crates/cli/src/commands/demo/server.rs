//! The demo's server: this same executable's `serve` as a child process on a free port of loopback, with
//! data that lives as long as the demo. Nothing stays: not after Ctrl-C, a failure or a panic (the child is
//! killed on drop), nor when the demo itself is killed (a shell that waits for that clears up).

use std::fs::DirBuilder;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use http::Method;
use protocol::base64url;
use protocol::time::Lifetime;
use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::http::Http;
use crate::io::Io;
use crate::metadata::Issuer;

/// A start takes a tenth of a second; a slow disk may take its time.
const PATIENCE: Lifetime = Lifetime::from_seconds(30);
const BETWEEN_LOOKS: Lifetime = Lifetime::from_millis(50);

/// In this order: the process ends before its data does.
pub struct Server {
    child: Child,
    _guard: Option<Child>,
    folder: Folder,
    pub issuer: Issuer,
    pub http: Http,
    pub port: u16,
}

/// Temporary data, 0700.
struct Folder(PathBuf);

impl Folder {
    fn make(io: &mut Io) -> Result<Self, Failure> {
        let name = base64url::encode(&io.draw()?.0);
        let path = std::env::temp_dir().join(format!("waypass-demo-{}", name.get(..8).unwrap_or(&name)));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::failed(format!("no temporary folder {}: {error}", path.display())))?;
        Ok(Self(path))
    }

    fn log(&self) -> PathBuf {
        self.0.join("serve.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Server {
    pub fn spawn(io: &mut Io) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::failed(format!("the server cannot be started: {error}"));
        let port = free_port().map_err(cannot)?;
        let issuer = Issuer::parse(&format!("http://localhost:{port}"))?;
        let http = Http::for_server(io, issuer.url(), None)?;
        let folder = Folder::make(io)?;
        let log = std::fs::File::create(folder.log()).map_err(cannot)?;
        let child = Command::new(std::env::current_exe().map_err(cannot)?)
            .args([
                "serve",
                "--issuer",
                issuer.as_str(),
                "--listen",
                &format!("127.0.0.1:{port}"),
            ])
            .arg("--data")
            .arg(&folder.0)
            // A WAYPASS_* of a real server must not reach this one.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        Ok(Self {
            _guard: guard(&child, &folder.0),
            child,
            folder,
            issuer,
            http,
            port,
        })
    }

    pub fn data(&self) -> &Path {
        &self.folder.0
    }

    pub async fn ready(&mut self, io: &Io) -> Result<(), Failure> {
        tokio::select! {
            ready = self.look_until_ready(io) => ready,
            () = io.clock.deadline(PATIENCE) => Err(self.did_not_start("does not get ready")),
        }
    }

    async fn look_until_ready(&mut self, io: &Io) -> Result<(), Failure> {
        loop {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return Err(self.did_not_start("has ended"));
            }
            let look = self.http.request(Method::GET, self.issuer.endpoint("readyz"));
            if self
                .http
                .send(&*io.clock, look)
                .await
                .is_ok_and(|answer| answer.is_success())
            {
                return Ok(());
            }
            io.clock.sleep(BETWEEN_LOOKS).await;
        }
    }

    fn did_not_start(&self, how: &str) -> Failure {
        let log = std::fs::read_to_string(self.folder.log()).unwrap_or_default();
        let failure = Failure::failed(format!("the demo's server {how}"));
        match log.lines().last() {
            Some(last) => failure.hint(format!("it said: {last}")),
            None => failure,
        }
    }

    /// Without ceremony: what it would put in order is removed.
    pub async fn stop(mut self) {
        // It may have ended before.
        let _ = self.child.kill().await;
    }
}

/// Nobody hears a SIGKILL, but it closes our end of a pipe. In a process group of its own, so that what
/// ends the demo does not end it too. Without a shell that one case is not covered.
fn guard(server: &Child, folder: &Path) -> Option<Child> {
    const SCRIPT: &str = r#"read -r _ || { kill -9 "$1"; rm -rf -- "$2"; }"#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", SCRIPT, "waypass-demo-guard", &server.id()?.to_string()])
        .arg(folder);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.process_group(0).kill_on_drop(true).spawn().ok()
}

/// Free for both families: `localhost` may mean either, and another program's page must not stand there.
fn free_port() -> std::io::Result<u16> {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        match TcpListener::bind(("::1", port)) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            // Free, or a machine without IPv6.
            _ => return Ok(port),
        }
    }
}
