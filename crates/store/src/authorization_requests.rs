//! Tables `authorization_request` and `approval`. Every write of a state is a compare-and-set on the
//! version that was decided upon.

use protocol::approval::ConfirmedApproval;
use protocol::authorization_request::{AuthorizationRequest, Content, Route, State};
use protocol::digest::Digest;
use protocol::grant::AuthenticationContext;
use protocol::refusal::Refusal;
use protocol::time::{Lifetime, Timestamp};
use serde_json::Value as Json;

use crate::announcement::Announcement;
use crate::batch::args;
use crate::stored::{from_json, to_json};
use crate::{Batch, Fault, Row, Store};

const BY_DEVICE_CODE: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE device_code_digest = $1";
const BY_USER_CODE: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE user_code_mac = $1";
const BY_ID: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE id = $1";
const RECENT: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request ORDER BY requested_at DESC, id DESC LIMIT $1";
// A client's places may be used up by somebody else: a source that holds none may still file one.
const ROOM_OF_CLIENT: &str = "SELECT 1 WHERE
    (SELECT COUNT(*) FROM authorization_request WHERE client_id = $1 AND expires_at > $3 AND state IN ('pending', 'viewed')
        AND (instance_id IS NOT NULL) = (CAST($5 AS BIGINT) <> 0)) < $4
    OR NOT EXISTS (SELECT 1 FROM authorization_request WHERE source = $2 AND expires_at > $3 AND state IN ('pending', 'viewed'))";
const ROOM_OF_SOURCE: &str = "SELECT 1 WHERE
    (SELECT COUNT(*) FROM authorization_request WHERE source = $1 AND expires_at > $2 AND state IN ('pending', 'viewed')) < $3";
const WAITING: &str =
    "SELECT COUNT(*) FROM authorization_request WHERE expires_at > $1 AND state IN ('pending', 'viewed')";
const INSERT: &str = "INSERT INTO authorization_request
    (id, device_code_digest, user_code_mac, source, client_id, content, digest, state, state_detail, interval_millis, version,
     requested_at, expires_at, instance_id, inbox, second_inbox, second_inbox_from)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING";
const MOVE: &str = "UPDATE authorization_request SET state = $3, state_detail = $4, version = version + 1
    WHERE id = $1 AND version = $2";
const UNCHANGED: &str = "SELECT 1 FROM authorization_request WHERE id = $1 AND version = $2";
const RAISE_INTERVAL: &str =
    "UPDATE authorization_request SET interval_millis = $2 WHERE id = $1 AND interval_millis < $2";
const APPROVE: &str = "INSERT INTO approval (request_id, approver_id, decision, evidence, acr, amr, approved_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const APPROVALS: &str = "SELECT approver_id, decision, evidence, acr, amr, approved_at FROM approval
    WHERE request_id = $1 ORDER BY approved_at, approver_id";
const DECISIONS: &str = "SELECT decision, approved_at FROM approval JOIN authorization_request ON id = request_id
    WHERE instance_id = $1 AND approver_id = $2 ORDER BY approved_at DESC, id DESC LIMIT $3";
const OPEN_OF_CLIENT: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE client_id = $1 AND expires_at > $2 AND state IN ('pending', 'viewed', 'approved')";
const OPEN_OF_INSTANCE: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE instance_id = $1 AND expires_at > $2 AND state IN ('pending', 'viewed', 'approved')";
// Of each instance, or client without one, the oldest, then the second, and so on: whoever asks often keeps nobody else out.
const ENDORSED: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE expires_at > $1 AND state = 'viewed' AND state_detail LIKE '%\"endorsed\"%'
    ORDER BY ROW_NUMBER() OVER (PARTITION BY client_id, instance_id ORDER BY id), id LIMIT 100";

const OF_INBOX: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE inbox = $1 AND expires_at > $2 AND state IN ('pending', 'viewed')
    ORDER BY ROW_NUMBER() OVER (PARTITION BY client_id, instance_id ORDER BY id), id LIMIT 100";
const OF_SECOND_INBOX: &str = "SELECT content, digest, device_code_digest, state_detail, interval_millis, version
    FROM authorization_request WHERE second_inbox = $1 AND second_inbox_from <= $2 AND expires_at > $2
    AND state IN ('pending', 'viewed')
    ORDER BY ROW_NUMBER() OVER (PARTITION BY client_id, instance_id ORDER BY id), id LIMIT 100";

/// What else a new request is stored under.
pub struct Filed<'a> {
    /// HMAC under a server key: a plain digest of so short a code could be guessed back.
    pub user_code_mac: &'a str,
    /// The network that asked, by which open requests are counted.
    pub source: &'a str,
    /// The group in whose members' inboxes it stands as well, from then on.
    pub second_inbox: Option<(&'a str, Timestamp)>,
}

/// Whose inbox a request stands in.
#[derive(Clone, Copy)]
pub enum Inbox<'a> {
    OfApprover(&'a str),
    OfGroup(&'a str),
    OfNobody,
}

impl<'a> Inbox<'a> {
    /// None where a user code leads to it.
    pub fn of(content: &'a Content) -> Option<Self> {
        Some(match content.route.as_ref()? {
            Route::Owner => content.owner.as_deref().map_or(Self::OfNobody, Self::OfApprover),
            Route::Approver(id) => Self::OfApprover(id),
            Route::Group(group) => Self::OfGroup(group),
            Route::Nobody => Self::OfNobody,
        })
    }

    pub fn to_text(self) -> String {
        match self {
            Self::OfApprover(id) => format!("approver {id}"),
            Self::OfGroup(name) => format!("group {name}"),
            Self::OfNobody => "nobody".to_owned(),
        }
    }

    /// That it is not what it was. Nobody hears of nobody's, but telling them takes as long: whoever asks must not
    /// see by the time which it is (I04).
    pub fn changed(self) -> Announcement {
        match self {
            Self::OfApprover(id) => Announcement::Inbox(id.to_owned()),
            Self::OfGroup(name) => Announcement::GroupInbox(name.to_owned()),
            Self::OfNobody => Announcement::Inbox(String::new()),
        }
    }
}

/// How many requests of one client, and from one source, may wait at once.
#[derive(Clone, Copy)]
pub struct Room {
    pub of_client: Option<u32>,
    pub of_source: Option<u32>,
    /// Enrolled instances have places of their own: strangers, who may ask to be enrolled, use none of them up.
    pub for_instance: bool,
}

/// A stored approval: the decision, the signature over it, and how the person was authenticated.
pub struct StoredApproval {
    pub approver_id: String,
    pub decision: Json,
    pub evidence: Json,
    pub context: AuthenticationContext,
}

impl Store {
    pub async fn request_by_device_code(&self, digest: &Digest) -> Result<Option<AuthorizationRequest>, Fault> {
        self.row(BY_DEVICE_CODE, args![digest.as_str()])
            .await?
            .as_ref()
            .map(request)
            .transpose()
    }

    pub async fn request_by_user_code(&self, mac: &str) -> Result<Option<AuthorizationRequest>, Fault> {
        self.row(BY_USER_CODE, args![mac])
            .await?
            .as_ref()
            .map(request)
            .transpose()
    }

    pub async fn request(&self, id: &str) -> Result<Option<AuthorizationRequest>, Fault> {
        self.row(BY_ID, args![id]).await?.as_ref().map(request).transpose()
    }

    /// All that wait for a decision.
    pub async fn waiting_requests(&self, now: Timestamp) -> Result<i64, Fault> {
        self.row(WAITING, args![now.millis()])
            .await?
            .map_or(Ok(0), |row| row.int(0))
    }

    /// Newest first.
    pub async fn recent_requests(&self, limit: i64) -> Result<Vec<AuthorizationRequest>, Fault> {
        self.rows(RECENT, args![limit]).await?.iter().map(request).collect()
    }

    /// In the order in which they were given: one, or those of a quorum.
    pub async fn approvals(&self, request_id: &str) -> Result<Vec<StoredApproval>, Fault> {
        self.rows(APPROVALS, args![request_id])
            .await?
            .iter()
            .map(approval)
            .collect()
    }

    /// What one person has approved for an instance and when, newest first.
    pub async fn decisions(
        &self,
        approver_id: &str,
        instance_id: &str,
        limit: u8,
    ) -> Result<Vec<(Json, Timestamp)>, Fault> {
        let arguments = args![instance_id, approver_id, i64::from(limit)];
        let rows = self.rows(DECISIONS, arguments).await?;
        let decision = |row: &Row| Ok((from_json(&row.text(0)?)?, Timestamp::from_millis(row.int(1)?)));
        rows.iter().map(decision).collect()
    }

    /// Those of a client that may still become something.
    pub async fn open_requests_of_client(
        &self,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Vec<AuthorizationRequest>, Fault> {
        self.rows(OPEN_OF_CLIENT, args![client_id, now.millis()])
            .await?
            .iter()
            .map(request)
            .collect()
    }

    /// Those of an instance that may still become something.
    pub async fn open_requests_of_instance(
        &self,
        instance_id: &str,
        now: Timestamp,
    ) -> Result<Vec<AuthorizationRequest>, Fault> {
        self.rows(OPEN_OF_INSTANCE, args![instance_id, now.millis()])
            .await?
            .iter()
            .map(request)
            .collect()
    }

    /// Those that stand in an inbox undecided, as many as one look is worth: the oldest of each asker first.
    pub async fn inbox_requests(&self, inbox: Inbox<'_>, now: Timestamp) -> Result<Vec<AuthorizationRequest>, Fault> {
        let of = inbox.to_text();
        let first = self.rows(OF_INBOX, args![&*of, now.millis()]).await?;
        let second = self.rows(OF_SECOND_INBOX, args![&*of, now.millis()]).await?;
        first.iter().chain(&second).map(request).collect()
    }

    /// Those that wait for the others of a quorum, as many as one look is worth: the oldest of each asker first.
    pub async fn endorsed_requests(&self, now: Timestamp) -> Result<Vec<AuthorizationRequest>, Fault> {
        self.rows(ENDORSED, args![now.millis()])
            .await?
            .iter()
            .map(request)
            .collect()
    }
}

impl Batch {
    /// Counted in the batch that adds one more, so that many at once do not all find the last place.
    pub fn has_room(self, client_id: &str, source: &str, room: Room, now: Timestamp) -> Self {
        let (now, full) = (now.millis(), Refusal::TooManyOpenRequests);
        let batch = match room.of_client {
            Some(most) => self.one(
                ROOM_OF_CLIENT,
                args![client_id, source, now, i64::from(most), room.for_instance],
                full,
            ),
            None => self,
        };
        match room.of_source {
            Some(most) => batch.one(ROOM_OF_SOURCE, args![source, now, i64::from(most)], full),
            None => batch,
        }
    }

    /// Conflict when one of the codes is taken: draw again.
    pub fn add_request(self, request: &AuthorizationRequest, filed: &Filed<'_>) -> Result<Self, Fault> {
        let content = &request.content;
        let inbox = Inbox::of(content);
        let arguments = args![
            &*content.id,
            request.device_code.as_str(),
            filed.user_code_mac,
            filed.source,
            &*content.client_id,
            to_json(content)?,
            request.digest.as_str(),
            request.state.phase(),
            to_json(&request.state)?,
            request.interval.millis(),
            content.requested_at.millis(),
            content.expires_at.millis(),
            content.instance.as_deref(),
            inbox.map(Inbox::to_text),
            filed.second_inbox.map(|(group, _)| Inbox::OfGroup(group).to_text()),
            filed.second_inbox.map(|(_, from)| from.millis()),
        ];
        let batch = self.guard(INSERT, arguments).tell(inbox);
        // The notices stand and fall with the request.
        let batch = match inbox {
            Some(inbox) => batch.file_notice(&content.id, inbox, content.requested_at),
            None => batch,
        };
        Ok(match filed.second_inbox {
            Some((group, from)) => batch.file_notice(&content.id, Inbox::OfGroup(group), from),
            None => batch,
        })
    }

    /// Moves the request to `state`, if it is still the one that was decided upon.
    /// Whoever waits for its code hears of it, unless somebody has only looked.
    pub fn move_request(self, request: &AuthorizationRequest, state: &State) -> Result<Self, Fault> {
        let batch = self.guard(
            MOVE,
            args![&*request.content.id, request.version, state.phase(), to_json(state)?],
        );
        Ok(match state {
            State::Viewed { .. } => batch,
            _ => batch
                .announce(Announcement::Moved(request.device_code.clone()))
                .tell(Inbox::of(&request.content)),
        })
    }

    fn tell(self, inbox: Option<Inbox<'_>>) -> Self {
        match inbox {
            Some(inbox) => self.announce(inbox.changed()),
            None => self,
        }
    }

    pub fn request_is_unchanged(self, request: &AuthorizationRequest) -> Self {
        self.guard(UNCHANGED, args![&*request.content.id, request.version])
    }

    /// Never bumps the version: a poll must not make an approval decide again.
    pub fn raise_interval(self, request_id: &str, interval: Lifetime) -> Self {
        self.any(RAISE_INTERVAL, args![request_id, interval.millis()])
    }

    pub fn approve(
        self,
        request: &AuthorizationRequest,
        approval: &ConfirmedApproval,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let decision = approval.decision();
        let arguments = args![
            &*request.content.id,
            &*decision.approver,
            to_json(&decision.to_value())?,
            to_json(approval.evidence())?,
            approval.acr(),
            to_json(&approval.amr())?,
            now.millis(),
        ];
        Ok(self.one(APPROVE, arguments, Refusal::AlreadyDecided))
    }
}

fn request(row: &Row) -> Result<AuthorizationRequest, Fault> {
    Ok(AuthorizationRequest {
        content: from_json(&row.text(0)?)?,
        digest: Digest::from_stored(row.text(1)?),
        device_code: Digest::from_stored(row.text(2)?),
        state: from_json(&row.text(3)?)?,
        interval: Lifetime::from_millis(row.int(4)?),
        version: row.int(5)?,
    })
}

fn approval(row: &Row) -> Result<StoredApproval, Fault> {
    Ok(StoredApproval {
        approver_id: row.text(0)?,
        decision: from_json(&row.text(1)?)?,
        evidence: from_json(&row.text(2)?)?,
        context: AuthenticationContext {
            acr: row.text(3)?,
            amr: from_json(&row.text(4)?)?,
            auth_time: Timestamp::from_millis(row.int(5)?),
        },
    })
}
