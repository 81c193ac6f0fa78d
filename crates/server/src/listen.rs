//! stub
use std::path::Path;use std::sync::Arc;use axum::Router;use store::Fault;use tokio::net::{TcpListener,UnixListener};use tokio::sync::watch;
use crate::peer::Peer; use crate::config::TlsFiles;
pub struct ConnectionSettings { pub connections: u32 }
pub fn tls(_: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, Fault> { Err(Fault::broken("stub")) }
pub fn bind_local(path: &Path) -> Result<UnixListener, Fault> { let _ = std::fs::remove_file(path); UnixListener::bind(path).map_err(|e| Fault::broken("socket").because(e)) }
pub async fn serve_local(l: UnixListener, r: Router, mut s: watch::Receiver<bool>) { let _ = axum::serve(l, r).with_graceful_shutdown(async move { let _ = s.changed().await; }).await; }
pub async fn serve_public(l: TcpListener, _t: Option<Arc<rustls::ServerConfig>>, r: Router, _c: ConnectionSettings, mut s: watch::Receiver<bool>) {
 let r = r.layer(axum::middleware::from_fn(|axum::extract::ConnectInfo(a): axum::extract::ConnectInfo<std::net::SocketAddr>, mut q: axum::extract::Request, n: axum::middleware::Next| async move { q.extensions_mut().insert(Peer(a)); n.run(q).await }));
 let _ = axum::serve(l, r.into_make_service_with_connect_info::<std::net::SocketAddr>()).with_graceful_shutdown(async move { let _ = s.changed().await; }).await; }
pub async fn stop_signal() { let mut t = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap(); tokio::select!{ _ = t.recv() => {}, _ = tokio::signal::ctrl_c() => {} } }
pub fn chain(f: &Fault) -> String { let mut s = f.to_string(); let mut e = std::error::Error::source(f); while let Some(x) = e { s += &format!(": {x}"); e = x.source(); } s }
