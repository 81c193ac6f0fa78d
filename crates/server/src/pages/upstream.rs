//! Signing in through an upstream OpenID provider, and linking one's account there. Linking is always an
//! act of the approver: by the enrollment link, or soon after using the passkey; never by what the
//! provider claims. Not here: anything that decides. Whoever took over the account there can look and decline.

use askama::Template;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use protocol::approver::{Approver, SignInMethod};
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::refusal::Refusal;
use protocol::secret::{EnrollmentToken, SessionToken};
use protocol::shown::shown;
use protocol::time::Lifetime;
use serde::{Deserialize, Serialize};
use store::upstream_identities::Seen;
use store::{Batch, Fault};

use super::moment::Moment;
use super::sign_in::{Finished, page_of_ours, parameter};
use super::{Frame, PageFailure, account, html};
use crate::app::{App, Shared};
use crate::extract::csrf::{Posted, Sent};
use crate::extract::session::{Begun, SignedIn, ended_journey_cookie, journey, journey_cookie, seen_in};
use crate::failure::Failure;
use crate::passkeys::{Ceremony, to_json};
use crate::upstream::{Attempt, Identified, Returned, Upstream};

/// How long somebody may take over there, a second factor included.
const JOURNEY: Lifetime = Lifetime::from_seconds(600);

/// What a browser was sent to the provider for; kept here meanwhile, and good once.
#[derive(Serialize, Deserialize)]
pub enum Purpose {
    SignIn {
        next: String,
    },
    /// With the digest of the enrollment link.
    Invited {
        invitation: Digest,
    },
    Link {
        session_id: String,
    },
}

/// The page that the provider sends the browser back to. It is the same for everybody: its script posts
/// what came with the address, since a GET writes nothing.
#[derive(Template)]
#[template(path = "upstream.html")]
pub struct UpstreamPage {
    pub frame: Frame,
    pub label: String,
}

/// A section of the account page.
pub struct UpstreamSection {
    pub label: String,
    pub identities: Vec<IdentityLine>,
}

pub struct IdentityLine {
    pub subject: String,
    /// As the provider numbers people; it may be a name.
    pub shown: String,
    pub seen_at: Moment,
}

pub fn label(app: &App) -> Option<String> {
    app.upstream.as_ref().map(|upstream| shown(&upstream.config.label))
}

pub async fn section(app: &App, by: &SignedIn) -> Result<Option<UpstreamSection>, Fault> {
    let (Some(upstream), Some(label)) = (&app.upstream, label(app)) else {
        return Ok(None);
    };
    let identities = app.store.upstream_identities(&by.approver.id).await?;
    let own = identities
        .iter()
        .filter(|identity| identity.issuer == upstream.config.issuer);
    let lines = own.map(|identity| IdentityLine {
        subject: identity.subject.clone(),
        shown: shown(&identity.subject),
        seen_at: Moment::at(identity.seen_at),
    });
    Ok(Some(UpstreamSection {
        label,
        identities: lines.collect(),
    }))
}

#[derive(Deserialize)]
pub struct Start {
    #[serde(default)]
    next: String,
}

pub async fn start(State(app): State<Shared>, sent: Sent<Start>) -> Result<Response, Failure> {
    let base = app.config.issuer.base_path();
    let next = page_of_ours(base, &sent.body.next).unwrap_or_else(|| format!("{base}/"));
    depart(&app, Purpose::SignIn { next }).await
}

#[derive(Deserialize)]
pub struct StartInvited {
    enrollment_token: String,
}

pub async fn start_invited(State(app): State<Shared>, sent: Sent<StartInvited>) -> Result<Response, Failure> {
    let invitation = EnrollmentToken::presented(sent.body.enrollment_token).digest();
    app.store
        .invited_approver(&invitation, app.now())
        .await?
        .ok_or(Refusal::EnrollmentLinkInvalid)?;
    depart(&app, Purpose::Invited { invitation }).await
}

#[derive(Deserialize)]
pub struct StartLinking {
    csrf: String,
}

pub async fn start_linking(State(app): State<Shared>, sent: Sent<StartLinking>) -> Result<Response, Failure> {
    let by = sent.by(&app, &sent.body.csrf).await?;
    by.must_be_fresh(&app)?;
    let session_id = by.session.id;
    depart(&app, Purpose::Link { session_id }).await
}

/// Sends the browser to the provider. Whoever links shows there who they are: the browser may be signed
/// in there as somebody else, who may have arranged it.
async fn depart(app: &App, purpose: Purpose) -> Result<Response, Failure> {
    let upstream = configured(app)?;
    let token = SessionToken::new(&app.entropy.draw());
    let anew = !matches!(purpose, Purpose::SignIn { .. });
    let location = upstream
        .authorization_url(&Attempt::of(app, &token), anew, app.now())
        .await?;
    let content = to_json(&Ceremony::Upstream(purpose))?;
    let until = app.now() + JOURNEY;
    app.commit(Batch::default().begin_ceremony(token.digest().as_str(), &content, until)?)
        .await?;
    let next = Json(Finished { next: location.into() });
    Ok(([(SET_COOKIE, journey_cookie(app, &token, JOURNEY)?)], next).into_response())
}

/// OpenID Connect Core §3.1.2.5 and §3.1.2.6.
pub async fn callback(State(app): State<Shared>, RawQuery(query): RawQuery) -> Result<Html<String>, PageFailure> {
    let Some(label) = label(&app) else {
        return Err(nothing_configured().into());
    };
    if parameter(query.as_deref(), "code").is_none() {
        return Err(Refusal::UpstreamSignInInvalid.into());
    }
    Ok(html(&UpstreamPage {
        frame: Frame::new(&app, None),
        label,
    })?)
}

#[derive(Deserialize)]
pub struct Finish {
    code: String,
    state: String,
    #[serde(default)]
    iss: Option<String>,
}

/// The journey is over whatever comes of it, before the code is used: two posts with one code would have
/// the provider take back what the first one got (RFC 6749 §4.1.2).
pub async fn finish(State(app): State<Shared>, sent: Sent<Finish>) -> Result<Response, Failure> {
    let upstream = configured(&app)?;
    let token = journey(&app, &sent.headers).ok_or(Refusal::UpstreamSignInInvalid)?;
    let attempt = Attempt::of(&app, &token);
    if !attempt.state.matches(&Digest::from_stored(sent.body.state.clone())) {
        return Err(Refusal::UpstreamSignInInvalid.into());
    }
    let purpose = end_journey(&app, &token).await?;
    let returned = Returned {
        code: &sent.body.code,
        iss: sent.body.iss.as_deref(),
    };
    let identified = upstream.identify(&returned, &attempt, app.now()).await?;
    let arrived = app
        .store
        .decide(|| async { arrived(&app, &sent, &purpose, &identified).await })
        .await?;
    let mut response = Json(Finished { next: arrived.next }).into_response();
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, ended_journey_cookie(&app)?);
    if let Some(begun) = arrived.begun {
        headers.append(SET_COOKIE, begun.cookie(&app)?);
    }
    Ok(response)
}

async fn end_journey(app: &App, token: &SessionToken) -> Result<Purpose, Failure> {
    let id = token.digest();
    let content = app.store.ceremony(id.as_str(), app.now()).await?;
    let content = content.ok_or(Refusal::UpstreamSignInInvalid)?;
    app.commit(Batch::default().end_upstream_ceremony(id.as_str())).await?;
    match serde_json::from_value(content) {
        Ok(Ceremony::Upstream(purpose)) => Ok(purpose),
        _ => Err(Refusal::UpstreamSignInInvalid.into()),
    }
}

struct Arrived {
    begun: Option<Begun>,
    next: String,
}

async fn arrived(
    app: &App,
    sent: &Sent<Finish>,
    purpose: &Purpose,
    identified: &Identified,
) -> Result<(Batch, Arrived), Failure> {
    let seen = Seen {
        issuer: &configured(app)?.config.issuer,
        subject: &identified.subject,
        groups: &identified.groups,
        at: app.now(),
    };
    match purpose {
        Purpose::SignIn { next } => {
            let approver = app.store.approver_of_upstream(seen.issuer, seen.subject).await?;
            let approver = approver.filter(|approver| approver.must_be_active().is_ok());
            let approver = approver.ok_or(Refusal::UpstreamIdentityUnknown)?;
            let batch = Batch::default().upstream_signed_in(&approver, &seen)?;
            let begun = begun(app, sent, &approver).by(SignInMethod::Upstream, &seen);
            let session = begin(app, sent, &begun).await?;
            Ok((
                batch.then(session),
                Arrived {
                    begun: Some(begun),
                    next: next.clone(),
                },
            ))
        }
        Purpose::Invited { invitation } => {
            let approver = app.store.invited_approver(invitation, app.now()).await?;
            let approver = approver.ok_or(Refusal::EnrollmentLinkInvalid)?;
            let batch = Batch::default()
                .use_invitation(invitation, app.now())
                .link_upstream(&approver, &seen)?
                .record(&seen_in(
                    app.event(Action::ApproverUpstreamLinked).approver(&approver.id),
                    &seen,
                ))?;
            let begun = begun(app, sent, &approver).by(SignInMethod::Invited, &seen);
            let session = begin(app, sent, &begun).await?;
            let next = account::address(app, "upstream-linked");
            Ok((
                batch.then(session),
                Arrived {
                    begun: Some(begun),
                    next,
                },
            ))
        }
        Purpose::Link { session_id } => {
            let by = sent.signed_in(app).await?.filter(|by| by.session.id == *session_id);
            let by = by.ok_or(Refusal::SignInRequired)?;
            by.must_be_fresh(app)?;
            let batch = Batch::default()
                .link_upstream(&by.approver, &seen)?
                .record(&seen_in(by.event(app, Action::ApproverUpstreamLinked), &seen))?;
            let next = account::address(app, "upstream-linked");
            Ok((batch, Arrived { begun: None, next }))
        }
    }
}

/// A new session, as for a passkey: the one that this browser had before ends.
async fn begin(app: &App, sent: &Sent<Finish>, begun: &Begun) -> Result<Batch, Failure> {
    let batch = sent.ends_session_before(app).await?;
    Ok(batch.then(begun.batch(sent.address)?))
}

fn begun(app: &App, sent: &Sent<Finish>, approver: &Approver) -> Begun {
    Begun::new(app, approver, &sent.headers, sent.address)
}

/// What stands on the account there ends with it.
pub async fn unlink(State(app): State<Shared>, Posted { by, form }: Posted) -> Result<Redirect, PageFailure> {
    by.must_be_fresh(&app)?;
    let issuer = &configured(&app)?.config.issuer;
    let subject = form.required("subject")?;
    let seen = Seen {
        issuer,
        subject,
        groups: &[],
        at: app.now(),
    };
    let attempt = || async {
        let approver = app
            .store
            .approver(&by.approver.id)
            .await?
            .ok_or(Refusal::SignInRequired)?;
        let own = app.store.upstream_identities(&approver.id).await?;
        // Pressed twice.
        if !own.iter().any(|own| own.issuer == *issuer && own.subject == subject) {
            return Ok((Batch::default(), ()));
        }
        let batch = Batch::default()
            .touch_approver(&approver)
            .unlink_upstream(&approver, issuer, subject)
            .end_upstream_sessions(&approver.id)
            .record(&seen_in(by.event(&app, Action::ApproverUpstreamUnlinked), &seen))?;
        Ok::<_, Failure>((batch, ()))
    };
    app.store.decide(attempt).await?;
    Ok(account::done(&app, "upstream-unlinked"))
}

fn configured(app: &App) -> Result<&Upstream, Failure> {
    app.upstream.as_ref().ok_or_else(nothing_configured)
}

fn nothing_configured() -> Failure {
    Failure::NotFound("This server knows no other place to sign in.")
}
