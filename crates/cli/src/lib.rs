//! The command line: asking for access, deciding about it, administering a server.
//!
//! In reading order: [`Command`] (what can be typed), `commands` (what each does), `poll` (waiting for a
//! decision, pure), `refresh` and `credentials` (tokens for many processes), `dpop`, `keys` and `profile_key` (proof
//! of possession), `print` (hostile text). [`run`] is a library call: time, chance, streams, keyring and TPM come
//! in [`Io`]. Not here: `serve` and `check`, which are the server's.

use std::process::ExitCode;

use clap::Subcommand;

mod approver_key;
mod asking;
mod client_certificate;
mod clock;
mod commands;
mod credentials;
mod date;
mod device;
mod device_flow;
mod dpop;
mod entropy;
mod failure;
mod files;
mod http;
mod io;
mod keyring;
mod keys;
mod local;
mod machine;
mod machine_tokens;
mod metadata;
mod poll;
mod print;
mod profile_key;
mod refresh;
mod run;
mod screen;
mod settings;
mod target;
mod token_endpoint;
mod tpm;

pub use clock::{Clock, Pause};
pub use commands::policy::PolicyCommand;
pub use failure::Exit;
use failure::Failure;
pub use io::Io;
pub use keyring::Keyring;
pub use print::Printer;
pub use tpm::Tpm;

use commands::{
    admission, approver, call, client, curl, decide, demo, enroll, event, grant, group, inbox, instance, key, login,
    logout, notice, policy, posture, profile, request, status, token, verify_decision, whoami,
};

/// Everything but `serve` and `check`.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::DemoArgs),
    Enroll(Box<enroll::EnrollArgs>),
    Login(Box<login::LoginArgs>),
    Token(token::TokenArgs),
    Call(Box<call::CallArgs>),
    Run(Box<commands::run::RunArgs>),
    ExecEnv(Box<commands::run::ExecEnvArgs>),
    Curl(Box<curl::CurlArgs>),
    Whoami(whoami::WhoamiArgs),
    Status(status::StatusArgs),
    Logout(logout::LogoutArgs),
    /// Show what a code asks for, deciding nothing
    ///
    /// The request is reserved for your key then: nobody else can decide it.
    ///
    ///   waypass show WDJB-MJHT --server https://login.example.com --key-file alice.key
    #[command(verbatim_doc_comment)]
    Show(decide::DecideArgs),
    Approve(decide::ApproveArgs),
    Deny(decide::DenyArgs),
    Inbox(inbox::InboxArgs),
    #[command(subcommand)]
    Approver(approver::ApproverCommand),
    #[command(subcommand)]
    Admission(admission::AdmissionCommand),
    #[command(subcommand)]
    Client(client::ClientCommand),
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    #[command(subcommand)]
    Group(group::GroupCommand),
    #[command(subcommand)]
    Instance(instance::InstanceCommand),
    #[command(subcommand)]
    Notice(notice::NoticeCommand),
    #[command(subcommand)]
    Request(request::RequestCommand),
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    #[command(subcommand)]
    Key(key::KeyCommand),
    #[command(subcommand)]
    Event(event::EventCommand),
    /// Of `waypass policy`, whose other part is the server's.
    #[command(skip)]
    Policy(policy::PolicyCommand),
    Posture(posture::PostureArgs),
    VerifyDecision(verify_decision::VerifyDecisionArgs),
}

/// Runs one command of this process to its end.
pub fn main(command: Command) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let mut io = Io::of_this_process();
            let exit = runtime.block_on(run(command, &mut io));
            // A keyring that never answered is not waited for.
            runtime.shutdown_background();
            exit.into()
        }
        Err(_) => Exit::Failed.into(),
    }
}

/// What was typed is no command: clap's own words, and the exit code that sysexits has for it. Help and
/// version arrive here too.
pub fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = || std::env::args_os().any(|word| word == "--json");
    if error.use_stderr() && wants_json() {
        mistake(&error.to_string()).print(&mut Io::of_this_process(), true);
    } else {
        // A closed stream cannot be told that it is closed.
        let _ = error.print();
    }
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    exit.into()
}

/// What clap says in its first paragraph, and the tip that may follow it.
fn mistake(text: &str) -> Failure {
    let mut paragraphs = text.split("\n\n");
    let lines = paragraphs.next().unwrap_or_default().lines().map(str::trim);
    let what = lines.collect::<Vec<_>>().join(" ");
    let failure = Failure::usage(what.trim_start_matches("error: "));
    match paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: ")) {
        Some(tip) => failure.hint(tip),
        None => failure,
    }
}

pub async fn run(command: Command, io: &mut Io) -> Exit {
    let (as_json, outcome) = match &command {
        Command::Demo(args) => return demo::run(args, io).await,
        Command::Run(args) => return commands::run::run(args, io).await,
        Command::ExecEnv(args) => return commands::run::exec_env(args, io).await,
        Command::Enroll(args) => (args.json(), enroll::run(args, io).await),
        Command::Login(args) => (args.json(), login::run(args, io).await),
        Command::Token(args) => (args.json(), token::run(args, io).await),
        Command::Call(args) => (args.json(), call::run(args, io).await),
        Command::Curl(args) => (args.json(), curl::run(args, io).await),
        Command::Whoami(args) => (args.json(), whoami::run(args, io).await),
        Command::Status(args) => (args.json(), status::run(args, io)),
        Command::Logout(args) => (args.json(), logout::run(args, io).await),
        Command::Show(args) => (args.json(), decide::show(args, io).await),
        Command::Approve(args) => (args.json(), decide::approve(&args.decide, &args.less, io).await),
        Command::Inbox(args) => (args.json(), inbox::run(args, io).await),
        Command::Deny(args) => (args.json(), decide::deny(args, io).await),
        Command::Approver(command) => (command.json(), approver::run(command, io).await),
        Command::Admission(command) => (command.json(), admission::run(command, io).await),
        Command::Client(command) => (command.json(), client::run(command, io).await),
        Command::Profile(command) => (command.json(), profile::run(command, io).await),
        Command::Group(command) => (command.json(), group::run(command, io).await),
        Command::Instance(command) => (command.json(), instance::run(command, io).await),
        Command::Notice(command) => (command.json(), notice::run(command, io).await),
        Command::Request(command) => (command.json(), request::run(command, io).await),
        Command::Grant(command) => (command.json(), grant::run(command, io).await),
        Command::Key(command) => (command.json(), key::run(command, io).await),
        Command::Event(command) => (command.json(), event::run(command, io).await),
        Command::Policy(command) => (command.json(), policy::run(command, io).await),
        Command::Posture(args) => (args.json(), posture::run(args, io).await),
        Command::VerifyDecision(args) => (args.json(), verify_decision::run(args, io)),
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(failure) => {
            failure.print(io, as_json);
            failure.exit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_to_programs_with_all_that_is_missing_and_the_tip() {
        use clap::Parser as _;
        #[derive(Debug, clap::Parser)]
        struct Words {
            #[arg(long)]
            scope: Option<String>,
            url: String,
        }
        let told = |words: &[&str]| {
            let error = Words::try_parse_from(words).unwrap_err();
            let failure = mistake(&error.to_string());
            (failure.what, failure.hint.unwrap_or_default())
        };
        let missing = "the following required arguments were not provided: <URL>".to_owned();
        assert_eq!(told(&["w"]), (missing, String::new()));
        let (what, hint) = told(&["w", "--scop", "x", "u"]);
        assert!(
            what.starts_with("unexpected argument '--scop' found") && hint.contains("'--scope'"),
            "{what} {hint}"
        );
    }
}
