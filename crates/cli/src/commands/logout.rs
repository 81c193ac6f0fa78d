//! `waypass logout`: ends at the server what was approved, then forgets the tokens here. RFC 7009 §2.1.
//! The key stays: it is what this machine is known by.

use serde_json::json;

use crate::credentials::{Credentials, Tokens};
use crate::dpop::Caller;
use crate::failure::Failure;
use crate::io::Io;
use crate::metadata::discover;
use crate::print::say;
use crate::refresh::Session;

/// End at the server what was approved, then forget the tokens here.
#[derive(Debug, clap::Args)]
pub struct LogoutArgs {
    /// The profile that has logged in
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Only forget the tokens here, for when the server is gone: there they stay good until they end
    #[arg(long)]
    local: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl LogoutArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

pub async fn run(args: &LogoutArgs, io: &mut Io) -> Result<(), Failure> {
    let session = Session::open(io, &args.profile)?;
    let _lock = session.vault.lock().await?;
    // Read again: another process may have refreshed or logged out.
    let Some(kept) = session.vault.load(io)? else {
        return Ok(());
    };
    let mut revoked = false;
    if let (Some(tokens), false) = (&kept.credentials.tokens, args.local) {
        revoked = revoke(io, &session, tokens).await.map_err(|failure| {
            Failure { hint: None, ..failure }.hint("nothing was changed; --local forgets the tokens only here")
        })?;
    }
    let credentials = Credentials {
        tokens: None,
        machine: None,
        ..kept.credentials
    };
    session.vault.save(io, &credentials, kept.place)?;
    if args.json {
        io.output.json(&json!({"profile": args.profile, "revoked": revoked}));
    } else if revoked {
        say!(
            io.output,
            "Logged out: the server has ended the grant, and the tokens are removed here."
        );
    } else {
        say!(
            io.output,
            "Logged out here only: tokens already issued stay good until they end."
        );
    }
    Ok(())
}

/// The refresh token, since its end is the grant's end; else the access token.
async fn revoke(io: &mut Io, session: &Session, tokens: &Tokens) -> Result<bool, Failure> {
    let metadata = discover(io, &session.http, &session.issuer).await?;
    let Some(url) = &metadata.revocation_endpoint else {
        return Ok(false);
    };
    let (token, hint) = match &tokens.refresh_token {
        Some(token) => (token, "refresh_token"),
        None => (&tokens.access_token, "access_token"),
    };
    let credentials = &session.kept.credentials;
    let form = [
        ("token", token.as_str()),
        ("token_type_hint", hint),
        ("client_id", &credentials.client_id),
    ];
    let key = credentials.signing_key(io)?;
    let answer = Caller::of_client(&session.http, &key, &credentials.issuer)
        .form(io, url, &form)
        .await;
    let answer = answer.map_err(|unanswered| unanswered.failure(url))?;
    if !answer.is_success() {
        return Err(answer.failure("the token was not revoked"));
    }
    Ok(true)
}
