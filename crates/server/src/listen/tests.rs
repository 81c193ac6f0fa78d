use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Extension;
use axum::routing::{get, post};
use expect_test::expect;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::TlsFiles;

const GET: &str = "GET /peer HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bounds that no test reaches; each test shortens the one that it is about.
const SETTINGS: ConnectionSettings = ConnectionSettings {
    per_source: u32::MAX,
    connections: 10,
    head: LONG,
    request: LONG,
    idle: LONG,
    drain: LONG,
};

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    /// What `/wait` waits for, and what it tells when it begins.
    release: Arc<Notify>,
    waiting: Arc<Notify>,
}

fn router(release: Arc<Notify>, waiting: Arc<Notify>) -> Router {
    let wait = move || {
        let (release, waiting) = (release.clone(), waiting.clone());
        async move {
            waiting.notify_one();
            release.notified().await;
            "released"
        }
    };
    Router::new()
        .route(
            "/peer",
            get(|Extension(Peer(address))| async move { format!("you are {}", SocketAddr::ip(&address)) }),
        )
        .route(
            "/panic",
            get(|| async {
                assert!(std::hint::black_box(false), "s3cret");
            }),
        )
        .route("/body", post(|body: String| async move { body }))
        .route("/wait", get(wait))
}

impl Server {
    async fn start(settings: ConnectionSettings, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (release, waiting) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = router(release.clone(), waiting.clone());
        let serving = tokio::spawn(async move { serve_public(listener, tls, router, settings, stopped).await });
        Self {
            address,
            stop,
            serving,
            release,
            waiting,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this and reads to the end of the connection, which must come.
    async fn told(&self, sent: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        rest(stream).await
    }
}

async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut read = Vec::new();
    // A connection that is cut with bytes unread ends with a reset.
    let _ = timeout(LONG, stream.read_to_end(&mut read))
        .await
        .expect("the connection ends");
    String::from_utf8_lossy(&read).into_owned()
}

/// One answer with a known last word.
async fn answer_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(timeout(LONG, stream.read_u8()).await.expect("an answer").unwrap());
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_request_carries_its_peer() {
    let server = Server::start(SETTINGS, None).await;
    let mut stream = server.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(
        answer_until(&mut stream, "you are 127.0.0.1")
            .await
            .starts_with("HTTP/1.1 200 OK")
    );
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_tells_nothing() {
    let server = Server::start(SETTINGS, None).await;
    let told = server.told("GET /panic HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(
        told.starts_with("HTTP/1.1 500 ") && told.ends_with(r#"{"error":"server_error"}"#),
        "{told}"
    );
    assert!(!told.contains("s3cret"));
    let mut stream = server.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    answer_until(&mut stream, "you are 127.0.0.1").await;
}

#[tokio::test]
async fn silence_and_half_a_head_are_cut() {
    let server = Server::start(
        ConnectionSettings {
            head: SHORT,
            ..SETTINGS
        },
        None,
    )
    .await;
    for sent in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET / HT",
        "GET / HTTP/1.1\r\nhost: localhost\r\nx-a: b\r\n",
    ] {
        let told = server.told(sent).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408 "), "{sent:?}: {told}");
    }
}

#[tokio::test]
async fn a_stalled_body_is_cut() {
    let server = Server::start(
        ConnectionSettings {
            request: SHORT,
            ..SETTINGS
        },
        None,
    )
    .await;
    let told = server
        .told("POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf")
        .await;
    assert!(
        told.starts_with("HTTP/1.1 408 ") && told.contains("connection: close"),
        "{told}"
    );
}

#[tokio::test]
async fn an_idle_http2_connection_is_told_to_go() {
    let server = Server::start(
        ConnectionSettings {
            head: SHORT,
            idle: SHORT,
            drain: SHORT,
            ..SETTINGS
        },
        None,
    )
    .await;
    // An empty SETTINGS frame; then nothing but silence.
    let told = server.told(&format!("{PREFACE}\0\0\0\u{4}\0\0\0\0\0")).await;
    assert!(!told.is_empty());
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let server = Server::start(SETTINGS, None).await;
    let told = server
        .told(&format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
            "a".repeat(70_000)
        ))
        .await;
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431 "), "{told}");
}

#[tokio::test]
async fn over_the_limit_a_connection_waits_for_a_place() {
    let server = Server::start(
        ConnectionSettings {
            connections: 1,
            ..SETTINGS
        },
        None,
    )
    .await;
    let mut first = server.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    answer_until(&mut first, "you are 127.0.0.1").await;

    let mut second = server.connect().await;
    second.write_all(GET.as_bytes()).await.unwrap();
    assert!(
        timeout(SHORT, second.readable()).await.is_err(),
        "answered while the only place was taken"
    );
    drop(first);
    answer_until(&mut second, "you are 127.0.0.1").await;
}

#[tokio::test]
async fn what_is_under_way_finishes_and_nothing_new_begins() {
    let server = Server::start(SETTINGS, None).await;
    let mut idle = server.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    answer_until(&mut idle, "you are 127.0.0.1").await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    server.waiting.notified().await;

    server.stop.send_replace(true);
    assert_eq!(rest(idle).await, "", "an idle connection ends at once");
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "the listener is closed"
    );
    assert!(!server.serving.is_finished());
    server.release.notify_one();
    assert!(rest(busy).await.ends_with("released"));
    timeout(LONG, server.serving).await.expect("the server ends").unwrap();
}

#[tokio::test]
async fn the_drain_does_not_wait_for_ever() {
    let server = Server::start(
        ConnectionSettings {
            drain: SHORT,
            ..SETTINGS
        },
        None,
    )
    .await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    server.waiting.notified().await;
    server.stop.send_replace(true);
    timeout(LONG, server.serving).await.expect("the server ends").unwrap();
    assert_eq!(rest(busy).await, "");
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/listen/testdata")
        .join(name)
}

fn tls_config() -> Arc<ServerConfig> {
    let files = TlsFiles {
        certificate: testdata("certificate.pem"),
        key: testdata("key.pem"),
    };
    tls::load(&files, Arc::default()).ok().unwrap()
}

fn connector(protocol: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(testdata("certificate.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn tls_offers_both_versions_of_http() {
    let server = Server::start(SETTINGS, Some(tls_config())).await;
    let name = ServerName::try_from("localhost").unwrap();
    let mut one = connector("http/1.1")
        .connect(name.clone(), server.connect().await)
        .await
        .unwrap();
    one.write_all(GET.as_bytes()).await.unwrap();
    answer_until(&mut one, "you are 127.0.0.1").await;

    let mut two = connector("h2").connect(name, server.connect().await).await.unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    two.write_all(format!("{PREFACE}\0\0\0\u{4}\0\0\0\0\0").as_bytes())
        .await
        .unwrap();
    let mut frame = [0; 9];
    timeout(LONG, two.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "RFC 9113 §3.4: the server's preface is a SETTINGS frame");
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut() {
    let server = Server::start(
        ConnectionSettings {
            head: SHORT,
            ..SETTINGS
        },
        Some(tls_config()),
    )
    .await;
    assert_eq!(server.told("").await, "");
    assert!(
        !server.told(GET).await.contains("200 OK"),
        "plain HTTP is not answered on a TLS port"
    );
}

#[test]
fn wrong_certificate_files_are_told_apart() {
    let other = std::env::temp_dir().join(format!("waypass-tls-{}.pem", std::process::id()));
    std::fs::write(&other, "-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n").unwrap();
    let (certificate, key) = (testdata("certificate.pem"), testdata("key.pem"));
    let cases = [
        (PathBuf::from("/nowhere.pem"), key.clone()),
        (key.clone(), key),
        (certificate.clone(), certificate.clone()),
        (certificate, other.clone()),
    ];
    let told = cases.map(|(certificate, key)| {
        let files = TlsFiles { certificate, key };
        tls::load(&files, Arc::default())
            .err()
            .unwrap()
            .to_string()
            .replace(testdata("").to_str().unwrap(), "")
    });
    std::fs::remove_file(&other).unwrap();
    expect![[r"
        tls_certificate /nowhere.pem: cannot be read: No such file or directory (os error 2)
        tls_certificate key.pem: no certificate in PEM
        tls_key certificate.pem: no private key in PEM (an encrypted one cannot be read)
        tls_key OTHER: not well-formed PEM"]]
    .assert_eq(&told.join("\n").replace(other.to_str().unwrap(), "OTHER"));
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("waypass-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_local_socket_is_the_owners_alone_and_goes_with_the_server() {
    let directory = Directory::new("local");
    let path = directory.0.join("waypass.sock");
    let listener = bind_local(&path).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (stop, stopped) = watch::channel(false);
    let router = Router::new().route("/", get(|| async { "local" }));
    let serving = tokio::spawn(async move { serve_local(listener, router, SETTINGS, stopped).await });
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    answer_until(&mut stream, "local").await;

    let refused = bind_local(&path).await.err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    stop.send_replace(true);
    timeout(LONG, serving).await.expect("the server ends").unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_a_file_is_not() {
    let directory = Directory::new("stale");
    let path = directory.0.join("waypass.sock");
    drop(bind_local(&path).await.unwrap());
    assert!(path.exists());
    drop(bind_local(&path).await.unwrap());

    let file = directory.0.join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(bind_local(&file).await.is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}
