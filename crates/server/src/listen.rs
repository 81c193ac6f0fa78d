//! From a socket to the router and back: HTTP/1.1 and HTTP/2, every bound on a connection, and the drain
//! at the end. A connection that does nothing costs its place for seconds, not for ever. What a request
//! means begins in the router.

mod crowd;
mod local;
#[cfg(test)]
mod tests;
pub mod tls;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::listen::crowd::Crowd;
use crate::peer::{Certificates, Peer};

pub use self::local::{bind_local, serve_local};

#[derive(Clone, Copy, Debug)]
pub struct ConnectionSettings {
    /// Over so many, new ones wait in the kernel's queue.
    pub connections: u32,
    /// Over so many from one network, new ones of it are closed at once: one host cannot take all places.
    pub per_source: u32,
    /// For a TLS handshake; for the head of a request, or the silence before it on HTTP/1.1.
    pub head: Duration,
    /// For the body of a request and the answer to it, together.
    pub request: Duration,
    /// For silence between requests on HTTP/2.
    pub idle: Duration,
    /// For what is under way when a connection or the server ends.
    pub drain: Duration,
}

impl ConnectionSettings {
    pub fn new(connections: u32) -> Self {
        Self {
            connections,
            per_source: u32::MAX,
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// SIGTERM (a service manager) and SIGINT (a keyboard), listened for from the moment it is made.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub fn new() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    pub async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Whether the server is to end. If whoever could say so is gone, it is.
type Stopped = watch::Receiver<bool>;

async fn begun(stopped: &mut Stopped) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Serves until it is stopped, then lets connections finish. Requests carry `Peer`.
pub async fn serve_public(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    settings: ConnectionSettings,
    mut stopped: Stopped,
) {
    let tls = tls.map(TlsAcceptor::from);
    let places = Places::new(settings);
    let crowd = Arc::new(Crowd::default());
    while let Some((place, (stream, address))) =
        places.next(|context| listener.poll_accept(context), &mut stopped).await
    {
        let Some(seat) = crowd.seat(address.ip(), settings.per_source) else {
            continue;
        };
        let talk = Talk {
            router: router.clone(),
            peer: Some(Peer(address)),
            certificates: None,
            settings,
        };
        let (tls, stopped) = (tls.clone(), stopped.clone());
        tokio::spawn(async move {
            encrypt_and_talk(stream, tls, talk, stopped).await;
            drop((seat, place));
        });
    }
    drop(listener);
    places.empty().await;
}

async fn encrypt_and_talk(stream: TcpStream, tls: Option<TlsAcceptor>, mut talk: Talk, stopped: Stopped) {
    // Answers are small and whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk.over(stream, stopped).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(talk.settings.head, tls.accept(stream)).await {
                let shown = stream.get_ref().1.peer_certificates();
                talk.certificates = shown.map(|shown| Certificates(shown.to_vec().into()));
                talk.over(stream, stopped).await;
            }
        }
    }
}

/// The places for connections at one listener.
struct Places {
    free: Arc<Semaphore>,
    settings: ConnectionSettings,
}

impl Places {
    fn new(settings: ConnectionSettings) -> Self {
        Self {
            free: Arc::new(Semaphore::new(settings.connections as usize)),
            settings,
        }
    }

    /// A place first, a connection second: over the limit nothing is accepted. None when stopped.
    async fn next<T>(
        &self,
        accept: impl Fn(&mut Context<'_>) -> Poll<io::Result<T>>,
        stopped: &mut Stopped,
    ) -> Option<(OwnedSemaphorePermit, T)> {
        let next = async {
            let place = self.free.clone().acquire_owned().await.ok()?;
            loop {
                match poll_fn(&accept).await {
                    Ok(connection) => return Some((place, connection)),
                    // Out of file descriptors, most likely. They come back as connections end.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = begun(stopped) => None,
            next = next => next,
        }
    }

    /// All places are free when all connections have ended, and each ends itself within the drain.
    async fn empty(&self) {
        let all = self.free.acquire_many(self.settings.connections);
        if timeout(self.settings.drain + Duration::from_secs(1), all)
            .await
            .is_err()
        {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// What one connection needs.
struct Talk {
    router: Router,
    peer: Option<Peer>,
    certificates: Option<Certificates>,
    settings: ConnectionSettings,
}

impl Talk {
    async fn over(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, mut stopped: Stopped) {
        let Self {
            router,
            peer,
            certificates,
            settings,
        } = self;
        let usage = Arc::new(Usage::new(&settings));
        let used = usage.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            if let Some(certificates) = certificates.clone() {
                request.extensions_mut().insert(certificates);
            }
            answer(router.clone(), request, settings.request, OpenRequest::begin(&used))
        });
        let builder = builder(&settings);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            // Its end, or an error that concerns the other side alone.
            _ = connection.as_mut() => return,
            () = begun(&mut stopped) => {}
            () = usage.quiet() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(settings.drain, connection).await;
    }
}

fn builder(settings: &ConnectionSettings) -> auto::Builder<TokioExecutor> {
    /// More than any client of ours sends, and what proxies allow by default.
    const HEAD: u32 = 32 * 1024;
    const STREAMS: u32 = 100;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let http1 = &mut builder.http1();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head)
        .max_buf_size(HEAD as usize);
    let http2 = &mut builder.http2();
    http2
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD)
        .max_concurrent_streams(STREAMS);
    builder
}

/// Which requests of a connection are open. Looked at when silence may have lasted long enough, so that a request
/// wakes nobody.
struct Usage {
    idle: Duration,
    requests: Mutex<Requests>,
}

struct Requests {
    open: u32,
    /// When silence that goes on until then has lasted long enough.
    quiet_at: Instant,
}

impl Usage {
    fn new(settings: &ConnectionSettings) -> Self {
        Self {
            idle: settings.idle,
            requests: Mutex::new(Requests {
                open: 0,
                quiet_at: Instant::now() + settings.head,
            }),
        }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when no request has been open for a while. Covers what hyper does not: silence before the
    /// version of HTTP is known, and HTTP/2 connections that are kept alive by pings alone.
    async fn quiet(&self) {
        loop {
            let look_at = match *self.requests() {
                Requests { open: 0, quiet_at } if quiet_at <= Instant::now() => return,
                Requests { open: 0, quiet_at } => quiet_at,
                _ => Instant::now() + self.idle,
            };
            sleep_until(look_at).await;
        }
    }
}

/// Counts a request of a connection for as long as it lives.
struct OpenRequest(Arc<Usage>);

impl OpenRequest {
    fn begin(usage: &Arc<Usage>) -> Self {
        usage.requests().open += 1;
        Self(usage.clone())
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        requests.open -= 1;
        requests.quiet_at = Instant::now() + self.0.idle;
    }
}

/// A handler that panics or never ends costs one answer, not the connection and not the server.
async fn answer(
    router: Router,
    request: Request<Body>,
    bound: Duration,
    _open: OpenRequest,
) -> Result<Response, Infallible> {
    let version = request.version();
    let mut answering = pin!(router.oneshot(request));
    let caught = poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        },
    );
    match timeout(bound, caught).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Ok(failed(StatusCode::INTERNAL_SERVER_ERROR, version)),
        Err(_) => Ok(failed(StatusCode::REQUEST_TIMEOUT, version)),
    }
}

fn failed(status: StatusCode, version: Version) -> Response {
    let code = if status.is_server_error() {
        "server_error"
    } else {
        "invalid_request"
    };
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, format!(r#"{{"error":"{code}"}}"#)).into_response();
    // The rest of the request may be on its way still. HTTP/2 resets the stream and has no such header.
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(CONNECTION, http::HeaderValue::from_static("close"));
    }
    response
}
