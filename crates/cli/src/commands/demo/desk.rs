//! Where the demo waits for a decision: a live line with the time left, and a few letters to type. The
//! deciding itself is `waypass show`, `approve` and `deny`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use protocol::time::{Lifetime, Timestamp};
use protocol::wire::approver::RequestView;

use crate::commands::decide::{self, DecideArgs, DenyArgs};
use crate::commands::demo::cast::Cast;
use crate::commands::login::Asked;
use crate::date;
use crate::failure::{Exit, Failure};
use crate::io::{Input, Io, read_line};
use crate::print::{Escaped, say};

type Reading = Pin<Box<dyn Future<Output = (Input, String)> + Send>>;

pub struct Desk {
    args: DecideArgs,
    expires_at: Timestamp,
    /// The line that is being typed; none where nobody sits.
    reading: Option<Reading>,
    /// It was decided before the first poll, which may come at once.
    may_poll: bool,
}

impl Desk {
    pub fn open(io: &mut Io, cast: &Cast, asked: &Asked) -> Self {
        let args = DecideArgs {
            user_code: asked.shown.user_code.clone(),
            server: cast.profile.server.clone(),
            key_file: cast.key_file.clone(),
            ca_file: None,
            json: false,
        };
        let reading = io.input_is_terminal.then(|| reading(io));
        Self {
            args,
            expires_at: asked.expires_at,
            reading,
            may_poll: false,
        }
    }

    pub async fn decide_alone(&mut self, io: &mut Io) -> Result<(), Failure> {
        let show = async |io: &mut Io, view: &RequestView| {
            let now = io.now();
            decide::print(&mut io.output, view, now);
            true
        };
        decide::approve_if(&self.args, io, show).await?;
        self.may_poll = true;
        Ok(())
    }

    /// Waits for the next poll.
    pub async fn pause(&mut self, io: &mut Io, until: Timestamp) -> Result<(), Failure> {
        if std::mem::take(&mut self.may_poll) {
            return Ok(());
        }
        while io.now() < until {
            let left = date::countdown(self.expires_at - io.now());
            io.output
                .live(&Escaped::of(&format!("   Waiting for your decision, {left} left. ")));
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

    async fn obey(&self, io: &mut Io, line: &str) -> Result<(), Failure> {
        let decided = match line.trim() {
            "" => return Ok(()),
            "q" => return Err(Failure::new(Exit::Done, "interrupted", "Nothing was decided.")),
            "t" => {
                say!(io.output, "");
                decide::approve(&self.args, io).await
            }
            "d" => decide::deny(&self.deny(), io).await,
            _ => {
                say!(io.output, "   t  decide here   d  decline   q  quit");
                return Ok(());
            }
        };
        match decided {
            Ok(()) => {}
            Err(failure) if failure.error == "not_approved" => {
                say!(
                    io.output,
                    "   Nothing is decided yet.  t  ask again   d  decline   q  quit"
                );
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
