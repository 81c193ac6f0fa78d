//! What every handler needs, once. One `App` serves production and tests; tests have another clock and
//! other chance, never another type.

use std::sync::Arc;

use arc_swap::ArcSwap;
use protocol::client_auth::ServerNames;
use protocol::event::{Action, Event};
use protocol::time::Timestamp;
use store::Store;
use webauthn_rs::Webauthn;

use crate::client_registry::ClientRegistry;
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::{self, EntropySource};
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
    pub metrics: Metrics,
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

    pub fn names(&self) -> ServerNames<'_> {
        ServerNames { issuer: self.issuer(), token_endpoint: &self.token_endpoint }
    }
}
