//! The devices that an approver answers for: what they are known as, how to stop one, and how to give one into
//! other hands. The acts are in `instances.rs`; what administrators do is in `local/instances.rs`.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, Redirect};
use protocol::instance::{Instance, WayIn, is_name};
use protocol::key_words;
use protocol::refusal::Refusal;
use protocol::shown::shown;

use super::moment::Moment;
use super::sign_in::parameter;
use super::{Frame, PageFailure, html};
use crate::app::{App, Shared};
use crate::extract::csrf::Posted;
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::instances::{self, Act, By};
use crate::request_view::shown_fact;

#[derive(Template)]
#[template(path = "instances.html")]
pub struct InstancesPage {
    pub frame: Frame,
    /// What the last act did: "It is removed."
    pub notice: Option<&'static str>,
    /// Signed in a moment ago: offers may be taken.
    pub is_fresh: bool,
    pub offers: Vec<OfferLine>,
    pub devices: Vec<DeviceLine>,
}

pub struct OfferLine {
    pub id: String,
    pub name: String,
    pub client_name: String,
    pub from: String,
}

pub struct DeviceLine {
    pub id: String,
    pub name: String,
    pub client_name: String,
    pub standing: &'static str,
    pub last_seen_at: Option<Moment>,
    pub until: Moment,
}

#[derive(Template)]
#[template(path = "instance.html")]
pub struct InstancePage {
    pub frame: Frame,
    pub notice: Option<&'static str>,
    pub is_fresh: bool,
    pub id: String,
    pub name: String,
    pub client_name: String,
    pub client_id: String,
    pub environment: Option<String>,
    /// `active`, `suspended` or `expired`.
    pub standing: &'static str,
    pub way_in: String,
    pub facts: Vec<DeviceFact>,
    /// Of the key that serves now.
    pub key_words: String,
    pub first_seen_at: Moment,
    pub last_seen_at: Option<Moment>,
    pub until: Moment,
}

pub struct DeviceFact {
    pub label: String,
    pub value: String,
    /// The word on the page and the class in the style sheet.
    pub source: String,
}

/// The step before the last one.
#[derive(Template)]
#[template(path = "instance_remove.html")]
pub struct RemovePage {
    pub frame: Frame,
    pub id: String,
    pub name: String,
}

pub async fn list(
    State(app): State<Shared>,
    by: SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, PageFailure> {
    let mut offers = Vec::new();
    for instance in app.store.instances_offered_to(&by.approver.id, app.now()).await? {
        let from = app.store.approver(&instance.owner).await?;
        offers.push(OfferLine {
            client_name: client_name(&app, &instance).await?,
            from: shown(from.as_ref().map_or("somebody", |owner| &owner.name)),
            name: shown(&instance.about.name),
            id: instance.id,
        });
    }
    let mut devices = Vec::new();
    for instance in app.store.instances_of(&by.approver.id).await? {
        devices.push(DeviceLine {
            client_name: client_name(&app, &instance).await?,
            name: shown(&instance.about.name),
            standing: instance.standing(app.now()),
            last_seen_at: instance.last_seen_at.map(Moment::at),
            until: Moment::at(instance.expires_at),
            id: instance.id,
        });
    }
    let page = InstancesPage {
        frame: Frame::new(&app, Some(&by)),
        notice: notice(query.as_deref()),
        is_fresh: by.must_be_fresh(&app).is_ok(),
        offers,
        devices,
    };
    Ok(html(&page)?)
}

pub async fn show(
    State(app): State<Shared>,
    by: SignedIn,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, PageFailure> {
    let instance = instances::find(&app, By::Owner(&by), &id).await?;
    Ok(html(&load(&app, &by, instance, notice(query.as_deref())).await?)?)
}

async fn load(
    app: &App,
    by: &SignedIn,
    instance: Instance,
    notice: Option<&'static str>,
) -> Result<InstancePage, Failure> {
    let keys = app.store.instance_keys(&instance.id).await?;
    let key = keys.iter().find(|key| key.retires_at.is_none());
    Ok(InstancePage {
        frame: Frame::new(app, Some(by)),
        notice,
        is_fresh: by.must_be_fresh(app).is_ok(),
        client_name: client_name(app, &instance).await?,
        client_id: shown(&instance.client_id),
        name: shown(&instance.about.name),
        environment: instance.about.environment.as_deref().map(shown),
        standing: instance.standing(app.now()),
        way_in: shown(&way_in(&instance.about.way_in)),
        facts: facts(&instance),
        key_words: key.map(|key| key_words::of(&key.thumbprint)).unwrap_or_default(),
        first_seen_at: Moment::at(instance.created_at),
        last_seen_at: instance.last_seen_at.map(Moment::at),
        until: Moment::at(instance.expires_at),
        id: instance.id,
    })
}

async fn client_name(app: &App, instance: &Instance) -> Result<String, Failure> {
    let client = app.store.client(&instance.client_id).await?;
    Ok(shown(&client.map_or_else(
        || instance.client_id.clone(),
        |client| client.registration.name,
    )))
}

fn facts(instance: &Instance) -> Vec<DeviceFact> {
    let facts = instance.about.facts.iter().map(shown_fact);
    let fact = facts.map(|fact| DeviceFact {
        label: shown(&fact.label),
        value: shown(&fact.value),
        source: fact.source,
    });
    fact.collect()
}

fn way_in(way_in: &WayIn) -> String {
    match way_in {
        WayIn::Preregistered => "An administrator registered its key".to_owned(),
        WayIn::Attested { attester, .. } => format!("Attested by {attester}"),
        WayIn::WorkloadToken { issuer, subject, .. } => format!("{issuer} says that it is {subject}"),
        WayIn::Svid { spiffe_id, .. } => format!("It proved to be {spiffe_id}"),
        WayIn::Ceremony { evidence, .. } => {
            let is_near = evidence.iter().any(|proof| proof == "same_address");
            let is_listed = evidence.iter().any(|proof| proof == "listed_network");
            let with = match (is_near, is_listed) {
                (true, _) => ", from the same address",
                (false, true) => ", from a network that administrators have listed",
                (false, false) => "",
            };
            format!("Approved with a passkey{with}")
        }
    }
}

fn notice(query: Option<&str>) -> Option<&'static str> {
    match parameter(query, "done")?.as_str() {
        "renamed" => Some("It has its new name."),
        "suspended" => Some("It is suspended. What it had has ended."),
        "resumed" => Some("It may ask again."),
        "removed" => Some("It is removed, and what it had has ended."),
        // The same words whether there is such an approver: names are not to be guessed here.
        "offered" => Some("If there is an approver of this name, they can take it within seven days."),
        "withdrawn" => Some("Nobody can take it any more."),
        "taken" => Some("You answer for it now. What it had has ended: it has to ask you."),
        "declined" => Some("You did not take it."),
        _ => None,
    }
}

/// An act leads back to the page of the device, which says what it did.
fn back(app: &App, id: &str, act: &str) -> Redirect {
    let base = app.config.issuer.base_path();
    Redirect::to(&format!("{base}/account/devices/{id}?done={act}"))
}

fn to_list(app: &App, act: &str) -> Redirect {
    let base = app.config.issuer.base_path();
    Redirect::to(&format!("{base}/account/devices?done={act}"))
}

type Id = Path<String>;
type Answer = Result<Redirect, PageFailure>;

/// The name is what the owner reads at each decision.
pub async fn rename(State(app): State<Shared>, Path(id): Id, posted: Posted) -> Answer {
    posted.by.must_be_fresh(&app)?;
    let name = posted.form.required("name")?;
    if !is_name(name) {
        return Err(Refusal::EnrollmentMalformed.into());
    }
    instances::act(&app, By::Owner(&posted.by), &id, &Act::Rename(name)).await?;
    Ok(back(&app, &id, "renamed"))
}

pub async fn suspend(State(app): State<Shared>, Path(id): Id, Posted { by, .. }: Posted) -> Answer {
    instances::act(&app, By::Owner(&by), &id, &Act::Suspend).await?;
    Ok(back(&app, &id, "suspended"))
}

/// Stopping needs a session, starting again a fresh one.
pub async fn resume(State(app): State<Shared>, Path(id): Id, Posted { by, .. }: Posted) -> Answer {
    by.must_be_fresh(&app)?;
    instances::act(&app, By::Owner(&by), &id, &Act::Resume).await?;
    Ok(back(&app, &id, "resumed"))
}

pub async fn ask_to_remove(State(app): State<Shared>, by: SignedIn, Path(id): Id) -> Result<Html<String>, PageFailure> {
    let instance = instances::find(&app, By::Owner(&by), &id).await?;
    let page = RemovePage {
        frame: Frame::new(&app, Some(&by)),
        name: shown(&instance.about.name),
        id: instance.id,
    };
    Ok(html(&page)?)
}

/// It cannot be undone; what is urgent is suspended.
pub async fn remove(State(app): State<Shared>, Path(id): Id, Posted { by, .. }: Posted) -> Answer {
    by.must_be_fresh(&app)?;
    instances::act(&app, By::Owner(&by), &id, &Act::Remove("instance_removed")).await?;
    Ok(to_list(&app, "removed"))
}

/// Whoever gives it away gives away who is asked: a session left open is not enough.
pub async fn offer(State(app): State<Shared>, Path(id): Id, posted: Posted) -> Answer {
    posted.by.must_be_fresh(&app)?;
    instances::offer(&app, &posted.by, &id, posted.form.required("to")?).await?;
    Ok(back(&app, &id, "offered"))
}

pub async fn withdraw(State(app): State<Shared>, Path(id): Id, Posted { by, .. }: Posted) -> Answer {
    instances::withdraw(&app, &by, &id).await?;
    Ok(back(&app, &id, "withdrawn"))
}

/// Nor is it for taking what one answers for from then on.
pub async fn take(State(app): State<Shared>, Path(id): Id, Posted { by, .. }: Posted) -> Answer {
    by.must_be_fresh(&app)?;
    instances::take(&app, &by, &id).await?;
    Ok(back(&app, &id, "taken"))
}

pub async fn decline(State(app): State<Shared>, Path(id): Id, Posted { by, .. }: Posted) -> Answer {
    instances::decline(&app, &by, &id).await?;
    Ok(to_list(&app, "declined"))
}
