//! What a command line comes to: the program as it will run, and what is asked for it.

use std::ffi::OsString;

use protocol::details::Details;
use rustix::process::geteuid;
use rustix::system::uname;
use serde_json::{Value, json};

use super::child::Environment;
use super::detail::{self, Command};
use super::held::Way;
use super::program::Program;
use crate::commands::run::{ResourceArgs, RunArgs};
use crate::failure::Failure;
use crate::io::Io;

/// What is claimed where no `--env` says so.
const INHERITED: &str = "the environment that it inherits";

pub struct Plan {
    pub program: Program,
    pub environment: Environment,
    pub details: Details,
}

impl Plan {
    pub fn of(args: &RunArgs, io: &Io) -> Result<Self, Failure> {
        let way = if args.in_place { Way::InPlace } else { Way::Sealed };
        let path = (io.environment)("PATH").unwrap_or_default();
        let mut program = Program::find(&args.command, &args.input, &path, way)?;
        let environment = environment(&args.env, io)?;
        if matches!(environment, Environment::Inherited) {
            // PATH, BASH_ENV, NODE_OPTIONS: what is pinned obeys them.
            program.claimed.push(INHERITED.to_owned());
        }
        let mut asked = vec![command(&program, &environment, args, io)?];
        asked.extend(args.resource.detail());
        Ok(Self {
            details: detail::checked(&asked)?,
            environment,
            program,
        })
    }
}

impl ResourceArgs {
    pub fn detail(&self) -> Option<Value> {
        let resource = self.resource.as_deref()?;
        Some(json!({ "type": "api", "resource": resource, "methods": self.method, "paths": self.path }))
    }
}

fn command(program: &Program, environment: &Environment, args: &RunArgs, io: &Io) -> Result<Value, Failure> {
    let folder =
        std::env::current_dir().map_err(|error| Failure::failed(format!("there is no working directory: {error}")))?;
    let command = Command {
        argv: &program.argv,
        working_directory: folder.as_os_str(),
        executable_sha256: &program.executable.sha256,
        inputs: &inputs(program)?,
        environment: match environment {
            Environment::Inherited => None,
            Environment::Only(variables) => Some(variables),
        },
        claimed: &program.claimed,
        token_env: args.token_env.as_deref(),
        runs: args.runs.filter(|runs| *runs > 1),
        host: Some(uname().nodename().to_string_lossy().into_owned()).filter(|host| !host.is_empty()),
        user: Some(user(io)),
    };
    command.detail()
}

/// The interpreters that a script is run by, and the files that were named.
fn inputs(program: &Program) -> Result<Vec<(String, String)>, Failure> {
    let interpreters = program
        .interpreters
        .iter()
        .map(|one| (one.held.path.as_os_str(), &one.held.sha256));
    let named = program
        .inputs
        .iter()
        .map(|input| (input.name.as_os_str(), &input.held.sha256));
    let each = interpreters.chain(named).map(|(name, digest)| {
        let odd = || {
            Failure::usage(format!(
                "the name {} is not UTF-8, and cannot be asked for",
                name.display()
            ))
        };
        Ok((name.to_str().ok_or_else(odd)?.to_owned(), digest.clone()))
    });
    each.collect()
}

/// `NAME`, as it is set here, or `NAME=VALUE`.
fn environment(declared: &[String], io: &Io) -> Result<Environment, Failure> {
    if declared.is_empty() {
        return Ok(Environment::Inherited);
    }
    let each = declared.iter().map(|declared| {
        if let Some((name, value)) = declared.split_once('=') {
            return Ok((name.to_owned(), OsString::from(value)));
        }
        let value = (io.environment)(declared);
        let value = value.ok_or_else(|| Failure::usage(format!("--env {declared}: it is not set")))?;
        Ok((declared.clone(), value))
    });
    Ok(Environment::Only(each.collect::<Result<_, Failure>>()?))
}

/// The name of whom we run as; where passwd(5) has none, what the environment says.
fn user(io: &Io) -> String {
    let id = geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    let told = || (io.environment)("USER").map(|name| name.to_string_lossy().into_owned());
    name.or_else(told).unwrap_or_else(|| format!("user {id}"))
}
