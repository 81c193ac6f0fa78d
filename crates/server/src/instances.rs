//! What is done to an instance once it is known, by its owner or by an administrator: each act is one batch
//! with everything that it ends. Becoming known is `endpoints/enrollment.rs`.

use protocol::approver::Approver;
use protocol::digest::Digest;
use protocol::event::{Action, Event};
use protocol::instance::Instance;
use protocol::network::{self, NetworkMatch};
use protocol::refusal::Refusal;
use protocol::time::{Lifetime, Timestamp};
use store::{Batch, Fault};

use crate::app::App;
use crate::extract::session::SignedIn;
use crate::failure::Failure;

/// Who acts on it.
#[derive(Clone, Copy)]
pub enum By<'a> {
    Administrator,
    /// On its own instances; another's are not there.
    Owner(&'a SignedIn),
}

#[derive(Clone, Copy)]
pub enum Act<'a> {
    /// The name was checked.
    Rename(&'a str),
    Suspend,
    Resume,
    /// For good, and why.
    Remove(&'a str),
    /// A transfer ends what the one before approved (NHI1).
    HandOver(&'a Approver),
}

/// What an act ended, to be forgotten by this node's memory.
pub type Ended = Vec<Digest>;

const NONE: Failure = Failure::NotFound("There is no instance of this id.");

impl By<'_> {
    pub fn event(self, app: &App, action: Action, instance: &Instance) -> Event {
        match self {
            Self::Administrator => app.event(action).instance(instance),
            Self::Owner(by) => by.event(app, action).instance(instance),
        }
    }

    fn may_see(self, instance: &Instance) -> bool {
        match self {
            Self::Administrator => true,
            Self::Owner(by) => instance.owner == by.approver.id && instance.removed_at.is_none(),
        }
    }
}

/// Decides and commits. What was done before is done: pressing twice changes nothing.
pub async fn act(app: &App, by: By<'_>, id: &str, act: &Act<'_>) -> Result<Instance, Failure> {
    let attempt = || async {
        let instance = find(app, by, id).await?;
        let (batch, changed, ended) = acted(app, by, &instance, act).await?;
        Ok::<_, Failure>((batch, (changed, ended)))
    };
    let (instance, ended) = app.store.decide(attempt).await?;
    forget(app, &ended);
    Ok(instance)
}

pub async fn find(app: &App, by: By<'_>, id: &str) -> Result<Instance, Failure> {
    let found = app.store.instance(id).await?;
    found.filter(|instance| by.may_see(instance)).ok_or(NONE)
}

/// The batch of one act on the instance that was decided upon, and what becomes of it.
pub async fn acted(
    app: &App,
    by: By<'_>,
    instance: &Instance,
    act: &Act<'_>,
) -> Result<(Batch, Instance, Ended), Failure> {
    let changed = changed(instance, act, app.now())?;
    if changed == *instance {
        return Ok((Batch::default(), changed, Ended::new()));
    }
    let (action, because) = match act {
        Act::Rename(_) => (Action::InstanceRenamed, None),
        Act::Resume => (Action::InstanceResumed, None),
        Act::Suspend => (Action::InstanceSuspended, Some("instance_suspended")),
        Act::Remove(because) => (Action::InstanceRemoved, Some(*because)),
        Act::HandOver(_) => (Action::InstanceHandedOver, Some("instance_handed_over")),
    };
    let event = by
        .event(app, action, &changed)
        .with("instance.owner.before", instance.owner.clone())
        .with("because", because);
    let mut batch = Batch::default().change_instance(instance, &changed)?.record(&event)?;
    match act {
        Act::HandOver(to) => batch = batch.approver_is_unchanged(to).withdraw_offer(&instance.id),
        Act::Remove(_) => batch = batch.withdraw_offer(&instance.id),
        Act::Rename(_) | Act::Suspend | Act::Resume => {}
    }
    let Some(because) = because else {
        return Ok((batch, changed, Ended::new()));
    };
    let (ends, ended) = ends(app, &instance.id, because).await?;
    Ok((batch.then(ends), changed, ended))
}

fn changed(instance: &Instance, act: &Act<'_>, now: Timestamp) -> Result<Instance, Failure> {
    let mut changed = instance.clone();
    match act {
        Act::Remove(_) => changed.removed_at = instance.removed_at.or(Some(now)),
        _ if instance.removed_at.is_some() => {
            return Err(Failure::Invalid("it was removed, for good".to_owned()));
        }
        Act::Rename(name) => (*name).clone_into(&mut changed.about.name),
        Act::Suspend => changed.suspended_at = instance.suspended_at.or(Some(now)),
        Act::Resume => changed.suspended_at = None,
        Act::HandOver(to) => {
            to.must_be_active()?;
            changed.owner.clone_from(&to.id);
        }
    }
    Ok(changed)
}

/// Everything that an instance may do ends: live grants, and requests that wait or wait to be redeemed.
async fn ends(app: &App, id: &str, because: &str) -> Result<(Batch, Ended), Failure> {
    let mut batch = Batch::default();
    for grant in app.store.grants_of_instance(id, app.now()).await? {
        batch = batch.then(app.end_grant(&grant, because).await?);
    }
    let mut ended = Ended::new();
    for request in app.store.open_requests_of_instance(id, app.now()).await? {
        batch = batch.then(app.cancel(&request, because).await?);
        ended.push(request.device_code);
    }
    Ok((batch, ended))
}

/// NHI1: who is locked out answers for nothing any more. The instances stand as orphans, to be handed over.
pub async fn orphaned(app: &App, owner_id: &str) -> Result<(Batch, Ended), Failure> {
    let (mut batch, mut all) = (Batch::default(), Ended::new());
    for instance in app.store.instances_of(owner_id).await? {
        let (ends, ended) = ends(app, &instance.id, "owner_disabled").await?;
        batch = batch.withdraw_offer(&instance.id).then(ends);
        all.extend(ended);
    }
    Ok((batch, all))
}

/// Their polls ask the database next.
pub fn forget(app: &App, ended: &Ended) {
    for code in ended {
        app.pending.forget(code);
    }
}

/// A key that decides asks for nothing, so it is nobody's instance.
pub async fn must_be_no_approvers(app: &App, thumbprint: &str) -> Result<(), Failure> {
    match app.store.approver_of_software_key(thumbprint).await? {
        Some(_) => Err(Refusal::RequesterIsApprover.into()),
        None => Ok(()),
    }
}

/// Whether a key of this instance serves: one that another has replaced does, for a while.
pub async fn has_key(app: &App, id: &str, thumbprint: Option<&str>) -> Result<bool, Fault> {
    let Some(thumbprint) = thumbprint else {
        return Ok(false);
    };
    let found = app.store.instance_by_key(thumbprint, app.now()).await?;
    Ok(found.is_some_and(|instance| instance.id == id))
}

/// How long an offer can be taken.
const OFFERED: Lifetime = Lifetime::from_seconds(7 * 86_400);

/// To somebody else, by name. Whether there is such a person is told nobody: a name that is unknown, disabled or
/// one's own takes the place of an earlier offer like any other.
pub async fn offer(app: &App, by: &SignedIn, id: &str, name: &str) -> Result<(), Failure> {
    let attempt = || async {
        let instance = find(app, By::Owner(by), id).await?;
        let to = app.store.approver_named(name).await?;
        let to = to.filter(|to| to.must_be_active().is_ok() && to.id != by.approver.id);
        let event = By::Owner(by).event(app, Action::InstanceOffered, &instance);
        let batch = Batch::default().instance_is_unchanged(&instance);
        let batch = match &to {
            Some(to) => batch
                .offer_instance(id, (&to.id, address(by)), app.now(), app.now() + OFFERED)
                .record(&event.with("offer.to", to.id.clone()))?,
            None => batch.withdraw_offer(id).record(&event.failed("unknown_approver"))?,
        };
        Ok::<_, Failure>((batch, ()))
    };
    app.store.decide(attempt).await
}

pub async fn withdraw(app: &App, by: &SignedIn, id: &str) -> Result<(), Failure> {
    let attempt = || async {
        let instance = find(app, By::Owner(by), id).await?;
        let event = By::Owner(by)
            .event(app, Action::InstanceOffered, &instance)
            .failed("withdrawn");
        let batch = Batch::default().instance_is_unchanged(&instance).withdraw_offer(id);
        Ok::<_, Failure>((batch.record(&event)?, ()))
    };
    app.store.decide(attempt).await
}

/// Like any handing over it ends what the one before approved.
pub async fn take(app: &App, by: &SignedIn, id: &str) -> Result<(), Failure> {
    let attempt = || async {
        let approver = app.store.approver(&by.approver.id).await?;
        let approver = approver.ok_or(Refusal::SignInRequired)?;
        let instance = offered(app, by, id).await?.ok_or(NONE)?;
        must_be_near(app, by, id).await?;
        let taken = Batch::default().take_offer(id, &approver.id, app.now());
        let (batch, _, ended) = acted(app, By::Owner(by), &instance, &Act::HandOver(&approver)).await?;
        Ok::<_, Failure>((taken.then(batch), ended))
    };
    let ended = app.store.decide(attempt).await?;
    forget(app, &ended);
    Ok(())
}

fn address(by: &SignedIn) -> Option<String> {
    by.address.address.map(|address| address.to_string())
}

/// Whoever takes a device is asked by its key from then on, so that taking makes it known as a ceremony does, and
/// can be talked through like one: it counts from beside whoever offers, or within listed networks.
async fn must_be_near(app: &App, by: &SignedIn, id: &str) -> Result<(), Failure> {
    let from = app.store.offered_from(id).await?.and_then(|from| from.parse().ok());
    let (offerer, taker) = (app.place(from), app.place(by.address.address));
    let networks = &app.config.networks;
    let is_same = network::compare(&offerer, &taker, &app.config.shared_networks) == NetworkMatch::SameAddress;
    if is_same || network::both_are_listed(&offerer, &taker, &networks.trusted) {
        Ok(())
    } else {
        Err(Refusal::StarterUnproven.into())
    }
}

pub async fn decline(app: &App, by: &SignedIn, id: &str) -> Result<(), Failure> {
    let attempt = || async {
        let Some(instance) = offered(app, by, id).await? else {
            return Ok((Batch::default(), ()));
        };
        let event = By::Owner(by)
            .event(app, Action::InstanceOffered, &instance)
            .with("offer.to", by.approver.id.clone())
            .failed("declined");
        let batch = Batch::default().take_offer(id, &by.approver.id, app.now());
        Ok::<_, Failure>((batch.record(&event)?, ()))
    };
    app.store.decide(attempt).await
}

async fn offered(app: &App, by: &SignedIn, id: &str) -> Result<Option<Instance>, Fault> {
    let offers = app.store.instances_offered_to(&by.approver.id, app.now()).await?;
    Ok(offers.into_iter().find(|instance| instance.id == id))
}
