//! The attacker's own web site, on an origin that is not the server's: each visit waits until the script
//! answers it, so that a code can be made at the moment of the click.

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use super::attacker::Bait;
use super::front::head;
use super::play::Play;

pub struct Site {
    pub origin: String,
    visits: Mutex<mpsc::UnboundedReceiver<Visit>>,
}

pub struct Visit {
    pub path: String,
    stream: TcpStream,
}

impl Site {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (sender, visits) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let (head, _) = head(&mut stream).await?;
                    let path = head.split(' ').nth(1)?.to_owned();
                    sender.send(Visit { path, stream }).ok()
                });
            }
        });
        Self {
            origin,
            visits: Mutex::new(visits),
        }
    }

    /// The next visit to this page; browsers ask for icons too.
    pub async fn visit(&self, path: &str) -> Visit {
        let mut visits = self.visits.lock().await;
        loop {
            let visit = visits.recv().await.unwrap();
            if visit.path == path {
                return visit;
            }
            visit.answer("404 Not Found", "", "").await;
        }
    }

    /// The victim visits, and the page is made with a code that the visit made. None: there is no code to show.
    pub async fn shows_code(&self, play: &mut Play<'_>, page: impl Fn(&str) -> String) -> Option<Bait> {
        let browser = &play.stage.person.browser;
        let ((), bait) = tokio::join!(browser.open(&self.origin), async {
            let visit = self.visit("/").await;
            let bait = play.obtains().await;
            let page = bait
                .as_ref()
                .map_or("Try again later".to_owned(), |bait| page(bait.code()));
            visit.shows(&page).await;
            bait
        });
        bait
    }
}

impl Visit {
    pub async fn shows(self, body: &str) {
        let page = format!("<!doctype html><meta charset=utf-8><title>Shared with you</title><body>{body}");
        self.answer("200 OK", "Content-Type: text/html\r\n", &page).await;
    }

    pub async fn leads_to(self, url: &str) {
        self.answer("302 Found", &format!("Location: {url}\r\n"), "").await;
    }

    async fn answer(mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        // A browser that went away meanwhile is no matter.
        let _ = self.stream.write_all(format!("{head}{body}").as_bytes()).await;
        let _ = self.stream.shutdown().await;
    }
}
