//! `waypass login`: the device flow from the side of the program that asks. RFC 8628 §3.1 to §3.5; what is
//! typed before there is a code, RFC 10027 §6.1.15 and §6.1.17.

use std::path::{Path, PathBuf};

use protocol::authentication::Demands;
use protocol::details;
use protocol::time::Lifetime;
use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use serde_json::{Value, json};

use crate::approver_key;
use crate::credentials::{Credentials, Tokens};
use crate::device_flow::{Asked, Poll, Waiter};
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::http::Answer;
use crate::io::Io;
use crate::metadata::Metadata;
use crate::print::say;
use crate::screen::{Screen, ScreenArgs, Stream};
use crate::settings::Profile;
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
    /// What exactly to ask for: a JSON array of authorization_details, or the file that holds it. `[]` asks for none
    #[arg(long, value_name = "JSON|@FILE")]
    details: Option<String>,
    /// Ask for a word or PIN now, which has to be typed again when approving
    #[arg(long)]
    binding: bool,
    /// The same, from this file
    #[arg(long, value_name = "FILE", conflicts_with = "binding")]
    binding_file: Option<PathBuf>,
    /// Sign the request with the software key of the person who starts it, as `waypass approver enroll` has made it
    #[arg(long, value_name = "FILE")]
    initiator_key_file: Option<PathBuf>,
    /// How the approver has to be authenticated: one of these values, separated by spaces
    #[arg(long, value_name = "VALUES")]
    acr_values: Option<String>,
    /// How many seconds old the approval may be when it is used
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<i64>,
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
            binding: false,
            binding_file: None,
            initiator_key_file: None,
            acr_values: (!demands.acr_values.is_empty()).then(|| demands.acr_values.join(" ")),
            max_age: demands.max_age.map(Lifetime::seconds),
            screen: ScreenArgs {
                on: Stream::Errors,
                ..screen.clone()
            },
        }
    }

    pub fn json(&self) -> bool {
        self.screen.json
    }

    /// RFC 10027 §6.1.17.
    async fn binding_data(&self, io: &mut Io) -> Result<Option<String>, Failure> {
        let text = match &self.binding_file {
            Some(file) => files::text_of(file)?,
            None if self.binding => io.ask("A word or PIN, to be typed again when approving: ").await,
            None => return Ok(None),
        };
        if text.trim().is_empty() {
            return Err(Failure::usage("there is no word or PIN to bind the request to"));
        }
        Ok(Some(text.trim().to_owned()))
    }

    /// What is brought along, so that nobody else could have started this.
    async fn brought(&self, io: &mut Io, target: &Target) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut brought = Vec::new();
        brought.extend(self.binding_data(io).await?.map(|text| ("binding_data", text)));
        if let Some(file) = &self.initiator_key_file {
            let assertion = approver_key::initiator_assertion(io, file, &target.issuer, &target.key.key)?;
            brought.push(("initiator_assertion", assertion));
        }
        brought.extend(self.acr_values.clone().map(|values| ("acr_values", values)));
        brought.extend(self.max_age.map(|seconds| ("max_age", seconds.to_string())));
        Ok(brought)
    }

    /// What the server wants beside the request is a flag, or another command first.
    fn hint(&self, failure: Failure, answer: &Answer, profile: &Profile) -> Failure {
        let needs = answer.error().and_then(|body| body.needs);
        let Profile { server, client_id, .. } = profile;
        let enroll = format!(
            "waypass enroll --server {server} --client-id {client_id} --profile {}",
            self.target.profile
        );
        match needs.as_deref() {
            Some("enrollment") => failure.hint(format!("once, on this machine: {enroll}")),
            Some("new_key") => failure.hint(format!("{enroll} --new-key")),
            Some("binding_data") => failure.hint("waypass login --binding asks for it"),
            Some("initiator_assertion") => {
                failure.hint("waypass login --initiator-key-file FILE, with the software key of whoever starts this")
            }
            _ => failure,
        }
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

/// One request for access.
pub struct Request<'a> {
    pub profile: &'a Profile,
    pub metadata: &'a Metadata,
    pub caller: Caller<'a>,
    /// Parameters beside scope and resources.
    pub brought: Vec<(&'static str, String)>,
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
    let mut request = Request {
        profile: &target.profile,
        metadata: &target.metadata,
        caller: Caller::of_client(&target.http, &target.key.key, target.issuer.as_str())
            .with_posture(target.profile.posture_jwt.as_deref()),
        brought: args.brought(io, &target).await?,
    };
    let hint = |failure, answer: &Answer| args.hint(failure, answer, &target.profile);
    let asked = request.ask(io, hint).await?;
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

impl Request<'_> {
    /// RFC 8628 §3.1, with a proof that binds the code to our key (design decision G1).
    pub async fn ask(&mut self, io: &mut Io, hint: impl Fn(Failure, &Answer) -> Failure) -> Result<Asked, Failure> {
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
        let details = self.profile.authorization_details.as_deref();
        form.extend(details.map(|details| ("authorization_details", details)));
        form.extend(self.brought.iter().map(|(name, value)| (*name, value.as_str())));
        let asked_at = io.now();
        let answer = self
            .caller
            .form(io, url, &form)
            .await
            .map_err(|unanswered| unanswered.failure(url))?;
        if !answer.is_success() {
            return Err(hint(answer.failure("access could not be asked for"), &answer));
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
