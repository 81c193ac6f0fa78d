//! Webhooks, signed by the Standard Webhooks scheme: an HMAC-SHA256 over id, time and body, under a secret that the
//! receiver was given when an administrator added it.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::event::Action;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::channels::Webhook;
use store::notices::Recipient;
use store::{Batch, Fault};
use url::Url;
use zeroize::Zeroizing;

use super::Undelivered;
use super::channel::Channel;
use super::delivering::Message;
use crate::app::App;
use crate::failure::Failure;
use crate::pages::moment::Moment;

const WHAT: &str = "webhook";
/// What a secret begins with, where it is written down.
const PREFIX: &str = "whsec_";

/// What is sealed of one.
#[derive(Serialize, Deserialize)]
struct Sealed {
    url: String,
    secret: String,
}

/// Of the inbox, or of all; the secret is told this once.
pub async fn add(app: &App, recipient: Option<Recipient>, url: &Url) -> Result<(Webhook, String), Failure> {
    app.outbound.must_be_allowed(url).map_err(|_| {
        Failure::Invalid("the address must be https, without a user name, and outside of this server's networks".into())
    })?;
    let id = format!("webhook_{}", app.new_id());
    let secret = format!("{PREFIX}{}", BASE64.encode(app.entropy.draw().0));
    let sealed = Sealed {
        url: url.to_string(),
        secret: secret.clone(),
    };
    let plain = Zeroizing::new(
        serde_json::to_vec(&sealed).map_err(|error| Fault::broken("a webhook has no JSON").because(error))?,
    );
    let sealed = app
        .derived
        .seal(WHAT, &id, &plain, &app.entropy.draw())
        .map_err(Fault::from)?;
    let webhook = Webhook {
        id,
        recipient,
        host: url.host_str().unwrap_or_default().to_owned(),
        sealed,
        created_at: app.now(),
        off_at: None,
    };
    let event = app.event(Action::NoticeChannelAdded).with("notice.channel", "webhook");
    let event = event.with("notice.channel_id", webhook.id.clone());
    let event = match &webhook.recipient {
        Some(Recipient::Approver(id)) => event.approver(id),
        Some(Recipient::Group(name)) => event.with("group.name", name.clone()),
        None => event,
    };
    app.commit(Batch::default().add_webhook(&webhook).record(&event)?)
        .await?;
    Ok((webhook, secret))
}

pub async fn remove(app: &App, id: &str) -> Result<(), Failure> {
    find(app, id)
        .await?
        .ok_or(Failure::NotFound("There is no webhook of this name."))?;
    let event = app
        .event(Action::NoticeChannelRemoved)
        .with("notice.channel", "webhook");
    let batch = Batch::default()
        .remove_webhook(id)
        .end_channel(&Channel::Webhook(id.to_owned()).to_text())
        .record(&event.with("notice.channel_id", id))?;
    app.commit(batch).await
}

/// Something that is told from a notice by its type.
pub async fn test(app: &App, id: &str) -> Result<Result<(), Undelivered>, Failure> {
    let webhook = find(app, id)
        .await?
        .ok_or(Failure::NotFound("There is no webhook of this name."))?;
    let data = json!({ "issuer": app.issuer() });
    let body = json!({ "type": "inbox.test", "timestamp": Moment::at(app.now()).iso, "data": data,
        "text": "A test of this server's notices. Nothing waits." });
    let message_id = format!("msg_{}", app.new_id());
    Ok(post(app, &webhook, &message_id, &body).await)
}

pub async fn send(app: &App, id: &str, message: &Message) -> Result<Result<(), Undelivered>, Fault> {
    match find(app, id).await? {
        Some(webhook) => Ok(post(app, &webhook, &message.id, &body(app, message)).await),
        None => Ok(Err(Undelivered::Unusable)),
    }
}

async fn find(app: &App, id: &str) -> Result<Option<Webhook>, Fault> {
    Ok(app.store.webhooks().await?.into_iter().find(|webhook| webhook.id == id))
}

/// `text` is what chats show of it.
fn body(app: &App, message: &Message) -> Value {
    let (kind, name) = &message.recipient;
    json!({
        "type": "inbox.waiting",
        "timestamp": Moment::at(app.now()).iso,
        "text": format!("{} {}", message.sentence(), message.inbox),
        "data": {
            "issuer": app.issuer(),
            "inbox": message.inbox,
            "recipient": { "kind": kind, "name": name },
            "waiting": message.waiting,
            "client_name": message.client_name,
        },
    })
}

async fn post(app: &App, webhook: &Webhook, id: &str, body: &Value) -> Result<(), Undelivered> {
    let sealed = app.derived.open(WHAT, &webhook.id, &webhook.sealed);
    let sealed = sealed.map_err(|_| Undelivered::Unusable)?;
    let sealed: Sealed = serde_json::from_slice(&sealed).map_err(|_| Undelivered::Unusable)?;
    let url = Url::parse(&sealed.url).map_err(|_| Undelivered::Unusable)?;
    let body = body.to_string();
    let signature = signature(&sealed.secret, (id, app.now()), &body).ok_or(Undelivered::Unusable)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", &*app.now().seconds().to_string()),
        ("webhook-signature", &*signature),
    ] {
        let value = HeaderValue::from_str(value).map_err(|_| Undelivered::Unusable)?;
        headers.insert(HeaderName::from_static(name), value);
    }
    app.outbound.post(&url, headers, body.into_bytes()).await
}

fn signature(secret: &str, (id, at): (&str, Timestamp), body: &str) -> Option<String> {
    let key = Zeroizing::new(BASE64.decode(secret.strip_prefix(PREFIX)?).ok()?);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{}.{body}", at.seconds()).as_bytes());
    Some(format!("v1,{}", BASE64.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the scheme's own documentation.
    #[test]
    fn the_signature_is_the_one_of_the_scheme() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let at = Timestamp::from_seconds(1_614_265_330);
        let signed = signature(secret, ("msg_p5jXN8AQM9LWM0D4loKWxJek", at), "{\"test\": 2432232314}");
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signature("no secret", ("a", at), ""), None);
    }
}
