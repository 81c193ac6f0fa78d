//! Who asks: the enrolled instance behind a key, and whether its client's profile lets it ask at all. What
//! a stranger starts ends here, before there is a code (RFC 10027 §6.1.7 and §6.1.8).

use protocol::client::Client;
use protocol::event::Action;
use protocol::fact::{Fact, Source};
use protocol::instance::Instance;
use protocol::profile::{AskingKey, Profile};
use protocol::refusal::Refusal;
use store::Batch;

use crate::admitting;
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::initiating::Initiator;
use crate::{peer, posture};

/// What stands behind a request beside its client.
pub struct Asker {
    pub instance: Option<Instance>,
    /// What makes it an instance, where this is the first that is seen of it.
    entry: Batch,
    /// Who signed there, before there is a code (X15).
    pub initiator: Option<Initiator>,
    /// What is stated of its machine.
    posture: Vec<Fact>,
}

impl Asker {
    pub async fn find(app: &App, asked: &ClientRequest, profile: &Profile) -> Result<Self, Failure> {
        let must_be_known = profile.key == AskingKey::Enrolled;
        let asker = Self::known(app, asked, (profile, must_be_known), Action::DeviceRefused).await?;
        Ok(Self {
            initiator: Initiator::find(app, asked, profile).await?,
            ..asker
        })
    }

    /// For itself, with no person there: known under every profile.
    pub async fn of_machine(app: &App, asked: &ClientRequest, profile: &Profile) -> Result<Self, Failure> {
        Self::known(app, asked, (profile, true), Action::TokenRefused).await
    }

    async fn known(
        app: &App,
        asked: &ClientRequest,
        (profile, must_be_known): (&Profile, bool),
        refused: Action,
    ) -> Result<Self, Failure> {
        if profile.demands_key() && asked.proven_key().is_none() {
            return Err(Refusal::DpopProofMissing.into());
        }
        if !profile.may_ask_from(asked.address.address) {
            return Err(Refusal::NetworkNotAllowed.into());
        }
        let known = match asked.proven_key() {
            Some(jkt) => enrolled(app, asked.client(), jkt).await?,
            None => None,
        };
        let known_id = known.as_ref().map(|known| known.id.clone());
        let refused = || {
            asked
                .event(app, refused)
                .client(&asked.client().client_id)
                .with("profile", profile.name.clone())
                .with("key.jkt", asked.jkt())
                .with("instance.id", known_id)
        };
        let (instance, entry) = match known {
            Some(instance) => (Some(instance), Batch::default()),
            None => attested(app, asked).await?,
        };
        if must_be_known && instance.is_none() {
            return Err(Refusal::InstanceUnknown.into());
        }
        let whose = peer::network(asked.address.counted).to_string();
        Ok(Self {
            instance,
            entry,
            initiator: None,
            posture: posture::facts(app, asked, profile, (refused, &whose)).await?,
        })
    }

    pub fn posture(&self) -> &[Fact] {
        &self.posture
    }

    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(initiator) = &self.initiator {
            facts.push(Fact::new(Fact::INITIATOR, &initiator.approver.name, Source::Proven));
        }
        facts.extend(self.instance.iter().flat_map(facts_of));
        facts.extend(self.posture.iter().cloned());
        facts
    }

    /// Whether it may ask is asked again when a person opens it, and whenever a token is issued.
    pub fn seen(&self, app: &App) -> Batch {
        let used_up = self.initiator.as_ref().map(Initiator::used_up).unwrap_or_default();
        match &self.instance {
            Some(instance) => used_up.then(self.entry.clone()).instance_seen(&instance.id, app.now()),
            None => used_up,
        }
    }
}

/// What is known of an instance, with its sources.
pub fn facts_of(Instance { about, .. }: &Instance) -> Vec<Fact> {
    let known = [
        Fact::new(Fact::INSTANCE_NAME, &about.name, about.name_source()),
        Fact::new(Fact::INSTANCE_WAY_IN, about.way_in.kind(), Source::Proven),
    ];
    known.into_iter().chain(about.facts.iter().cloned()).collect()
}

/// An attested key that is not known yet becomes an instance with its first request: policies are asked about
/// that first, and about the request after it.
async fn attested(app: &App, asked: &ClientRequest) -> Result<(Option<Instance>, Batch), Failure> {
    let (Some(attested), Some(proof)) = (&asked.attested, &asked.proof) else {
        return Ok((None, Batch::default()));
    };
    let name: String = attested.thumbprint().chars().take(8).collect();
    let admitted = admitting::by_attestation(app, attested)?;
    let (instance, entry) = admitted.instance(app, asked, proof, (&*name, Vec::new())).await?;
    Ok((Some(instance), entry))
}

/// The active instance of this client that holds the key. An owner who is locked answers for nothing (NHI1).
pub async fn enrolled(app: &App, client: &Client, jkt: &str) -> Result<Option<Instance>, Failure> {
    let Some(instance) = app.store.instance_by_key(jkt, app.now()).await? else {
        return Ok(None);
    };
    if instance.client_id != client.client_id {
        return Err(Refusal::InstanceUnknown.into());
    }
    instance.must_be_active(app.now())?;
    match app.store.approver(&instance.owner).await? {
        Some(owner) if owner.must_be_active().is_ok() => Ok(Some(instance)),
        _ => Err(Refusal::InstanceSuspended.into()),
    }
}
