//! `waypass status`: what is logged in where, without asking any server.

use protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::credentials::Vault;
use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::print::say;
use crate::settings::{Profile, Settings};

/// Show each profile, when its token ends, and where it is kept
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Only this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

pub fn run(args: &StatusArgs, io: &mut Io) -> Result<(), Failure> {
    let settings = Settings::load(io)?;
    let names: Vec<&str> = match &args.profile {
        Some(name) => {
            settings.require(name)?;
            vec![name]
        }
        None => settings.names().collect(),
    };
    let mut statuses = Vec::new();
    for name in names {
        statuses.push(status(io, name, settings.require(name)?)?);
    }
    if args.json {
        io.output.json(&Value::Array(statuses));
    } else if statuses.is_empty() {
        say!(
            io.output,
            "No profile yet. Make one with: waypass login --server URL --client-id ID"
        );
    } else {
        for status in &statuses {
            print(io, status);
        }
    }
    Ok(())
}

fn status(io: &Io, name: &str, profile: &Profile) -> Result<Value, Failure> {
    let vault = Vault::of(io, name)?;
    let kept = vault.load(io)?;
    let credentials = kept.as_ref().map(|kept| &kept.credentials);
    let tokens = credentials.and_then(|credentials| credentials.tokens.as_ref());
    let thumbprint = credentials.map(|credentials| credentials.key.thumbprint());
    Ok(json!({
        "profile": name,
        "server": profile.server,
        "client_id": profile.client_id,
        "logged_in": tokens.is_some(),
        "scope": tokens.map(|tokens| &tokens.scope),
        "authorization_details": tokens.map(|tokens| &tokens.authorization_details),
        "token_type": tokens.map(|tokens| &tokens.token_type),
        "expires_at": tokens.map(|tokens| tokens.expires_at),
        "has_refresh_token": tokens.is_some_and(|tokens| tokens.refresh_token.is_some()),
        "key_words": thumbprint.as_ref().map(|thumbprint| protocol::key_words::of(thumbprint.as_str())),
        "key_thumbprint": thumbprint,
        "key_storage": kept.as_ref().map(|kept| kept.key_storage().name()),
        "stored_in": kept.as_ref().map(|kept| vault.describe(kept.place, &kept.credentials.key)),
    }))
}

fn print(io: &mut Io, status: &Value) {
    let text = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let mut fields = vec![
        ("Profile", text("profile")),
        ("Server", text("server")),
        ("Client", text("client_id")),
    ];
    if let Some(seconds) = status.get("expires_at").and_then(Value::as_i64) {
        let end = Timestamp::from_seconds(seconds);
        let ended = if end <= io.now() { "ended" } else { "until" };
        let is_renewed = status.get("has_refresh_token").and_then(Value::as_bool) == Some(true);
        let renewal = if is_renewed { ", renewed by itself" } else { "" };
        fields.push(("Scope", text("scope")));
        fields.push((
            "Token",
            format!("{} {ended} {}{renewal}", text("token_type"), date::utc(end)),
        ));
    } else {
        let how = format!("not logged in: waypass login --profile {}", text("profile"));
        fields.push(("Token", how));
    }
    fields.push(("Key words", text("key_words")));
    fields.push(("Stored in", text("stored_in")));
    io.output.fields(fields);
    say!(io.output, "");
}
