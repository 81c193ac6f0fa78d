//! The command line.

use clap::{Parser, ValueEnum};

#[derive(Clone, Copy, ValueEnum, Debug, PartialEq)]
pub enum Mode {
    /// POST the device authorization endpoint as fast as possible
    Issue,
    /// Create --pending codes, then poll them round-robin
    Poll,
    /// Issue, approve, poll until the token, one after another per connection
    Flow,
    /// Like flow, but the client polls at --interval-ms (or holds a long poll) while the approval comes from another
    /// connection after a delay: approval-to-token latency
    Wait,
    /// Create --pending codes, report the server's memory per pending code
    Soak,
    /// No server: what signing and checking ES256 costs on this machine
    Signatures,
}

impl Mode {
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

#[derive(Parser, Debug)]
#[command(about = "Neutral load generator for RFC 8628 servers (loopback only)")]
pub struct Args {
    #[arg(value_enum)]
    pub mode: Mode,
    /// host:port, loopback only
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub addr: String,
    /// Each request with a DPoP proof; its address is that of --host
    #[arg(long)]
    pub dpop: bool,
    /// Value of the Host header (default: --addr)
    #[arg(long)]
    pub host: Option<String>,
    #[arg(long, default_value = "/device_authorization")]
    pub device_path: String,
    #[arg(long, default_value = "/token")]
    pub token_path: String,
    #[arg(long, default_value = "bench")]
    pub client_id: String,
    /// Sent as client_secret in the form body
    #[arg(long)]
    pub client_secret: Option<String>,
    #[arg(long)]
    pub scope: Option<String>,
    /// Further form field of the device authorization request, k=v
    #[arg(long)]
    pub device_field: Vec<String>,
    /// Further form field of the token request, k=v (for example a long-poll parameter)
    #[arg(long)]
    pub token_field: Vec<String>,
    /// Header added to every request, Name: value
    #[arg(long)]
    pub header: Vec<String>,
    #[arg(long, short = 'c', default_value_t = 32)]
    pub conns: usize,
    #[arg(long, short = 'd', default_value_t = 8.0)]
    pub duration: f64,
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
    /// Outstanding device codes (poll, soak), or clients (wait)
    #[arg(long, short = 'n', default_value_t = 1000)]
    pub pending: usize,
    /// Open loop: total requests per second (issue, poll); latency counts from the planned time
    #[arg(long)]
    pub rate: Option<f64>,
    /// Stop after that many requests or flows at most
    #[arg(long, default_value_t = 5_000_000)]
    pub max: u64,
    /// Flow: one poll before the approval
    #[arg(long)]
    pub pending_poll: bool,
    /// A new TCP connection for every request (issue, poll)
    #[arg(long)]
    pub reconnect: bool,
    /// Wait: the client's poll interval; 0 = poll again at once (long poll)
    #[arg(long, default_value_t = 5000)]
    pub interval_ms: u64,
    /// Wait: delay from issue to approval is uniform in 0..this
    #[arg(long, default_value_t = 5000)]
    pub approve_within_ms: u64,
    /// JSON file with the approve hook (see README.md)
    #[arg(long, conflicts_with = "links")]
    pub approve: Option<String>,
    /// Variable for the approve hook, k=v
    #[arg(long)]
    pub var: Vec<String>,
    /// Waypass' enrollment links, one a line; each makes a person with a passkey. Flow: one a connection, who signs in,
    /// looks and approves each time. Wait: some people for all clients, signed in once
    #[arg(long)]
    pub links: Option<String>,
    /// label=pid of a server process; its whole process tree is counted; repeatable
    #[arg(long)]
    pub pid: Vec<String>,
    /// Note copied to the output
    #[arg(long, default_value = "")]
    pub label: String,
}

/// `k=v`, in two.
pub fn pair(text: &str) -> (&str, &str) {
    text.split_once('=').expect("k=v")
}

/// Nothing is sent anywhere but to this machine.
pub fn must_be_loopback(addr: &str) {
    let host = addr.rsplit_once(':').map_or("", |(host, _)| host);
    assert!(
        host == "localhost" || host == "[::1]" || host.starts_with("127."),
        "loopback only"
    );
}
