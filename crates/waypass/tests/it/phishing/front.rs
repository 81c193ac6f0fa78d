//! Places in the world for people who all sit at one machine. Whatever goes to the issuer's own URL passes
//! the front, which writes the address as a provider's proxy would: one for browsers, one for command lines.
//! The attacker, with HTTP by hand, comes past it and says where it is by a header of the same trusted hop.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Documentation networks (RFC 5737): the victim's office, a phone on mobile data, the attacker.
pub const OFFICE: &str = "198.51.100.20";
pub const PHONE: &str = "192.0.2.77";
pub const ATTACKER: &str = "203.0.113.7";

/// A request's head has no business being longer.
const LONGEST_HEAD: usize = 64 * 1024;

pub struct Front {
    places: Arc<Mutex<Places>>,
}

#[derive(Clone)]
struct Places {
    browser: String,
    terminal: String,
}

impl Front {
    /// Serves for as long as the runtime lives: a test process ends soon.
    pub fn open(listener: std::net::TcpListener, server_port: u16) -> Self {
        let places = Places {
            browser: OFFICE.to_owned(),
            terminal: OFFICE.to_owned(),
        };
        let places = Arc::new(Mutex::new(places));
        tokio::spawn(serve(listener, server_port, Arc::clone(&places)));
        Self { places }
    }

    pub fn browser_at(&self, address: &str) {
        address.clone_into(&mut self.places.lock().unwrap().browser);
    }

    pub fn terminal_at(&self, address: &str) {
        address.clone_into(&mut self.places.lock().unwrap().terminal);
    }
}

async fn serve(listener: std::net::TcpListener, server_port: u16, places: Arc<Mutex<Places>>) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let places = places.lock().unwrap().clone();
        tokio::spawn(carry(stream, server_port, places));
    }
}

/// One request a connection: the next may come from somewhere else.
async fn carry(mut stream: TcpStream, server_port: u16, places: Places) -> Option<()> {
    let (head, rest) = head(&mut stream).await?;
    let is_browser = head.contains("Mozilla/");
    let address = if is_browser { places.browser } else { places.terminal };
    let mut lines: Vec<&str> = head.lines().filter(|line| !is_hop(line)).collect();
    let forwarded = format!("X-Forwarded-For: {address}");
    lines.extend([forwarded.as_str(), "Connection: close", "", ""]);
    let to = SocketAddr::from(([127, 0, 0, 1], server_port));
    let mut server = TcpStream::connect(to).await.ok()?;
    server.write_all(lines.join("\r\n").as_bytes()).await.ok()?;
    server.write_all(&rest).await.ok()?;
    copy_bidirectional(&mut stream, &mut server).await.ok()?;
    Some(())
}

fn is_hop(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    ["connection", "forwarded", "x-forwarded-for"].contains(&name.to_ascii_lowercase().as_str())
}

/// The lines before the body, and as much of the body as came with them.
pub async fn head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    while read.len() < LONGEST_HEAD {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            read.truncate(end);
            return Some((String::from_utf8(read).ok()?, rest));
        }
    }
    None
}
