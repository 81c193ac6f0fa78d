//! What goes through a run's endpoint: both ways as it comes, nothing kept, redirects told and not followed, over HTTP/2
//! where the resource speaks it. And the one request of `waypass curl`. The resource here believes everybody; `resource_server.rs` does not.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::document;
use crate::http::{Answer, raw};
use crate::process::signal;
use crate::resource_server::ResourceServer;
use crate::running::{Desk, Ended, Run};
use crate::server::{tls_authority, tls_file, tls_key};
use crate::tools;
use crate::world::World;

on_one!(
    events_arrive_one_by_one,
    events_arrive_one_by_one_over_http_2,
    large_bodies_go_by_both_ways_and_fill_no_memory,
    headers_that_are_not_the_commands_stay_here,
    requests_at_once_are_each_proven,
    a_body_is_sent_again_with_the_nonce_that_is_asked_for,
    http_2_is_spoken_where_the_resource_does,
    trailers_of_the_command_stay_here,
    a_head_without_end_is_refused,
    as_many_connections_as_are_taken_and_the_next_one_waits,
    the_lines_of_the_document_reach_the_resource,
    one_request_is_sent_as_it_was_typed,
    an_answer_without_end_is_printed_as_it_comes_until_somebody_stops_it,
    the_status_of_the_answer_is_the_exit_code,
);

const MEGABYTE: usize = 1024 * 1024;

/// A body of chunks as they are sent.
struct Chunks(mpsc::Receiver<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

struct Resource {
    url: String,
    /// Says one event to whoever listens.
    say: mpsc::Sender<Bytes>,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    said: tokio::sync::Mutex<mpsc::Receiver<Bytes>>,
}

impl Resource {
    async fn start(tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (say, said) = mpsc::channel(8);
        let state = Arc::new(State { said: said.into() });
        let acceptor = tls.then(acceptor);
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, acceptor) = (state.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(state.clone(), request));
                    let http = auto::Builder::new(TokioExecutor::new());
                    // A connection that breaks is the other side's loss.
                    let _ = match acceptor {
                        None => http.serve_connection(TokioIo::new(stream), service).await,
                        Some(acceptor) => {
                            let stream = acceptor.accept(stream).await.unwrap();
                            http.serve_connection(TokioIo::new(stream), service).await
                        }
                    };
                });
            }
        });
        Self { url, say, serving }
    }

    async fn reached(&self, world: &World, more: &[&str]) -> Run {
        let desk = Desk::at(world, Some(&self.url)).await;
        let flags = [
            "--resource",
            &self.url,
            "--path",
            "/**",
            "--method",
            "GET",
            "--method",
            "PUT",
        ];
        desk.waiting(&[&flags[..], more].concat()).await
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Of HTTP/2 and nothing else.
fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(tls_authority().as_bytes()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::from_pem_slice(tls_key().as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config).into()
}

type Answered = Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answered, Infallible> {
    let told = |text: String| Response::new(http_body_util::Full::from(text).boxed());
    Ok(match request.uri().path() {
        "/events" => {
            let (chunks, body) = mpsc::channel(8);
            tokio::spawn(async move {
                while let Some(event) = state.said.lock().await.recv().await {
                    let _ = chunks.send(event).await;
                }
            });
            let mut response = Response::new(Chunks(body).boxed());
            response
                .headers_mut()
                .insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
        "/upload" => told(counted(request.into_body()).await.to_string()),
        "/trailers" => {
            let body = request.into_body().collect().await.unwrap();
            told(
                json!([
                    body.trailers().map(|trailers| format!("{trailers:?}")),
                    body.to_bytes().len()
                ])
                .to_string(),
            )
        }
        "/nonce" => nonce_wanted(request).await,
        "/download" => {
            let (chunks, body) = mpsc::channel(8);
            tokio::spawn(async move {
                for _ in 0..64 {
                    let _ = chunks.send(Bytes::from(vec![b'x'; MEGABYTE])).await;
                }
            });
            Response::new(Chunks(body).boxed())
        }
        "/redirect" => {
            let mut response = told("elsewhere".to_owned());
            *response.status_mut() = hyper::StatusCode::FOUND;
            response.headers_mut().insert("location", "/upload".parse().unwrap());
            response
                .headers_mut()
                .insert("set-cookie", "session=secret".parse().unwrap());
            response.headers_mut().insert("waypass-run", "refused".parse().unwrap());
            response
        }
        _ => {
            let names = request.headers().iter();
            let headers: Value = names
                .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
                .collect();
            told(json!({ "version": format!("{:?}", request.version()), "headers": headers }).to_string())
        }
    })
}

async fn counted(mut body: Incoming) -> usize {
    let mut count = 0;
    while let Some(Ok(frame)) = body.frame().await {
        count += frame.data_ref().map_or(0, Bytes::len);
    }
    count
}

/// Reads all of it before it says so (RFC 9449 §9).
async fn nonce_wanted(request: Request<Incoming>) -> Answered {
    let proof = request.headers()["dpop"].to_str().unwrap().to_owned();
    let claims = crate::keys::claims(&proof);
    let body = counted(request.into_body()).await;
    let mut response = Response::new(http_body_util::Full::from(body.to_string()).boxed());
    if claims["nonce"] != "the-nonce" {
        *response.status_mut() = hyper::StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        headers.insert("www-authenticate", r#"DPoP error="use_dpop_nonce""#.parse().unwrap());
        headers.insert("dpop-nonce", "the-nonce".parse().unwrap());
    }
    response
}

async fn events_arrive_one_by_one(world: &World) {
    events_arrive(world, false).await;
}

async fn events_arrive_one_by_one_over_http_2(world: &World) {
    events_arrive(world, true).await;
}

async fn events_arrive(world: &World, over_http_2: bool) {
    let resource = Resource::start(over_http_2).await;
    let ca_file = tls_file("certificate.pem").display().to_string();
    let running = resource.reached(world, &["--ca-file", &ca_file]).await;
    let mut listening = running.with_secret("GET", "/events").send().await.unwrap();
    assert_eq!(listening.headers()["content-type"], "text/event-stream");
    for number in 0..3 {
        let event = format!("data: {number}\n\n");
        resource.say.send(event.clone().into()).await.unwrap();
        // The next one is not said before this one is heard.
        let heard = tokio::time::timeout(Duration::from_secs(20), listening.chunk()).await;
        assert_eq!(heard.unwrap().unwrap().unwrap(), event);
    }
    // With its command the stream ends too.
    assert_eq!(running.ended().await.code, 7);
    let heard = tokio::time::timeout(Duration::from_secs(20), listening.chunk()).await;
    assert!(!matches!(heard.unwrap(), Ok(Some(_))));
}

fn peak_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

async fn large_bodies_go_by_both_ways_and_fill_no_memory(world: &World) {
    let resource = Resource::start(false).await;
    let running = resource.reached(world, &[]).await;
    let process = running.child.id().unwrap();
    let before = peak_memory(process);
    let (chunks, body) = mpsc::channel(2);
    tokio::spawn(async move {
        for _ in 0..64 {
            let _ = chunks.send(Bytes::from(vec![b'x'; MEGABYTE])).await;
        }
    });
    let sent = running
        .with_secret("PUT", "/upload")
        .body(reqwest::Body::wrap(Chunks(body)));
    assert_eq!(Answer::to(sent).await.expect(200).body, (64 * MEGABYTE).to_string());
    let whole = running.with_secret("PUT", "/upload").body(vec![b'x'; 8 * MEGABYTE]);
    assert_eq!(Answer::to(whole).await.expect(200).body, (8 * MEGABYTE).to_string());
    let mut answer = running.with_secret("GET", "/download").send().await.unwrap();
    let mut count = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        count += chunk.len();
    }
    assert_eq!(count, 64 * MEGABYTE);
    let grown = peak_memory(process) - before;
    assert!(grown < 24 * MEGABYTE, "{grown} bytes for 136 MiB");
}

async fn headers_that_are_not_the_commands_stay_here(world: &World) {
    let resource = Resource::start(false).await;
    let running = resource.reached(world, &[]).await;
    let request = running.with_secret("GET", "/anything");
    let request = [
        ("Authorization", "Bearer of-its-own"),
        ("DPoP", "a.b.c"),
        ("Cookie", "a=b"),
        ("X-API-Key", "k"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Connection", "X-Private"),
        ("X-Private", "1"),
        ("TE", "trailers"),
        ("Forwarded", "for=10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Host", "other.example.com"),
        ("X-Kept", "kept"),
    ]
    .iter()
    .fold(request, |request, (name, value)| request.header(*name, *value));
    let seen = Answer::to(request).await.expect(200).json();
    let headers = seen["headers"].as_object().unwrap();
    assert!(
        headers["authorization"].as_str().unwrap().starts_with("DPoP eyJ"),
        "{seen}"
    );
    assert_eq!(headers["x-kept"], "kept");
    assert_eq!(headers["host"], resource.url.strip_prefix("http://").unwrap());
    for name in [
        "cookie",
        "x-api-key",
        "proxy-authorization",
        "x-private",
        "te",
        "connection",
        "waypass-run",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
    ] {
        assert!(!headers.contains_key(name), "{name}: {seen}");
    }
    assert_ne!(headers["dpop"], "a.b.c");
    let answer = running.request("GET", "/redirect").await.expect(302);
    let told = ["location", "set-cookie", "waypass-run"].map(|name| answer.header(name));
    assert_eq!(told, [Some("/upload"), None, None]);
    // A body that is empty is said to be, as it was to us.
    for line in ["Content-Length: 0\r\n", ""] {
        let (port, secret) = (running.port(), &running.secret);
        let head = format!("PUT /anything HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nWaypass-Run: {secret}\r\n");
        let request = format!("{head}{line}Connection: close\r\n\r\n");
        let seen = raw(port, request.as_bytes(), Duration::from_secs(20)).await.unwrap();
        assert_eq!(seen.contains(r#""content-length":"0""#), !line.is_empty(), "{seen}");
    }
}

async fn requests_at_once_are_each_proven(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let desk = Desk::new(world, Some(&resource)).await;
    let running = desk.waiting(&["--resource", &resource.url, "--path", "/v2/**"]).await;
    let requests: JoinSet<_> = (0..40)
        .map(|number| Answer::to(running.with_secret("GET", &format!("/v2/contacts/{number}"))))
        .collect();
    for answer in requests.join_all().await {
        answer.expect(200);
    }
}

async fn a_body_is_sent_again_with_the_nonce_that_is_asked_for(world: &World) {
    let resource = Resource::start(false).await;
    let running = resource.reached(world, &[]).await;
    let small = running.with_secret("PUT", "/nonce").body(vec![b'x'; 100_000]);
    assert_eq!(Answer::to(small).await.expect(200).body, "100000");
    drop(running);
    // What has gone by cannot be sent again by anybody but the command; then it works.
    let running = resource.reached(world, &[]).await;
    for (status, expected) in [(503, "send_again"), (200, "1048576")] {
        let large = running.with_secret("PUT", "/nonce").body(vec![b'x'; MEGABYTE]);
        let answer = Answer::to(large).await.expect(status);
        assert!(answer.body.contains(expected), "{answer:?}");
    }
}

async fn http_2_is_spoken_where_the_resource_does(world: &World) {
    let resource = Resource::start(true).await;
    let ca_file = tls_file("certificate.pem").display().to_string();
    let running = resource.reached(world, &["--ca-file", &ca_file]).await;
    let seen = running.request("GET", "/anything").await.expect(200).json();
    assert_eq!(seen["version"], "HTTP/2.0", "{seen}");
    let large = running.with_secret("PUT", "/upload").body(vec![b'x'; 4 * MEGABYTE]);
    assert_eq!(Answer::to(large).await.expect(200).body, (4 * MEGABYTE).to_string());
}

/// HTTP/2 sends on any that a body ends with.
async fn trailers_of_the_command_stay_here(world: &World) {
    let resource = Resource::start(true).await;
    let ca_file = tls_file("certificate.pem").display().to_string();
    let running = resource.reached(world, &["--ca-file", &ca_file]).await;
    let (port, secret) = (running.port(), &running.secret);
    let head = format!("PUT /trailers HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nWaypass-Run: {secret}\r\n");
    for body in ["3\r\nabc\r\n0\r\n", "0\r\n"] {
        let trailers = "Authorization: DPoP own\r\nDPoP: a.b.c\r\nX-HTTP-Method-Override: DELETE\r\n\r\n";
        let framing = "Transfer-Encoding: chunked\r\nTrailer: Authorization, DPoP\r\nConnection: close\r\n\r\n";
        let request = format!("{head}{framing}{body}{trailers}");
        let answer = raw(port, request.as_bytes(), Duration::from_secs(20)).await.unwrap();
        let length = if body.starts_with('3') { 3 } else { 0 };
        assert!(answer.contains(&format!("[null,{length}]")), "{answer}");
    }
}

async fn a_head_without_end_is_refused(world: &World) {
    let resource = Resource::start(false).await;
    let running = resource.reached(world, &[]).await;
    for (length, status) in [(32 * 1024, 302), (128 * 1024, 431)] {
        let request = running
            .with_secret("GET", "/redirect")
            .header("X-Long", "x".repeat(length));
        Answer::to(request).await.expect(status);
    }
}

async fn as_many_connections_as_are_taken_and_the_next_one_waits(world: &World) {
    const AT_ONCE: usize = 64;
    let resource = Resource::start(false).await;
    let running = resource.reached(world, &[]).await;
    let (port, secret) = (running.port(), &running.secret);
    let request = format!("GET /redirect HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nWaypass-Run: {secret}\r\n\r\n");
    let mut held = Vec::new();
    for _ in 0..AT_ONCE {
        held.push(asked(TcpStream::connect(("127.0.0.1", port)).await.unwrap(), &request).await);
    }
    let mut next = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    next.write_all(request.as_bytes()).await.unwrap();
    for _ in 0..10 {
        let one = held.pop().unwrap();
        held.push(asked(one, &request).await);
    }
    let early = next.try_read(&mut [0; 1]);
    assert!(early.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    drop(held.pop());
    let mut first = [0; 12];
    tokio::time::timeout(Duration::from_secs(20), next.read_exact(&mut first))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first, *b"HTTP/1.1 302");
}

/// A connection that was answered once more, and stays.
async fn asked(mut stream: TcpStream, request: &str) -> TcpStream {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"elsewhere") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    stream
}

/// docs/run.md, as somebody copies them.
async fn the_lines_of_the_document_reach_the_resource(world: &World) {
    if tools::program(&["curl"]).is_none() {
        return tools::left_out("curl", "the lines of docs/run.md");
    }
    let resource = Resource::start(false).await;
    let desk = Desk::at(world, Some(&resource.url)).await;
    let page = std::fs::read_to_string(document::folder().join("run.md")).unwrap();
    let lines: Vec<_> = page.lines().filter(|line| line.contains("| curl ")).collect();
    assert_eq!(lines.len(), 2);
    for (line, more) in lines.into_iter().zip([&[][..], &["--unix"]]) {
        let reach = ["--resource", &*resource.url, "--method", "POST", "--path", "/deploys/*"];
        let ended = desk
            .begun(&[&reach, more].concat(), &["sh", "-c", line])
            .await
            .ended()
            .await;
        assert!(
            ended.code == 0 && ended.stdout.contains("DPoP eyJ"),
            "{line}: {}{}",
            ended.stdout,
            ended.said
        );
    }
}

/// One request of `waypass curl`. Whatever comes of it, its grant has ended.
async fn approved(desk: &Desk<'_>, url: &str, flags: &[&str]) -> Ended {
    let (asked, code) = desk.ask("curl", &[flags, &[url]].concat(), &[]).await;
    desk.world.approve(&code).await;
    let ended = asked.ended().await;
    assert_eq!(ended.event["grant_ended"], json!(true), "{}", ended.said);
    ended
}

async fn one_request_is_sent_as_it_was_typed(world: &World) {
    let resource = Resource::start(false).await;
    let desk = Desk::at(world, Some(&resource.url)).await;
    let url = format!("{}/anything?site=7", resource.url);
    let (body, answer) = (desk.script("site.json", r#"{"site":7}"#), desk.home.join("answer.json"));
    let data = [format!("@{body}"), answer.display().to_string()];
    let headers = [
        "Content-Type: application/json",
        "X-Kept: kept",
        "Authorization: Bearer own",
        "Host: elsewhere",
    ];
    let headers = headers.iter().flat_map(|header| ["-H", *header]);
    let flags: Vec<_> = ["-X", "PUT", "-d", &data[0], "-o", &data[1]]
        .into_iter()
        .chain(headers)
        .collect();
    let ended = approved(&desk, &url, &flags).await;
    assert_eq!((ended.code, &*ended.stdout), (0, ""), "{}", ended.said);
    let seen: Value = serde_json::from_str(&std::fs::read_to_string(&answer).unwrap()).unwrap();
    let seen = &seen["headers"];
    assert_eq!(
        (&seen["content-type"], &seen["x-kept"]),
        (&json!("application/json"), &json!("kept")),
        "{seen}"
    );
    assert!(
        seen["authorization"].as_str().unwrap().starts_with("DPoP eyJ"),
        "{seen}"
    );
    assert_eq!(seen["host"], resource.url.strip_prefix("http://").unwrap());
    let detail = &world.exported_grant(&desk.client).await["authorization_details"][0];
    let digest = protocol::digest::hexadecimal(&<sha2::Sha256 as sha2::Digest>::digest(r#"{"site":7}"#));
    let asked = ["methods", "query", "body_sha256"].map(|name| detail[name].clone());
    assert_eq!(asked, [json!(["PUT"]), json!("site=7"), json!(digest)], "{detail}");
    // A form where nothing else is said.
    let seen: Value = serde_json::from_str(&approved(&desk, &url, &["-d", "a=1"]).await.stdout).unwrap();
    assert_eq!(seen["headers"]["content-type"], "application/x-www-form-urlencoded");
}

async fn an_answer_without_end_is_printed_as_it_comes_until_somebody_stops_it(world: &World) {
    for (stopped_by, code) in [("INT", 1), ("TERM", 143), ("HUP", 129)] {
        let (asked, resource) = streaming(world, &[]).await;
        signal(stopped_by, asked.child.id().unwrap()).await;
        let ended = asked.ended().await;
        let told = (ended.code, &ended.event["grant_ended"]);
        assert_eq!(told, (code, &json!(true)), "{stopped_by}: {}", ended.said);
        drop(resource);
    }
    // What was ignored when it began stays ignored.
    let (mut asked, resource) = streaming(world, &["nohup"]).await;
    signal("HUP", asked.child.id().unwrap()).await;
    resource.say.send("2\n".into()).await.unwrap();
    assert_eq!(asked.line().await, "2");
}

/// Two events of an answer that has more.
async fn streaming(world: &World, through: &[&str]) -> (Run, Resource) {
    let resource = Resource::start(false).await;
    let desk = Desk::at(world, Some(&resource.url)).await;
    let mut words = through.to_vec();
    let program = desk.home.join("waypass").display().to_string();
    words.push(&program);
    let mut command = desk.program(words[0]);
    command
        .args(&words[1..])
        .args(desk.words("curl", &["--json", &format!("{}/events", resource.url)], &[]));
    let (mut asked, code) = desk.start(command).await;
    world.approve(&code).await;
    asked.event("answer").await;
    for number in ["0", "1"] {
        resource.say.send(format!("{number}\n").into()).await.unwrap();
        assert_eq!(asked.line().await, number);
    }
    (asked, resource)
}

async fn the_status_of_the_answer_is_the_exit_code(world: &World) {
    let resource = Resource::start(false).await;
    let desk = Desk::at(world, Some(&resource.url)).await;
    // A redirect is told and not followed.
    let ended = approved(&desk, &format!("{}/redirect", resource.url), &["-i"]).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.contains("302 Found\n") && ended.stdout.contains("location: /upload\n"),
        "{}",
        ended.stdout
    );
    let refused = desk
        .command("curl", &["-H", "X-HTTP-Method-Override: DELETE", &resource.url], &[])
        .output()
        .await;
    assert_eq!(refused.unwrap().status.code(), Some(64), "nobody is asked");
    // Nobody there.
    let nowhere = format!("http://localhost:{}", crate::server::free_port());
    let desk = Desk::at(world, Some(&nowhere)).await;
    assert_eq!(approved(&desk, &nowhere, &[]).await.code, 69);
}
