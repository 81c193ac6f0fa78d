//! Tables `webhook`, `mail_address` and `push_subscription`: the ways on which notices go out. Addresses that are
//! secrets of somebody (a chat's, a push service's) are sealed by the server before they come here.

use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::notices::Recipient;
use crate::{Batch, Fault, Row, Store};

const WEBHOOKS: &str = "SELECT id, inbox, host, sealed, created_at, off_at FROM webhook ORDER BY created_at, id";
const ADD_WEBHOOK: &str = "INSERT INTO webhook (id, inbox, host, sealed, created_at) VALUES ($1, $2, $3, $4, $5)";
const REMOVE_WEBHOOK: &str = "DELETE FROM webhook WHERE id = $1";
const WEBHOOK_OFF: &str = "UPDATE webhook SET off_at = $2 WHERE id = $1";

const ADDRESSES: &str = "SELECT approver_id, address, created_at, off_at FROM mail_address ORDER BY approver_id";
const SET_ADDRESS: &str = "INSERT INTO mail_address (approver_id, address, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (approver_id) DO UPDATE SET address = excluded.address, created_at = excluded.created_at, off_at = NULL";
const REMOVE_ADDRESS: &str = "DELETE FROM mail_address WHERE approver_id = $1";
const ADDRESS_OFF: &str = "UPDATE mail_address SET off_at = $2 WHERE approver_id = $1";

const SUBSCRIPTIONS: &str = "SELECT id, approver_id, host, browser, sealed, created_at FROM push_subscription
    ORDER BY created_at, id";
// A browser that somebody else used before is this one's now: its push service gives it one address.
const SUBSCRIBE: &str = "INSERT INTO push_subscription (id, approver_id, host, browser, sealed, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO UPDATE SET approver_id = excluded.approver_id, browser = excluded.browser,
        sealed = excluded.sealed, created_at = excluded.created_at";
const ROOM: &str = "SELECT 1 WHERE (SELECT COUNT(*) FROM push_subscription WHERE approver_id = $1 AND id <> $2) < $3";
const UNSUBSCRIBE: &str = "DELETE FROM push_subscription WHERE id = $1 AND approver_id = $2";
const UNSUBSCRIBE_ALL: &str = "DELETE FROM push_subscription WHERE approver_id = $1";

/// More browsers than anybody has: what one approver can make this server do is bounded.
const MOST_SUBSCRIPTIONS: i64 = 10;

pub struct Webhook {
    pub id: String,
    /// None: told of every inbox.
    pub recipient: Option<Recipient>,
    /// Where it goes, as far as that is no secret.
    pub host: String,
    pub sealed: String,
    pub created_at: Timestamp,
    pub off_at: Option<Timestamp>,
}

pub struct MailAddress {
    pub approver_id: String,
    pub address: String,
    pub created_at: Timestamp,
    pub off_at: Option<Timestamp>,
}

pub struct PushSubscription {
    pub id: String,
    pub approver_id: String,
    /// The push service.
    pub host: String,
    /// "Firefox on Linux": a claim.
    pub browser: String,
    pub sealed: String,
    pub created_at: Timestamp,
}

impl Store {
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Fault> {
        self.rows(WEBHOOKS, args![]).await?.iter().map(webhook).collect()
    }

    pub async fn mail_addresses(&self) -> Result<Vec<MailAddress>, Fault> {
        self.rows(ADDRESSES, args![]).await?.iter().map(mail_address).collect()
    }

    pub async fn push_subscriptions(&self) -> Result<Vec<PushSubscription>, Fault> {
        self.rows(SUBSCRIPTIONS, args![])
            .await?
            .iter()
            .map(subscription)
            .collect()
    }
}

impl Batch {
    pub fn add_webhook(self, webhook: &Webhook) -> Self {
        let arguments = args![
            &*webhook.id,
            webhook.recipient.as_ref().map(Recipient::to_text),
            &*webhook.host,
            &*webhook.sealed,
            webhook.created_at.millis(),
        ];
        self.guard(ADD_WEBHOOK, arguments)
    }

    pub fn remove_webhook(self, id: &str) -> Self {
        self.guard(REMOVE_WEBHOOK, args![id])
    }

    pub fn set_webhook_off(self, id: &str, off_at: Option<Timestamp>) -> Self {
        self.guard(WEBHOOK_OFF, args![id, off_at.map(Timestamp::millis)])
    }

    /// In the place of one that they had; what they turned off is on again.
    pub fn set_mail_address(self, approver_id: &str, address: &str, now: Timestamp) -> Self {
        self.any(SET_ADDRESS, args![approver_id, address, now.millis()])
    }

    pub fn remove_mail_address(self, approver_id: &str) -> Self {
        self.any(REMOVE_ADDRESS, args![approver_id])
    }

    pub fn set_mail_off(self, approver_id: &str, off_at: Option<Timestamp>) -> Self {
        self.guard(ADDRESS_OFF, args![approver_id, off_at.map(Timestamp::millis)])
    }

    pub fn subscribe(self, subscription: &PushSubscription) -> Self {
        let room = args![&*subscription.approver_id, &*subscription.id, MOST_SUBSCRIPTIONS];
        let arguments = args![
            &*subscription.id,
            &*subscription.approver_id,
            &*subscription.host,
            &*subscription.browser,
            &*subscription.sealed,
            subscription.created_at.millis(),
        ];
        self.one(ROOM, room, Refusal::TooManyRequests).any(SUBSCRIBE, arguments)
    }

    pub fn unsubscribe(self, id: &str, approver_id: &str) -> Self {
        self.any(UNSUBSCRIBE, args![id, approver_id])
    }

    pub fn unsubscribe_all(self, approver_id: &str) -> Self {
        self.any(UNSUBSCRIBE_ALL, args![approver_id])
    }
}

fn webhook(row: &Row) -> Result<Webhook, Fault> {
    Ok(Webhook {
        id: row.text(0)?,
        recipient: row.maybe_text(1)?.as_deref().map(Recipient::parse).transpose()?,
        host: row.text(2)?,
        sealed: row.text(3)?,
        created_at: Timestamp::from_millis(row.int(4)?),
        off_at: row.maybe_int(5)?.map(Timestamp::from_millis),
    })
}

fn mail_address(row: &Row) -> Result<MailAddress, Fault> {
    Ok(MailAddress {
        approver_id: row.text(0)?,
        address: row.text(1)?,
        created_at: Timestamp::from_millis(row.int(2)?),
        off_at: row.maybe_int(3)?.map(Timestamp::from_millis),
    })
}

fn subscription(row: &Row) -> Result<PushSubscription, Fault> {
    Ok(PushSubscription {
        id: row.text(0)?,
        approver_id: row.text(1)?,
        host: row.text(2)?,
        browser: row.text(3)?,
        sealed: row.text(4)?,
        created_at: Timestamp::from_millis(row.int(5)?),
    })
}
