//! What is an approver's own: passkeys, browser sessions, grants, software keys; each can be ended here
//! (software keys by an administrator).

use askama::Template;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, Redirect};
use protocol::client::{Kind, Registration};
use protocol::event::{Action, Event};
use protocol::grant::{Grant, Origin};
use protocol::key_words;
use protocol::refusal::Refusal;
use protocol::shown::shown;
use serde::Deserialize;
use store::Batch;
use store::approver_keys::{Passkey, SoftwareKey};
use store::browser_sessions::BrowserSession;
use webauthn_rs::prelude::RegisterPublicKeyCredential;

use super::moment::Moment;
use super::notices::NoticesSection;
use super::sign_in::{Finished, parameter};
use super::upstream::UpstreamSection;
use super::waiting::{self, WaitingList};
use super::{Frame, PageFailure, html, notices, upstream};
use crate::app::{App, Shared};
use crate::extract::csrf::{Posted, Sent};
use crate::extract::session::{SignedIn, through};
use crate::failure::Failure;
use crate::passkeys::{self, Ceremony, Started};

#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    pub frame: Frame,
    /// What the last act did: "The passkey was removed."
    pub notice: Option<&'static str>,
    /// Signed in a moment ago: passkeys may be changed.
    pub is_fresh: bool,
    pub waiting: WaitingList,
    pub grants: Vec<GrantLine>,
    pub passkeys: Vec<PasskeyLine>,
    pub sessions: Vec<SessionLine>,
    pub software_keys: Vec<SoftwareKeyLine>,
    pub upstream: Option<UpstreamSection>,
    pub notices: NoticesSection,
    /// Every group that counts for them now.
    pub groups: Vec<String>,
}

pub struct GrantLine {
    pub id: String,
    pub client_name: String,
    pub client_id: String,
    pub is_agent: bool,
    pub scopes: Vec<String>,
    pub since: Moment,
    pub until: Moment,
    pub key_words: Option<String>,
    /// It was got without asking anybody.
    pub is_machines: bool,
    /// Of a command that may be run several times.
    pub runs_left: Option<i64>,
}

pub struct PasskeyLine {
    pub id: String,
    pub name: String,
    pub added_at: Moment,
    pub last_used_at: Option<Moment>,
}

pub struct SessionLine {
    pub id: String,
    /// "Firefox on Linux", from the User-Agent: a claim.
    pub browser: String,
    pub address: Option<String>,
    pub signed_in_at: Moment,
    pub is_this: bool,
}

pub struct SoftwareKeyLine {
    pub thumbprint: String,
    pub key_words: String,
    pub added_at: Moment,
}

pub async fn show(
    State(app): State<Shared>,
    by: SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, PageFailure> {
    let notice = parameter(query.as_deref(), "done").and_then(|act| notice(&act));
    Ok(html(&load(&app, &by, notice).await?)?)
}

async fn load(app: &App, by: &SignedIn, notice: Option<&'static str>) -> Result<AccountPage, Failure> {
    let id = &by.approver.id;
    let mut grants = Vec::new();
    for grant in app.store.grants_of(id, app.now()).await? {
        let client = app.store.client(&grant.client_id).await?;
        grants.push(GrantLine::of(
            &grant,
            client.as_ref().map(|client| &client.registration),
        ));
    }
    let sessions = app.store.browser_sessions(id, app.now()).await?;
    Ok(AccountPage {
        frame: Frame::new(app, Some(by)),
        notice,
        is_fresh: by.must_be_fresh(app).is_ok(),
        waiting: waiting::list(app, by).await?,
        grants,
        passkeys: app.store.passkeys(id).await?.iter().map(PasskeyLine::of).collect(),
        sessions: sessions
            .iter()
            .map(|session| SessionLine::of(session, &by.session.id))
            .collect(),
        software_keys: app
            .store
            .software_keys(id)
            .await?
            .iter()
            .map(SoftwareKeyLine::of)
            .collect(),
        upstream: upstream::section(app, by).await?,
        notices: notices::section(app, by).await?,
        groups: app.every_group_of(id).await?.iter().map(|group| shown(group)).collect(),
    })
}

impl GrantLine {
    fn of(grant: &Grant, client: Option<&Registration>) -> Self {
        let name = client.map_or(&grant.client_id, |client| &client.name);
        Self {
            id: grant.id.clone(),
            client_name: shown(name),
            client_id: shown(&grant.client_id),
            is_agent: client.is_some_and(|client| client.kind == Kind::Agent),
            scopes: grant.scope.split(' ').map(shown).collect(),
            since: Moment::at(grant.created_at),
            until: Moment::at(grant.expires_at),
            key_words: grant.jkt.as_deref().map(key_words::of),
            is_machines: grant.origin == Origin::ClientCredentials,
            runs_left: grant.runs_left,
        }
    }
}

impl PasskeyLine {
    fn of(passkey: &Passkey) -> Self {
        Self {
            id: passkey.credential_id.clone(),
            name: shown(&passkey.label),
            added_at: Moment::at(passkey.created_at),
            last_used_at: passkey.last_used_at.map(Moment::at),
        }
    }
}

impl SessionLine {
    fn of(session: &BrowserSession, own: &str) -> Self {
        Self {
            id: session.id.clone(),
            browser: browser(&session.user_agent),
            address: session.address.clone(),
            signed_in_at: Moment::at(session.created_at),
            is_this: session.id == own,
        }
    }
}

impl SoftwareKeyLine {
    fn of(key: &SoftwareKey) -> Self {
        Self {
            thumbprint: key.thumbprint.clone(),
            key_words: key_words::of(&key.thumbprint),
            added_at: Moment::at(key.created_at),
        }
    }
}

/// By the names that browsers give themselves, the more particular one first: all say Mozilla and Safari.
pub fn browser(user_agent: &str) -> String {
    const BROWSERS: [(&str, &str); 5] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(sign, _)| user_agent.contains(sign))
            .map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "An unknown browser".to_owned(),
    }
}

/// An act leads back to the page with its name, and the page says what it did.
pub fn done(app: &App, act: &str) -> Redirect {
    Redirect::to(&address(app, act))
}

pub fn address(app: &App, act: &str) -> String {
    format!("{}/account?done={act}", app.config.issuer.base_path())
}

fn notice(act: &str) -> Option<&'static str> {
    match act {
        "revoked" => Some("It no longer acts for you."),
        "passkey-added" => Some("The passkey was added."),
        "passkey-removed" => Some("The passkey was removed."),
        "upstream-linked" => Some("The account is linked."),
        "upstream-unlinked" => Some("The account is no longer linked."),
        "notice-off" => Some("You are no longer told that way."),
        "notice-on" => Some("You are told that way again."),
        "notice-removed" => Some("That browser is no longer told."),
        "session-ended" => Some("That browser is signed out."),
        _ => None,
    }
}

pub async fn revoke(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, PageFailure> {
    app.store.decide(|| async { revoked(&app, &by, &id).await }).await?;
    Ok(done(&app, "revoked"))
}

async fn revoked(app: &App, by: &SignedIn, id: &str) -> Result<(Batch, ()), Failure> {
    let own = app
        .store
        .grant(id)
        .await?
        .filter(|grant| grant.subject == by.approver.id);
    let grant = own.ok_or(Failure::NotFound("Nothing of yours has this name."))?;
    if grant.ended_at.is_some() {
        return Ok((Batch::default(), ()));
    }
    let because = "revoked_by_approver";
    let event = app
        .grant_ended(&grant, because)
        .await?
        .with("session.id", through(&by.session.id));
    Ok((
        Batch::default().end_grant(&grant, because, app.now()).record(&event)?,
        (),
    ))
}

pub async fn end_session(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, PageFailure> {
    let theirs = app.store.browser_sessions(&by.approver.id, app.now()).await?;
    if theirs.iter().all(|session| session.id != id) {
        return Ok(done(&app, "session-ended"));
    }
    let event = by
        .event(&app, Action::ApproverSignedOut)
        .with("ended.session.id", through(&id));
    let batch = Batch::default()
        .end_browser_session(&id, &by.approver.id)
        .record(&event)?;
    app.commit(batch).await?;
    Ok(done(&app, "session-ended"))
}

pub async fn remove_passkey(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Posted { by, .. }: Posted,
) -> Result<Redirect, PageFailure> {
    by.must_be_fresh(&app)?;
    app.store
        .decide(|| async { passkey_removed(&app, &by, &id).await })
        .await?;
    Ok(done(&app, "passkey-removed"))
}

async fn passkey_removed(app: &App, by: &SignedIn, id: &str) -> Result<(Batch, ()), Failure> {
    let approver = app
        .store
        .approver(&by.approver.id)
        .await?
        .ok_or(Refusal::SignInRequired)?;
    let own = app
        .store
        .passkey(id)
        .await?
        .filter(|passkey| passkey.approver_id == approver.id);
    // Pressed twice.
    let Some(passkey) = own else {
        return Ok((Batch::default(), ()));
    };
    let event = key_event(by.event(app, Action::ApproverKeyRemoved), &passkey);
    Ok((
        Batch::default()
            .touch_approver(&approver)
            .remove_passkey(id, &approver.id)
            .record(&event)?,
        (),
    ))
}

#[derive(Deserialize)]
pub struct Start {
    csrf: String,
}

pub async fn start_passkey(State(app): State<Shared>, sent: Sent<Start>) -> Result<Json<Started>, Failure> {
    let by = sent.by(&app, &sent.body.csrf).await?;
    by.must_be_fresh(&app)?;
    let known = app.store.passkeys(&by.approver.id).await?;
    let (options, state) = passkeys::start_registration(&app, &by.approver, &known)?;
    let ceremony = Ceremony::Add {
        session_id: by.session.id,
        state,
    };
    Ok(Json(ceremony.begin(&app, options).await?))
}

#[derive(Deserialize)]
pub struct Finish {
    csrf: String,
    ceremony: String,
    #[serde(default)]
    label: String,
    credential: RegisterPublicKeyCredential,
}

pub async fn finish_passkey(State(app): State<Shared>, sent: Sent<Finish>) -> Result<Json<Finished>, Failure> {
    let by = sent.by(&app, &sent.body.csrf).await?;
    by.must_be_fresh(&app)?;
    app.store
        .decide(|| async { passkey_added(&app, &by, &sent.body).await })
        .await?;
    Ok(Json(Finished {
        next: address(&app, "passkey-added"),
    }))
}

async fn passkey_added(app: &App, by: &SignedIn, sent: &Finish) -> Result<(Batch, ()), Failure> {
    let approver = app
        .store
        .approver(&by.approver.id)
        .await?
        .ok_or(Refusal::SignInRequired)?;
    approver.must_be_active()?;
    let state = match Ceremony::find(app, &sent.ceremony).await? {
        Ceremony::Add { session_id, state } if session_id == by.session.id => state,
        _ => return Err(Refusal::PasskeyInvalid.into()),
    };
    let passkey = passkeys::finish_registration(app, &approver.id, &sent.label, (&sent.credential, &state))?;
    let event = key_event(by.event(app, Action::ApproverKeyAdded), &passkey);
    let batch = Batch::default()
        .end_ceremony(&sent.ceremony)
        .touch_approver(&approver)
        .add_passkey(&passkey)?
        .record(&event)?;
    Ok((batch, ()))
}

/// Which key an event is about; its label is the approver's own words.
pub fn key_event(event: Event, passkey: &Passkey) -> Event {
    event
        .with("key.kind", "passkey")
        .with("key.id", passkey.credential_id.clone())
}
