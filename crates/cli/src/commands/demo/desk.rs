//! Where the demo waits for a decision: a live line with the time left, and a few letters to type. The
//! deciding itself is `waypass show`, `approve` and `deny`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use protocol::time::{Lifetime, Timestamp};
use protocol::wire::approver::RequestView;
use protocol::wire::device_authorization::DeviceAuthorizationResponse;

use crate::commands::decide::{self, DecideArgs, DenyArgs, LessArgs};
use crate::commands::demo::cast::Cast;
use crate::date;
use crate::device_flow::{Asked, Waiter};
use crate::failure::{Exit, Failure};
use crate::io::{Input, Io, read_line};
use crate::print::{Escaped, say};

pub const KEYS: &str = "   Or a letter and Enter:  t  decide in this terminal   d  decline   q  quit";

pub const NO_KEYS: &str = "   No terminal to ask in: approve in the browser, or run this with --auto.";

type Reading = Pin<Box<dyn Future<Output = (Input, String)> + Send>>;

pub struct Desk {
    args: DecideArgs,
    expires_at: Timestamp,
    /// The line that is being typed; none where nobody sits.
    reading: Option<Reading>,
    /// It was decided before the first poll, which may come at once.
    may_poll: bool,
    is_decided: bool,
}

impl Desk {
    pub fn open(io: &mut Io, cast: &Cast) -> Self {
        let args = DecideArgs {
            user_code: String::new(),
            server: cast.profile.server.clone(),
            key_file: cast.key_file.clone(),
            ca_file: None,
            raw: false,
            json: false,
        };
        let reading = io.input_is_terminal.then(|| reading(io));
        Self {
            args,
            expires_at: io.now(),
            reading,
            may_poll: false,
            is_decided: false,
        }
    }

    /// From here on it is about this request.
    pub fn turn_to(&mut self, asked: &Asked, shown: &DeviceAuthorizationResponse) {
        self.args.user_code.clone_from(&shown.user_code);
        self.expires_at = asked.expires_at;
        self.is_decided = false;
    }

    pub async fn decide_alone(&mut self, io: &mut Io) -> Result<(), Failure> {
        let show = async |io: &mut Io, view: &RequestView| {
            let now = io.now();
            decide::print(&mut io.output, view, false, now);
            true
        };
        decide::approve_if(&self.args, &LessArgs::default(), io, show).await?;
        self.may_poll = true;
        Ok(())
    }
}

impl Waiter for Desk {
    async fn pause(&mut self, io: &mut Io, until: Timestamp) -> Result<(), Failure> {
        if std::mem::take(&mut self.may_poll) {
            return Ok(());
        }
        while io.now() < until {
            io.output.live(&self.waiting(io.now()));
            let step = (until - io.now()).min(Lifetime::from_seconds(1));
            let clock = Arc::clone(&io.clock);
            tokio::select! {
                () = clock.sleep(step) => {}
                (input, line) = typed(&mut self.reading) => {
                    io.input = input;
                    self.obey(io, &line).await?;
                    // An empty line without its end is the end of input.
                    self.reading = (!line.is_empty()).then(|| reading(io));
                }
            }
        }
        Ok(())
    }

    /// The demo's profile carries nothing back.
    async fn digits(&mut self, _: &mut Io, _: u32) -> Result<Option<String>, Failure> {
        Ok(None)
    }
}

impl Desk {
    fn waiting(&self, now: Timestamp) -> Escaped {
        if self.is_decided {
            return Escaped::of("   The program hears of it when it asks again. ");
        }
        let left = date::countdown(self.expires_at - now);
        Escaped::of(&format!("   Waiting for your decision, {left} left. "))
    }

    async fn obey(&mut self, io: &mut Io, line: &str) -> Result<(), Failure> {
        let decided = match line.trim() {
            "" => return Ok(()),
            "q" => return Err(Failure::new(Exit::Done, "interrupted", "stopped by hand")),
            "t" => {
                say!(io.output, "");
                decide::approve(&self.args, &LessArgs::default(), io).await
            }
            "d" => decide::deny(&self.deny(), io).await,
            _ => {
                say!(io.output, "{KEYS}");
                return Ok(());
            }
        };
        match decided {
            Ok(()) => self.is_decided = true,
            Err(failure) if failure.error == "not_approved" => {
                say!(
                    io.output,
                    "   Nothing is decided; the request is kept for this terminal now."
                );
                say!(io.output, "{KEYS}");
            }
            // The browser was faster, for instance: the program hears of it with its next poll.
            Err(failure) => say!(io.output, "   Not from here: {}.", failure.what),
        }
        Ok(())
    }

    fn deny(&self) -> DenyArgs {
        DenyArgs {
            decide: self.args.clone(),
            report: false,
        }
    }
}

fn reading(io: &mut Io) -> Reading {
    Box::pin(read_line(io.take_input()))
}

/// Never, where nobody types.
async fn typed(reading: &mut Option<Reading>) -> (Input, String) {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
