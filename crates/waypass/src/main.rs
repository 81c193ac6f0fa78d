//! The `waypass` binary: the server's commands are the server's, all others the command line's.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Waypass: a person approves, on another device, exactly what a program may do.
#[derive(Parser)]
#[command(name = "waypass", version, arg_required_else_help = true)]
struct Waypass {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the authorization server.
    Serve(server::ServeArgs),
    /// Check a configuration without starting.
    Check(server::CheckArgs),
    #[command(subcommand)]
    Policy(Policy),
    #[command(flatten)]
    Cli(cli::Command),
}

/// Policies in Cedar: check and test files, ask a server what they decide.
#[derive(Subcommand)]
enum Policy {
    /// Check the policies of a folder: every mistake, with its line
    Check(server::PolicyFilesArgs),
    /// Run the test cases of a folder
    Test(server::PolicyFilesArgs),
    #[command(flatten)]
    Online(cli::PolicyCommand),
}

fn main() -> ExitCode {
    match Waypass::try_parse().map(|waypass| waypass.command) {
        Ok(Command::Serve(args)) => server::serve(&args),
        Ok(Command::Check(args)) => server::check(&args),
        Ok(Command::Policy(Policy::Check(args))) => server::policy_check(&args),
        Ok(Command::Policy(Policy::Test(args))) => server::policy_test(&args),
        Ok(Command::Policy(Policy::Online(command))) => cli::main(cli::Command::Policy(command)),
        Ok(Command::Cli(command)) => cli::main(command),
        Err(error) => cli::usage(&error),
    }
}
