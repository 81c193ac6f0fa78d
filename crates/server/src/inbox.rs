//! What waits for an approver without a code: what an instance asks its owner or a group, and what others of a
//! quorum have approved. The same on pages and in terminals. Whoever looks is on the record and locks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use protocol::authorization_request::{Act, AuthorizationRequest, CodeEntry, State};
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use store::Batch;
use store::announcement::Announcement;
use store::authorization_requests::Inbox;
use tokio::sync::{Semaphore, broadcast};

use crate::app::App;
use crate::deciding::{Deciding, Opened};
use crate::failure::Failure;
use crate::holding::Place;
use crate::judging;

/// So many are listed at once.
const MOST: usize = 20;

/// And so many of one asker, who would keep what others ask out of an inbox else.
const MOST_OF_ONE: usize = 5;

/// So many pages of one approver hear of changes at once: whoever has more windows open looks now and then. Without a
/// bound one session could take the places of everybody who waits.
const MOST_LISTENING: usize = 8;

/// What waits for an approver.
#[derive(Default)]
pub struct Listed {
    /// Oldest first.
    pub requests: Vec<Opened>,
    /// So many more wait, of the hundred of an inbox that are looked at.
    pub more: usize,
}

/// Where open pages hear that an inbox is not what it was.
pub struct Inboxes {
    told: broadcast::Sender<Announcement>,
    /// The places of each approver who has a page open.
    places: Mutex<BTreeMap<String, Weak<Semaphore>>>,
}

impl Default for Inboxes {
    fn default() -> Self {
        Self {
            told: broadcast::Sender::new(256),
            places: Mutex::default(),
        }
    }
}

impl Inboxes {
    pub fn tell(&self, announcement: Announcement) {
        // An error means that no page is open.
        let _ = self.told.send(announcement);
    }

    pub fn listen(&self) -> broadcast::Receiver<Announcement> {
        self.told.subscribe()
    }

    /// For one more page of this approver, as long as it is kept; none where they have enough.
    pub fn place(&self, approver_id: &str) -> Option<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, own| own.strong_count() > 0);
        let own = places.get(approver_id).and_then(Weak::upgrade);
        let own = own.unwrap_or_else(|| Arc::new(Semaphore::new(MOST_LISTENING)));
        places.insert(approver_id.to_owned(), Arc::downgrade(&own));
        own.try_acquire_owned().ok()
    }
}

/// Of a quorum the others are asked now.
pub fn passed_on(app: &App, request: &AuthorizationRequest, state: &State, profile: &Profile) -> Batch {
    let (State::Endorsed { .. }, Some(group)) = (state, &profile.approval.group) else {
        return Batch::default();
    };
    let batch = Batch::default().announce(Announcement::GroupInbox(group.clone()));
    match request.content.instance {
        Some(_) => batch.file_notice(&request.content.id, Inbox::OfGroup(group), app.now()),
        // Nobody is told of what a key asks that nobody knows.
        None => batch,
    }
}

/// Names what is in an inbox and how it stands, so that a page knows whether it shows that already.
pub fn version(listed: &Listed) -> String {
    let lines = listed.requests.iter().map(|Opened { request, .. }| {
        let have = match &request.state {
            State::Endorsed { by, .. } => by.len(),
            _ => 0,
        };
        format!("{} {have}\n", request.content.id)
    });
    let lines = lines.chain([listed.more.to_string()]);
    Digest::of(lines.collect::<String>().as_bytes())
        .as_str()
        .chars()
        .take(16)
        .collect()
}

/// What may wait for this approver, oldest first.
pub async fn candidates(app: &App, approver_id: &str) -> Result<Vec<AuthorizationRequest>, Failure> {
    let groups = app.every_group_of(approver_id).await?;
    let groups = groups.iter().map(|group| Inbox::OfGroup(group));
    let inboxes: Vec<Inbox<'_>> = [Inbox::OfApprover(approver_id)].into_iter().chain(groups).collect();
    candidates_of(app, &inboxes).await
}

/// What may wait in any of these, and for the others of any quorum.
pub async fn candidates_of(app: &App, inboxes: &[Inbox<'_>]) -> Result<Vec<AuthorizationRequest>, Failure> {
    let (store, now) = (&app.store, app.now());
    let mut found = store.endorsed_requests(now).await?;
    for inbox in inboxes {
        found.extend(store.inbox_requests(*inbox, now).await?);
    }
    found.sort_by(|one, other| one.content.id.cmp(&other.content.id));
    let mut seen = BTreeSet::new();
    found.retain(|request| seen.insert(request.content.id.clone()));
    Ok(found)
}

/// The oldest of each asker, then the second of each, and so on.
fn in_turns(requests: Vec<AuthorizationRequest>) -> impl Iterator<Item = AuthorizationRequest> {
    let mut asked = BTreeMap::new();
    let turn = |request: AuthorizationRequest| {
        let turn = asked.entry(asker(&request)).or_insert(0);
        *turn += 1;
        (*turn, request)
    };
    let mut turns: Vec<_> = requests.into_iter().map(turn).collect();
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, request)| request)
}

/// One instance; where it is not known which, all of its client.
fn asker(request: &AuthorizationRequest) -> (String, Option<String>) {
    (request.content.client_id.clone(), request.content.instance.clone())
}

impl Deciding {
    /// What waits for this approver: neither what they have approved nor what is not theirs.
    pub async fn waiting(&self, app: &App) -> Result<Listed, Failure> {
        let mut listed = Listed::default();
        let mut of_asker = BTreeMap::new();
        for request in in_turns(candidates(app, &self.approver.id).await?) {
            let of_one = of_asker.entry(asker(&request)).or_insert(0);
            let has_room = *of_one < MOST_OF_ONE && listed.requests.len() < MOST;
            match self.visible(app, request, has_room).await {
                Ok(Some(opened)) => {
                    *of_one += 1;
                    listed.requests.push(opened);
                }
                Ok(None) => listed.more += 1,
                Err(failure) if failure.refusal().is_some() => {}
                Err(failure) => return Err(failure),
            }
        }
        let id = |opened: &Opened| opened.request.content.id.clone();
        listed.requests.sort_by_key(id);
        Ok(listed)
    }

    /// With everything, where it is to be listed.
    async fn visible(
        &self,
        app: &App,
        request: AuthorizationRequest,
        is_listed: bool,
    ) -> Result<Option<Opened>, Failure> {
        request.act(&self.taking_up(&request), app.now())?;
        let ground = self.ground(app, &request).await?;
        judging::may_be_seen(app, self, (&request, &ground.0)).await?;
        if is_listed {
            return Ok(Some(self.everything_on(app, request, ground).await?));
        }
        Ok(None)
    }

    /// What is in the inbox is viewed; what others have approved is looked at.
    fn taking_up(&self, request: &AuthorizationRequest) -> Act<'_> {
        let viewer = &self.viewer;
        match request.state {
            State::Pending => Act::View {
                viewer,
                entry: CodeEntry::Push,
            },
            _ => Act::Look { viewer },
        }
    }

    /// Opens one of them, or again what this viewer has opened by code.
    pub async fn open_waiting(&self, app: &App, request_id: &str) -> Result<Opened, Failure> {
        let attempt = || async {
            let found = app.store.request(request_id).await?;
            let request = found.ok_or(Refusal::UserCodeUnusable)?;
            let state = request.act(&self.taking_up(&request), app.now())?;
            let opened = self.everything_of(app, request).await?;
            let batch = self.used_up.clone().then(self.taken_up(app, &opened, &state).await?);
            let request = AuthorizationRequest {
                state,
                ..opened.request.clone()
            };
            Ok::<_, Failure>((batch, Opened { request, ..opened }))
        };
        app.store.decide(attempt).await
    }

    async fn taken_up(&self, app: &App, opened: &Opened, state: &State) -> Result<Batch, Failure> {
        let (request, client) = (&opened.request, &opened.client);
        if !self.is_new_to(request) {
            judging::may_be_seen(app, self, (request, client)).await?;
            return Ok(Batch::default());
        }
        let judged = judging::viewed(app, self, (request, client), CodeEntry::Push).await?;
        let event = self
            .event(app, Action::DeviceViewed, request)
            .ai_agent(client)
            .with("code.entry", CodeEntry::Push.as_str())
            .with(
                "latency.request_to_view_s",
                (app.now() - request.content.requested_at).seconds(),
            );
        let batch = match request.state {
            State::Pending => Batch::default().move_request(request, state)?,
            _ => Batch::default().request_is_unchanged(request),
        };
        Ok(batch.record(&judged.on(event))?)
    }

    /// A reload is no further look.
    fn is_new_to(&self, request: &AuthorizationRequest) -> bool {
        !matches!(&request.state, State::Viewed { viewer, .. } if *viewer == self.viewer)
    }
}
