//! `waypass policy`: what is in force on a running server, what it decided, what another set would have. For whoever
//! runs the server. Not here: `check` and `test`, which ask no server.

use std::path::PathBuf;

use clap::Subcommand;
use protocol::wire::policies::{Change, ExplainedStep, PolicyFile, PolicySetView, PolicyView, Replay, Replayed};
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::{Escaped, or_dash, say};

/// The part that asks a running server.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the policies in force
    List(LocalArgs),
    /// Read the files again; with a mistake in them the set in force stays
    Reload(LocalArgs),
    /// Show which policies decided at each step of a request, and on what
    Explain(ExplainArgs),
    /// Show what policies would have decided on what was recorded
    ///
    /// The set in force, or that of a folder that is not in force yet.
    ///
    ///   waypass policy replay --days 30 --policies new-policies --data data
    #[command(verbatim_doc_comment)]
    Replay(ReplayArgs),
}

#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The request's id, as `waypass request list` and every event of it show it
    request_id: String,
    /// Show what was decided upon too
    #[arg(long)]
    input: bool,
    #[command(flatten)]
    local: LocalArgs,
}

#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// How many days back
    #[arg(long, value_name = "N", default_value_t = 7)]
    days: u32,
    /// A folder of policies to try, instead of those in force
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    local: LocalArgs,
}

impl PolicyCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::List(local) | Self::Reload(local) => local.json,
            Self::Explain(args) => args.local.json,
            Self::Replay(args) => args.local.json,
        }
    }
}

pub async fn run(command: &PolicyCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        PolicyCommand::List(local) => {
            let value = local.open()?.get(io, &["policies"]).await?;
            local.tell(io, value, |io, set: PolicySetView| print(io, &set))
        }
        PolicyCommand::Reload(local) => reload(local, io).await,
        PolicyCommand::Explain(args) => {
            let local = &args.local;
            let path = ["policies", "explain", &args.request_id];
            let value = local.open()?.get(io, &path).await?;
            local.tell(io, value, |io, steps: Vec<ExplainedStep>| {
                for step in &steps {
                    explain(io, step, args.input);
                }
            })
        }
        PolicyCommand::Replay(args) => {
            let body = Replay {
                days: args.days,
                files: args.policies.as_ref().map(files).transpose()?,
            };
            let value = args.local.open()?.post(io, &["policies", "replay"], &body).await?;
            args.local
                .tell(io, value, |io, replayed: Replayed| changes(io, &replayed))
        }
    }
}

/// A set that did not load is a failure, whatever stays in force.
async fn reload(local: &LocalArgs, io: &mut Io) -> Result<(), Failure> {
    let value = local.open()?.post(io, &["policies", "reload"], &Value::Null).await?;
    let set: PolicySetView = crate::local::read(value.clone())?;
    local.tell(io, value, |io, set: PolicySetView| print(io, &set))?;
    if set.mistakes.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(
        "the files have mistakes, and the policies from before stay in force",
    ))
}

/// The server parses them; what it should not read is not sent.
fn files(folder: &PathBuf) -> Result<Vec<PolicyFile>, Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "cedar") && path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(unreadable)?;
            files.push(PolicyFile { name, text });
        }
    }
    Ok(files)
}

pub fn print(io: &mut Io, set: &PolicySetView) {
    let Some(folder) = &set.folder else {
        say!(io.output, "This server has no policies.");
        return;
    };
    say!(io.output, "policies of {folder}, version {}", set.version);
    let row = |policy: &PolicyView| {
        [
            policy.id.clone(),
            policy.effect.clone(),
            policy.mode.clone(),
            policy.steps.join(" "),
            policy.place.clone(),
            or_dash(policy.description.clone()),
        ]
    };
    io.output.table(
        ["POLICY", "EFFECT", "MODE", "STEPS", "PLACE", "SAYS"],
        set.policies.iter().map(row),
    );
    if !set.closed.is_empty() {
        let closed = set.closed.join(", ");
        say!(
            io.output,
            "closed, where nothing goes without a permit that matches: {closed}"
        );
    }
    mistakes(io, set);
}

pub fn mistakes(io: &mut Io, set: &PolicySetView) {
    for mistake in &set.mistakes {
        say!(
            io.output,
            "warning: the policies as they are now do not load: {mistake}"
        );
    }
}

fn explain(io: &mut Io, step: &ExplainedStep, with_input: bool) {
    let decided = &step.decided;
    let title = format!("{}  {}  {}", date::moment(decided.at), decided.step, decided.decision);
    io.output.heading(&Escaped::of(&title));
    let why = match (decided.decision.as_str(), decided.version.as_deref()) {
        (_, None) => Some("there were no policies"),
        _ if !decided.ids.is_empty() => None,
        ("permit", _) => Some("no policy forbids it, and the step needs no permit"),
        _ => Some("the step needs a permit, and none matched"),
    };
    if let Some(why) = why {
        say!(io.output, "  {why}");
    }
    let named = decided.ids.iter().map(|id| ("by", id));
    for (how, id) in named.chain(decided.reported.iter().map(|id| ("would be turned round by", id))) {
        let policy = step.policies.iter().find(|policy| policy.id == *id);
        let more = policy.map(|policy| {
            let says = policy.description.as_ref().map(|says| format!(": {says}"));
            format!(" ({}){}", policy.place, says.unwrap_or_default())
        });
        let more = more.unwrap_or_else(|| " (of a set that is no longer in force)".to_owned());
        say!(io.output, "  {how} {id}{more}");
    }
    if with_input {
        say!(io.output, "  {}", step.input);
    }
}

fn changes(io: &mut Io, replayed: &Replayed) {
    let row = |change: &Change| {
        let was = &change.was;
        [
            date::moment(was.at),
            or_dash(was.client_id.clone()),
            or_dash(was.request_id.clone()),
            was.step.clone(),
            told(&was.decision, &was.ids),
            told(&change.would_be, &change.would_be_ids),
        ]
    };
    if !replayed.changes.is_empty() {
        io.output.table(
            ["AT", "CLIENT", "REQUEST", "STEP", "WAS", "WOULD BE"],
            replayed.changes.iter().map(row),
        );
    }
    let Replayed {
        decided,
        changed,
        not_decided,
        ..
    } = replayed;
    say!(
        io.output,
        "{decided} decisions made again, {changed} would come out otherwise"
    );
    if *not_decided > 0 {
        say!(
            io.output,
            "{not_decided} could not be made again: what they were made on was too long to be kept"
        );
    }
}

fn told(decision: &str, ids: &[String]) -> String {
    if ids.is_empty() {
        decision.to_owned()
    } else {
        format!("{decision} ({})", ids.join(", "))
    }
}
