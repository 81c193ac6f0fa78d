//! `grant list|show|revoke`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use protocol::grant::Grant;
use protocol::time::Timestamp;
use protocol::wire::local::GrantView;
use serde_json::{Value, json};

use crate::app::{App, Shared};
use crate::failure::Failure;

const MOST: i64 = 1000;

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<GrantView>>, Failure> {
    let names = names(&app).await?;
    let grants = app.store.recent_grants(MOST).await?;
    Ok(Json(
        grants.into_iter().map(|grant| view(grant, &names, None)).collect(),
    ))
}

pub async fn show(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<GrantView>, Failure> {
    let grant = find(&app, &id).await?;
    let evidence = evidence(&app, &grant).await?;
    Ok(Json(view(grant, &names(&app).await?, evidence)))
}

pub async fn revoke(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<GrantView>, Failure> {
    let attempt = || async {
        let grant = find(&app, &id).await?;
        let because = "revoked_by_administrator";
        let batch = app.end_grant(&grant, because)?;
        let ended = Grant {
            ended_at: grant.ended_at.or(Some(app.now())),
            ended_because: grant.ended_because.or(Some(because.to_owned())),
            ..grant
        };
        Ok::<_, Failure>((batch, ended))
    };
    let grant = app.store.decide(attempt).await?;
    Ok(Json(view(grant, &names(&app).await?, None)))
}

async fn find(app: &App, id: &str) -> Result<Grant, Failure> {
    app.store
        .grant(id)
        .await?
        .ok_or(Failure::NotFound("There is no grant of this id."))
}

/// Approvers' names by id.
pub async fn names(app: &App) -> Result<HashMap<String, String>, Failure> {
    let listed = app.store.approvers().await?;
    Ok(listed
        .into_iter()
        .map(|listed| (listed.approver.id, listed.approver.name))
        .collect())
}

/// All that `waypass verify-decision` needs, and the request whose digest was signed.
async fn evidence(app: &App, grant: &Grant) -> Result<Option<Value>, Failure> {
    let Some(request_id) = &grant.request_id else {
        return Ok(None);
    };
    let Some(request) = app.store.request(request_id).await? else {
        return Ok(None);
    };
    let mut approvals = app.store.approvals(request_id).await?;
    approvals.sort_by_key(|approval| approval.approver_id != grant.subject);
    let mut exports = approvals.into_iter().map(|approval| {
        json!({
            "decision": approval.decision,
            "key": approval.evidence.get("public_key"),
            "evidence": approval.evidence,
            "relying_party": app.config.issuer.relying_party(),
            "request": request.content,
        })
    });
    let mut first = exports.next();
    let others: Vec<Value> = exports.collect();
    if let Some(members) = first.as_mut().and_then(Value::as_object_mut)
        && !others.is_empty()
    {
        members.insert("others".to_owned(), others.into());
    }
    Ok(first)
}

fn view(grant: Grant, names: &HashMap<String, String>, evidence: Option<Value>) -> GrantView {
    GrantView {
        approver: names.get(&grant.subject).cloned().unwrap_or(grant.subject),
        grant_id: grant.id,
        origin: grant.origin.as_str().to_owned(),
        request_id: grant.request_id,
        client_id: grant.client_id,
        scope: grant.scope,
        resource: grant.resource,
        authorization_details: grant.authorization_details,
        jkt: grant.jkt,
        x5t: grant.x5t,
        created_at: grant.created_at.millis(),
        expires_at: grant.expires_at.millis(),
        ended_at: grant.ended_at.map(Timestamp::millis),
        ended_because: grant.ended_because,
        runs_left: grant.runs_left,
        evidence,
    }
}
