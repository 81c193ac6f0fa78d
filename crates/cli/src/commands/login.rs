//! `waypass login`: the device flow from the side of the program that asks. RFC 8628 §3.1 to §3.5; what is
//! typed before there is a code, RFC 10027 §6.1.15 and §6.1.17.

use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use serde_json::json;

use crate::credentials::{Credentials, Tokens};
use crate::device_flow::{Asked, Poll, Waiter};
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::metadata::Metadata;
use crate::print::say;
use crate::screen::{Screen, ScreenArgs};
use crate::settings::{Profile, Settings};
use crate::target::{Target, TargetArgs};
use crate::token_endpoint;

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
    #[command(flatten)]
    screen: ScreenArgs,
}

impl LoginArgs {
    pub fn json(&self) -> bool {
        self.screen.json
    }
}

/// One request for access.
pub struct Request<'a> {
    pub profile: &'a Profile,
    pub metadata: &'a Metadata,
    pub caller: Caller<'a>,
}

pub async fn run(args: &LoginArgs, io: &mut Io) -> Result<(), Failure> {
    let outcome = login(args, io).await;
    args.screen.ended(io, &outcome);
    outcome
}

async fn login(args: &LoginArgs, io: &mut Io) -> Result<(), Failure> {
    args.screen.check(io)?;
    let mut target = args.target.open(io).await?;
    if args.scope.is_some() {
        target.profile.scope.clone_from(&args.scope);
    }
    if !args.resource.is_empty() {
        target.profile.resource.clone_from(&args.resource);
    }
    let mut request = Request {
        profile: &target.profile,
        metadata: &target.metadata,
        caller: Caller::new(&target.http, &target.key.key),
    };
    let asked = request.ask(io).await?;
    let mut screen = Screen::show(&args.screen, io, &asked, &target.key.key).await;
    let interrupted = (io.interrupted)();
    let tokens = tokio::select! {
        biased;
        tokens = request.wait(io, &asked, &mut screen) => tokens?,
        () = interrupted => return Err(stopped_by_hand()),
    };
    keep(args, io, &target, tokens).await
}

/// Nothing interrupts this: Ctrl-C is not listened to any more.
async fn keep(args: &LoginArgs, io: &mut Io, target: &Target, tokens: Tokens) -> Result<(), Failure> {
    let kept = &target.key.kept;
    let credentials = Credentials {
        tokens: Some(tokens),
        token_key: None,
        ..kept.credentials.clone()
    };
    let place = {
        let _lock = target.vault.lock().await?;
        target.vault.save(io, &credentials, kept.place)?
    };
    let name = &args.target.profile;
    Settings::keep(io, name, &target.profile)?;
    let Some(tokens) = &credentials.tokens else {
        return Ok(());
    };
    let stored_in = target.vault.describe(place, &credentials.key);
    if args.screen.json {
        io.output.json(&json!({
            "event": "authorized", "profile": name, "scope": tokens.scope, "token_type": tokens.token_type,
            "expires_at": tokens.expires_at, "stored_in": stored_in
        }));
        return Ok(());
    }
    say!(
        io.output,
        "Approved: {}",
        if tokens.scope.is_empty() {
            "(no scope)"
        } else {
            &tokens.scope
        }
    );
    if !tokens.token_type.eq_ignore_ascii_case("DPoP") {
        say!(
            io.errors,
            "warning: this server does not bind tokens to a key: whoever copies one can use it"
        );
    }
    say!(
        io.output,
        "Logged in as profile {name}; key and tokens are in {stored_in}."
    );
    Ok(())
}

impl Request<'_> {
    /// RFC 8628 §3.1, with a proof that binds the code to our key (design decision G1).
    pub async fn ask(&mut self, io: &mut Io) -> Result<Asked, Failure> {
        let url = self.metadata.device_authorization_endpoint.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Refused,
                "unsupported",
                format!("{} offers no device grant", self.profile.server),
            )
        })?;
        let mut form = vec![("client_id", self.profile.client_id.as_str())];
        form.extend(self.profile.scope.as_deref().map(|scope| ("scope", scope)));
        let resources = self.profile.resource.iter();
        form.extend(resources.map(|resource| ("resource", resource.as_str())));
        let asked_at = io.now();
        let answer = self
            .caller
            .form(io, url, &form)
            .await
            .map_err(|unanswered| unanswered.failure(url))?;
        if !answer.is_success() {
            return Err(answer.failure("access could not be asked for"));
        }
        let shown: Option<DeviceAuthorizationResponse> = answer.json();
        shown
            .and_then(|shown| Asked::of(shown, asked_at))
            .ok_or_else(|| answer.unreadable("the answer cannot be read"))
    }

    /// RFC 8628 §3.4 and §3.5.
    pub async fn wait(&mut self, io: &mut Io, asked: &Asked, waiter: &mut impl Waiter) -> Result<Tokens, Failure> {
        let form = [
            ("grant_type", token_endpoint::DEVICE_CODE),
            ("client_id", &self.profile.client_id),
        ];
        let mut poll = Poll {
            caller: &mut self.caller,
            url: &self.metadata.token_endpoint,
            form: &form,
            again: "waypass login",
        };
        let scope = self.profile.scope.as_deref().unwrap_or_default();
        poll.wait(io, asked, waiter, |answer, asked_at| {
            token_endpoint::read(answer, asked_at, scope)
        })
        .await
    }
}

fn stopped_by_hand() -> Failure {
    Failure::new(Exit::Failed, "interrupted", "stopped; no token was stored").hint("the request ends by itself")
}
