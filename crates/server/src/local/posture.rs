//! `posture`: for every client, what holds and what is blocked, for whom and since when; and the statement
//! that RFC 10027 §2 asks for. One answer for people and for scanners.

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::extract::State;
use protocol::client::{Client, Permission};
use protocol::grant::Origin;
use protocol::instance::Instance;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use protocol::wire::local::{ClientPosture, InstanceCounts, MitigationView, PermissionPosture, PostureView};

use super::{client_warnings, profiles};
use crate::app::{App, Shared};
use crate::failure::Failure;
use crate::policies;

const STATEMENT: [(&str, &str); 6] = [
    (
        "X20",
        "no client has the device grant without a profile, and no profile loads without its risk assessment",
    ),
    (
        "X21",
        "a client without a profile, or with one whose scopes leave out what it asks for, is refused",
    ),
    (
        "X22",
        "known keys ask their owners; a code that anybody may type is the last resort, under `open` only",
    ),
    (
        "X23",
        "every profile names its mitigations by these ids; one that names none does not load",
    ),
    (
        "X24",
        "codes that live short, serve once and may be reported hold under every profile",
    ),
    (
        "X25",
        "approving on the device that asks warns or is refused; the same address alone never does that",
    ),
];

pub async fn posture(State(app): State<Shared>) -> Result<Json<PostureView>, Failure> {
    let clients = app.store.clients().await?;
    let instances = app.store.instances().await?;
    let approvers = app.store.approvers().await?;
    let last_used = app.store.last_grants().await?;
    let active: HashSet<String> = approvers
        .into_iter()
        .filter(|listed| listed.approver.must_be_active().is_ok())
        .map(|listed| listed.approver.id)
        .collect();
    let told = clients.iter().map(|client| {
        let own = instances
            .iter()
            .filter(|instance| instance.client_id == client.client_id);
        client_posture(&app, client, &last_used, counts(own, &active, app.now()))
    });
    let statement = STATEMENT.into_iter().map(|(id, how)| MitigationView {
        id: id.to_owned(),
        how: how.to_owned(),
    });
    Ok(Json(PostureView {
        issuer: app.issuer().to_owned(),
        at: app.now().millis(),
        statement: statement.collect(),
        clients: told.collect(),
        profiles: profiles::all(&app, &clients),
        policies: policies::view(&app.policies),
    }))
}

fn client_posture(
    app: &App,
    client: &Client,
    last_used: &HashMap<(String, Origin), Timestamp>,
    instances: InstanceCounts,
) -> ClientPosture {
    let registration = &client.registration;
    let posture = |origin| permission(app, client, origin, last_used);
    let device_grant = posture(Origin::DeviceCode);
    let is_machine = registration.client_credentials != Permission::Withheld;
    let mitigations = app
        .profiles()
        .of_any(client)
        .map(|profile| profiles::mitigations(profile));
    ClientPosture {
        client_id: client.client_id.clone(),
        name: registration.name.clone(),
        profile: registration.profile.clone(),
        device_grant: device_grant.standing,
        because: device_grant.because,
        since: device_grant.since,
        last_used_at: device_grant.last_used_at,
        client_credentials: is_machine.then(|| posture(Origin::ClientCredentials)),
        instances,
        mitigations: mitigations.unwrap_or_default(),
        warnings: client_warnings(client),
    }
}

/// Whether the client has it, why not, and since when.
fn permission(
    app: &App,
    client: &Client,
    origin: Origin,
    last_used: &HashMap<(String, Origin), Timestamp>,
) -> PermissionPosture {
    let registration = &client.registration;
    let given_at = registration.profile_given_at.unwrap_or(client.created_at);
    let (standing, because, since) = match (
        client.must_be_active(app.now()),
        app.profiles().under(client, origin),
        registration.permission(origin),
    ) {
        (Err(Refusal::ClientDisabled), ..) => ("blocked", Some("disabled"), client.disabled_at),
        (Err(_), ..) => ("blocked", Some("expired"), registration.expires_at),
        (_, _, Permission::Off { since }) => ("blocked", Some("unused"), Some(since)),
        (_, _, Permission::Withheld) if registration.profile.is_some() => {
            ("blocked", Some("not_given"), Some(given_at))
        }
        (_, Err(_), _) if registration.profile.is_some() => ("blocked", Some("unknown_profile"), Some(given_at)),
        (_, Err(_), _) => ("blocked", Some("no_profile"), Some(given_at)),
        (_, Ok(_), Permission::Report { since }) => ("report", Some("unused"), Some(since)),
        (_, Ok(_), _) => ("allowed", None, Some(given_at)),
    };
    let used = last_used.get(&(client.client_id.clone(), origin));
    PermissionPosture {
        standing: standing.to_owned(),
        because: because.map(str::to_owned),
        since: since.map(Timestamp::millis),
        last_used_at: used.map(|at| at.millis()),
    }
}

fn counts<'a>(
    instances: impl Iterator<Item = &'a Instance>,
    active_owners: &HashSet<String>,
    now: Timestamp,
) -> InstanceCounts {
    let mut counts = InstanceCounts::default();
    for instance in instances {
        match instance.standing(now) {
            "active" if active_owners.contains(&instance.owner) => counts.active += 1,
            "active" => counts.orphaned += 1,
            "suspended" => counts.suspended += 1,
            "expired" => counts.expired += 1,
            _ => {}
        }
    }
    counts
}
