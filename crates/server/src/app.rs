//! What every handler needs, once. One `App` serves production and tests; tests have another clock and
//! other chance, never another type.

use std::sync::Arc;

use arc_swap::ArcSwap;
use protocol::client::Client;
use protocol::client_auth::ServerNames;
use protocol::event::{Action, Event};
use protocol::grant::Grant;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use store::{Batch, Fault, Rejected, Store};
use webauthn_rs::Webauthn;

use crate::client_registry::ClientRegistry;
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::{self, EntropySource};
use crate::failure::Failure;
use crate::keys::{DerivedKeys, KeyRing};
use crate::limits::SourceLimits;
use crate::metrics::Metrics;
use crate::pending::PendingRequests;
use crate::seen::SeenOnce;

pub struct App {
    pub store: Store,
    pub config: Config,
    pub clock: Clock,
    pub entropy: EntropySource,
    pub keys: ArcSwap<KeyRing>,
    pub derived: DerivedKeys,
    pub clients: ClientRegistry,
    pub pending: PendingRequests,
    pub seen: SeenOnce,
    pub limits: SourceLimits,
    pub metrics: Arc<Metrics>,
    pub webauthn: Webauthn,
    pub token_endpoint: String,
}

pub type Shared = Arc<App>;

impl App {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A time-ordered random identifier.
    pub fn new_id(&self) -> String {
        entropy::time_ordered_id(self.now(), &self.entropy.draw())
    }

    pub fn event(&self, action: Action) -> Event {
        Event::new(self.new_id(), self.now(), action)
    }

    pub fn issuer(&self) -> &str {
        self.config.issuer.as_str()
    }

    /// Writes a batch that stands on nothing that could have changed.
    pub async fn commit(&self, batch: Batch) -> Result<(), Failure> {
        match self.store.commit(batch).await {
            Ok(()) => Ok(()),
            Err(Rejected::Refused(refusal)) => Err(refusal.into()),
            Err(rejected) => Err(Fault::from(rejected).into()),
        }
    }

    /// Ends a grant on the record, with everything that descends from it; nothing where it has ended.
    pub fn end_grant(&self, grant: &Grant, because: &str) -> Result<Batch, Fault> {
        if grant.ended_at.is_some() {
            return Ok(Batch::default());
        }
        let event = self.event(Action::GrantEnded).grant(grant).with("because", because);
        Batch::default().end_grant(grant, because, self.now()).record(&event)
    }

    /// The client as it stands in the database now: for what is decided for good.
    pub async fn stored_client(&self, client_id: &str) -> Result<Client, Failure> {
        self.store
            .client(client_id)
            .await?
            .ok_or(Failure::Refusal(Refusal::ClientUnknown))
    }

    pub fn names(&self) -> ServerNames<'_> {
        ServerNames {
            issuer: self.issuer(),
            token_endpoint: &self.token_endpoint,
        }
    }
}
