//! An adversary in the middle: a page on the attacker's origin that hands everything on to the true server
//! and keeps what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::front::{ATTACKER, head};
use crate::http::CLIENT;
use crate::world::World;

pub struct Mirror {
    pub origin: String,
    sessions: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Between {
    origin: String,
    issuer: String,
    base: String,
    sessions: Arc<AtomicUsize>,
}

impl Mirror {
    /// Below the true name, as near as an attacker could ever come.
    pub async fn open(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://login.localhost:{}", listener.local_addr().unwrap().port());
        let sessions = Arc::new(AtomicUsize::new(0));
        let between = Between {
            origin: origin.clone(),
            issuer: world.server.issuer.clone(),
            base: world.server.base(),
            sessions: Arc::clone(&sessions),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let between = between.clone();
                tokio::spawn(async move { between.carry(stream).await });
            }
        });
        Self { origin, sessions }
    }

    /// How many people were signed in through it.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }
}

impl Between {
    async fn carry(&self, mut stream: TcpStream) -> Option<()> {
        let (head, mut body) = head(&mut stream).await?;
        let length = header(&head, "content-length").and_then(|text| text.parse().ok());
        while body.len() < length.unwrap_or(0) {
            stream.read_buf(&mut body).await.ok()?;
        }
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut request = CLIENT.request(method.parse().ok()?, format!("{}{path}", self.base));
        for name in ["cookie", "content-type", "accept", "sec-fetch-site", "sec-fetch-mode"] {
            if let Some(value) = header(&head, name) {
                request = request.header(name, value);
            }
        }
        // What would betray the page in between says the true origin instead.
        let request = request
            .header("Origin", &self.issuer)
            .header("X-Forwarded-For", ATTACKER);
        let response = request.body(body).send().await.ok()?;
        let mut answer = format!("HTTP/1.1 {}\r\nConnection: close\r\n", response.status());
        for (name, value) in response.headers() {
            if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
                let value = value.to_str().ok()?.replace(&self.issuer, &self.origin);
                answer.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        let is_in = path.contains("sign-in") && response.headers().contains_key("set-cookie");
        self.sessions.fetch_add(usize::from(is_in), Ordering::SeqCst);
        let body = response.text().await.ok()?.replace(&self.issuer, &self.origin);
        answer.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(answer.as_bytes()).await.ok()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.find_map(|(own, value)| own.eq_ignore_ascii_case(name).then(|| value.trim()))
}
