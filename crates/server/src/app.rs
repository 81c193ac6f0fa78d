//! What every handler needs, once. One `App` serves production and tests; tests have another clock and
//! other chance, never another type.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use protocol::approver::Approver;
use protocol::authorization_request::{Act, AuthorizationRequest, State};
use protocol::client::Client;
use protocol::client_auth::ServerNames;
use protocol::details::Types;
use protocol::event::{Action, Event};
use protocol::grant::{Grant, Ground};
use protocol::instance::Instance;
use protocol::network::Place;
use protocol::profile::{Profile, Profiles};
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use store::upstream_identities::CountedClaims;
use store::{Batch, Fault, Rejected, Store};
use webauthn_rs::Webauthn;

use crate::client_registry::ClientRegistry;
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::{self, EntropySource};
use crate::failure::Failure;
use crate::fresh_nonce::FreshNonce;
use crate::hardware::Hardware;
use crate::holding::Holds;
use crate::inbox::Inboxes;
use crate::issuer_keys::IssuerKeys;
use crate::keys::{DerivedKeys, KeyRing};
use crate::limits::SourceLimits;
use crate::metrics::Metrics;
use crate::notices::{Mailer, Outbound, Vapid};
use crate::pending::PendingRequests;
use crate::place::Places;
use crate::policies::InForce;
use crate::seen::SeenOnce;
use crate::upstream::Upstream;

pub struct App {
    pub store: Store,
    pub config: Config,
    pub clock: Clock,
    pub entropy: EntropySource,
    pub keys: ArcSwap<KeyRing>,
    pub derived: DerivedKeys,
    pub fresh_nonce: FreshNonce,
    pub clients: ClientRegistry,
    pub pending: PendingRequests,
    pub holds: Holds,
    pub inboxes: Inboxes,
    /// By which notices leave.
    pub outbound: Outbound,
    /// None where no mail server is configured.
    pub mailer: Option<Mailer>,
    pub vapid: Vapid,
    pub places: Arc<Places>,
    pub policies: InForce,
    pub seen: SeenOnce,
    pub limits: SourceLimits,
    pub issuer_keys: IssuerKeys,
    pub metrics: Arc<Metrics>,
    /// Which passkeys are more than `phr`.
    pub hardware: Hardware,
    pub webauthn: Webauthn,
    /// None where no provider is configured.
    pub upstream: Option<Upstream>,
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
    pub async fn end_grant(&self, grant: &Grant, because: &str) -> Result<Batch, Fault> {
        if grant.ended_at.is_some() {
            return Ok(Batch::default());
        }
        let event = self.grant_ended(grant, because).await?;
        Batch::default().end_grant(grant, because, self.now()).record(&event)
    }

    /// For a grant that ends before its time.
    pub async fn grant_ended(&self, grant: &Grant, because: &str) -> Result<Event, Fault> {
        let event = self.event(Action::GrantEnded).grant(grant).with("because", because);
        self.naming_agent(event).await
    }

    /// Whoever hunts for an agent finds what it was refused, and what became of what it had, by its name too.
    pub async fn naming_agent(&self, event: Event) -> Result<Event, Fault> {
        let client = match &event.client_id {
            Some(client_id) => self.clients.client(&self.store, client_id, self.now()).await?,
            None => None,
        };
        Ok(match client {
            Some(client) => event.ai_agent(&client),
            None => event,
        })
    }

    /// Ends a request that nothing has come of, on the record. Whoever commits it forgets its code.
    pub async fn cancel(&self, request: &AuthorizationRequest, because: &str) -> Result<Batch, Failure> {
        let state = request.act(&Act::Cancel { because }, self.now())?;
        let event = self.cancelled(request, &state).await?;
        Ok(Batch::default().move_request(request, &state)?.record(&event)?)
    }

    /// For a request that ends undone.
    pub async fn cancelled(&self, request: &AuthorizationRequest, state: &State) -> Result<Event, Fault> {
        let because = match state {
            State::Cancelled { because, .. } => Some(because.clone()),
            _ => None,
        };
        let event = self.event(Action::DeviceCancelled).request(request);
        self.naming_agent(event.with("because", because)).await
    }

    /// The client as it stands in the database now: for what is decided for good.
    pub async fn stored_client(&self, client_id: &str) -> Result<Client, Failure> {
        self.store
            .client(client_id)
            .await?
            .ok_or(Failure::Refusal(Refusal::ClientUnknown))
    }

    pub fn profiles(&self) -> &Profiles {
        &self.config.profiles.profiles
    }

    /// The types of `authorization_details` that are known here.
    pub fn details(&self) -> &Types {
        &self.config.details_types
    }

    /// The profile that governs a client now.
    pub fn profile_of(&self, client: &Client) -> Result<&Arc<Profile>, Refusal> {
        self.profiles().of(client)
    }

    /// What a grant of theirs stands on now.
    pub fn ground<'a>(
        &'a self,
        client: &'a Client,
        approver: &'a Approver,
        instance: Option<&'a Instance>,
    ) -> Ground<'a> {
        Ground {
            client,
            approver,
            instance,
            profiles: self.profiles(),
            details: self.details(),
            issuer: self.issuer(),
        }
    }

    /// The instance that a grant or a request names; None where it names none, or none that is there.
    pub async fn named_instance(&self, id: Option<&str>) -> Result<Option<Instance>, Fault> {
        match id {
            Some(id) => self.store.instance(id).await,
            None => Ok(None),
        }
    }

    /// The groups that count for an approver, where the profile asks for one.
    pub async fn groups_of(&self, approver_id: &str, profile: &Profile) -> Result<Vec<String>, Fault> {
        match &profile.approval.group {
            Some(_) => self.every_group_of(approver_id).await,
            None => Ok(Vec::new()),
        }
    }

    /// What is known of an address.
    pub fn place(&self, address: Option<IpAddr>) -> Place {
        self.places.place(address)
    }

    /// Every group that counts for this approver now.
    pub async fn every_group_of(&self, approver_id: &str) -> Result<Vec<String>, Fault> {
        self.store.groups_of(approver_id, self.counted_claims().as_ref()).await
    }

    /// Which groups of upstream claims count now: those of the configured provider that are mapped, and
    /// for a limited time, since nobody tells this server when somebody leaves one.
    pub fn counted_claims(&self) -> Option<CountedClaims> {
        let config = self.config.upstream.as_ref()?;
        Some(CountedClaims {
            issuer: config.issuer.clone(),
            since: self.now() - config.groups_lifetime,
            groups: config.groups.clone(),
        })
    }

    pub fn names(&self) -> ServerNames<'_> {
        ServerNames {
            issuer: self.issuer(),
            token_endpoint: &self.token_endpoint,
        }
    }
}
