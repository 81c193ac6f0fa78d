//! Web push: to a browser through its maker's push service (RFC 8030), which sees that there is a message and not what
//! it says (`push/sealing.rs`), and knows by a key of ours who sends it (RFC 8292).

use aws_lc_rs::agreement::{self, ECDH_P256};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::base64url;
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::jwk::Algorithm;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::channels::PushSubscription;
use store::{Batch, Fault, Store};
use url::Url;
use zeroize::Zeroizing;

use super::Undelivered;
use super::channel::Channel;
use super::delivering::Message;
use crate::app::App;
use crate::entropy::EntropySource;
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::keys::{DerivedKeys, KeyFault, SigningKey};

mod sealing;

const WHAT: &str = "push subscription";
const SETTING: &str = "vapid_key";
/// RFC 8292 §2: "no more than 24 hours".
const VOUCHED: i64 = 12 * 3600;
/// As long as most requests wait; later the notice is of no use.
const KEPT_SECONDS: u32 = 600;
/// What any push service gives out is shorter.
const LONGEST_ENDPOINT: usize = 1024;

/// The key by which push services know this server; the same for every node.
pub struct Vapid(SigningKey);

#[derive(Serialize, Deserialize)]
struct Stored {
    kid: String,
    sealed: String,
}

/// As the Push API of a browser gives it out.
#[derive(Serialize, Deserialize)]
pub struct Subscription {
    pub endpoint: String,
    /// The browser's public key and its secret, base64url.
    pub p256dh: String,
    pub auth: String,
}

impl Vapid {
    /// Made at the first start; of two nodes that do so at once one wins.
    pub async fn open(store: &Store, keys: &DerivedKeys, entropy: &EntropySource) -> Result<Self, Fault> {
        if store.setting(SETTING).await?.is_none() {
            let key = SigningKey::generate(Algorithm::Es256)?;
            let stored = Stored {
                kid: key.kid().to_owned(),
                sealed: key.seal(keys, &entropy.draw())?,
            };
            let stored = serde_json::to_string(&stored).map_err(broken)?;
            store.commit(Batch::default().set_once(SETTING, &stored)).await?;
        }
        let stored = store.setting(SETTING).await?.unwrap_or_default();
        let Stored { kid, sealed } = serde_json::from_str(&stored).map_err(broken)?;
        Ok(Self(SigningKey::unseal(Algorithm::Es256, &kid, &sealed, keys)?))
    }

    /// The public key as browsers take it: an uncompressed point.
    pub fn public(&self) -> String {
        let jwk = self.0.public().to_value();
        let coordinate = |name: &str| jwk.get(name).and_then(Value::as_str).and_then(base64url::decode);
        let (x, y) = (coordinate("x").unwrap_or_default(), coordinate("y").unwrap_or_default());
        base64url::encode(&[&[4], x.as_slice(), y.as_slice()].concat())
    }

    fn authorization(&self, endpoint: &Url, issuer: &str, now: Timestamp) -> Result<HeaderValue, KeyFault> {
        let claims = json!({
            "aud": endpoint.origin().ascii_serialization(),
            "exp": now.seconds() + VOUCHED,
            "sub": issuer,
        });
        let token = self.0.sign_jwt("JWT", &claims)?;
        HeaderValue::from_str(&format!("vapid t={token}, k={}", self.public()))
            .map_err(|_| KeyFault::Crypto("write a token"))
    }
}

fn broken(error: serde_json::Error) -> Fault {
    Fault::broken("the key for push services cannot be used").because(error)
}

/// What the id of a subscription is: pages find by it whether this browser is one of those.
fn id(endpoint: &str) -> String {
    Digest::of(endpoint.as_bytes()).as_str().to_owned()
}

pub async fn subscribe(app: &App, by: &SignedIn, asked: &Subscription, browser: String) -> Result<(), Failure> {
    let url = Url::parse(&asked.endpoint).map_err(|_| Refusal::RequestMalformed)?;
    let is_allowed = asked.endpoint.len() <= LONGEST_ENDPOINT && app.outbound.must_be_allowed(&url).is_ok();
    let has_keys = sealing::Keys::read(&asked.p256dh, &asked.auth).is_some();
    if !is_allowed || !has_keys {
        return Err(Refusal::RequestMalformed.into());
    }
    let id = id(&asked.endpoint);
    let plain = Zeroizing::new(serde_json::to_vec(asked).map_err(broken)?);
    let sealed = app
        .derived
        .seal(WHAT, &id, &plain, &app.entropy.draw())
        .map_err(Fault::from)?;
    let event = by.event(app, Action::NoticeChannelAdded).with("notice.channel", "push");
    let event = event.with("notice.channel_id", id.clone());
    let subscription = PushSubscription {
        id,
        approver_id: by.approver.id.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        browser,
        sealed,
        created_at: app.now(),
    };
    app.commit(Batch::default().subscribe(&subscription).record(&event)?)
        .await
}

/// What its push service no longer knows ends here too.
pub fn ended(app: &App, id: &str, approver_id: &str) -> Result<Batch, Fault> {
    let event = app.event(Action::NoticeChannelRemoved).approver(approver_id);
    Batch::default()
        .unsubscribe(id, approver_id)
        .end_channel(&Channel::Push(id.to_owned()).to_text())
        .record(&event.with("notice.channel", "push").with("notice.channel_id", id))
}

pub async fn send(app: &App, id: &str, message: &Message) -> Result<Result<(), Undelivered>, Fault> {
    let all = app.store.push_subscriptions().await?;
    match all.into_iter().find(|subscription| subscription.id == id) {
        Some(subscription) => Ok(post(app, &subscription, message).await),
        None => Ok(Err(Undelivered::Unusable)),
    }
}

async fn post(app: &App, subscription: &PushSubscription, message: &Message) -> Result<(), Undelivered> {
    let unusable = || Undelivered::Unusable;
    let opened = app.derived.open(WHAT, &subscription.id, &subscription.sealed);
    let opened = opened.map_err(|_| Undelivered::Unusable)?;
    let opened: Subscription = serde_json::from_slice(&opened).map_err(|_| Undelivered::Unusable)?;
    let url = Url::parse(&opened.endpoint).map_err(|_| Undelivered::Unusable)?;
    let keys = sealing::Keys::read(&opened.p256dh, &opened.auth).ok_or_else(unusable)?;
    let own = agreement::PrivateKey::generate(&ECDH_P256).map_err(|_| Undelivered::Unusable)?;
    let salt = *app.entropy.draw().0.first_chunk().ok_or_else(unusable)?;
    let text = json!({ "title": format!("Waypass at {}", app.config.issuer.host()), "body": body(message) });
    let sealed = sealing::seal(&keys, (&own, salt), text.to_string().as_bytes()).ok_or_else(unusable)?;
    let authorization = app.vapid.authorization(&url, app.issuer(), app.now());
    let headers: HeaderMap = [
        (AUTHORIZATION, authorization.map_err(|_| Undelivered::Unusable)?),
        (CONTENT_ENCODING, HeaderValue::from_static("aes128gcm")),
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (HeaderName::from_static("ttl"), HeaderValue::from(KEPT_SECONDS)),
        (HeaderName::from_static("urgency"), HeaderValue::from_static("high")),
        // RFC 8030 §5.4: in the place of one that the browser has not fetched yet.
        (HeaderName::from_static("topic"), HeaderValue::from_static("inbox")),
    ]
    .into_iter()
    .collect();
    app.outbound.post(&url, headers, sealed).await
}

fn body(message: &Message) -> String {
    match &message.client_name {
        Some(name) => format!("{} {name} asks.", message.sentence()),
        None => message.sentence(),
    }
}
