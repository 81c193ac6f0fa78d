//! stub
use crate::app::Shared; use crate::issuer::Issuer; use store::Fault;
pub fn routes(_: &Shared) -> axum::Router<Shared> { axum::Router::new() }
pub async fn not_found() -> crate::failure::Failure { crate::failure::Failure::NotFound("no such page") }
pub fn webauthn(i: &Issuer) -> Result<webauthn_rs::Webauthn, Fault> { let u = url::Url::parse(i.origin()).map_err(|e| Fault::broken("origin").because(e))?; webauthn_rs::WebauthnBuilder::new(i.host(), &u).and_then(|b| b.build()).map_err(|e| Fault::broken("webauthn").because(e)) }
