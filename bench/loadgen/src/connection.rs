//! One connection with one request in flight; opened again when the server has closed it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(65);

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The beginning of the body, for an error.
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(200).collect()
    }
}

pub struct Connection {
    addr: String,
    sender: Option<SendRequest<Full<Bytes>>>,
    pub reconnects: u64,
}

impl Connection {
    pub fn new(addr: &str) -> Self {
        Self {
            addr: addr.into(),
            sender: None,
            reconnects: 0,
        }
    }

    pub fn close(&mut self) {
        self.sender = None;
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let mut sender = self.ready().await?;
        let exchange = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| format!("send: {error}"))?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("body: {error}"))?;
            Ok(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        let answer = tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err("timeout".to_owned()))?;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// Taken out, and put back only after a whole answer.
    async fn ready(&mut self) -> Result<SendRequest<Full<Bytes>>, String> {
        if let Some(mut sender) = self.sender.take() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
            self.reconnects += 1;
        }
        let stream = TcpStream::connect(&self.addr)
            .await
            .map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).ok();
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("handshake: {error}"))?;
        tokio::task::spawn_local(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }
}
