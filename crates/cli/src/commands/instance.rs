//! `waypass instance`: running copies of clients, each known by its key. This machine's own, and for whoever
//! runs the server all of them.

use clap::Subcommand;

use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;

mod admin;
pub mod own;
mod rotate;

/// Known instances: running copies of clients, each with an owner.
#[derive(Debug, Subcommand)]
pub enum InstanceCommand {
    /// On this machine: print its public key as a JWK, for an administrator; make the key if there is none
    Key(own::KeyArgs),
    /// On this machine: show what it is known as
    Status(own::StatusArgs),
    /// On this machine: change its key; the old one signs for the new one
    Rotate(rotate::RotateArgs),
    Add(Box<admin::AddArgs>),
    /// List all instances
    List(LocalArgs),
    /// Show one instance, with its keys and what is known of its device
    Show(admin::OneArgs),
    /// Give an instance another name
    Rename(admin::RenameArgs),
    /// Stop an instance: it can ask for nothing and its tokens are not renewed
    Suspend(admin::OneArgs),
    /// Let a suspended instance work again
    Resume(admin::OneArgs),
    /// End an instance for good: neither it nor its keys ever come back
    Remove(admin::OneArgs),
    /// Let somebody else answer for an instance, at once
    HandOver(admin::HandOverArgs),
}

impl InstanceCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Key(_) => false,
            Self::Status(args) => args.json,
            Self::Rotate(args) => args.json(),
            Self::Add(args) => args.json(),
            Self::List(local) => local.json,
            Self::Show(args) | Self::Suspend(args) | Self::Resume(args) | Self::Remove(args) => args.local.json,
            Self::Rename(args) => args.json(),
            Self::HandOver(args) => args.json(),
        }
    }
}

pub async fn run(command: &InstanceCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        InstanceCommand::Key(args) => own::key(args, io).await,
        InstanceCommand::Status(args) => own::status(args, io),
        InstanceCommand::Rotate(args) => rotate::rotate(args, io).await,
        InstanceCommand::Add(args) => admin::add(args, io).await,
        InstanceCommand::List(local) => admin::list(local, io).await,
        InstanceCommand::Show(args) => admin::show(args, io).await,
        InstanceCommand::Rename(args) => admin::rename(args, io).await,
        InstanceCommand::Suspend(args) => admin::change(args, io, "suspend").await,
        InstanceCommand::Resume(args) => admin::change(args, io, "resume").await,
        InstanceCommand::Remove(args) => admin::change(args, io, "remove").await,
        InstanceCommand::HandOver(args) => admin::hand_over(args, io).await,
    }
}
