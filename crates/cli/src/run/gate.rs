//! The endpoint that a command gets instead of a token: on loopback or a Unix socket, for as long as it is held. What
//! goes through is judged in `admission.rs` and sent in `upstream.rs`; both ways stream.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Body;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::admission::Rules;
use super::replay::Source;
use super::upstream::{Outgoing, Sent, Upstream, passed_on};

/// How the folder of a `--unix` endpoint begins, and its socket.
const FOLDER: &str = "waypass-run-";
const SOCKET: &str = "endpoint";

/// Until it is dropped.
pub struct Gate {
    /// `WAYPASS_ENDPOINT`.
    pub endpoint: String,
    serving: JoinHandle<()>,
    folder: Option<PathBuf>,
}

/// Bound, so that its name is known, and answering nobody yet.
pub struct Bound {
    listener: Listener,
    pub endpoint: String,
    /// What requests say as their host.
    pub authority: String,
    folder: Option<PathBuf>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

struct Shared {
    rules: Rules,
    upstream: Upstream,
}

impl Bound {
    pub async fn on_loopback() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let authority = listener.local_addr()?.to_string();
        Ok(Self {
            listener: Listener::Tcp(listener),
            endpoint: format!("http://{authority}"),
            authority,
            folder: None,
        })
    }

    /// In a folder of its own that nobody else enters.
    pub async fn on_socket(parent: &Path, name: &str) -> io::Result<Self> {
        let folder = parent.join(format!("{FOLDER}{name}"));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        sweep(parent, &folder).await;
        // It has its name when it is listened on, so that another run never takes it for a dead one.
        let (path, unnamed) = (folder.join(SOCKET), folder.join("unnamed"));
        let listener = UnixListener::bind(&unnamed)?;
        fs::rename(unnamed, &path)?;
        Ok(Self {
            listener: Listener::Unix(listener),
            endpoint: format!("unix:{}", path.display()),
            authority: "localhost".to_owned(),
            folder: Some(folder),
        })
    }

    pub fn open(self, rules: Rules, upstream: Upstream) -> Gate {
        let shared = Arc::new(Shared { rules, upstream });
        Gate {
            endpoint: self.endpoint,
            serving: tokio::spawn(serve(self.listener, shared)),
            folder: self.folder,
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
        if let Some(folder) = &self.folder {
            // What cannot be removed leads nowhere any more.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Removes what runs that were killed have left beside `own`: folders of the same user whose socket nobody listens on.
async fn sweep(parent: &Path, own: &Path) {
    // Of the path itself, wherever it may lead.
    let owner = |path: &Path| {
        let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir);
        found.map(|found| found.uid())
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let (folder, socket) = (entry.path(), entry.path().join(SOCKET));
        let is_named_so = entry.file_name().as_encoded_bytes().starts_with(FOLDER.as_bytes());
        let is_socket = || fs::symlink_metadata(&socket).is_ok_and(|found| found.file_type().is_socket());
        if is_named_so && owner(&folder).is_some_and(|uid| owner(own) == Some(uid)) && is_socket() {
            let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
            if UnixStream::connect(&socket).await.is_err_and(refused) {
                // What cannot be removed leads nowhere. A folder that holds anything else stays.
                let _ = fs::remove_file(&socket).and_then(|()| fs::remove_dir(&folder));
            }
        }
    }
}

/// Connections are tasks of this one, and end with it. Who comes when there are as many as are taken waits.
async fn serve(listener: Listener, shared: Arc<Shared>) {
    const AT_ONCE: usize = 64;
    const AFTER_A_FAULT: Duration = Duration::from_millis(100);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let shared = shared.clone();
        let accepted = match &listener {
            Listener::Tcp(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| connections.spawn(connection(stream, shared))),
            Listener::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| connections.spawn(connection(stream, shared))),
        };
        if accepted.is_err() {
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
        while connections.try_join_next().is_some() {}
        if connections.len() >= AT_ONCE {
            connections.join_next().await;
        }
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, shared: Arc<Shared>) {
    const HEADERS_WITHIN: Duration = Duration::from_secs(30);
    const LONGEST_HEADERS: usize = 64 * 1024;
    let service = service_fn(move |request| answer(shared.clone(), request));
    // A connection that breaks is the command's own.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(LONGEST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let url = match shared.rules.admit(&parts) {
        Ok(url) => url,
        Err(turned) => return Ok(refusal(turned.status(), turned.error(), turned.sentence())),
    };
    let (is_empty, mut headers) = (body.is_end_stream(), passed_on(&parts.headers));
    if is_empty && parts.headers.contains_key(CONTENT_LENGTH) {
        // RFC 9110 §8.6: that it is none is said too.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    }
    let outgoing = Outgoing {
        method: parts.method,
        url,
        headers,
        body: if is_empty {
            Sent::Nothing
        } else {
            Sent::Streamed(Source::of(body))
        },
    };
    let answer = shared.upstream.send(&outgoing).await;
    Ok(answer.unwrap_or_else(|not| refusal(not.status(), not.error(), &not.sentence())))
}

/// Ours, told from the resource's by the header.
fn refusal(status: StatusCode, error: &str, sentence: &str) -> Response<Body> {
    let body = json!({ "error": error, "error_description": sentence }).to_string();
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .header("waypass-run", "refused");
    let response = match status {
        // Whoever has no secret, or no approval any more, keeps no place.
        StatusCode::UNAUTHORIZED => response.header(CONNECTION, "close"),
        StatusCode::SERVICE_UNAVAILABLE => response.header(RETRY_AFTER, "0"),
        _ => response,
    };
    response.body(body.into()).unwrap_or_default()
}
