//! `waypass event`: the record of what happened. For whoever runs the server.

use clap::Subcommand;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::local::EventView;
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};
use crate::print::say;

/// Read the record of what happened.
#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// Print the latest events, oldest first, one a line
    Tail(TailArgs),
}

#[derive(Debug, clap::Args)]
pub struct TailArgs {
    #[command(flatten)]
    local: LocalArgs,
    /// Go on with new events as they come, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// How many to begin with
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// How often `--follow` asks.
const PAUSE: Lifetime = Lifetime::from_seconds(1);

impl EventCommand {
    pub fn json(&self) -> bool {
        let Self::Tail(args) = self;
        args.local.json
    }
}

pub async fn run(command: &EventCommand, io: &mut Io) -> Result<(), Failure> {
    let EventCommand::Tail(args) = command;
    let local = Local::open(&args.local.data)?;
    let limit = args.limit.to_string();
    let mut last = print(args, io, local.get_with(io, &["events"], &[("limit", &limit)]).await?)?.unwrap_or_default();
    let mut interrupted = (io.interrupted)();
    while args.follow && !io.output.is_closed() {
        tokio::select! {
            () = &mut interrupted => break,
            () = io.clock.sleep(PAUSE) => {}
        }
        let query = [("after", last.as_str()), ("limit", "100")];
        let news = local.get_with(io, &["events"], &query).await?;
        last = print(args, io, news)?.unwrap_or(last);
    }
    Ok(())
}

/// Prints and gives the last one's id.
fn print(args: &TailArgs, io: &mut Io, events: Value) -> Result<Option<String>, Failure> {
    let mut last = None;
    for value in read::<Vec<Value>>(events)? {
        let event: EventView = read(value.clone())?;
        if args.local.json {
            io.output.json(&value);
        } else {
            say!(io.output, "{}", line(&event));
        }
        last = Some(event.id);
    }
    Ok(last)
}

fn line(event: &EventView) -> String {
    let named = [
        ("client", &event.client_id),
        ("request", &event.request_id),
        ("grant", &event.grant_id),
        ("approver", &event.approver_id),
    ];
    let mut text = format!(
        "{}  {} {}",
        date::utc(Timestamp::from_millis(event.at)),
        event.action,
        event.outcome
    );
    for (name, id) in named {
        if let Some(id) = id {
            text = format!("{text}  {name}={id}");
        }
    }
    let is_empty = event.detail.is_null() || event.detail.as_object().is_some_and(serde_json::Map::is_empty);
    if is_empty {
        text
    } else {
        format!("{text}  {}", event.detail)
    }
}
