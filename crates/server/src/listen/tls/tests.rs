use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use super::*;
use crate::listen::{ConnectionSettings, serve_public};
use crate::peer::Certificates;

fn testdata(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/listen/testdata")
        .join(path)
}

/// A workload that shows its X.509-SVID when it is asked, with a key of its own or with another's.
#[derive(Debug)]
struct Workload(Arc<CertifiedKey>);

impl Workload {
    fn new(key: &Path) -> Self {
        let spiffe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/src/spiffe/testdata");
        let all = std::fs::read_to_string(spiffe.join("certificates.txt")).unwrap();
        let leaf = all.lines().find_map(|line| line.strip_prefix("leaf ")).unwrap();
        let leaf = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, leaf).unwrap();
        let key = PrivateKeyDer::from_pem_file(spiffe.join(key)).unwrap();
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Self(Arc::new(CertifiedKey::new(vec![leaf.into()], key)))
    }
}

impl ResolvesClientCert for Workload {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

async fn shown(request: Request) -> String {
    let shown = request.extensions().get::<Certificates>();
    format!("certificates: {}.", shown.map_or(0, |shown| shown.0.len()))
}

/// What the server sees of a workload, or that there was no connection.
async fn seen(asks: bool, workload: Workload, version: &'static SupportedProtocolVersion) -> String {
    let files = TlsFiles {
        certificate: testdata("certificate.pem"),
        key: testdata("key.pem"),
    };
    let server = load(&files, Arc::new(AtomicBool::new(asks))).unwrap_or_else(|problem| panic!("{problem}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let router = Router::new().route("/", get(shown));
    tokio::spawn(serve_public(
        listener,
        Some(server),
        router,
        ConnectionSettings::new(10),
        stopped,
    ));

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(testdata("certificate.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(workload));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut answer = String::new();
    if let Ok(mut stream) = TlsConnector::from(Arc::new(client)).connect(name, stream).await {
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.read_to_string(&mut answer).await;
    }
    answer.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn c30_a_certificate_is_passed_on_where_it_is_asked_for_and_its_key_is_there() {
    for version in [&TLS12, &TLS13] {
        let workload = || Workload::new(Path::new("leaf-key.pem"));
        assert_eq!(seen(true, workload(), version).await, "certificates: 1.", "{version:?}");
        assert_eq!(
            seen(false, workload(), version).await,
            "certificates: 0.",
            "{version:?}"
        );
        let thief = Workload::new(&testdata("key.pem"));
        assert_eq!(
            seen(true, thief, version).await,
            "",
            "{version:?}: a certificate is no secret"
        );
    }
}
