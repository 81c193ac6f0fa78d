//! Asking a person for access: a form goes in, tokens come out, and whoever calls knows nothing of how the person
//! was asked. A machine that is enrolled asks its owner directly (OpenID CIBA Core §7); any other shows a user
//! code. RFC 8628 §3.1 to §3.5; what is typed before there is a code, RFC 10027 §6.1.15 and §6.1.17.

use std::path::PathBuf;

use protocol::authentication::Demands;
use protocol::time::Lifetime;
use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use protocol::{backchannel, base64url, key_words};
use url::Url;

use crate::approver_key;
use crate::credentials::Tokens;
use crate::device_flow::{Asked, Poll, Shown, Waiter};
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::http::Answer;
use crate::io::Io;
use crate::metadata::Metadata;
use crate::screen::{Screen, ScreenArgs};
use crate::settings::Profile;
use crate::target::Target;
use crate::token_endpoint;

/// Below the patience of the HTTP client.
const LONGEST_HOLD: i64 = 20;

/// What a profile of the server may want beside the request.
#[derive(Debug, Default, clap::Args)]
pub struct BroughtArgs {
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
    /// Show a user code, although this machine is enrolled and could ask its owner directly
    #[arg(long)]
    pub user_code: bool,
    /// Ask this approver, or group:NAME, instead of the owner of this machine, where its profile allows that
    #[arg(long, value_name = "NAME", conflicts_with = "user_code")]
    ask: Option<String>,
}

impl BroughtArgs {
    /// RFC 9470 §4.
    pub fn demanded(demands: &Demands) -> Self {
        Self {
            acr_values: (!demands.acr_values.is_empty()).then(|| demands.acr_values.join(" ")),
            max_age: demands.max_age.map(Lifetime::seconds),
            ..Self::default()
        }
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
    pub async fn form(&self, io: &mut Io, target: &Target) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut brought = Vec::new();
        brought.extend(self.binding_data(io).await?.map(|text| ("binding_data", text)));
        if let Some(file) = &self.initiator_key_file {
            let assertion = approver_key::initiator_assertion(io, file, &target.issuer, &target.key.key)?;
            brought.push(("initiator_assertion", assertion));
        }
        brought.extend(self.ask.clone().map(|name| (backchannel::LOGIN_HINT, name)));
        brought.extend(self.acr_values.clone().map(|values| ("acr_values", values)));
        brought.extend(self.max_age.map(|seconds| ("max_age", seconds.to_string())));
        Ok(brought)
    }
}

/// What to ask for, and where it is seen that it is asked. Scope, resources and details are the target's profile's.
pub struct Asking<'a> {
    pub target: &'a Target,
    pub profile_name: &'a str,
    /// Parameters beside scope, resources and details.
    pub brought: Vec<(&'static str, String)>,
    /// By a user code, whether or not this machine could ask its owner directly.
    pub by_user_code: bool,
    pub screen: &'a ScreenArgs,
    /// To be typed again when nobody has decided.
    pub command: &'static str,
}

/// Asks and waits until somebody has decided. Nothing is kept.
pub async fn tokens(io: &mut Io, asking: &Asking<'_>) -> Result<Tokens, Failure> {
    let target = asking.target;
    let mut request = Request {
        profile: &target.profile,
        metadata: &target.metadata,
        caller: Caller::of_client(&target.http, &target.key.key, target.issuer.as_str())
            .with_posture(target.profile.posture_jwt.as_deref()),
        brought: asking.brought.clone(),
        hold: target
            .metadata
            .waypass_token_wait_max
            .map(|most| most.clamp(1, LONGEST_HOLD)),
        command: asking.command,
    };
    let hint = |failure, answer: &Answer| asking.hint(failure, answer);
    let asked = match asking.backchannel() {
        Some(url) => {
            request
                .ask_owner(io, url, target.issuer.endpoint("inbox"), hint)
                .await?
        }
        None => request.ask(io, hint).await?,
    };
    let mut screen = Screen::show(asking.screen, io, &asked, &target.key.key).await;
    let interrupted = (io.interrupted)();
    tokio::select! {
        biased;
        tokens = request.wait(io, &asked, &mut screen) => tokens,
        () = interrupted => Err(stopped_by_hand()),
    }
}

impl Asking<'_> {
    /// Where an enrolled machine asks its owner.
    fn backchannel(&self) -> Option<&Url> {
        let is_enrolled = self.target.key.kept.credentials.instance.is_some();
        let url = self.target.metadata.backchannel_authentication_endpoint.as_ref();
        url.filter(|_| is_enrolled && !self.by_user_code)
    }

    /// What the server wants beside the request is a flag, or another command first.
    fn hint(&self, failure: Failure, answer: &Answer) -> Failure {
        let body = answer.error();
        let needs = body.as_ref().and_then(|body| body.needs.as_deref());
        let is_beyond = matches!(
            body.as_ref().map(|body| &*body.error),
            Some("invalid_authorization_details" | "invalid_scope" | "invalid_target")
        );
        let Profile { server, client_id, .. } = &self.target.profile;
        let name = self.profile_name;
        let enroll = format!("waypass enroll --server {server} --client-id {client_id} --profile {name}");
        let command = self.command;
        match needs {
            Some("enrollment") => failure.hint(format!("once, on this machine: {enroll}")),
            Some("new_key") => failure.hint(format!("{enroll} --new-key")),
            Some("binding_data") => failure.hint(format!("{command} --binding asks for it")),
            Some("initiator_assertion") => failure.hint(format!(
                "{command} --initiator-key-file FILE, with the software key of whoever starts this"
            )),
            _ if is_beyond => failure.hint(format!(
                "what it may ask for, an administrator sees and changes: waypass client show {client_id}, waypass client set {client_id}"
            )),
            _ => failure,
        }
    }
}

/// One request for access.
pub struct Request<'a> {
    pub profile: &'a Profile,
    pub metadata: &'a Metadata,
    pub caller: Caller<'a>,
    /// Parameters beside scope and resources.
    pub brought: Vec<(&'static str, String)>,
    /// How many seconds the server may wait with an answer.
    pub hold: Option<i64>,
    /// To be typed again when nobody has decided.
    pub command: &'static str,
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
        let asked_at = io.now();
        let answer = self.send(io, url, hint).await?;
        let shown: Option<DeviceAuthorizationResponse> = answer.json();
        shown
            .and_then(|shown| Asked::of(shown, asked_at))
            .ok_or_else(|| answer.unreadable("the answer cannot be read"))
    }

    /// OpenID CIBA Core §7: straight into the inbox, with two words that both sides show.
    async fn ask_owner(
        &mut self,
        io: &mut Io,
        url: &Url,
        inbox: Url,
        hint: impl Fn(Failure, &Answer) -> Failure,
    ) -> Result<Asked, Failure> {
        let chance = io.draw().map_err(|_| Failure::failed("no randomness can be had"))?;
        let words = key_words::of(&base64url::encode(&chance.0));
        let mut words: Vec<_> = words.split(' ').collect();
        // One word twice would be half as much to compare.
        words.dedup();
        words.truncate(2);
        let binding_message = words.join(" ");
        self.brought
            .push((backchannel::BINDING_MESSAGE, binding_message.clone()));
        let asked_at = io.now();
        let answer = self.send(io, url, hint).await?;
        let asked = answer
            .json()
            .ok_or_else(|| answer.unreadable("the answer cannot be read"))?;
        let shown = Shown::Inbox {
            uri: inbox,
            binding_message,
        };
        Ok(Asked::in_inbox(asked, shown, asked_at))
    }

    async fn send(
        &mut self,
        io: &mut Io,
        url: &Url,
        hint: impl Fn(Failure, &Answer) -> Failure,
    ) -> Result<Answer, Failure> {
        let mut form = vec![("client_id", self.profile.client_id.as_str())];
        form.extend(self.profile.scope.as_deref().map(|scope| ("scope", scope)));
        let resources = self.profile.resource.iter();
        form.extend(resources.map(|resource| ("resource", resource.as_str())));
        let details = self.profile.authorization_details.as_deref();
        form.extend(details.map(|details| ("authorization_details", details)));
        form.extend(self.brought.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = self
            .caller
            .form(io, url, &form)
            .await
            .map_err(|unanswered| unanswered.failure(url))?;
        if !answer.is_success() {
            return Err(hint(answer.failure("access could not be asked for"), &answer));
        }
        Ok(answer)
    }

    /// RFC 8628 §3.4 and §3.5; CIBA §10.1.
    pub async fn wait(&mut self, io: &mut Io, asked: &Asked, waiter: &mut impl Waiter) -> Result<Tokens, Failure> {
        let grant_type = match asked.shown {
            Shown::Code(_) => token_endpoint::DEVICE_CODE,
            Shown::Inbox { .. } => token_endpoint::CIBA,
        };
        let form = [("grant_type", grant_type), ("client_id", &self.profile.client_id)];
        let mut poll = Poll {
            caller: &mut self.caller,
            url: &self.metadata.token_endpoint,
            form: &form,
            hold: self.hold,
            again: self.command,
        };
        let scope = self.profile.scope.as_deref().unwrap_or_default();
        poll.wait(io, asked, waiter, |answer, asked_at| {
            token_endpoint::read(answer, asked_at, scope)
        })
        .await
    }
}

fn stopped_by_hand() -> Failure {
    Failure::new(Exit::Failed, "interrupted", "stopped; no token was stored")
        .hint("the request waits on until it expires: whoever sees it may decline it")
}
