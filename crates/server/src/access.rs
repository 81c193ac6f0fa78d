//! Whether an access token of ours still stands: its signature, its time, its grant and everything that
//! the grant stands on. RFC 9068 §4, RFC 7662 §2.2.

use protocol::approver::Approver;
use protocol::grant::Grant;
use protocol::refusal::Refusal;
use serde_json::{Map, Value};

use crate::app::App;
use crate::failure::Failure;

/// A token that stands.
pub struct Access {
    pub claims: Map<String, Value>,
    pub grant: Grant,
    pub approver: Approver,
}

impl Access {
    /// Refused with [`Refusal::TokenInvalid`] whatever the reason: the presenter learns no more.
    pub async fn check(app: &App, token: &str) -> Result<Self, Failure> {
        let invalid = Failure::Refusal(Refusal::TokenInvalid);
        let claims = app.keys.load().verify_access_token(token, app.issuer(), app.now())?;
        let (Some(grant_id), Some(jti)) = (text(&claims, "grant_id"), text(&claims, "jti")) else {
            return Err(invalid);
        };
        if app.store.is_revoked(jti).await? {
            return Err(invalid);
        }
        let Some(grant) = app.store.grant(grant_id).await? else {
            return Err(invalid);
        };
        let Some(approver) = app.store.approver(&grant.subject).await? else {
            return Err(invalid);
        };
        let client = app.clients.client(&app.store, &grant.client_id, app.now()).await?;
        if grant.must_still_stand(&client, &approver, app.now()).is_err() {
            return Err(invalid);
        }
        Ok(Self {
            claims,
            grant,
            approver,
        })
    }

    pub fn has_audience(&self, resource: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(only)) => only == resource,
            Some(Value::Array(several)) => several.iter().any(|one| one == resource),
            _ => false,
        }
    }
}

pub fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}
