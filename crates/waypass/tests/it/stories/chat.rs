//! Where notices go: a chat's webhook that keeps what it is told. How they are signed, and what is never in them, is
//! tested beside the server's code.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

type Told = Arc<Mutex<Vec<Value>>>;

pub struct Chat {
    pub url: String,
    told: Told,
}

impl Chat {
    /// Serves for as long as the runtime lives.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let told = Told::default();
        tokio::spawn(serve(listener, told.clone()));
        Self { url, told }
    }

    pub fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, told: Told) {
    while let Ok((stream, _)) = listener.accept().await {
        let told = told.clone();
        let service = service_fn(move |request| hear(told.clone(), request));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn hear(told: Told, request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    told.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    Ok(Response::default())
}
