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
    #[command(flatten)]
    Cli(cli::Command),
}

fn main() -> ExitCode {
    match Waypass::try_parse() {
        Ok(Waypass {
            command: Command::Cli(command),
        }) => cli::main(command),
        Err(error) => cli::usage(&error),
    }
}
