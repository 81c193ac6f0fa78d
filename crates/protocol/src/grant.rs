//! What came of an approval. Every token descends from a grant, names it, and outlives it never.

use crate::approver::Approver;
use crate::authorization_request::AuthorizationRequest;
use crate::client::Client;
use crate::instance::Instance;
use crate::profile::{AskingKey, Profile, Profiles};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::time::{Lifetime, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub request_id: String,
    pub client_id: String,
    /// The enrolled instance that asked, where one did.
    pub instance_id: Option<String>,
    /// The approver: the `sub` of every token.
    pub subject: String,
    pub scope: String,
    pub resource: Vec<String>,
    /// Thumbprint of the key that its tokens are bound to.
    pub jkt: Option<String>,
    pub acr: String,
    pub amr: Vec<String>,
    /// When the person decided: the `auth_time` of every token.
    pub auth_time: Timestamp,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_because: Option<String>,
    pub version: i64,
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
        (request, context): (&AuthorizationRequest, AuthenticationContext),
        ground: &Ground<'_>,
        jkt: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let content = &request.content;
        if !content.is_under(ground.profiles.of(ground.client)?) {
            return Err(Refusal::GrantEnded);
        }
        let grant = Self {
            id,
            request_id: content.id.clone(),
            client_id: ground.client.client_id.clone(),
            instance_id: content.instance.clone(),
            subject: ground.approver.id.clone(),
            scope: content.scope.clone(),
            resource: content.resource.clone(),
            jkt: content.jkt.clone().or_else(|| jkt.map(str::to_owned)),
            acr: context.acr,
            amr: context.amr,
            auth_time: context.auth_time,
            created_at: now,
            expires_at: content.grant_expires_at,
            ended_at: None,
            ended_because: None,
            version: 1,
        };
        ground.stands(&grant, now)?;
        Ok(grant)
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

    /// No token outlives its grant.
    pub fn token_expiry(&self, lifetime: Lifetime, now: Timestamp) -> Timestamp {
        (now + lifetime).min(self.expires_at)
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
    /// The audience of a client that names no resource.
    pub issuer: &'a str,
}

impl Ground<'_> {
    /// A client that was given a stricter profile, or a lower ceiling, keeps nothing that it would not get now.
    fn stands(&self, grant: &Grant, now: Timestamp) -> Result<(), Refusal> {
        self.client.must_be_active(now)?;
        self.approver.must_be_active()?;
        self.has_the_key_that(self.profiles.of(self.client)?, grant, now)?;
        let ceiling = &self.client.registration.resource;
        let is_within =
            |resource: &String| ceiling.contains(resource) || (ceiling.is_empty() && resource == self.issuer);
        if !grant.resource.iter().all(is_within) {
            return Err(Refusal::ResourceNotAllowed);
        }
        if Scope::parse(&grant.scope)?.is_within(&self.client.scope_ceiling()?) {
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
