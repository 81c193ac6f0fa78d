//! `waypass key`: the keys that sign tokens. For whoever runs the server.

use clap::Subcommand;
use protocol::wire::local::KeyView;
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::or_dash;

/// See and rotate the keys that sign tokens.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List signing keys
    List(LocalArgs),
    /// Sign with new keys; the old ones are still published until what they signed has ended
    Rotate(LocalArgs),
}

impl KeyCommand {
    pub fn json(&self) -> bool {
        match self {
            Self::List(local) | Self::Rotate(local) => local.json,
        }
    }
}

pub async fn run(command: &KeyCommand, io: &mut Io) -> Result<(), Failure> {
    let (args, value) = match command {
        KeyCommand::List(args) => (args, args.open()?.get(io, &["keys"]).await?),
        KeyCommand::Rotate(args) => (args, args.open()?.post(io, &["keys", "rotate"], &Value::Null).await?),
    };
    args.tell(io, value, |io, keys: Vec<KeyView>| {
        let rows = keys.into_iter().map(|key| {
            let retires = key.retires_at.map(date::moment);
            [
                key.kid,
                key.alg,
                key.state,
                date::moment(key.created_at),
                or_dash(retires),
            ]
        });
        io.output.table(["KEY", "ALGORITHM", "STATE", "MADE", "RETIRES"], rows);
    })
}
