//! `waypass group`: approvers who decide together. For whoever runs the server.

use clap::Subcommand;
use protocol::wire::local::{AddGroupMember, GroupMemberView, GroupView};

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::or_dash;

/// Groups of approvers, for profiles that ask a group.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Add an approver to a group; the first member makes the group
    Add(MemberArgs),
    /// Take an approver out of a group
    Remove(MemberArgs),
    /// List all groups and their members
    List(LocalArgs),
}

#[derive(Debug, clap::Args)]
pub struct MemberArgs {
    /// The group's name
    group: String,
    /// The approver's name
    approver: String,
    #[command(flatten)]
    local: LocalArgs,
}

impl GroupCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::Add(args) | Self::Remove(args) => args.local.json,
            Self::List(local) => local.json,
        }
    }
}

pub async fn run(command: &GroupCommand, io: &mut Io) -> Result<(), Failure> {
    match command {
        GroupCommand::Add(MemberArgs { group, approver, local }) => {
            let body = AddGroupMember {
                approver: approver.clone(),
            };
            let value = local.open()?.post(io, &["groups", group, "members"], &body).await?;
            local.tell_done(io, &value, &format!("{approver} is in group {group} now."));
            Ok(())
        }
        GroupCommand::Remove(MemberArgs { group, approver, local }) => {
            let value = local
                .open()?
                .delete(io, &["groups", group, "members", approver])
                .await?;
            local.tell_done(io, &value, &format!("{approver} is not in group {group} any more."));
            Ok(())
        }
        GroupCommand::List(local) => {
            let value = local.open()?.get(io, &["groups"]).await?;
            local.tell(io, value, list)
        }
    }
}

fn list(io: &mut Io, groups: Vec<GroupView>) {
    let row = |group: &str, member: GroupMemberView| {
        let GroupMemberView {
            approver,
            source,
            since,
            until,
        } = member;
        [
            group.to_owned(),
            approver,
            source,
            date::moment(since),
            or_dash(until.map(date::moment)),
        ]
    };
    let rows = groups.into_iter().flat_map(|group| {
        let GroupView { name, members } = group;
        members
            .into_iter()
            .map(move |member| row(&name, member))
            .collect::<Vec<_>>()
    });
    io.output.table(["GROUP", "APPROVER", "SOURCE", "SINCE", "UNTIL"], rows);
}
