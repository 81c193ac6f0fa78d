//! `waypass instance`: running copies of clients, each known by its key. This machine's own, and for whoever
//! runs the server all of them.

use clap::Subcommand;

use crate::failure::Failure;
use crate::io::Io;

pub mod own;

/// Known instances: running copies of clients, each with an owner.
#[derive(Debug, Subcommand)]
pub enum InstanceCommand {
    /// Print this machine's public key as a JWK, for an administrator; make the key if there is none
    Key(own::KeyArgs),
    /// Show what this machine is known as
    Status(own::StatusArgs),
    /// Change this machine's key; the old one signs for the new one
    Rotate(own::RotateArgs),
}

impl InstanceCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Key(_) => false,
            Self::Status(args) => args.json,
            Self::Rotate(args) => args.json(),
        }
    }
}

pub async fn run(command: &InstanceCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        InstanceCommand::Key(args) => own::key(args, io).await,
        InstanceCommand::Status(args) => own::status(args, io),
        InstanceCommand::Rotate(args) => own::rotate(args, io).await,
    }
}
