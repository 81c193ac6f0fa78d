//! Tables `notice`, `notice_delivery` and `notice_counter`: what somebody has still to be told of. A notice is
//! written with the request that it tells of; a delivery is one channel's, and of several processes the one that
//! claims it sends. What the channels are is in `channels`.

use protocol::time::{Lifetime, Timestamp};

use crate::authorization_requests::Inbox;
use crate::batch::args;
use crate::prompts::WINDOW;
use crate::{Batch, Fault, Row, Store};

/// So many are passed on at once.
pub const PAGE: usize = 64;

const FILE: &str = "INSERT INTO notice (request_id, inbox, due_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const DUE: &str =
    "SELECT request_id, inbox, due_at FROM notice WHERE due_at <= $1 ORDER BY due_at, request_id LIMIT $2";
const TAKE: &str = "DELETE FROM notice WHERE request_id = $1 AND inbox = $2 AND due_at = $3";
const POSTPONE: &str = "UPDATE notice SET due_at = $4 WHERE request_id = $1 AND inbox = $2 AND due_at = $3";

const COUNTED: &str = "SELECT notices FROM notice_counter WHERE inbox = $1 AND window_start = $2";
const COUNT: &str = "INSERT INTO notice_counter (inbox, window_start, notices) VALUES ($1, $2, $4)
    ON CONFLICT (inbox, window_start) DO UPDATE SET notices = excluded.notices WHERE notice_counter.notices = $3";

const ASK: &str = "INSERT INTO notice_delivery (channel, inbox, asked, told, attempts, not_before, version)
    VALUES ($1, $2, 1, 0, 0, $3, 1)
    ON CONFLICT (channel, inbox) DO UPDATE SET asked = notice_delivery.asked + 1";
const TO_DELIVER: &str = "SELECT channel, inbox, asked, told, attempts, version FROM notice_delivery
    WHERE asked > told AND not_before <= $1 ORDER BY not_before, channel, inbox LIMIT $2";
const CLAIM: &str = "UPDATE notice_delivery SET not_before = $4, attempts = attempts + 1, version = version + 1
    WHERE channel = $1 AND inbox = $2 AND version = $3";
const TOLD: &str = "UPDATE notice_delivery SET told = $4, attempts = 0, not_before = $5
    WHERE channel = $1 AND inbox = $2 AND version = $3";
const AGAIN: &str = "UPDATE notice_delivery SET attempts = $4, not_before = $5
    WHERE channel = $1 AND inbox = $2 AND version = $3";
const END_CHANNEL: &str = "DELETE FROM notice_delivery WHERE channel = $1";

/// Whose inbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    Approver(String),
    Group(String),
}

/// An inbox got a request.
pub struct Notice {
    pub request_id: String,
    pub recipient: Recipient,
    due_at: Timestamp,
}

/// What one channel has still to tell of one inbox.
#[derive(Clone)]
pub struct Delivery {
    pub channel: String,
    pub recipient: Recipient,
    /// The notice's number: the same at each attempt.
    pub number: i64,
    /// Including this one.
    pub attempt: i64,
    asked: i64,
    version: i64,
}

impl Recipient {
    pub fn to_text(&self) -> String {
        self.inbox().to_text()
    }

    pub fn inbox(&self) -> Inbox<'_> {
        match self {
            Self::Approver(id) => Inbox::OfApprover(id),
            Self::Group(name) => Inbox::OfGroup(name),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        match text.split_once(' ') {
            Some(("approver", id)) => Ok(Self::Approver(id.to_owned())),
            Some(("group", name)) => Ok(Self::Group(name.to_owned())),
            _ => Err(Fault::broken("an inbox in the database is nobody's")),
        }
    }
}

impl Store {
    /// The oldest ones that are due; at most [`PAGE`].
    pub async fn due_notices(&self, now: Timestamp) -> Result<Vec<Notice>, Fault> {
        let rows = self.rows(DUE, args![now.millis(), page()]).await?;
        let notice = |row: &Row| {
            Ok(Notice {
                request_id: row.text(0)?,
                recipient: Recipient::parse(&row.text(1)?)?,
                due_at: Timestamp::from_millis(row.int(2)?),
            })
        };
        rows.iter().map(notice).collect()
    }

    /// How often this inbox was told in this hour.
    pub async fn notices_counted(&self, recipient: &Recipient, now: Timestamp) -> Result<i64, Fault> {
        let row = self.row(COUNTED, args![recipient.to_text(), window(now)]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// What may be sent now; at most [`PAGE`].
    pub async fn deliveries(&self, now: Timestamp) -> Result<Vec<Delivery>, Fault> {
        let rows = self.rows(TO_DELIVER, args![now.millis(), page()]).await?;
        let delivery = |row: &Row| {
            Ok(Delivery {
                channel: row.text(0)?,
                recipient: Recipient::parse(&row.text(1)?)?,
                asked: row.int(2)?,
                number: row.int(3)? + 1,
                attempt: row.int(4)?,
                version: row.int(5)?,
            })
        };
        rows.iter().map(delivery).collect()
    }
}

impl Batch {
    /// Whoever this inbox is is told of the request from then on; of nobody's, nobody.
    pub fn file_notice(self, request_id: &str, inbox: Inbox<'_>, due_at: Timestamp) -> Self {
        match inbox {
            Inbox::OfNobody => self,
            _ => self.any(FILE, args![request_id, inbox.to_text(), due_at.millis()]),
        }
    }

    /// Conflict when another process took it.
    pub fn take_notice(self, notice: &Notice) -> Self {
        self.guard(TAKE, notice.args())
    }

    pub fn postpone_notice(self, notice: &Notice, until: Timestamp) -> Self {
        let mut arguments = notice.args();
        arguments.push(until.millis().into());
        self.guard(POSTPONE, arguments)
    }

    /// Conflict when it was counted meanwhile.
    pub fn count_notices(self, recipient: &Recipient, (before, after): (i64, i64), now: Timestamp) -> Self {
        self.guard(COUNT, args![recipient.to_text(), window(now), before, after])
    }

    /// At once, or as soon as the channel may be used again.
    pub fn ask_delivery(self, channel: &str, recipient: &Recipient, now: Timestamp) -> Self {
        self.any(ASK, args![channel, recipient.to_text(), now.millis()])
    }

    /// Conflict when another process claimed it. Whoever dies over it leaves it to the others after `until`.
    pub fn claim_delivery(self, delivery: &Delivery, until: Timestamp) -> Self {
        self.guard(CLAIM, delivery.args([until.millis()]))
    }

    /// Told, or given up. What was asked for meanwhile is told after `rest`.
    pub fn delivered(self, delivery: &Delivery, now: Timestamp, rest: Lifetime) -> Self {
        self.any(TOLD, delivery.args([delivery.asked, (now + rest).millis()]))
    }

    /// `attempts`: how many count as made.
    pub fn deliver_again(self, delivery: &Delivery, attempts: i64, at: Timestamp) -> Self {
        self.any(AGAIN, delivery.args([attempts, at.millis()]))
    }

    pub fn end_channel(self, channel: &str) -> Self {
        self.any(END_CHANNEL, args![channel])
    }
}

impl Notice {
    fn args(&self) -> Vec<crate::batch::Value> {
        args![&*self.request_id, self.recipient.to_text(), self.due_at.millis()]
    }
}

impl Delivery {
    /// As it stands once it is claimed.
    pub fn claimed(self) -> Self {
        Self {
            attempt: self.attempt + 1,
            version: self.version + 1,
            ..self
        }
    }

    fn args<const N: usize>(&self, more: [i64; N]) -> Vec<crate::batch::Value> {
        let mut arguments = args![&*self.channel, self.recipient.to_text(), self.version];
        arguments.extend(more.map(Into::into));
        arguments
    }
}

fn page() -> i64 {
    i64::try_from(PAGE).unwrap_or(i64::MAX)
}

fn window(now: Timestamp) -> i64 {
    now.millis() - now.millis().rem_euclid(WINDOW.millis())
}
