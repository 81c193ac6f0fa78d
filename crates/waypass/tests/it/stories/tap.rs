//! The way between the machines and the server, with somebody on it who writes down every request and sends it again.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::http::Answer;
use crate::keys::Key;
use crate::phishing::front::head;
use crate::world::World;

pub struct Tap {
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// One request, as it went by.
#[derive(Clone)]
pub struct Heard {
    head: String,
    body: String,
}

impl Tap {
    /// Serves for as long as the runtime lives.
    pub fn open(listener: std::net::TcpListener, server_port: u16) -> Self {
        let heard = Arc::default();
        tokio::spawn(serve(listener, server_port, Arc::clone(&heard)));
        Self { heard }
    }

    /// The last request to that path with that in its body.
    pub fn heard(&self, path: &str, needle: &str) -> Heard {
        let heard = self.heard.lock().unwrap();
        let is_it = |heard: &&Heard| heard.path() == path && heard.body.contains(needle);
        let found = heard.iter().rev().find(is_it);
        found
            .unwrap_or_else(|| panic!("nobody sent {needle} to {path}"))
            .clone()
    }
}

impl Heard {
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }

    pub fn field(&self, name: &str) -> String {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(own, _)| own == name).unwrap().1.into_owned()
    }

    /// To the letter, proof and all.
    pub async fn again(&self, world: &World) -> Answer {
        world
            .post_raw(self.path(), self.body.clone(), &[("DPoP", self.header("dpop"))])
            .await
    }

    /// With a proof by whoever sends it.
    pub async fn by(&self, world: &World, key: &Key) -> Answer {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        sends(world, self.path(), &pairs, key).await
    }
}

/// A form with a proof by this key, its nonce asked for first.
pub async fn sends(world: &World, path: &str, pairs: &[(&str, &str)], key: &Key) -> Answer {
    let mut claims = Value::Null;
    loop {
        let proof = key.proof("POST", &world.htu(path), &claims);
        let answer = world.post_with(path, pairs, &[("DPoP", &proof)]).await;
        match answer.header("dpop-nonce") {
            Some(nonce) if answer.error() == "use_dpop_nonce" => claims = json!({ "nonce": nonce }),
            _ => return answer,
        }
    }
}

async fn serve(listener: std::net::TcpListener, server_port: u16, heard: Arc<Mutex<Vec<Heard>>>) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(carry(stream, server_port, Arc::clone(&heard)));
    }
}

/// One request a connection, so that each begins where it is looked for.
async fn carry(mut stream: TcpStream, server_port: u16, heard: Arc<Mutex<Vec<Heard>>>) -> Option<()> {
    let (head, mut body) = head(&mut stream).await?;
    let mut lines: Vec<&str> = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    lines.extend(["Connection: close", "", ""]);
    let request = Heard {
        head: head.clone(),
        body: String::new(),
    };
    let length: usize = request.header("content-length").parse().unwrap_or_default();
    let mut more = vec![0; length.saturating_sub(body.len())];
    stream.read_exact(&mut more).await.ok()?;
    body.extend(more);
    heard.lock().unwrap().push(Heard {
        body: String::from_utf8_lossy(&body).into_owned(),
        ..request
    });
    let mut server = TcpStream::connect(("127.0.0.1", server_port)).await.ok()?;
    server.write_all(lines.join("\r\n").as_bytes()).await.ok()?;
    server.write_all(&body).await.ok()?;
    copy_bidirectional(&mut stream, &mut server).await.ok()?;
    Some(())
}
