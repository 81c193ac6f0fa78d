//! `waypass key`: the keys that sign tokens. For whoever runs the server.

use clap::Subcommand;
use protocol::time::Timestamp;
use protocol::wire::local::KeyView;
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::{Local, LocalArgs, read};

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
    let (local, value) = match command {
        KeyCommand::List(local) => (local, Local::open(&local.data)?.get(io, &["keys"]).await?),
        KeyCommand::Rotate(local) => {
            let value = Local::open(&local.data)?
                .post(io, &["keys", "rotate"], &Value::Null)
                .await?;
            (local, value)
        }
    };
    if local.json {
        io.output.json(&value);
        return Ok(());
    }
    let moment = |at: i64| date::utc(Timestamp::from_millis(at));
    let mut rows = vec![
        ["KEY", "ALGORITHM", "STATE", "MADE", "RETIRES"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for key in read::<Vec<KeyView>>(value)? {
        let retires = key.retires_at.map_or_else(|| "-".to_owned(), moment);
        rows.push(vec![key.kid, key.alg, key.state, moment(key.created_at), retires]);
    }
    io.output.table(&rows);
    Ok(())
}
