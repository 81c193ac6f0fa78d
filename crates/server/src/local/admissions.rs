//! `admission add|list|remove`: whose word lets instances of a client in.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use protocol::admission::{Admission, Evidence, Terms};
use protocol::event::Action;
use protocol::jwk::{Flaw, Jwks};
use protocol::spiffe::{SpiffeId, TrustBundle};
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::local::{AddAdmission, AdmissionView};
use serde_json::Value;
use store::admissions::ListedAdmission;
use store::{Batch, Fault};

use crate::app::{App, Shared};
use crate::failure::Failure;

pub async fn add(State(app): State<Shared>, request: Request) -> Result<(StatusCode, Json<AdmissionView>), Failure> {
    let asked: AddAdmission = super::body(request).await?;
    let listed = ListedAdmission {
        admission: admission(&app, &asked).await?,
        created_at: app.now(),
        removed_at: None,
    };
    let view = view(&listed, &asked.owner);
    let event = event(&app, Action::AdmissionAdded, &view)?.approver(&listed.admission.terms.owner);
    let batch = Batch::default()
        .add_admission(&listed.admission, app.now())?
        .record(&event)?;
    app.commit(batch).await?;
    app.clients.reload(&app.store, app.now()).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<AdmissionView>>, Failure> {
    let approvers = app.store.approvers().await?.into_iter();
    let names: HashMap<String, String> = approvers
        .map(|listed| (listed.approver.id, listed.approver.name))
        .collect();
    let admissions = app.store.admissions().await?;
    let owner = |listed: &ListedAdmission| names.get(&listed.admission.terms.owner).cloned().unwrap_or_default();
    Ok(Json(
        admissions.iter().map(|listed| view(listed, &owner(listed))).collect(),
    ))
}

/// Instances that came in by it stay, with their own ends.
pub async fn remove(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<AdmissionView>, Failure> {
    let attempt = || async {
        let Json(views) = list(State(app.clone())).await?;
        let found = views
            .into_iter()
            .find(|view| view.id == id && view.removed_at.is_none());
        let mut view = found.ok_or(Failure::NotFound(
            "There is no admission of this id, or it was removed.",
        ))?;
        view.removed_at = Some(app.now().millis());
        let event = event(&app, Action::AdmissionRemoved, &view)?;
        let batch = Batch::default().remove_admission(&id, app.now()).record(&event)?;
        Ok::<_, Failure>((batch, view))
    };
    let view = app.store.decide(attempt).await?;
    app.clients.reload(&app.store, app.now()).await?;
    Ok(Json(view))
}

fn event(app: &App, action: Action, view: &AdmissionView) -> Result<protocol::event::Event, Fault> {
    let text = serde_json::to_value(view);
    let text = text.map_err(|error| Fault::broken("an admission cannot be written as JSON").because(error))?;
    Ok(app.event(action).client(&view.client_id).with("admission", text))
}

async fn admission(app: &App, asked: &AddAdmission) -> Result<Admission, Failure> {
    let mut mistakes = Vec::new();
    if app.store.client(&asked.client_id).await?.is_none() {
        mistakes.push("there is no client of this name".to_owned());
    }
    let owner = app.store.approver_named(&asked.owner).await?;
    let owner = owner.filter(|owner| owner.must_be_active().is_ok());
    if owner.is_none() {
        mistakes.push("the owner is no approver of this server, or is disabled".to_owned());
    }
    if let Some(attester) = &asked.attester
        && is_named(app, asked, attester).await?
    {
        mistakes.push("this client has an admission by an attester of this name: remove that one first".to_owned());
    }
    let terms = evidence(app, asked).map(|evidence| Terms {
        evidence,
        owner: owner.map(|owner| owner.id).unwrap_or_default(),
        environment: asked.environment.clone(),
        lifetime: Lifetime::from_seconds(asked.lifetime),
    });
    match &terms {
        Ok(terms) => mistakes.extend(terms.mistakes().iter().map(ToString::to_string)),
        Err(mistake) => mistakes.push(mistake.clone()),
    }
    match terms {
        Ok(terms) if mistakes.is_empty() => Ok(Admission {
            id: format!("admission_{}", app.new_id()),
            client_id: asked.client_id.clone(),
            terms,
        }),
        _ => Err(Failure::Invalid(mistakes.join("; "))),
    }
}

/// An attester's name says whose terms hold: two of one name would lend each other theirs.
async fn is_named(app: &App, asked: &AddAdmission, attester: &str) -> Result<bool, Fault> {
    let admissions = app.store.admissions().await?;
    Ok(admissions.iter().any(|listed| {
        let Evidence::Attester { name, .. } = &listed.admission.terms.evidence else {
            return false;
        };
        listed.removed_at.is_none() && listed.admission.client_id == asked.client_id && name == attester
    }))
}

const WHAT_GOES_WITH_WHAT: &str = "give an attester and a key set, or an issuer and a subject (and an audience, and a key set where the issuer cannot be asked), or a SPIFFE ID and a trust bundle, and nothing beside it";

fn evidence(app: &App, asked: &AddAdmission) -> Result<Evidence, String> {
    let jwks = asked
        .jwks
        .as_ref()
        .map(|jwks| read("the key set", jwks, Jwks::parse))
        .transpose()?;
    let bundle = asked.bundle.as_ref();
    let bundle = bundle
        .map(|bundle| read("the trust bundle", bundle, TrustBundle::parse))
        .transpose()?;
    let by = (&asked.attester, &asked.issuer, &asked.spiffe_id);
    match (by, &asked.subject, &asked.audience, jwks, bundle) {
        ((Some(name), None, None), None, None, Some(jwks), None) => Ok(Evidence::Attester {
            name: name.clone(),
            jwks,
        }),
        ((None, Some(issuer), None), Some(subject), audience, jwks, None) => Ok(Evidence::Oidc {
            issuer: issuer.clone(),
            audience: audience.clone().unwrap_or_else(|| app.issuer().to_owned()),
            subject: subject.clone(),
            jwks,
        }),
        ((None, None, Some(id)), None, None, None, Some(bundle)) => Ok(Evidence::Spiffe {
            subject: SpiffeId::parse(id).map_err(|flaw| flaw.to_string())?,
            bundle,
        }),
        _ => Err(WHAT_GOES_WITH_WHAT.to_owned()),
    }
}

fn read<T>(what: &str, value: &Value, parse: impl Fn(&Value) -> Result<T, Flaw>) -> Result<T, String> {
    parse(value).map_err(|flaw| format!("{what} is not usable: {flaw}"))
}

fn view(listed: &ListedAdmission, owner: &str) -> AdmissionView {
    let Admission { id, client_id, terms } = &listed.admission;
    let (by, subject, audience) = match &terms.evidence {
        Evidence::Attester { name, .. } => (name.as_str(), None, None),
        Evidence::Oidc {
            issuer,
            audience,
            subject,
            ..
        } => (issuer.as_str(), Some(subject.as_str()), Some(audience)),
        Evidence::Spiffe { subject, .. } => (subject.trust_domain(), Some(subject.as_str()), None),
    };
    AdmissionView {
        id: id.clone(),
        client_id: client_id.clone(),
        kind: terms.evidence.kind().to_owned(),
        by: by.to_owned(),
        subject: subject.map(str::to_owned),
        audience: audience.cloned(),
        owner: owner.to_owned(),
        environment: terms.environment.clone(),
        lifetime: terms.lifetime.seconds(),
        created_at: listed.created_at.millis(),
        removed_at: listed.removed_at.map(Timestamp::millis),
    }
}
