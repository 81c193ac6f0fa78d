//! What takes part in an approval for the first time: told to the approver, written with the approval. A new
//! network operator for this person is what a phished approval looks like from here.

use std::collections::BTreeSet;

use protocol::authorization_request::Content;
use protocol::event::Event;
use protocol::fact::{Fact, Source};
use protocol::network::Place;
use protocol::time::Timestamp;
use store::{Batch, Fault};

use crate::app::App;

pub struct FirstSeen {
    subjects: [Option<String>; 5],
    seen: BTreeSet<String>,
}

/// In the order of the subjects: the field of the event, and what the page says.
const NAMES: [(&str, &str); 5] = [
    ("first_seen.client", "This client: nobody has approved it before"),
    (
        "first_seen.instance",
        "This instance: nothing was approved for it before",
    ),
    ("first_seen.owner", "You: this would be your first approval here"),
    (
        "first_seen.operator",
        "This network operator: nothing was approved from it before",
    ),
    (
        "first_seen.pair",
        "This network operator for you: you have not approved from it before",
    ),
];

impl FirstSeen {
    pub async fn of(app: &App, content: &Content, approver_id: &str, requester: &Place) -> Result<Self, Fault> {
        let operator = requester.operator.as_ref().map(|operator| operator.number);
        let subjects = [
            Some(format!("client:{}", content.client_id)),
            content.instance.as_ref().map(|instance| format!("instance:{instance}")),
            Some(format!("owner:{approver_id}")),
            operator.map(|number| format!("operator:{number}")),
            operator.map(|number| format!("pair:{approver_id}:{number}")),
        ];
        let asked = subjects
            .each_ref()
            .map(|subject| subject.as_deref().unwrap_or_default());
        let seen = app.store.seen_before(asked).await?;
        Ok(Self { subjects, seen })
    }

    /// None where it is not known whom to look for.
    fn flags(&self) -> impl Iterator<Item = (&'static str, &'static str, Option<bool>)> {
        NAMES
            .into_iter()
            .zip(&self.subjects)
            .map(|((name, sentence), subject)| {
                let is_first = subject.as_ref().map(|subject| !self.seen.contains(subject));
                (name, sentence, is_first)
            })
    }

    pub fn facts(&self) -> Vec<Fact> {
        self.flags()
            .filter(|(_, _, is_first)| *is_first == Some(true))
            .map(|(name, sentence, _)| Fact::new(name, sentence, Source::Derived))
            .collect()
    }

    pub fn on(&self, event: Event) -> Event {
        self.flags()
            .fold(event, |event, (name, _, is_first)| event.with(name, is_first))
    }

    /// From now on they are known.
    pub fn noted(&self, batch: Batch, now: Timestamp) -> Batch {
        let subjects = self.subjects.iter().flatten();
        subjects.fold(batch, |batch, subject| batch.see(subject, now))
    }
}
