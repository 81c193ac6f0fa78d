//! What is told of a write once it stands: to the other parts of this process, and on PostgreSQL to the other
//! processes on the same database. Whoever misses one loses time and nothing else.

use protocol::digest::Digest;
use tokio::sync::broadcast;

use crate::Batch;

/// So many may wait for a slow listener, who then hears `Missed` in their place.
const BACKLOG: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Whoever waits for this code asks again.
    Moved(Digest),
    /// What waits for this approver is not what it was.
    Inbox(String),
    /// The same for every member of a group, by its name.
    GroupInbox(String),
    /// Some could not be heard: anything may have changed.
    Missed,
}

impl Announcement {
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Moved(code) => format!("moved {}", code.as_str()),
            Self::Inbox(approver_id) => format!("inbox {approver_id}"),
            Self::GroupInbox(group) => format!("group {group}"),
            Self::Missed => "missed".to_owned(),
        }
    }

    /// What another version of this program says and this one does not know is as good as missed.
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("moved", code)) => Self::Moved(Digest::from_stored(code.to_owned())),
            Some(("inbox", approver_id)) => Self::Inbox(approver_id.to_owned()),
            Some(("group", group)) => Self::GroupInbox(group.to_owned()),
            _ => Self::Missed,
        }
    }
}

impl Batch {
    pub fn announce(mut self, announcement: Announcement) -> Self {
        self.announcements.push(announcement);
        self
    }
}

/// Where announcements are heard.
pub struct Announcements(broadcast::Receiver<Announcement>);

impl Announcements {
    /// The next one; none when the store is closed.
    pub async fn next(&mut self) -> Option<Announcement> {
        match self.0.recv().await {
            Ok(announcement) => Some(announcement),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Announcement::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Where they are told.
#[derive(Clone)]
pub(crate) struct Told(broadcast::Sender<Announcement>);

impl Told {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    pub(crate) fn tell(&self, announcement: Announcement) {
        // An error means that nobody listens.
        let _ = self.0.send(announcement);
    }

    pub(crate) fn listen(&self) -> Announcements {
        Announcements(self.0.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        for announcement in [
            Announcement::Moved(Digest::of(b"code")),
            Announcement::Inbox("0190-a".to_owned()),
            Announcement::GroupInbox("on call tonight".to_owned()),
            Announcement::Missed,
        ] {
            assert_eq!(Announcement::parse(&announcement.to_text()), announcement);
        }
        assert_eq!(Announcement::parse("of a later version"), Announcement::Missed);
    }
}
