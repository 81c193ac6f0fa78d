//! `grant list|show|revoke`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use protocol::client::Registration;
use protocol::grant::Grant;
use protocol::time::Timestamp;
use protocol::wire::local::GrantView;
use serde_json::{Value, json};

use crate::app::{App, Shared};
use crate::failure::Failure;

const MOST: i64 = 1000;

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<GrantView>>, Failure> {
    let known = Known::load(&app).await?;
    let grants = app.store.recent_grants(MOST).await?;
    Ok(Json(grants.into_iter().map(|grant| known.view(grant, None)).collect()))
}

pub async fn show(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<GrantView>, Failure> {
    let grant = find(&app, &id).await?;
    let evidence = evidence(&app, &grant).await?;
    Ok(Json(Known::load(&app).await?.view(grant, evidence)))
}

pub async fn revoke(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<GrantView>, Failure> {
    let attempt = || async {
        let grant = find(&app, &id).await?;
        let because = "revoked_by_administrator";
        let batch = app.end_grant(&grant, because).await?;
        let ended = Grant {
            ended_at: grant.ended_at.or(Some(app.now())),
            ended_because: grant.ended_because.or(Some(because.to_owned())),
            ..grant
        };
        Ok::<_, Failure>((batch, ended))
    };
    let grant = app.store.decide(attempt).await?;
    Ok(Json(Known::load(&app).await?.view(grant, None)))
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

/// What grants name by id.
struct Known {
    approvers: HashMap<String, String>,
    clients: HashMap<String, Registration>,
}

impl Known {
    async fn load(app: &App) -> Result<Self, Failure> {
        let clients = app.store.clients().await?.into_iter();
        Ok(Self {
            approvers: names(app).await?,
            clients: clients.map(|client| (client.client_id, client.registration)).collect(),
        })
    }

    fn view(&self, grant: Grant, evidence: Option<Value>) -> GrantView {
        let client = self.clients.get(&grant.client_id);
        GrantView {
            approver: self.approvers.get(&grant.subject).cloned().unwrap_or(grant.subject),
            grant_id: grant.id,
            origin: grant.origin.as_str().to_owned(),
            request_id: grant.request_id,
            client_name: client.map(|client| client.name.clone()),
            client_kind: client.map(|client| client.kind.as_str().to_owned()),
            client_id: grant.client_id,
            instance_id: grant.instance_id,
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
}
