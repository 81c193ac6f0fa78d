//! The one page that matters: who asks, for what, from where, with which key, for how long, and what
//! follows. Facts stand in groups by their source and are never mixed; every text that anybody else
//! wrote passes [`shown`].

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use protocol::approval;
use protocol::authentication::Strength;
use protocol::client::Kind;
use protocol::details::Part;
use protocol::fact::Fact;
use protocol::refusal::Refusal;
use protocol::shown::{is_disguised, shown, shown_whole};
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::approver::{EnrollmentAsked, Quorum, RequestView, ShownDetail, ShownFact};

use super::moment::{Moment, span};
use super::narrowing::{Choice, Narrowing};
use super::{Frame, PageFailure, decided, html, narrowing};
use crate::app::{App, Shared};
use crate::binding;
use crate::deciding::{Opened, Signed};
use crate::extract::csrf::Posted;
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::judging;
use crate::passkeys;
use crate::request_view::{Offer, is_enough, permissions};

#[derive(Template)]
#[template(path = "decide.html")]
pub struct DecidePage {
    pub frame: Frame,
    pub request_id: String,
    pub client_name: String,
    pub client_id: String,
    pub client_owner: Option<String>,
    pub client_is_verified: bool,
    /// Software that decides by itself what to ask for.
    pub is_agent: bool,
    pub instance_name: Option<String>,
    pub purpose: Option<String>,
    /// The profile's own words to its approvers (X13).
    pub education: Option<String>,
    pub warnings: Vec<String>,
    /// The device that would become known, where it is not access that is asked for.
    pub enrollment: Option<EnrollmentLine>,
    /// What was wrong with the last try.
    pub problem: Option<&'static str>,
    /// What was typed where it was started has to be typed here (X17).
    pub asks_binding_data: bool,
    /// What it shows where it runs, in its own words (CIBA §7.1).
    pub binding_message: Option<String>,
    pub quorum: Option<People>,
    pub permissions: Vec<PermissionLine>,
    pub details: Vec<DetailLine>,
    pub key_words: Vec<String>,
    /// The proven address that asked, if one is known.
    pub address: Option<String>,
    pub requested_at: Moment,
    pub expires_at: Moment,
    pub seconds_left: i64,
    pub grant_ends_at: Moment,
    pub grant_lasts: String,
    pub consequences: Vec<String>,
    pub facts: Vec<FactGroup>,
    pub profile: String,
    pub request_digest: String,
    /// What the passkey is asked to sign: `PublicKeyCredentialRequestOptionsJSON` (WebAuthn §5.1.8) as text,
    /// its challenge the decision's digest.
    pub options: String,
    pub approving: Approving,
    /// What may be taken away; a device becomes known whole.
    pub narrowing: Option<Narrowing>,
}

/// With what this approver could approve.
pub enum Approving {
    WithPasskey,
    /// None of theirs is what the request demands.
    TooWeak,
    /// Whoever has none, and is signed in through an upstream provider, can only decline.
    NoPasskey,
}

impl Approving {
    fn with(all: usize, strong_enough: usize) -> Self {
        match (all, strong_enough) {
            (0, _) => Self::NoPasskey,
            (_, 0) => Self::TooWeak,
            _ => Self::WithPasskey,
        }
    }
}

/// In the requester's words.
pub struct EnrollmentLine {
    pub name: String,
    pub environment: Option<String>,
}

/// Where it takes more than one.
pub struct People {
    pub needed: u32,
    /// Names; access would be in the first one's.
    pub approved_by: Vec<String>,
}

impl People {
    fn of(quorum: &Quorum) -> Self {
        Self {
            needed: quorum.needed,
            approved_by: quorum.approved_by.iter().map(|name| shown(name)).collect(),
        }
    }
}

pub struct PermissionLine {
    pub sentence: String,
    pub kind: String,
    pub name: String,
}

/// One of the `authorization_details`.
pub struct DetailLine {
    pub sentence: Vec<(bool, String)>,
    pub exactly: String,
}

pub struct FactGroup {
    /// `proven`, `derived` or `claimed`: the word on the page and the class in the style sheet.
    pub source: &'static str,
    pub meaning: &'static str,
    pub facts: Vec<FactLine>,
}

pub struct FactLine {
    pub label: String,
    pub value: String,
}

const SOURCES: [(&str, &str); 3] = [
    ("proven", "Checked by this server, by signature or connection."),
    ("derived", "Looked up from what is proven. It can be wrong."),
    (
        "claimed",
        "What the requester says about itself. Anybody could write it.",
    ),
];

const DISGUISE: &str = "Some of this text holds hidden or imitated characters. They are written as <U+…>. Honest programs rarely need them.";

impl DecidePage {
    /// The page of what `waypass show` prints as JSON: one view, two forms.
    pub fn new(frame: Frame, view: &RequestView, options: String, now: Timestamp) -> Self {
        let requested_at = Timestamp::from_millis(view.requested_at);
        let expires_at = Timestamp::from_millis(view.expires_at);
        let grant_ends_at = Timestamp::from_millis(view.grant_expires_at);
        Self {
            frame,
            request_id: view.request_id.clone(),
            client_name: shown(&view.client_name),
            client_id: shown(&view.client_id),
            client_owner: view.client_owner.as_deref().map(shown),
            client_is_verified: view.client_verified,
            is_agent: view.client_kind == Kind::Agent.as_str(),
            instance_name: instance_name(&view.facts),
            purpose: view.purpose.as_deref().map(shown),
            education: view.education.as_deref().map(shown),
            warnings: warnings(view),
            enrollment: view.enrollment.as_ref().map(EnrollmentLine::of),
            problem: None,
            asks_binding_data: view.asks_binding_data,
            binding_message: view.binding_message.as_deref().map(shown),
            quorum: view.quorum.as_ref().map(People::of),
            permissions: view.permissions.iter().map(PermissionLine::of).collect(),
            details: view.authorization_details.iter().map(DetailLine::of).collect(),
            key_words: view
                .key_words
                .iter()
                .flat_map(|words| words.split(' '))
                .map(shown)
                .collect(),
            address: address(&view.facts),
            requested_at: Moment::at(requested_at),
            expires_at: Moment::at(expires_at),
            seconds_left: (expires_at - now).seconds(),
            grant_ends_at: Moment::at(grant_ends_at),
            grant_lasts: span(rounded(grant_ends_at - now)),
            consequences: view.consequences.iter().map(|text| shown(text)).collect(),
            facts: SOURCES
                .into_iter()
                .map(|source| FactGroup::of(source, &view.facts))
                .collect(),
            profile: shown(&view.profile),
            request_digest: view.request_digest.clone(),
            options,
            approving: Approving::WithPasskey,
            narrowing: None,
        }
    }
}

impl EnrollmentLine {
    fn of(asked: &EnrollmentAsked) -> Self {
        Self {
            name: shown(&asked.name),
            environment: asked.environment.as_deref().map(shown),
        }
    }
}

impl DecidePage {
    /// Who approved first, where this is for another of a quorum.
    pub fn starter(&self) -> Option<&String> {
        self.quorum.as_ref().and_then(|people| people.approved_by.first())
    }
}

impl PermissionLine {
    fn of(permission: &protocol::wire::approver::Permission) -> Self {
        Self {
            sentence: shown(&permission.sentence),
            kind: shown(&permission.kind),
            name: shown(&permission.name),
        }
    }
}

impl DetailLine {
    fn of(detail: &ShownDetail) -> Self {
        let parts = detail.sentence.iter();
        let shown = |part: &Part| (matches!(part, Part::Value(_)), part.shown());
        Self {
            sentence: parts.map(shown).collect(),
            exactly: shown_whole(&detail.canonical),
        }
    }
}

impl FactGroup {
    fn of((source, meaning): (&'static str, &'static str), facts: &[ShownFact]) -> Self {
        let facts = facts
            .iter()
            .filter(|fact| trusted_as(fact) == source)
            .map(|fact| FactLine {
                label: shown(&fact.label),
                value: shown(&fact.value),
            })
            .collect();
        Self { source, meaning, facts }
    }
}

/// A source this page does not know deserves the least trust.
fn trusted_as(fact: &ShownFact) -> &str {
    match fact.source.as_str() {
        known @ ("proven" | "derived") => known,
        _ => "claimed",
    }
}

fn address(facts: &[ShownFact]) -> Option<String> {
    let fact = facts
        .iter()
        .find(|fact| fact.name == "requester.address" && trusted_as(fact) == "proven")?;
    Some(shown(&fact.value))
}

fn instance_name(facts: &[ShownFact]) -> Option<String> {
    let fact = facts.iter().find(|fact| fact.name == Fact::INSTANCE_NAME)?;
    Some(shown(&fact.value))
}

/// An eight-hour grant is not "7 hours 59 minutes" because the page was opened a little later.
fn rounded(lasts: Lifetime) -> Lifetime {
    let minutes = (lasts.seconds() + 59) / 60;
    let tens = (minutes + 9) / 10 * 10;
    Lifetime::from_seconds(60 * if minutes > 60 { tens } else { minutes })
}

fn warnings(view: &RequestView) -> Vec<String> {
    let mut texts: Vec<&str> = vec![&view.client_name, &view.client_id];
    texts.extend(view.client_owner.as_deref());
    texts.extend(view.purpose.as_deref());
    if let Some(asked) = &view.enrollment {
        texts.push(&asked.name);
        texts.extend(asked.environment.as_deref());
    }
    texts.extend(view.permissions.iter().map(|permission| permission.name.as_str()));
    for detail in &view.authorization_details {
        texts.extend(detail.sentence.iter().filter_map(|part| match part {
            Part::Value(value) => Some(value.as_str()),
            Part::Text(_) => None,
        }));
    }
    texts.extend(view.facts.iter().map(|fact| fact.value.as_str()));
    let disguise = texts.into_iter().any(is_disguised).then(|| DISGUISE.to_owned());
    view.warnings.iter().map(|text| shown(text)).chain(disguise).collect()
}

/// Shows an open request to the browser that opened it, and a decided one to whoever decided it. That is
/// where a decision leads too, so that a lost answer is found again by asking again.
pub async fn show(
    State(app): State<Shared>,
    by: SignedIn,
    Path(request_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, PageFailure> {
    if let Some(page) = decided::load(&app, &by, &request_id).await? {
        return Ok(html(&page)?.into_response());
    }
    let choice = query.as_deref().map_or(Choice::All, Choice::Query);
    match load(&app, &by, &request_id, choice).await {
        Err(Failure::Refusal(refusal @ (Refusal::GrantedTooMuch | Refusal::NothingGranted))) => {
            again(&app, &by, &request_id, (Choice::All, refusal)).await
        }
        page => Ok(html(&page?)?.into_response()),
    }
}

async fn load(app: &App, by: &SignedIn, request_id: &str, choice: Choice<'_>) -> Result<DecidePage, Failure> {
    let deciding = by.deciding();
    let opened = deciding.opened(app, request_id).await?;
    judging::may_be_seen(app, &deciding, (&opened.request, &opened.client)).await?;
    let Opened { request, left, .. } = &opened;
    let purpose = &request.content.purpose;
    let granted = protocol::narrowing::given(purpose, &choice.of(left)?, left, app.now())?;
    let nonce = deciding.nonce(app, request);
    let challenge = approval::decision_on(request, &granted, &by.approver.id, &nonce)?.challenge()?;
    let mut passkeys = app.store.passkeys(&by.approver.id).await?;
    let strengths: Vec<Strength> = passkeys
        .iter()
        .map(|passkey| passkeys::strength(app, passkey))
        .collect();
    let offer = Offer {
        granted: &granted,
        nonce: &nonce,
        strengths: &strengths,
    };
    let view = deciding.view(app, &opened, &offer)?;
    passkeys.retain(|passkey| is_enough(&opened, passkeys::strength(app, passkey)));
    let options = passkeys::decision_options(app, &challenge, &passkeys, request.content.expires_at);
    let first = opened.quorum.as_ref().and_then(|quorum| quorum.approved_by.first());
    let all = permissions(left, first.map(String::as_str));
    let narrowing = Narrowing::new(&all, &granted, left, app.now()).with_details(left, &granted, app.details());
    let page = DecidePage::new(Frame::new(app, Some(by)), &view, options, app.now());
    Ok(DecidePage {
        approving: Approving::with(strengths.len(), passkeys.len()),
        narrowing: (!purpose.is_enrollment()).then_some(narrowing),
        ..page
    })
}

pub async fn approve(
    State(app): State<Shared>,
    Path(request_id): Path<String>,
    posted: Posted,
) -> Result<Response, PageFailure> {
    let credential = posted.form.required("credential")?;
    let (key, evidence) = passkeys::evidence(&app, &posted.by.approver, credential).await?;
    let granted = posted.form.get("granted").map(narrowing::read).transpose()?;
    let signed = Signed {
        key: &key,
        evidence: &evidence,
        granted: granted.as_ref(),
        binding_data: posted.form.get(binding::PARAMETER),
    };
    match posted.by.deciding().approve(&app, &request_id, &signed).await {
        Err(Failure::Refusal(refusal @ Refusal::BindingDataWrong)) => {
            let choice = granted.as_ref().map_or(Choice::All, Choice::Signed);
            again(&app, &posted.by, &request_id, (choice, refusal)).await
        }
        // Another of the quorum took something away meanwhile: what is left now is shown.
        Err(Failure::Refusal(refusal @ (Refusal::GrantedTooMuch | Refusal::NothingGranted))) => {
            again(&app, &posted.by, &request_id, (Choice::All, refusal)).await
        }
        approved => Ok(over(&app, &request_id, approved.map(|_| ()))?.into_response()),
    }
}

/// The same page with what was wrong, as long as there is another try.
async fn again(
    app: &App,
    by: &SignedIn,
    request_id: &str,
    (choice, refusal): (Choice<'_>, Refusal),
) -> Result<Response, PageFailure> {
    let page = match load(app, by, request_id, choice).await {
        Ok(page) => page,
        Err(failure) if failure.refusal().is_some() => return Err(refusal.into()),
        Err(failure) => return Err(failure.into()),
    };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
    let page = DecidePage {
        problem: Some(refusal.sentence()),
        ..page
    };
    Ok((status, html(&page)?).into_response())
}

/// Design §6: declining is at least as easy. No key, no script.
pub async fn deny(
    State(app): State<Shared>,
    Path(request_id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageFailure> {
    let reported = posted.form.get("report").is_some();
    let denied = posted.by.deciding().deny(&app, &request_id, reported).await;
    over(&app, &request_id, denied)
}

/// Decided now or before: the page says which, and how.
fn over(app: &App, request_id: &str, decided: Result<(), Failure>) -> Result<Redirect, PageFailure> {
    match decided {
        Ok(()) | Err(Failure::Refusal(Refusal::AlreadyDecided)) => Ok(Redirect::to(&format!(
            "{}/device/{request_id}",
            app.config.issuer.base_path()
        ))),
        Err(failure) => Err(failure.into()),
    }
}
