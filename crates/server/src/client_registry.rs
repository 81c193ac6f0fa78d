//! All registered clients in memory, so that a poll asks no database. A change made here is seen at
//! once; one made by another process within [`ClientRegistry::REFRESH`]. What is decided for good reads
//! the client again, in the batch that decides.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use protocol::admission::{Admission, Evidence};
use protocol::client::Client;
use protocol::scope::Scope;
use protocol::time::{Lifetime, Timestamp};
use store::{Fault, Store};
use tokio::sync::Mutex;

#[derive(Default)]
struct Snapshot {
    clients: HashMap<String, Arc<Client>>,
    admissions: Vec<Arc<Admission>>,
    /// Resources of resource servers, and the scopes that belong to each.
    declared: Vec<(String, Scope)>,
    loaded_at: Timestamp,
}

pub struct ClientRegistry {
    snapshot: ArcSwap<Snapshot>,
    asks_for_certificates: Arc<AtomicBool>,
    /// Who reads has the turn, so that an older reading never replaces a newer one.
    turn: Mutex<()>,
}

impl ClientRegistry {
    pub const REFRESH: Lifetime = Lifetime::from_seconds(2);

    pub async fn load(store: &Store, now: Timestamp) -> Result<Self, Fault> {
        let registry = Self {
            snapshot: ArcSwap::default(),
            asks_for_certificates: Arc::default(),
            turn: Mutex::default(),
        };
        registry.reload(store, now).await?;
        Ok(registry)
    }

    pub async fn reload(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        self.read(store, now).await
    }

    async fn read(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        let clients = store.clients().await?;
        let admissions: Vec<Arc<Admission>> = store
            .admissions()
            .await?
            .into_iter()
            .filter(|listed| listed.removed_at.is_none())
            .map(|listed| Arc::new(listed.admission))
            .collect();
        self.asks_for_certificates.store(
            clients.iter().any(shows_certificates) || admissions.iter().any(|admission| takes_certificates(admission)),
            Ordering::Relaxed,
        );
        let declared = clients
            .iter()
            .filter(|client| client.registration.introspect)
            .flat_map(declared_by)
            .collect();
        let clients = clients
            .into_iter()
            .map(|client| (client.client_id.clone(), Arc::new(client)))
            .collect();
        self.snapshot.store(Arc::new(Snapshot {
            clients,
            admissions,
            declared,
            loaded_at: now,
        }));
        Ok(())
    }

    /// Where another process may have written, an old snapshot serves while one caller reads a new one; a
    /// client that it does not know may have been registered this very moment.
    pub async fn client(&self, store: &Store, client_id: &str, now: Timestamp) -> Result<Option<Arc<Client>>, Fault> {
        if store.is_shared() {
            Box::pin(self.catch_up(store, client_id, now)).await?;
        }
        Ok(self.known(client_id))
    }

    async fn catch_up(&self, store: &Store, client_id: &str, now: Timestamp) -> Result<(), Fault> {
        let is_old = now - self.snapshot.load().loaded_at > Self::REFRESH;
        if is_old && let Ok(_turn) = self.turn.try_lock() {
            self.read(store, now).await?;
        }
        if self.known(client_id).is_none() && store.client(client_id).await?.is_some() {
            self.reload(store, now).await?;
        }
        Ok(())
    }

    fn known(&self, client_id: &str) -> Option<Arc<Client>> {
        self.snapshot.load().clients.get(client_id).cloned()
    }

    /// Whose word lets instances of a client in.
    pub fn admissions_of(&self, client_id: &str) -> Vec<Arc<Admission>> {
        let snapshot = self.snapshot.load();
        let own = snapshot
            .admissions
            .iter()
            .filter(|admission| admission.client_id == client_id);
        own.cloned().collect()
    }

    /// The client that a workload is admitted to, where it is one: a JWT-SVID may come without a `client_id`.
    pub fn client_of_workload(&self, spiffe_id: &str) -> Option<String> {
        let snapshot = self.snapshot.load();
        let mut clients = snapshot
            .admissions
            .iter()
            .filter_map(|admission| match &admission.terms.evidence {
                Evidence::Spiffe { subject, .. } if subject.as_str() == spiffe_id => Some(admission.client_id.as_str()),
                _ => None,
            });
        let first = clients.next()?;
        clients.all(|client_id| client_id == first).then(|| first.to_owned())
    }

    /// Whether TLS connections are asked for a certificate: only while somebody is known by one, because
    /// browsers that have any then ask the person which to show.
    pub fn asks_for_certificates(&self) -> Arc<AtomicBool> {
        self.asks_for_certificates.clone()
    }

    /// The resources that these scopes are declared for. A13.
    pub fn resources_of(&self, scope: &Scope) -> BTreeSet<String> {
        let snapshot = self.snapshot.load();
        let belongs = |own: &Scope| scope.iter().any(|token| own.contains(token));
        snapshot
            .declared
            .iter()
            .filter(|(_, own)| belongs(own))
            .map(|(resource, _)| resource.clone())
            .collect()
    }
}

fn shows_certificates(client: &Client) -> bool {
    let registration = &client.registration;
    client.disabled_at.is_none() && (registration.certificate_bound || registration.authentication.is_by_certificate())
}

fn takes_certificates(admission: &Admission) -> bool {
    matches!(&admission.terms.evidence, Evidence::Spiffe { bundle, .. } if !bundle.x509.is_empty())
}

fn declared_by(client: &Client) -> Vec<(String, Scope)> {
    let scope = client.scope_ceiling().unwrap_or_default();
    client
        .registration
        .resource
        .iter()
        .map(|resource| (resource.clone(), scope.clone()))
        .collect()
}
