//! Whether an access token of ours still stands: its signature, its time, its grant and everything that
//! the grant stands on. RFC 9068 §4, RFC 7662 §2.2.

use protocol::approver::Approver;
use protocol::client::Client;
use protocol::grant::Grant;
use protocol::instance::Instance;
use protocol::refusal::Refusal;
use serde_json::{Map, Value};

use crate::app::App;
use crate::failure::Failure;

/// A token that stands.
pub struct Access {
    pub claims: Map<String, Value>,
    pub grant: Grant,
    pub approver: Approver,
    pub client: Client,
    pub instance: Option<Instance>,
}

impl Access {
    /// Refused with [`Refusal::TokenInvalid`] whatever the reason: the presenter learns no more.
    pub async fn check(app: &App, token: &str) -> Result<Self, Failure> {
        let invalid = Refusal::TokenInvalid;
        let claims = app.keys.load().verify_access_token(token, app.issuer(), app.now())?;
        let grant_id = text(&claims, "grant_id").ok_or(invalid)?;
        if app.store.is_revoked(text(&claims, "jti").ok_or(invalid)?).await? {
            return Err(invalid.into());
        }
        let grant = app.store.grant(grant_id).await?.ok_or(invalid)?;
        let approver = app.store.approver(&grant.subject).await?.ok_or(invalid)?;
        let client = app.store.client(&grant.client_id).await?.ok_or(invalid)?;
        let instance = app.named_instance(grant.instance_id.as_deref()).await?;
        let ground = app.ground(&client, &approver, instance.as_ref());
        grant.must_still_stand(&ground, app.now()).map_err(|_| invalid)?;
        Ok(Self {
            claims,
            grant,
            approver,
            client,
            instance,
        })
    }

    /// What this very token is bound to; its grant may have moved on to another key or certificate since.
    pub fn confirmation(&self, method: &str) -> Option<&str> {
        self.claims.get("cnf")?.get(method)?.as_str()
    }

    pub fn has_audience(&self, resource: &str) -> bool {
        self.audience().any(|own| own == resource)
    }

    /// One is a text, several are a list (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let claim = self.claims.get("aud");
        let several = claim.and_then(Value::as_array).into_iter().flatten();
        claim.into_iter().chain(several).filter_map(Value::as_str)
    }
}

pub fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}
