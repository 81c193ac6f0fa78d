//! What came of an approval. Every token descends from a grant, names it, and outlives it never.

use crate::approver::Approver;
use crate::authorization_request::AuthorizationRequest;
use crate::client::Client;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::time::{Lifetime, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub request_id: String,
    pub client_id: String,
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
        request: &AuthorizationRequest,
        approved_by: (&Approver, AuthenticationContext),
        redeemed_by: (&Client, Option<&str>),
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let (approver, context) = approved_by;
        let (client, jkt) = redeemed_by;
        still_stands(client, approver, &request.content.scope, now)?;
        Ok(Self {
            id,
            request_id: request.content.id.clone(),
            client_id: client.client_id.clone(),
            subject: approver.id.clone(),
            scope: request.content.scope.clone(),
            resource: request.content.resource.clone(),
            jkt: request.content.jkt.clone().or_else(|| jkt.map(str::to_owned)),
            acr: context.acr,
            amr: context.amr,
            auth_time: context.auth_time,
            created_at: now,
            expires_at: request.content.grant_expires_at,
            ended_at: None,
            ended_because: None,
            version: 1,
        })
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// Asked before every new token of the grant.
    pub fn must_still_stand(&self, client: &Client, approver: &Approver, now: Timestamp) -> Result<(), Refusal> {
        if !self.is_live(now) {
            return Err(Refusal::GrantEnded);
        }
        still_stands(client, approver, &self.scope, now)
    }

    /// No token outlives its grant.
    pub fn token_expiry(&self, lifetime: Lifetime, now: Timestamp) -> Timestamp {
        (now + lifetime).min(self.expires_at)
    }
}

fn still_stands(client: &Client, approver: &Approver, scope: &str, now: Timestamp) -> Result<(), Refusal> {
    client.must_be_active(now)?;
    client.profile()?;
    approver.must_be_active()?;
    if Scope::parse(scope)?.is_within(&client.scope_ceiling()?) {
        Ok(())
    } else {
        Err(Refusal::ScopeNotAllowed)
    }
}
