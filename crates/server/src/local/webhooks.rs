//! `notice webhook add|list|remove|test`.

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use protocol::approver::is_name;
use protocol::time::Timestamp;
use protocol::wire::local::{AddWebhook, WebhookTested, WebhookView};
use store::channels::Webhook;
use store::notices::Recipient;
use url::Url;

use super::approvers::find;
use crate::app::{App, Shared};
use crate::failure::Failure;
use crate::notices::webhook;

pub async fn add(State(app): State<Shared>, request: Request) -> Result<(StatusCode, Json<WebhookView>), Failure> {
    let asked: AddWebhook = super::body(request).await?;
    let url = Url::parse(&asked.url).map_err(|error| Failure::Invalid(format!("the address is no URL: {error}")))?;
    let recipient = match (asked.approver, asked.group) {
        (None, None) => None,
        (Some(name), None) => Some(Recipient::Approver(find(&app, &name).await?.id)),
        (None, Some(group)) if is_name(&group) => Some(Recipient::Group(group)),
        (None, Some(_)) => {
            return Err(Failure::Invalid(
                "a group's name is 1 to 64 letters, digits or . - _ @ +".into(),
            ));
        }
        (Some(_), Some(_)) => return Err(Failure::Invalid("an approver or a group, not both".into())),
    };
    let (added, secret) = webhook::add(&app, recipient, &url).await?;
    let mut view = view(&app, added).await?;
    view.secret = Some(secret);
    Ok((StatusCode::CREATED, Json(view)))
}

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<WebhookView>>, Failure> {
    let mut views = Vec::new();
    for webhook in app.store.webhooks().await? {
        views.push(view(&app, webhook).await?);
    }
    Ok(Json(views))
}

pub async fn remove(State(app): State<Shared>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    webhook::remove(&app, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn test(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<WebhookTested>, Failure> {
    let sent = webhook::test(&app, &id).await?;
    Ok(Json(WebhookTested {
        delivered: sent.is_ok(),
        because: sent.err().map(|why| why.code().to_owned()),
    }))
}

async fn view(app: &App, webhook: Webhook) -> Result<WebhookView, Failure> {
    let (approver, group) = match webhook.recipient {
        None => (None, None),
        Some(Recipient::Group(name)) => (None, Some(name)),
        Some(Recipient::Approver(id)) => (app.store.approver(&id).await?.map(|approver| approver.name), None),
    };
    Ok(WebhookView {
        id: webhook.id,
        approver,
        group,
        host: webhook.host,
        created_at: webhook.created_at.millis(),
        off_at: webhook.off_at.map(Timestamp::millis),
        secret: None,
    })
}
