//! What came of an approval. Every token descends from a grant, names it, and outlives it never.

use crate::approver::Approver;
use crate::authentication::{PHR, PHRH, SOFTWARE_KEY};
use crate::authorization_request::AuthorizationRequest;
use crate::client::Client;
use crate::decision::Granted;
use crate::details::{Details, Types};
use crate::instance::Instance;
use crate::profile::{AskingKey, Profile, Profiles};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::time::{Lifetime, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub origin: Origin,
    /// None where nobody was asked.
    pub request_id: Option<String>,
    pub client_id: String,
    /// The enrolled instance that asked, where one did.
    pub instance_id: Option<String>,
    /// Who answers for it: the approver, or the owner of the instance that asked nobody.
    pub subject: String,
    pub scope: String,
    pub resource: Vec<String>,
    pub authorization_details: Details,
    /// Thumbprint of the key that its tokens are bound to.
    pub jkt: Option<String>,
    /// Thumbprint of the certificate that they are bound to (RFC 8705 §3.1).
    pub x5t: Option<String>,
    pub acr: String,
    pub amr: Vec<String>,
    /// When the person decided: the `auth_time` of every token.
    pub auth_time: Timestamp,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_because: Option<String>,
    /// Of a command that may be run several times. None where it is run once, with what the code was redeemed for.
    pub runs_left: Option<i64>,
    pub version: i64,
}

/// What a grant came of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A person's approval. RFC 8628 §3.4.
    DeviceCode,
    /// An instance's own word, within what an administrator gave its client. RFC 6749 §4.4.
    ClientCredentials,
}

impl Origin {
    pub const ALL: [Self; 2] = [Self::DeviceCode, Self::ClientCredentials];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeviceCode => "device_code",
            Self::ClientCredentials => "client_credentials",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }
}

/// What proved itself with a request for tokens, and is what they are bound to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    pub jkt: Option<&'a str>,
    /// Where the client is registered for bound tokens.
    pub x5t: Option<&'a str>,
}

/// How the approver was authenticated when deciding, as stored with the approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationContext {
    pub acr: String,
    pub amr: Vec<String>,
    pub auth_time: Timestamp,
}

impl Grant {
    /// A grant begins when an approved code is redeemed. Everything that was decided upon is asked
    /// again: between approval and redemption a client may have been disabled, an approver locked, a
    /// scope withdrawn.
    pub fn begin(
        id: String,
        (request, granted, context): (&AuthorizationRequest, &Granted, AuthenticationContext),
        ground: &Ground<'_>,
        keys: Keys<'_>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let content = &request.content;
        if !content.is_under(ground.profiles.of(ground.client)?) {
            return Err(Refusal::GrantEnded);
        }
        let runs = granted.authorization_details.runs();
        let grant = Self {
            id,
            origin: Origin::DeviceCode,
            request_id: Some(content.id.clone()),
            client_id: ground.client.client_id.clone(),
            instance_id: content.instance.clone(),
            subject: ground.approver.id.clone(),
            scope: granted.scope.to_string(),
            resource: granted.resource.clone(),
            authorization_details: granted.authorization_details.clone(),
            jkt: content.jkt.clone().or_else(|| keys.jkt.map(str::to_owned)),
            x5t: content.x5t.clone().or_else(|| keys.x5t.map(str::to_owned)),
            acr: context.acr,
            amr: context.amr,
            auth_time: context.auth_time,
            created_at: now,
            expires_at: Timestamp::from_seconds(granted.expires_at),
            ended_at: None,
            ended_because: None,
            runs_left: (runs > 1).then(|| runs - 1),
            version: 1,
        };
        ground.stands(&grant, now)?;
        Ok(grant)
    }

    /// An instance asks nobody: what its client's ceiling and profile give is its own.
    pub fn of_machine(
        id: String,
        (granted, expires_at): (MachineGranted, Timestamp),
        ground: &Ground<'_>,
        keys: Keys<'_>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let instance = ground.instance.ok_or(Refusal::InstanceUnknown)?;
        let grant = Self {
            id,
            origin: Origin::ClientCredentials,
            request_id: None,
            client_id: ground.client.client_id.clone(),
            instance_id: Some(instance.id.clone()),
            subject: ground.approver.id.clone(),
            scope: granted.scope,
            resource: granted.resource,
            authorization_details: granted.authorization_details,
            jkt: keys.jkt.map(str::to_owned),
            x5t: keys.x5t.map(str::to_owned),
            acr: String::new(),
            amr: Vec::new(),
            auth_time: now,
            created_at: now,
            expires_at: expires_at.min(now + MACHINE_LIFETIME).min(instance.expires_at),
            ended_at: None,
            ended_because: None,
            runs_left: None,
            version: 1,
        };
        ground.stands(&grant, now)?;
        Ok(grant)
    }

    /// Whether another token of the same may come of this one, for as long as one of its own.
    pub fn gives(&self, granted: &MachineGranted, keys: Keys<'_>, until: Timestamp) -> bool {
        self.origin == Origin::ClientCredentials
            && self.jkt.as_deref() == keys.jkt
            && self.x5t.as_deref() == keys.x5t
            && self.scope == granted.scope
            && self.resource == granted.resource
            && self.authorization_details == granted.authorization_details
            && self.expires_at >= until
    }

    /// The `sub` of its tokens. RFC 9068 §2.2: without a person it names whoever asked, and never a person.
    pub fn sub(&self) -> &str {
        match (self.origin, &self.instance_id) {
            (Origin::ClientCredentials, Some(instance)) => instance,
            _ => &self.subject,
        }
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// Asked before every new token of the grant.
    pub fn must_still_stand(&self, ground: &Ground<'_>, now: Timestamp) -> Result<(), Refusal> {
        if !self.is_live(now) {
            return Err(Refusal::GrantEnded);
        }
        ground.stands(self, now)
    }

    /// The grant after one more run of its command.
    pub fn run_again(self) -> Result<Self, Refusal> {
        let left = self.runs_left.filter(|left| *left > 0).ok_or(Refusal::RunsUsedUp)?;
        Ok(Self {
            runs_left: Some(left - 1),
            ..self
        })
    }

    /// No token outlives its grant.
    pub fn token_expiry(&self, lifetime: Lifetime, now: Timestamp) -> Timestamp {
        (now + lifetime).min(self.expires_at)
    }
}

/// A machine that asks nobody gets the same again and again from one grant, and a new one each day: the record
/// shows by the day what is used.
const MACHINE_LIFETIME: Lifetime = Lifetime::from_seconds(86_400);

/// What a machine asks of nobody, once it was found to be within its client's ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineGranted {
    pub scope: String,
    pub resource: Vec<String>,
    pub authorization_details: Details,
}

/// A key in hardware may have been recorded by what was demanded of it then: that it was one stands in `amr`.
fn was_strong_enough(profile: &Profile, grant: &Grant) -> bool {
    let is_software = grant.acr == SOFTWARE_KEY;
    match profile.approval.acr.as_deref() {
        Some(PHRH) => grant.amr.iter().any(|method| method == "hwk"),
        Some(PHR) => !is_software,
        _ => !is_software || profile.approval.software_keys,
    }
}

/// What a grant stands on, as it is now.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    pub client: &'a Client,
    pub approver: &'a Approver,
    /// The instance that the grant names, where it names one.
    pub instance: Option<&'a Instance>,
    pub profiles: &'a Profiles,
    pub details: &'a Types,
    /// The audience of a client that names no resource.
    pub issuer: &'a str,
}

impl Ground<'_> {
    /// A client that was given a stricter profile, or a lower ceiling, keeps nothing that it would not get now.
    fn stands(&self, grant: &Grant, now: Timestamp) -> Result<(), Refusal> {
        self.client.must_be_active(now)?;
        self.approver.must_be_active()?;
        let profile = self.profiles.under(self.client, grant.origin)?;
        self.has_the_key_that(profile, grant, now)?;
        if grant.origin == Origin::DeviceCode && !was_strong_enough(profile, grant) {
            return Err(Refusal::ApprovalTooWeak);
        }
        let ceiling = &self.client.registration.resource;
        let is_within =
            |resource: &String| ceiling.contains(resource) || (ceiling.is_empty() && resource == self.issuer);
        if !grant.resource.iter().all(is_within) {
            return Err(Refusal::ResourceNotAllowed);
        }
        let ceiling = &self.client.registration.authorization_details;
        if !self.details.is_within_ceiling(&grant.authorization_details, ceiling) {
            return Err(Refusal::DetailsNotAllowed);
        }
        profile.must_allow_runs(&grant.authorization_details)?;
        let scope = Scope::parse(&grant.scope)?;
        let is_under = |most: &Scope| scope.is_within(most);
        if scope.is_within(&self.client.scope_ceiling()?) && profile.scopes.as_ref().is_none_or(is_under) {
            Ok(())
        } else {
            Err(Refusal::ScopeNotAllowed)
        }
    }

    fn has_the_key_that(&self, profile: &Profile, grant: &Grant, now: Timestamp) -> Result<(), Refusal> {
        if profile.demands_key() && grant.jkt.is_none() {
            return Err(Refusal::GrantEnded);
        }
        let Some(id) = &grant.instance_id else {
            return match profile.key {
                AskingKey::Enrolled => Err(Refusal::InstanceGone),
                AskingKey::Any | AskingKey::Proof => Ok(()),
            };
        };
        let instance = self.instance.filter(|instance| instance.id == *id);
        let instance = instance.ok_or(Refusal::InstanceGone)?;
        instance.must_be_active(now).map_err(|_| Refusal::InstanceGone)
    }
}
