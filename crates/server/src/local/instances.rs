//! `instance add|list|show|rename|suspend|resume|remove|hand-over`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use protocol::approver::Approver;
use protocol::event::Action;
use protocol::instance::{self, About, ID_PREFIX, Instance, WayIn, is_name};
use protocol::jwk::PublicJwk;
use protocol::key_words;
use protocol::time::Timestamp;
use protocol::wire::local::{AddInstance, HandOverInstance, InstanceKeyView, InstanceView, RenameInstance};
use store::instances::InstanceKey;
use store::{Batch, Fault};

use crate::app::{App, Shared};
use crate::failure::Failure;
use crate::instances::{self, Act, By};

/// What is known of owners.
type Owners = HashMap<String, Approver>;

/// An administrator's word is a way in of its own: nobody is asked, and the key may ask at once.
pub async fn add(State(app): State<Shared>, request: Request) -> Result<(StatusCode, Json<InstanceView>), Failure> {
    let asked: AddInstance = super::body(request).await?;
    let owner = approver(&app, &asked.owner).await?;
    let key = PublicJwk::parse(&asked.jwk).map_err(|flaw| invalid(&format!("the key is not usable: {flaw}")))?;
    let instance = preregistered(&app, asked, &owner)?;
    let client = app.stored_client(&instance.client_id).await?;
    instances::must_be_no_approvers(&app, &key.thumbprint()).await?;
    let event = app
        .event(Action::InstanceEnrolled)
        .instance(&instance)
        .with("key.jkt", key.thumbprint());
    let batch = Batch::default()
        .client_is_unchanged(&client)
        .approver_is_unchanged(&owner)
        .add_instance(&instance)?
        .add_instance_key(&instance.id, &key, app.now())
        .record(&event)?;
    app.commit(batch).await?;
    Ok((StatusCode::CREATED, Json(view(&app, instance).await?)))
}

fn preregistered(app: &App, asked: AddInstance, owner: &Approver) -> Result<Instance, Failure> {
    if !is_name(&asked.name) {
        return Err(invalid(NAME));
    }
    if asked
        .environment
        .as_deref()
        .is_some_and(|environment| !is_name(environment))
    {
        return Err(invalid("an environment has 1 to 80 characters, none of them hidden"));
    }
    let (now, expires_at) = (app.now(), Timestamp::from_millis(asked.expires_at));
    if !instance::LIFETIME.contains(&(expires_at - now)) {
        return Err(invalid("an instance lives one minute to 400 days from now"));
    }
    Ok(Instance {
        id: format!("{ID_PREFIX}{}", app.new_id()),
        client_id: asked.client_id,
        owner: owner.id.clone(),
        about: About {
            name: asked.name,
            environment: asked.environment,
            way_in: WayIn::Preregistered,
            facts: Vec::new(),
        },
        created_at: now,
        expires_at,
        last_seen_at: None,
        suspended_at: None,
        removed_at: None,
        version: 1,
    })
}

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<InstanceView>>, Failure> {
    let owners = owners(&app).await?;
    let mut keys: HashMap<String, Vec<InstanceKey>> = HashMap::new();
    for (id, key) in app.store.all_instance_keys().await? {
        keys.entry(id).or_default().push(key);
    }
    let instances = app.store.instances().await?.into_iter();
    let views = instances.map(|instance| {
        let own = keys.remove(&instance.id).unwrap_or_default();
        viewed(instance, own, &owners, app.now())
    });
    Ok(Json(views.collect()))
}

pub async fn show(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<InstanceView>, Failure> {
    let instance = instances::find(&app, By::Administrator, &id).await?;
    Ok(Json(view(&app, instance).await?))
}

pub async fn rename(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<InstanceView>, Failure> {
    let asked: RenameInstance = super::body(request).await?;
    if !is_name(&asked.name) {
        return Err(invalid(NAME));
    }
    acted(&app, &id, &Act::Rename(&asked.name)).await
}

pub async fn suspend(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<InstanceView>, Failure> {
    acted(&app, &id, &Act::Suspend).await
}

pub async fn resume(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<InstanceView>, Failure> {
    acted(&app, &id, &Act::Resume).await
}

pub async fn remove(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<InstanceView>, Failure> {
    acted(&app, &id, &Act::Remove("instance_removed")).await
}

pub async fn hand_over(
    State(app): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<InstanceView>, Failure> {
    let asked: HandOverInstance = super::body(request).await?;
    let to = approver(&app, &asked.to).await?;
    acted(&app, &id, &Act::HandOver(&to)).await
}

const NAME: &str = "a name has 1 to 80 characters, none of them hidden";

async fn acted(app: &App, id: &str, act: &Act<'_>) -> Result<Json<InstanceView>, Failure> {
    let instance = instances::act(app, By::Administrator, id, act).await?;
    Ok(Json(view(app, instance).await?))
}

async fn approver(app: &App, name: &str) -> Result<Approver, Failure> {
    let found = app.store.approver_named(name).await?;
    let approver = found.ok_or(Failure::NotFound("There is no approver of this name."))?;
    approver.must_be_active()?;
    Ok(approver)
}

fn invalid(sentence: &str) -> Failure {
    Failure::Invalid(sentence.to_owned())
}

async fn owners(app: &App) -> Result<Owners, Fault> {
    let listed = app.store.approvers().await?.into_iter();
    Ok(listed
        .map(|listed| (listed.approver.id.clone(), listed.approver))
        .collect())
}

async fn view(app: &App, instance: Instance) -> Result<InstanceView, Failure> {
    let keys = app.store.instance_keys(&instance.id).await?;
    Ok(viewed(instance, keys, &owners(app).await?, app.now()))
}

fn viewed(instance: Instance, keys: Vec<InstanceKey>, owners: &Owners, now: Timestamp) -> InstanceView {
    let owner = owners.get(&instance.owner);
    let standing = match instance.standing(now) {
        "active" if owner.is_none_or(|owner| owner.must_be_active().is_err()) => "orphaned",
        standing => standing,
    };
    InstanceView {
        standing: standing.to_owned(),
        owner: owner.map_or(instance.owner, |owner| owner.name.clone()),
        instance_id: instance.id,
        client_id: instance.client_id,
        name: instance.about.name,
        environment: instance.about.environment,
        way_in: instance.about.way_in,
        facts: instance.about.facts,
        keys: keys.into_iter().map(key).collect(),
        created_at: instance.created_at.millis(),
        expires_at: instance.expires_at.millis(),
        last_seen_at: instance.last_seen_at.map(Timestamp::millis),
        suspended_at: instance.suspended_at.map(Timestamp::millis),
        removed_at: instance.removed_at.map(Timestamp::millis),
    }
}

fn key(key: InstanceKey) -> InstanceKeyView {
    InstanceKeyView {
        key_words: key_words::of(&key.thumbprint),
        thumbprint: key.thumbprint,
        added_at: key.added_at.millis(),
        retires_at: key.retires_at.map(Timestamp::millis),
    }
}
