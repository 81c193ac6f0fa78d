//! Whether an access token of ours still stands: its signature, its time, its grant and everything that
//! the grant stands on. RFC 9068 §4, RFC 7662 §2.2.

use protocol::approver::Approver;
use protocol::grant::Grant;
use protocol::jwt::Unverified;
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
        let Some(claims) = claims(app, token) else { return Err(invalid) };
        let (Some(grant_id), Some(jti)) = (text(&claims, "grant_id"), text(&claims, "jti")) else { return Err(invalid) };
        if app.store.is_revoked(jti).await? {
            return Err(invalid);
        }
        let Some(grant) = app.store.grant(grant_id).await? else { return Err(invalid) };
        let Some(approver) = app.store.approver(&grant.subject).await? else { return Err(invalid) };
        let client = app.clients.client(&app.store, &grant.client_id, app.now()).await?;
        if grant.must_still_stand(&client, &approver, app.now()).is_err() {
            return Err(invalid);
        }
        Ok(Self { claims, grant, approver })
    }

    pub fn has_audience(&self, resource: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(only)) => only == resource,
            Some(Value::Array(several)) => several.iter().any(|one| one == resource),
            _ => false,
        }
    }
}

/// RFC 9068 §4: the type, a signature by one of our keys, the issuer, the time.
fn claims(app: &App, token: &str) -> Option<Map<String, Value>> {
    let now = app.now();
    let keys = app.keys.load();
    let unverified = Unverified::parse(token).ok()?;
    let key = keys.public(unverified.header().kid.as_deref()?, now)?;
    let verified = unverified.verify(key.public(), &[key.algorithm()]).ok()?;
    let claims = verified.claims();
    let is_ours = verified.header().typ.as_deref() == Some("at+jwt") && claims.text("iss").ok()? == Some(app.issuer());
    let is_alive = now < claims.required_instant("exp").ok()?;
    (is_ours && is_alive).then(|| verified.into_claims().into_members())
}

pub fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}
