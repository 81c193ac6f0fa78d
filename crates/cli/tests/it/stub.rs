//! A server that says what a test wants: HTTP/1.1, one request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn form(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// Header and claims of the DPoP proof.
    pub fn proof(&self) -> (Value, Value) {
        decode(self.header("dpop").expect("a proof"))
    }
}

pub fn decode(jwt: &str) -> (Value, Value) {
    let part = |index: usize| {
        let text = jwt.split('.').nth(index).expect("three parts");
        serde_json::from_slice(&protocol::base64url::decode(text).expect("base64url")).expect("JSON")
    };
    (part(0), part(1))
}

#[derive(Clone)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Reads the request and never answers.
    Hang,
}

pub fn reply(status: u16, body: &Value) -> Reply {
    Reply::Answer {
        status,
        headers: Vec::new(),
        body: body.to_string(),
    }
}

pub fn error(status: u16, code: &str) -> Reply {
    reply(status, &json!({"error": code}))
}

impl Reply {
    pub fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Answer {
                status,
                mut headers,
                body,
            } => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Answer { status, headers, body }
            }
            Self::Hang => Self::Hang,
        }
    }
}

pub struct Stub {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Told each time a request is left hanging.
    pub hung: Arc<Notify>,
}

type Handler = dyn Fn(&str, &Seen) -> Reply + Send + Sync;

impl Stub {
    /// The handler gets the server's own URL and the request.
    pub fn start(handler: impl Fn(&str, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let stub = Self {
            url: url.clone(),
            seen: Arc::default(),
            hung: Arc::default(),
        };
        let (seen, hung, handler): (_, _, Arc<Handler>) =
            (Arc::clone(&stub.seen), Arc::clone(&stub.hung), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (url, seen, hung, handler) = (url.clone(), seen.clone(), hung.clone(), handler.clone());
                std::thread::spawn(move || serve(&stream, &stream, (&url, &seen, &hung), &*handler));
            }
        });
        stub
    }

    pub fn on_socket(path: &Path, handler: impl Fn(&str, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let stub = Self {
            url: String::new(),
            seen: Arc::default(),
            hung: Arc::default(),
        };
        let (seen, hung) = (Arc::clone(&stub.seen), Arc::clone(&stub.hung));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(&stream, &stream, ("", &seen, &hung), &handler);
            }
        });
        stub
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path == path).collect()
    }
}

fn serve(
    input: impl Read,
    mut output: impl Write,
    (url, seen, hung): (&str, &Mutex<Vec<Seen>>, &Notify),
    handler: &Handler,
) {
    let mut input = BufReader::new(input);
    let Some(request) = read_request(&mut input) else {
        return;
    };
    seen.lock().unwrap().push(request.clone());
    match handler(url, &request) {
        Reply::Answer { status, headers, body } => {
            let headers: String = headers
                .iter()
                .map(|(name, value)| [name, ": ", value, "\r\n"].concat())
                .collect();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}",
                body.len()
            );
            // The client may have gone.
            let _ = output.write_all(format!("{head}\r\n{body}").as_bytes());
        }
        Reply::Hang => {
            hung.notify_one();
            // Until the client hangs up.
            let _ = input.read(&mut [0]);
        }
    }
}

fn read_request(input: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    input.read_exact(&mut body).ok()?;
    Some(Seen {
        method,
        path,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

/// An authorization server whose token endpoint gives these answers, one after the other.
pub fn authorization_server(token_answers: Vec<Reply>) -> Stub {
    authorization_server_with(json!({}), token_answers)
}

/// The same, with other members in its device authorization response.
pub fn authorization_server_with(members: Value, token_answers: Vec<Reply>) -> Stub {
    let answers = Mutex::new(token_answers.into_iter());
    Stub::start(move |url, seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(url)),
        "/device_authorization" => {
            let mut body = json!({
                "device_code": "the-device-code", "user_code": "WDJB-MJHT",
                "verification_uri": format!("{url}/device"), "expires_in": 600, "interval": 5
            });
            for (name, value) in members.as_object().unwrap() {
                body[name] = value.clone();
            }
            body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            reply(200, &body)
        }
        "/token" => answers
            .lock()
            .unwrap()
            .next()
            .unwrap_or_else(|| error(400, "no_more_answers")),
        "/revoke" => reply(200, &json!({})),
        "/userinfo" => reply(200, &json!({"sub": "approver_1", "name": "Ali\u{1b}[31mce"})),
        _ => error(404, "not_found"),
    })
}

pub fn metadata(url: &str) -> Value {
    json!({
        "issuer": url, "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "revocation_endpoint": format!("{url}/revoke"), "userinfo_endpoint": format!("{url}/userinfo")
    })
}

pub fn tokens(access_token: &str, refresh_token: &str) -> Reply {
    reply(
        200,
        &json!({
            "access_token": access_token, "token_type": "DPoP", "expires_in": 600, "scope": "openid read",
            "refresh_token": refresh_token
        }),
    )
}
