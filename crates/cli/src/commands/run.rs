//! `waypass run`: a command that a person has approved, with what it may reach. And `waypass exec-env`, for programs
//! that only know variables of their own. How it is done is in `run/`.

use std::ffi::OsString;

use crate::asking::BroughtArgs;
use crate::failure::Exit;
#[cfg(not(target_os = "linux"))]
use crate::failure::Failure;
use crate::io::Io;
use crate::screen::ScreenArgs;
use crate::target::TargetArgs;

#[cfg(target_os = "linux")]
use crate::run::session::execute;

/// Run a command when somebody has approved exactly this command
///
/// What will run is copied where nobody can change it, hashed, and shown to the approver with its arguments. The command
/// gets no token: it gets an address that stands for the approved resource, as long as it runs.
///
///   waypass run -- ./deploy --site berlin-2
///   waypass run --resource https://api.example.com --method POST --path '/deploys/*' -- ./deploy
///
/// In the command, WAYPASS_ENDPOINT is that address, and each request brings the header Waypass-Run: $WAYPASS_SECRET.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct RunArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub resource: ResourceArgs,
    /// What to ask for beside it, separated by spaces [default: what the profile has, without offline_access]
    #[arg(long)]
    pub scope: Option<String>,
    /// A file that the command reads: hashed, and where an argument names it, passed as a sealed copy. May be repeated
    #[arg(long, value_name = "FILE")]
    pub input: Vec<OsString>,
    /// A variable that the command gets, and the approver sees; it gets no others then. May be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Run the program from where it is, for one that looks for files beside itself
    #[arg(long)]
    pub in_place: bool,
    /// Give the command a Unix socket instead of a port
    #[arg(long)]
    pub unix: bool,
    /// Hand the token itself to the command in this variable. The approver is told
    #[arg(long, value_name = "NAME")]
    pub token_env: Option<String>,
    /// How often it may be run before somebody is asked again, where the profile of the client allows that
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1000))]
    pub runs: Option<i64>,
    /// Show what would be asked for, and its digest, and ask nobody
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub brought: BroughtArgs,
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// The command, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What the command may reach.
#[derive(Debug, clap::Args)]
pub struct ResourceArgs {
    /// The resource that the command may use
    #[arg(long, value_name = "URL", requires = "path")]
    pub resource: Option<String>,
    /// A method that it may use there; may be repeated
    #[arg(long, value_name = "METHOD", default_value = "GET", requires = "resource", value_parser = method)]
    pub method: Vec<String>,
    /// A path that it may use there, absolute and below the resource's own, where * is one segment that is not empty and ** at the end any that follow; may be repeated
    #[arg(long, value_name = "PATH", requires = "resource", value_parser = path)]
    pub path: Vec<String>,
}

/// What could not be asked for, told by the flag that it stands behind.
pub fn method(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err("a method is written in capitals, as in POST".to_owned());
    }
    Ok(text.to_owned())
}

fn path(text: &str) -> Result<String, String> {
    let why = if !text.starts_with('/') {
        "a path begins with /"
    } else if text.contains(['?', '#']) {
        "a path has no query: what comes after ? is the command's own"
    } else if text.contains('%') {
        "a percent-encoded segment cannot be named: write * for it"
    } else {
        return Ok(text.to_owned());
    };
    Err(why.to_owned())
}

/// Run a command whose variables name an address and a key: the run's endpoint and its secret
///
/// For programs that take a base URL and an API key from the environment. The key is of use at that address alone, and
/// only as long as the command runs. Everything else is as with waypass run.
///
///   waypass exec-env --url-env API_URL --key-env API_KEY \
///       --resource https://api.example.com --method POST --path '/v1/**' -- tool
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ExecEnvArgs {
    /// The variable in which the command looks for the address; may be repeated
    #[arg(long, value_name = "NAME", required = true, requires = "resource")]
    url_env: Vec<String>,
    /// The variable in which it looks for a key, which it sends as a bearer token or in X-API-Key; may be repeated
    #[arg(long, value_name = "NAME")]
    key_env: Vec<String>,
    /// What the address ends with, for a program that wants a path in it, as in https://api.example.com/v1
    #[arg(long, value_name = "PATH", default_value = "")]
    base_path: String,
    #[command(flatten)]
    run: RunArgs,
}

/// Under which names the command finds its endpoint.
pub struct Names {
    url: Vec<String>,
    base_path: String,
    key: Vec<String>,
}

impl Names {
    fn own() -> Self {
        Self {
            url: Vec::new(),
            base_path: String::new(),
            key: Vec::new(),
        }
    }

    pub fn given(&self, endpoint: &str, secret: &str) -> Vec<(String, OsString)> {
        let pair = |name: &String, value: String| (name.clone(), OsString::from(value));
        let own = [
            ("WAYPASS_ENDPOINT".to_owned(), endpoint.into()),
            ("WAYPASS_SECRET".to_owned(), secret.into()),
        ];
        let urls = self
            .url
            .iter()
            .map(|name| pair(name, format!("{endpoint}{}", self.base_path)));
        let keys = self.key.iter().map(|name| pair(name, secret.to_owned()));
        own.into_iter().chain(urls).chain(keys).collect()
    }
}

pub async fn run(args: &RunArgs, io: &mut Io) -> Exit {
    ended(args, &Names::own(), io).await
}

pub async fn exec_env(args: &ExecEnvArgs, io: &mut Io) -> Exit {
    let names = Names {
        url: args.url_env.clone(),
        base_path: args.base_path.clone(),
        key: args.key_env.clone(),
    };
    ended(&args.run, &names, io).await
}

async fn ended(args: &RunArgs, names: &Names, io: &mut Io) -> Exit {
    match execute(args, names, io).await {
        Ok(exit) => exit,
        Err(failure) => {
            io.errors.end_live();
            failure.print(io, args.screen.json);
            failure.exit
        }
    }
}

#[cfg(not(target_os = "linux"))]
async fn execute(_: &RunArgs, _: &Names, _: &mut Io) -> Result<Exit, Failure> {
    Err(
        Failure::usage("commands are run on Linux only: it takes sealed files and descriptors that are executed")
            .hint("waypass curl sends one request anywhere"),
    )
}
