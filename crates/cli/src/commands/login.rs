//! `waypass login`: access asked for and kept under a name. How it is asked for is in `asking.rs`.

use std::path::Path;

use protocol::authentication::Demands;
use protocol::details;
use serde_json::{Value, json};

use crate::asking::{self, Asking, BroughtArgs};
use crate::credentials::{Credentials, Tokens};
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::print::say;
use crate::screen::{ScreenArgs, Stream};
use crate::target::{Target, TargetArgs};

/// Ask for access and wait until somebody approves on another device
///
/// The first login of a profile names the server and the client; later ones need no flags:
///
///   waypass login --server https://login.example.com --client-id cli --scope "openid offline_access"
///   waypass login
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct LoginArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// What to ask for, separated by spaces [default: what the server gives]
    #[arg(long)]
    scope: Option<String>,
    /// Where the token is to be used; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// What exactly to ask for: a JSON array of authorization_details, or the file that holds it. `[]` asks for none
    #[arg(long, value_name = "JSON|@FILE")]
    details: Option<String>,
    #[command(flatten)]
    brought: BroughtArgs,
    #[command(flatten)]
    screen: ScreenArgs,
}

impl LoginArgs {
    /// The login of a kept profile once more, as a resource demands it (RFC 9470 §4).
    pub fn step_up(profile: &str, demands: &Demands, screen: &ScreenArgs) -> Self {
        Self {
            target: TargetArgs::kept(profile),
            scope: None,
            resource: Vec::new(),
            details: None,
            brought: BroughtArgs::demanded(demands),
            screen: ScreenArgs {
                on: Stream::Errors,
                ..screen.clone()
            },
        }
    }

    pub fn json(&self) -> bool {
        self.screen.json
    }
}

/// None where nothing is asked for.
pub fn details_of(argument: &str) -> Result<Option<String>, Failure> {
    let text = match argument.strip_prefix('@') {
        Some(file) => files::text_of(Path::new(file))?,
        None => argument.to_owned(),
    };
    let details: Vec<Value> = serde_json::from_str(&text).map_err(|_| {
        Failure::usage("--details is no JSON array")
            .hint(r#"as in --details '[{"type":"ssh","principals":["me"],"hosts":["a.example.com"]}]'"#)
    })?;
    Ok((!details.is_empty()).then(|| json!(details).to_string()))
}

pub async fn run(args: &LoginArgs, io: &mut Io) -> Result<(), Failure> {
    let outcome = login(args, io).await;
    args.screen.ended(io, &outcome);
    outcome
}

pub async fn login(args: &LoginArgs, io: &mut Io) -> Result<(), Failure> {
    args.screen.check(io)?;
    let mut target = args.target.open(io).await?;
    if args.scope.is_some() {
        target.profile.scope.clone_from(&args.scope);
    }
    if !args.resource.is_empty() {
        target.profile.resource.clone_from(&args.resource);
    }
    if let Some(details) = &args.details {
        target.profile.authorization_details = details_of(details)?;
    }
    let asking = Asking {
        target: &target,
        profile_name: &args.target.profile,
        brought: args.brought.form(io, &target).await?,
        screen: &args.screen,
        command: "waypass login",
    };
    let tokens = asking::tokens(io, &asking).await?;
    keep(args, io, &target, tokens).await
}

/// Nothing interrupts this: Ctrl-C is not listened to any more.
async fn keep(args: &LoginArgs, io: &mut Io, target: &Target, tokens: Tokens) -> Result<(), Failure> {
    let credentials = Credentials {
        tokens: Some(tokens),
        ..target.key.kept.credentials.clone()
    };
    let name = &args.target.profile;
    let stored_in = target.keep(io, name, &credentials).await?;
    let Some(tokens) = &credentials.tokens else {
        return Ok(());
    };
    if args.screen.json {
        args.screen.output(io).json(&json!({
            "event": "authorized", "profile": name, "scope": tokens.scope, "token_type": tokens.token_type,
            "authorization_details": tokens.authorization_details,
            "expires_at": tokens.expires_at, "stored_in": stored_in
        }));
        return Ok(());
    }
    say!(
        args.screen.output(io),
        "Approved: {}",
        if tokens.scope.is_empty() {
            "(no scope)"
        } else {
            &tokens.scope
        }
    );
    for detail in tokens.authorization_details.iter() {
        say!(args.screen.output(io), "          {}", details::canonical(detail));
    }
    if !tokens.token_type.eq_ignore_ascii_case("DPoP") {
        say!(
            io.errors,
            "warning: this server does not bind tokens to a key: whoever copies one can use it"
        );
    }
    say!(
        args.screen.output(io),
        "Logged in as profile {name}; key and tokens are in {stored_in}."
    );
    Ok(())
}
