//! `waypass login`: the device flow from the side of the program that asks. RFC 8628 §3.1 to §3.5.
//! The `device_code` is held here and shown nowhere (RFC 8628 §3.3).

use std::path::PathBuf;

use fast_qr::QRBuilder;
use protocol::secret::DeviceCode;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::ErrorBody;
use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use serde_json::json;
use url::Url;

use crate::credentials::{Tokens, Vault};
use crate::date;
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::http::{Http, Unanswered};
use crate::io::Io;
use crate::keys::Key;
use crate::metadata::{Issuer, Metadata, discover};
use crate::poll::{Heard, Next, Waiting};
use crate::print::{Escaped, say};
use crate::profile_key::{self, KeyStorage, ProfileKey};
use crate::settings::{Profile, Settings};
use crate::token_endpoint::{self, TokenAnswer};

/// Ask for access and wait until somebody approves on another device
///
/// The first login of a profile names the server and the client; later ones need no flags:
///
///   waypass login --server https://login.example.com --client-id cli --scope "openid offline_access"
///   waypass login
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct LoginArgs {
    /// The authorization server, exactly as it names itself
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The client id under which this program is registered there
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// What to ask for, separated by spaces [default: what the server gives]
    #[arg(long)]
    scope: Option<String>,
    /// Where the token is to be used; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// The name under which all of this is kept
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Where to make the key of a new profile [default: a TPM if this build can use one, else the keyring, else a file]
    #[arg(long, value_name = "WHERE")]
    key_storage: Option<KeyStorage>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print one JSON object a line: the request, then how it ended
    #[arg(long)]
    json: bool,
    /// Show no QR code
    #[arg(long)]
    no_qr: bool,
    /// Show the code only after Enter is pressed, for when others can see the screen
    #[arg(long, conflicts_with = "json")]
    hide_code: bool,
}

impl LoginArgs {
    pub fn json(&self) -> bool {
        self.json
    }

    /// What is asked for: the kept profile, with the flags over it.
    fn profile(&self, kept: Option<&Profile>) -> Result<Profile, Failure> {
        let missing = |flag: &str| {
            Failure::usage(format!("profile {:?} is new here: {flag} is missing", self.profile))
                .hint("waypass login --server https://login.example.com --client-id cli")
        };
        let or_kept = |flag: &Option<String>, kept: Option<String>| flag.clone().or(kept);
        let resource = if self.resource.is_empty() {
            kept.map(|kept| kept.resource.clone()).unwrap_or_default()
        } else {
            self.resource.clone()
        };
        let server = or_kept(&self.server, kept.map(|kept| kept.server.clone()));
        let client_id = or_kept(&self.client_id, kept.map(|kept| kept.client_id.clone()));
        Ok(Profile {
            server: server.ok_or_else(|| missing("--server"))?,
            client_id: client_id.ok_or_else(|| missing("--client-id"))?,
            scope: or_kept(&self.scope, kept.and_then(|kept| kept.scope.clone())),
            resource,
            ca_file: match &self.ca_file {
                Some(file) => Some(std::path::absolute(file).unwrap_or_else(|_| file.clone())),
                None => kept.and_then(|kept| kept.ca_file.clone()),
            },
        })
    }
}

/// One request that waits for a decision.
pub struct Request<'a> {
    pub profile: &'a Profile,
    pub metadata: &'a Metadata,
    pub caller: Caller<'a>,
}

/// What the server answered to it.
pub struct Asked {
    pub shown: DeviceAuthorizationResponse,
    device_code: DeviceCode,
    interval: i64,
    pub expires_at: Timestamp,
}

pub async fn run(args: &LoginArgs, io: &mut Io) -> Result<(), Failure> {
    let outcome = login(args, io).await;
    io.errors.end_live();
    if let (Err(failure), true) = (&outcome, args.json) {
        io.output
            .json(&json!({"event": "failed", "error": failure.error, "message": failure.what}));
    }
    outcome
}

async fn login(args: &LoginArgs, io: &mut Io) -> Result<(), Failure> {
    if args.hide_code && !io.input_is_terminal {
        return Err(Failure::usage(
            "--hide-code waits for Enter, and there is no terminal to press it on",
        ));
    }
    let vault = Vault::of(io, &args.profile)?;
    let profile = args.profile(Settings::load(io)?.profile(&args.profile))?;
    let issuer = Issuer::parse(&profile.server)?;
    let http = Http::for_server(io, issuer.url(), profile.ca_file.as_deref())?;
    let metadata = discover(io, &http, &issuer).await?;
    let key = profile_key::of(io, &vault, &profile, args.key_storage).await?;

    let caller = Caller::new(&http, &key.key);
    let mut request = Request {
        profile: &profile,
        metadata: &metadata,
        caller,
    };
    let asked = request.ask(io).await?;
    announce(args, io, &asked, &key.key).await;
    let mut told = io.now();
    let pause = async |io: &mut Io, until| {
        told = tell_that_it_is_pending(args, io, told, asked.expires_at);
        sleep_until(args, io, until, asked.expires_at).await;
        Ok(())
    };
    let interrupted = (io.interrupted)();
    let tokens = tokio::select! {
        biased;
        tokens = request.wait(io, &asked, pause) => tokens?,
        () = interrupted => return Err(stopped_by_hand()),
    };
    keep(args, io, &vault, (&profile, &key, tokens)).await
}

/// Nothing interrupts this: Ctrl-C is not listened to any more.
async fn keep(
    args: &LoginArgs,
    io: &mut Io,
    vault: &Vault,
    (profile, key, tokens): (&Profile, &ProfileKey, Tokens),
) -> Result<(), Failure> {
    let credentials = key.credentials(profile, Some(tokens))?;
    let place = {
        let _lock = vault.lock().await?;
        vault.save(io, &credentials, key.place)?
    };
    Settings::keep(io, &args.profile, profile)?;
    let Some(tokens) = &credentials.tokens else {
        return Ok(());
    };
    let stored_in = vault.describe(place, &credentials.key);
    if args.json {
        io.output.json(&json!({
            "event": "authorized", "profile": args.profile, "scope": tokens.scope, "token_type": tokens.token_type,
            "expires_at": tokens.expires_at, "stored_in": stored_in
        }));
        return Ok(());
    }
    say!(
        io.output,
        "Approved: {}",
        if tokens.scope.is_empty() {
            "(no scope)"
        } else {
            &tokens.scope
        }
    );
    if !tokens.token_type.eq_ignore_ascii_case("DPoP") {
        say!(
            io.errors,
            "warning: this server does not bind tokens to a key: whoever copies one can use it"
        );
    }
    say!(
        io.output,
        "Logged in as profile {}; key and tokens are in {stored_in}.",
        args.profile
    );
    Ok(())
}

impl Request<'_> {
    /// RFC 8628 §3.1, with a proof that binds the code to our key (design decision G1).
    pub async fn ask(&mut self, io: &mut Io) -> Result<Asked, Failure> {
        let url = self.metadata.device_authorization_endpoint.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Refused,
                "unsupported",
                format!("{} offers no device grant", self.profile.server),
            )
        })?;
        let mut form = vec![("client_id", self.profile.client_id.as_str())];
        form.extend(self.profile.scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(
            self.profile
                .resource
                .iter()
                .map(|resource| ("resource", resource.as_str())),
        );
        let asked_at = io.now();
        let answer = self
            .caller
            .form(io, url, &form)
            .await
            .map_err(|unanswered| unanswered.failure(url))?;
        if !answer.is_success() {
            return Err(answer.failure("access could not be asked for"));
        }
        let unreadable = || answer.unreadable("the answer cannot be read");
        let mut shown: DeviceAuthorizationResponse = answer.json().ok_or_else(unreadable)?;
        if !is_web_address(&shown.verification_uri) {
            return Err(unreadable());
        }
        shown.verification_uri_complete = shown.verification_uri_complete.filter(|uri| is_web_address(uri));
        let device_code = DeviceCode::presented(std::mem::take(&mut shown.device_code));
        let expires_at = asked_at + Lifetime::from_seconds(shown.expires_in);
        Ok(Asked {
            interval: shown.interval,
            device_code,
            expires_at,
            shown,
        })
    }

    /// RFC 8628 §3.4 and §3.5. When the code ends it says so and never asks for another by itself (§3.1).
    /// `pause` waits until the given instant and may give up.
    pub async fn wait(
        &mut self,
        io: &mut Io,
        asked: &Asked,
        mut pause: impl AsyncFnMut(&mut Io, Timestamp) -> Result<(), Failure>,
    ) -> Result<Tokens, Failure> {
        let mut next = Waiting::new(Some(asked.interval), asked.expires_at).first(io.now());
        loop {
            let (at, then) = match next {
                Next::Poll { at, then } => (at, Some(then)),
                Next::Expire { at } => (at, None),
                Next::Stop => return Err(expired()),
            };
            pause(io, at).await?;
            let Some(waiting) = then else {
                return Err(expired());
            };
            let answer = self.poll(io, asked).await?;
            next = waiting.after(heard(&answer), io.now());
            match (next, answer) {
                (Next::Stop, TokenAnswer::Issued(tokens)) => return Ok(tokens),
                (Next::Stop, TokenAnswer::Refused(body)) => return Err(refused(&body)),
                (going_on, _) => next = going_on,
            }
        }
    }

    async fn poll(&mut self, io: &mut Io, asked: &Asked) -> Result<TokenAnswer, Failure> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", asked.device_code.reveal()),
            ("client_id", &self.profile.client_id),
        ];
        let asked_at = io.now();
        let url = &self.metadata.token_endpoint;
        match self.caller.form(io, url, &form).await {
            Ok(answer) => {
                let scope = self.profile.scope.as_deref().unwrap_or_default();
                token_endpoint::read(&answer, asked_at, scope)
            }
            Err(Unanswered::TimedOut | Unanswered::Unreachable(_)) => Ok(TokenAnswer::Busy),
            Err(other) => Err(other.failure(url)),
        }
    }
}

/// RFC 8628 §3.3 and §3.3.1: the address and the code as text in any case.
async fn announce(args: &LoginArgs, io: &mut Io, asked: &Asked, key: &Key) {
    let shown = &asked.shown;
    let key_words = protocol::key_words::of(key.thumbprint().as_str());
    if args.json {
        io.output.json(&json!({
            "event": "authorization_request", "verification_uri": shown.verification_uri,
            "verification_uri_complete": shown.verification_uri_complete, "user_code": shown.user_code,
            "key_words": key_words, "expires_at": asked.expires_at.seconds()
        }));
        return;
    }
    say!(io.output, "Open this address on a device with a browser:");
    say!(io.output, "");
    say!(io.output, "    {}", shown.verification_uri);
    say!(io.output, "");
    // A QR code that carries the code would show it to onlookers (RFC 8628 §5.5).
    let complete = shown.verification_uri_complete.as_ref().filter(|_| !args.hide_code);
    if !args.no_qr && io.output.is_terminal() {
        print_qr(io, complete.unwrap_or(&shown.verification_uri));
    }
    if args.hide_code {
        io.ask("Press Enter to show the code, when nobody else can see it. ")
            .await;
    }
    say!(io.output, "Enter this code:      {}", shown.user_code);
    say!(io.output, "Compare these words:  {key_words}");
    say!(io.output, "");
    say!(
        io.output,
        "The page shows the same words, or this is not your request: decline it then."
    );
}

fn heard(answer: &TokenAnswer) -> Heard {
    match answer {
        TokenAnswer::Issued(_) => Heard::Tokens,
        TokenAnswer::Busy => Heard::Nothing,
        TokenAnswer::Refused(body) => match body.error.as_str() {
            "authorization_pending" => Heard::Pending,
            "slow_down" => Heard::SlowDown(body.interval),
            "access_denied" => Heard::Denied,
            "expired_token" => Heard::Expired,
            _ => Heard::Refused,
        },
    }
}

async fn sleep_until(args: &LoginArgs, io: &mut Io, at: Timestamp, expires_at: Timestamp) {
    let is_live = io.errors.is_terminal() && !args.json;
    while io.now() < at {
        let mut step = at - io.now();
        if is_live {
            let left = date::countdown(expires_at - io.now());
            io.errors.live(&Escaped::of(&format!(
                "Waiting for a decision, {left} left. Ctrl-C stops."
            )));
            step = step.min(Lifetime::from_seconds(1));
        }
        io.clock.sleep(step).await;
    }
}

/// For whoever reads our JSON: a sign of life each minute, and no more.
fn tell_that_it_is_pending(args: &LoginArgs, io: &mut Io, told: Timestamp, expires_at: Timestamp) -> Timestamp {
    let now = io.now();
    if !args.json || now - told < Lifetime::from_seconds(60) {
        return told;
    }
    io.output
        .json(&json!({"event": "pending", "expires_at": expires_at.seconds()}));
    now
}

fn print_qr(io: &mut Io, uri: &str) {
    // A text too long for a QR code is on the screen as text all the same.
    if let Ok(code) = QRBuilder::new(uri.as_bytes()).build() {
        for line in code.to_str().lines() {
            io.output.line(&Escaped::of(line));
        }
    }
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn expired() -> Failure {
    Failure::new(
        Exit::UnknownCode,
        "expired_token",
        "the code has expired and nobody has decided",
    )
    .hint("run waypass login again when somebody is there to approve")
}

fn refused(body: &ErrorBody) -> Failure {
    match body.error.as_str() {
        "access_denied" => Failure::new(Exit::Refused, "access_denied", "the request was declined"),
        "expired_token" => expired(),
        _ => Failure::refusal("the server refused", body),
    }
}

fn stopped_by_hand() -> Failure {
    Failure::new(Exit::Failed, "interrupted", "stopped; no token was stored").hint("the request ends by itself")
}
