//! What a login and an enrollment show while somebody decides on another device: where to go, the code, the
//! key's words, the time left; and asking for the six digits that come back (RFC 10027 §6.1.16).

use std::path::PathBuf;

use fast_qr::QRBuilder;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use serde_json::json;
use url::Url;

use crate::date;
use crate::device_flow::{Asked, Shown, Waiter};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::io::Io;
use crate::keys::Key;
use crate::print::{Escaped, Printer, say};

#[derive(Clone, Debug, clap::Args)]
pub struct ScreenArgs {
    /// Print one JSON object a line: the request, then how it ended
    #[arg(long)]
    pub json: bool,
    /// Show no QR code
    #[arg(long)]
    pub no_qr: bool,
    /// Show the code only after Enter is pressed, for when others can see the screen
    #[arg(long, conflicts_with = "json")]
    pub hide_code: bool,
    /// Where the six digits of the approver's page will be, if nobody can type them: a file that is written then, or a pipe
    #[arg(long, value_name = "FILE")]
    pub confirmation_file: Option<PathBuf>,
    #[arg(skip)]
    pub on: Stream,
}

/// Where people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    #[default]
    Output,
    /// Standard output belongs to another command's answer.
    Errors,
    /// Standard output belongs to another program: our JSON too goes elsewhere.
    NotOutput,
}

/// Longer answers are no digits, and asking goes on no longer.
const TRIES_AT_TYPING: u32 = 3;

pub struct Screen<'a> {
    args: &'a ScreenArgs,
    expires_at: Timestamp,
    /// When a reader of JSON last got a sign of life.
    told: Timestamp,
    /// How many tries were told as left.
    told_tries: Option<u32>,
    /// What the file held last: the same is not sent twice.
    sent: String,
}

impl ScreenArgs {
    /// Where people read, or whoever reads our JSON.
    pub fn output<'a>(&self, io: &'a mut Io) -> &'a mut Printer {
        match (self.on, self.json) {
            (Stream::Output, _) | (Stream::Errors, true) => &mut io.output,
            (Stream::Errors, false) | (Stream::NotOutput, _) => &mut io.errors,
        }
    }

    pub fn check(&self, io: &Io) -> Result<(), Failure> {
        if self.hide_code && !io.input_is_terminal {
            return Err(Failure::usage(
                "--hide-code waits for Enter, and there is no terminal to press it on",
            ));
        }
        Ok(())
    }

    /// For whoever reads our JSON, an outcome of a failure too.
    pub fn ended(&self, io: &mut Io, outcome: &Result<(), Failure>) {
        io.errors.end_live();
        if let (Err(failure), true) = (outcome, self.json) {
            io.output
                .json(&json!({"event": "failed", "error": failure.error, "message": failure.what}));
        }
    }
}

impl<'a> Screen<'a> {
    /// RFC 8628 §3.3 and §3.3.1: the address and the code as text in any case.
    pub async fn show(args: &'a ScreenArgs, io: &mut Io, asked: &Asked, key: &Key) -> Self {
        let key_words = protocol::key_words::of(key.thumbprint().as_str());
        let screen = Self {
            args,
            expires_at: asked.expires_at,
            told: io.now(),
            told_tries: None,
            sent: String::new(),
        };
        match &asked.shown {
            Shown::Code(shown) => screen.show_code(io, shown, &key_words).await,
            Shown::Inbox { uri, binding_message } => screen.show_inbox(io, (uri, binding_message), &key_words),
        }
        screen
    }

    /// CIBA §7.1: nothing to type, and two things to compare.
    fn show_inbox(&self, io: &mut Io, (uri, binding_message): (&Url, &str), key_words: &str) {
        let args = self.args;
        if args.json {
            return args.output(io).json(&json!({
                "event": "authorization_request", "inbox_uri": uri.as_str(), "binding_message": binding_message,
                "key_words": key_words, "expires_at": self.expires_at.seconds()
            }));
        }
        say!(args.output(io), "Asked. It waits for a decision in the inbox:");
        say!(args.output(io), "");
        say!(args.output(io), "    {uri}");
        say!(args.output(io), "");
        say!(args.output(io), "It shows these words: {binding_message}");
        say!(args.output(io), "And of this key:      {key_words}");
        say!(args.output(io), "");
        say!(
            args.output(io),
            "Whatever shows other words there is not this request: decline it."
        );
    }

    async fn show_code(&self, io: &mut Io, shown: &DeviceAuthorizationResponse, key_words: &str) {
        let args = self.args;
        if args.json {
            return args.output(io).json(&json!({
                "event": "authorization_request", "verification_uri": shown.verification_uri,
                "verification_uri_complete": shown.verification_uri_complete, "user_code": shown.user_code,
                "key_words": key_words, "expires_at": self.expires_at.seconds()
            }));
        }
        say!(args.output(io), "Open this address on a device with a browser:");
        say!(args.output(io), "");
        say!(args.output(io), "    {}", shown.verification_uri);
        say!(args.output(io), "");
        // A QR code that carries the code would show it to onlookers (RFC 8628 §5.5).
        let complete = shown.verification_uri_complete.as_ref().filter(|_| !args.hide_code);
        if !args.no_qr && args.output(io).is_terminal() {
            print_qr(args.output(io), complete.unwrap_or(&shown.verification_uri));
        }
        if args.hide_code {
            io.ask("Press Enter to show the code, when nobody else can see it. ")
                .await;
        }
        say!(args.output(io), "Enter this code:      {}", shown.user_code);
        say!(args.output(io), "Compare these words:  {key_words}");
        say!(args.output(io), "");
        say!(
            args.output(io),
            "The page shows the same words, or this is not your request: decline it then."
        );
    }

    fn tell_time_left(&self, io: &mut Io) {
        let left = date::countdown(self.expires_at - io.now());
        io.errors.live(&Escaped::of(&format!(
            "Waiting for a decision, {left} left. Ctrl-C stops."
        )));
    }

    fn is_live(&self, io: &Io) -> bool {
        io.errors.is_terminal() && !self.args.json
    }

    /// A sign of life each minute, and no more.
    fn tell_that_it_is_pending(&mut self, io: &mut Io) {
        let now = io.now();
        if self.args.json && now - self.told >= Lifetime::from_seconds(60) {
            self.args
                .output(io)
                .json(&json!({"event": "pending", "expires_at": self.expires_at.seconds()}));
            self.told = now;
        }
    }

    async fn typed(&self, io: &mut Io, tries: u32) -> Result<String, Failure> {
        let tries = if tries == 1 {
            "the last try".to_owned()
        } else {
            format!("{tries} tries")
        };
        let question = format!("The six digits on the approver's page ({tries}): ");
        for _ in 0..TRIES_AT_TYPING {
            let digits = plain(&io.ask(&question).await);
            if is_six_digits(&digits) {
                return Ok(digits);
            }
            if digits.is_empty() && !io.input_is_terminal {
                break;
            }
            say!(io.errors, "These are not six digits. Nothing was sent.");
        }
        Err(Failure::new(
            Exit::Failed,
            "not_confirmed",
            "the six digits were not typed, and nothing was issued",
        )
        .hint("if nobody can type them here, name a file with --confirmation-file"))
    }

    async fn of_file(&mut self, file: PathBuf) -> Result<Option<String>, Failure> {
        let unusable = |why: &str| Failure::usage(format!("--confirmation-file: {why}"));
        // On a thread of its own: a pipe is read when somebody writes.
        let read = tokio::task::spawn_blocking(move || files::read(&file)).await;
        let text = read.map_err(|_| unusable("it cannot be read"))?;
        let digits = plain(&text.map_err(|error| unusable(&error.to_string()))?.unwrap_or_default());
        if !is_six_digits(&digits) || digits == self.sent {
            return Ok(None);
        }
        self.sent.clone_from(&digits);
        Ok(Some(digits))
    }
}

impl Waiter for Screen<'_> {
    async fn pause(&mut self, io: &mut Io, until: Timestamp) -> Result<(), Failure> {
        self.tell_that_it_is_pending(io);
        while io.now() < until {
            let mut step = until - io.now();
            if self.is_live(io) {
                self.tell_time_left(io);
                step = step.min(Lifetime::from_seconds(1));
            }
            io.clock.sleep(step).await;
        }
        Ok(())
    }

    /// It moves when the server answers: half a minute at most.
    fn is_held(&mut self, io: &mut Io) {
        if self.is_live(io) {
            self.tell_time_left(io);
        }
    }

    async fn digits(&mut self, io: &mut Io, tries: u32) -> Result<Option<String>, Failure> {
        if self.args.json && self.told_tries.replace(tries) != Some(tries) {
            self.args
                .output(io)
                .json(&json!({"event": "confirmation_required", "tries": tries}));
        }
        match self.args.confirmation_file.clone() {
            Some(file) => self.of_file(file).await,
            None => self.typed(io, tries).await.map(Some),
        }
    }
}

/// People write `123 456`.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

fn is_six_digits(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn print_qr(printer: &mut Printer, uri: &str) {
    // A text too long for a QR code is on the screen as text all the same.
    if let Ok(code) = QRBuilder::new(uri.as_bytes()).build() {
        for line in code.to_str().lines() {
            printer.line(&Escaped::of(line));
        }
    }
}
