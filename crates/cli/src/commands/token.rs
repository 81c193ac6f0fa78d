//! `waypass token`: a fresh access token for a script, or a proof to go with it. RFC 9449 §7.

use std::path::PathBuf;

use http::Method;
use serde_json::json;
use url::Url;

use crate::commands::login::details_of;
use crate::credentials::{MachineAsk, Tokens};
use crate::dpop::{Call, proof};
use crate::failure::Failure;
use crate::io::Io;
use crate::print::say;
use crate::refresh::Session;

/// Print a fresh access token and nothing else
///
/// It is refreshed when less than 30 seconds are left. Any number of these may run at once: one refreshes, the others wait for its result.
///
/// With --machine no person is asked: an enrolled or attested machine gets what its client may have.
///
///   curl -H "Authorization: DPoP $(waypass token)" \
///        -H "DPoP: $(waypass token --dpop GET https://api.example.com/me)" https://api.example.com/me
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct TokenArgs {
    /// The profile that has logged in
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Print a proof for one request with this token, instead of the token
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    dpop: Vec<String>,
    /// The nonce that the resource server asked for (its DPoP-Nonce header)
    // One in 64 begins with a hyphen.
    #[arg(long, requires = "dpop", allow_hyphen_values = true)]
    nonce: Option<String>,
    /// Ask as this machine, without a person, if its client may: after `waypass enroll`, or with an attestation
    #[arg(long)]
    machine: bool,
    /// What to ask for, separated by spaces [default: what the client may have]
    #[arg(long, requires = "machine")]
    scope: Option<String>,
    /// Where the token is to be used; may be repeated
    #[arg(long, value_name = "URI", requires = "machine")]
    resource: Vec<String>,
    /// What exactly to ask for: a JSON array of authorization_details, or the file that holds it
    #[arg(long, value_name = "JSON|@FILE", requires = "machine")]
    details: Option<String>,
    /// A client attestation for this machine's key, by an attester that the server knows
    #[arg(long, value_name = "FILE", requires = "machine")]
    attestation_file: Option<PathBuf>,
    /// Print a JSON object with the token, its type, its end, and the proof if one was asked for
    #[arg(long)]
    json: bool,
}

impl TokenArgs {
    pub fn json(&self) -> bool {
        self.json
    }

    async fn tokens(&self, io: &mut Io) -> Result<(Session, Tokens), Failure> {
        if self.machine {
            let asked = MachineAsk {
                scope: self.scope.clone(),
                resource: self.resource.clone(),
                authorization_details: self.details.as_deref().map(details_of).transpose()?.flatten(),
            };
            return Session::of_machine(io, &self.profile, &asked, self.attestation_file.as_deref()).await;
        }
        let session = Session::fresh(io, &self.profile).await?;
        let tokens = session.tokens(&self.profile)?.clone();
        Ok((session, tokens))
    }
}

pub async fn run(args: &TokenArgs, io: &mut Io) -> Result<(), Failure> {
    let wanted = match args.dpop.as_slice() {
        [method, url] => Some(parse(method, url)?),
        _ => None,
    };
    let (session, tokens) = args.tokens(io).await?;
    let proof = match wanted {
        None => None,
        Some((method, url)) => {
            let call = Call {
                access_token: Some(&tokens.access_token),
                ..Call::new(method, &url)
            };
            let proof = proof(
                io,
                &session.kept.credentials.signing_key(io)?,
                &call,
                args.nonce.as_deref(),
            );
            Some(proof.ok_or_else(|| Failure::failed("no proof could be signed"))?)
        }
    };
    if args.json {
        io.output.json(&json!({
            "access_token": tokens.access_token, "token_type": tokens.token_type,
            "expires_at": tokens.expires_at, "scope": tokens.scope, "dpop": proof
        }));
    } else {
        say!(io.output, "{}", proof.as_ref().unwrap_or(&tokens.access_token));
    }
    Ok(())
}

fn parse(method: &str, url: &str) -> Result<(Method, Url), Failure> {
    let usage = |what: String| Failure::usage(what).hint("waypass token --dpop GET https://api.example.com/me");
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| usage(format!("{method:?} is no HTTP method")))?;
    let url = Url::parse(url).map_err(|_| usage(format!("{url:?} is no URL")))?;
    Ok((method, url))
}
