//! One run: asked for, approved, begun, ended, and its grant with it.

use std::ffi::OsString;
use std::path::PathBuf;

use protocol::base64url;
use serde_json::json;
use url::Url;

use super::access::{Access, Ask};
use super::admission::Rules;
use super::child::{self, Child};
use super::detail;
use super::gate::{Bound, Gate};
use super::plan::Plan;
use super::signals::ignores_interrupts;
use crate::commands::run::{Names, RunArgs};
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::screen::{ScreenArgs, Stream};

pub async fn execute(args: &RunArgs, names: &Names, io: &mut Io) -> Result<Exit, Failure> {
    child::hide()?;
    let at = args.resource.at()?;
    let plan = Plan::of(args, io)?;
    if args.dry_run {
        detail::show(io, &plan.details, args.screen.json);
        return Ok(Exit::Done);
    }
    let screen = ScreenArgs {
        on: Stream::NotOutput,
        ..args.screen.clone()
    };
    leave_what_is_the_commands(io);
    screen.check(io)?;
    let ask = Ask {
        target: &args.target,
        scope: args.scope.as_deref(),
        resource: args.resource.resource.as_deref(),
        details: &plan.details,
        brought: &args.brought,
        screen: &screen,
        command: "waypass run",
    };
    let access = Access::ask(io, &ask).await?;
    let outcome = run((args, at), names, io, (&plan, &access)).await;
    access.end(io, &screen, outcome.as_ref().ok().copied()).await;
    outcome
}

/// Its input where that is no terminal, and Ctrl-C where that is ignored.
fn leave_what_is_the_commands(io: &mut Io) {
    if !io.input_is_terminal {
        io.take_input();
    }
    if ignores_interrupts() {
        io.interrupted = Box::new(|| Box::pin(std::future::pending()));
    }
}

async fn run(
    (args, at): (&RunArgs, Option<(String, Url)>),
    names: &Names,
    io: &mut Io,
    (plan, access): (&Plan, &Access),
) -> Result<Exit, Failure> {
    access.must_cover(&plan.details)?;
    let mut given = token_for(access, args.token_env.as_deref())?;
    let gate = match at {
        Some(at) => {
            let (gate, secret) = gate(args, io, access, at).await?;
            given.extend(names.given(&gate.endpoint, &secret));
            Some(gate)
        }
        None => None,
    };
    let mut child = Child::start(&plan.program, &plan.environment, &given)?;
    if args.screen.json {
        let endpoint = gate.as_ref().map(|gate| &gate.endpoint);
        io.errors
            .json(&json!({ "event": "started", "pid": child.id(), "endpoint": endpoint }));
    }
    let ended = child.ended().await;
    drop(gate);
    ended
}

fn token_for(access: &Access, name: Option<&str>) -> Result<Vec<(String, OsString)>, Failure> {
    let Some(name) = name else { return Ok(Vec::new()) };
    if !access.tokens.token_type.eq_ignore_ascii_case("Bearer") {
        let what = "the token is bound to this machine's key, and of no use in a variable";
        return Err(Failure::new(Exit::Refused, "token_bound", what)
            .hint("let the command use WAYPASS_ENDPOINT: waypass run --resource URL --path PATH"));
    }
    Ok(vec![(name.to_owned(), OsString::from(&access.tokens.access_token))])
}

/// The command's endpoint, and its secret.
async fn gate(args: &RunArgs, io: &mut Io, access: &Access, at: (String, Url)) -> Result<(Gate, String), Failure> {
    let upstream = access.upstream(io, &at.1)?;
    let secret = base64url::encode(&io.draw()?.0);
    let bound = if args.unix {
        let parent = io.path("XDG_RUNTIME_DIR").unwrap_or_else(|| PathBuf::from("/tmp"));
        let name = base64url::encode(io.draw()?.0.get(..9).unwrap_or_default());
        Bound::on_socket(&parent, &name)
    } else {
        Bound::on_loopback().await
    };
    let bound = bound.map_err(|error| Failure::failed(format!("the command's endpoint cannot be made: {error}")))?;
    let granted = access.tokens.authorization_details.clone();
    let rules = Rules::new(granted, at, bound.authority.clone(), secret.clone());
    Ok((bound.open(rules, upstream), secret))
}
