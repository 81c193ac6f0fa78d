//! What was approved for one run: held in this process and in no file, and ended with it. RFC 7009 §2.1.

use std::sync::Arc;

use protocol::details::{Details, enforce};
use serde_json::{Value, json};
use url::Url;

use super::known::Approvals;
use super::upstream::Upstream;
use crate::asking::{self, Asking, BroughtArgs};
use crate::commands::run::ResourceArgs;
use crate::credentials::Tokens;
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::http::{Http, is_safe_address};
use crate::io::Io;
use crate::keys::Key;
use crate::print::say;
use crate::screen::ScreenArgs;
use crate::target::{Target, TargetArgs};

/// What to ask for, and in whose name.
pub struct Ask<'a> {
    pub target: &'a TargetArgs,
    pub scope: Option<&'a str>,
    pub resource: Option<&'a str>,
    pub details: &'a Details,
    pub brought: &'a BroughtArgs,
    pub screen: &'a ScreenArgs,
    pub command: &'static str,
}

pub struct Access {
    target: Target,
    key: Arc<Key>,
    pub tokens: Tokens,
}

impl Access {
    pub async fn ask(io: &mut Io, ask: &Ask<'_>) -> Result<Self, Failure> {
        let mut target = ask.target.open(io).await?;
        target.profile.scope = scope(ask.scope, target.profile.scope.as_deref())?;
        target.profile.resource = ask.resource.iter().map(|&resource| resource.to_owned()).collect();
        target.profile.authorization_details = Some(ask.details.canonical());
        let key = Arc::new(target.key.kept.credentials.signing_key(io)?);
        let brought = ask.brought.form(io, &target).await?;
        let known = Approvals::of(io, &target, ask.details);
        // Whoever says how it has to be approved wants it to be approved.
        let left = match &known {
            Some(known) if brought.is_empty() => known.use_one(io, &target, &key).await?,
            _ => None,
        };
        let tokens = match left {
            Some(tokens) => tokens,
            None => Self::asked(io, ask, (&target, brought)).await?,
        };
        tell(io, ask.screen, &tokens);
        let access = Self { target, key, tokens };
        if let Some(known) = known.filter(|_| access.covers(ask.details)) {
            known.remember(io, &access.tokens);
        }
        Ok(access)
    }

    async fn asked(
        io: &mut Io,
        ask: &Ask<'_>,
        (target, brought): (&Target, Vec<(&'static str, String)>),
    ) -> Result<Tokens, Failure> {
        let asking = Asking {
            target,
            profile_name: &ask.target.profile,
            brought,
            by_user_code: ask.brought.user_code,
            screen: ask.screen,
            command: ask.command,
        };
        let tokens = asking::tokens(io, &asking).await;
        io.errors.end_live();
        tokens
    }

    /// An approver may take details away. What lacks one would fail half way.
    pub fn must_cover(&self, details: &Details) -> Result<(), Failure> {
        if self.covers(details) {
            return Ok(());
        }
        let what = "less was approved than was asked for; nothing was done";
        Err(Failure::new(Exit::Refused, "not_approved", what))
    }

    fn covers(&self, details: &Details) -> bool {
        details.once().is_within(&self.tokens.authorization_details.once())
    }

    pub fn upstream(&self, io: &Io, origin: &Url) -> Result<Upstream, Failure> {
        let http = Http::for_profile(io, origin, Some(&self.target.profile))?;
        Ok(Upstream::new(
            http,
            self.key.clone(),
            self.tokens.clone(),
            io.clock.clone(),
        ))
    }

    /// The grant has no use any more. Says so where it cannot be ended.
    pub async fn end(&self, io: &mut Io, screen: &ScreenArgs, exit: Option<Exit>) {
        let ended = self.revoke(io).await;
        if screen.json {
            let why: Value = ended.as_ref().err().map_or(Value::Null, |failure| json!(failure.what));
            let is_ended = ended.is_ok_and(|is_ended| is_ended) && self.tokens.again.is_none();
            let event = json!({ "event": "ended", "exit": exit.map(Exit::code), "grant_ended": is_ended, "why": why });
            screen.output(io).json(&event);
            return;
        }
        match ended {
            Ok(true) => {}
            Ok(false) => say!(
                io.errors,
                "warning: this server has no way to end a grant: its token ends by itself"
            ),
            Err(failure) => say!(io.errors, "warning: the grant ends by itself: {}", failure.what),
        }
    }

    /// False where the server offers no way.
    async fn revoke(&self, io: &mut Io) -> Result<bool, Failure> {
        let Target { metadata, profile, .. } = &self.target;
        let Some(url) = &metadata.revocation_endpoint else {
            return Ok(false);
        };
        let (token, hint) = match &self.tokens.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&self.tokens.access_token, "access_token"),
        };
        let form = [
            ("token", token.as_str()),
            ("token_type_hint", hint),
            ("client_id", &profile.client_id),
        ];
        let mut caller = Caller::of_client(&self.target.http, &self.key, self.target.issuer.as_str());
        let answer = caller.form(io, url, &form).await;
        let answer = answer.map_err(|unanswered| unanswered.failure(url))?;
        if answer.is_success() {
            Ok(true)
        } else {
            Err(answer.failure("it was not ended"))
        }
    }
}

fn tell(io: &mut Io, screen: &ScreenArgs, tokens: &Tokens) {
    let left = tokens.again.as_ref().map(|again| again.runs_left);
    if screen.json {
        let event = json!({ "event": "approved", "expires_at": tokens.expires_at,
            "authorization_details": tokens.authorization_details, "runs_left": left });
        screen.output(io).json(&event);
        return;
    }
    match left {
        None => {}
        Some(0) => say!(io.errors, "This is the last run of this approval."),
        Some(left) => say!(io.errors, "Runs left under this approval: {left}."),
    }
}

/// A run is asked for each time, and never needs a token for later.
fn scope(asked: Option<&str>, kept: Option<&str>) -> Result<Option<String>, Failure> {
    const LATER: &str = "offline_access";
    if asked.is_some_and(|asked| asked.split(' ').any(|scope| scope == LATER)) {
        return Err(Failure::usage(
            "a run ends with its command: it has no use for offline_access",
        ));
    }
    let kept = kept.map(|kept| {
        kept.split(' ')
            .filter(|scope| *scope != LATER)
            .collect::<Vec<_>>()
            .join(" ")
    });
    Ok(asked.map(str::to_owned).or(kept).filter(|scope| !scope.is_empty()))
}

impl ResourceArgs {
    /// The resource by its name, and where it is. What could reach nothing of it is not asked for.
    pub fn at(&self) -> Result<Option<(String, Url)>, Failure> {
        let Some(resource) = &self.resource else {
            return Ok(None);
        };
        let origin = origin(resource)?;
        match self.path.iter().find(|path| !enforce::reaches(resource, path)) {
            Some(path) => Err(outside(path, resource)),
            None => Ok(Some((resource.clone(), origin))),
        }
    }
}

/// A path that was typed.
pub fn outside(path: &str, resource: &str) -> Failure {
    Failure::usage(format!("{path:?} is outside of the resource {resource:?}"))
        .hint("paths are absolute, and below the resource's own; nothing is known to be below one with a query")
}

/// Where a resource is: requests go to no other host. How far below its own path, `admission` judges.
pub fn origin(resource: &str) -> Result<Url, Failure> {
    let url = Url::parse(resource).ok().filter(|url| url.host().is_some());
    let mut url = url.ok_or_else(|| Failure::usage(format!("{resource:?} is no URL")))?;
    if !is_safe_address(&url) {
        return Err(Failure::usage(
            "a token is sent over https only, or within this machine",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage("the address of a resource has no user"));
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}
