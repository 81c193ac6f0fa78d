//! What a person sees: one view struct and one template beside it per page, one style sheet, two small
//! scripts. A struct holds facts that are already labelled; a template only loops and asks whether.
//!
//! Not here: anything from elsewhere on the network, inline style or script, a GET that writes.

pub mod account;
pub mod assets;
pub mod authorize;
pub mod decide;
pub mod decided;
pub mod enroll;
pub mod failure;
pub mod home;
pub mod moment;
pub mod sign_in;
pub mod verify;

#[cfg(test)]
mod outline;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// What every page carries around its own content.
#[derive(Clone)]
pub struct Frame {
    /// The issuer's path: empty, or `/as` for `https://id.example.org/as`.
    pub base: String,
    /// The issuer's host, by which a person knows where this is: `id.example.org`.
    pub host: String,
    /// The name of the signed-in approver.
    pub approver: Option<String>,
    /// For the hidden field of every form; empty when nobody is signed in.
    pub csrf: String,
}

impl Frame {
    /// The address of a file of [`assets`], which changes with its content.
    pub fn asset(&self, name: &str) -> String {
        assets::address(&self.base, name)
    }
}
use crate::app::Shared;
use crate::issuer::Issuer;
use store::Fault;
pub fn routes(_: &Shared) -> axum::Router<Shared> {
    axum::Router::new()
}
pub async fn not_found() -> crate::failure::Failure {
    crate::failure::Failure::NotFound("no such page")
}
pub fn webauthn(i: &Issuer) -> Result<webauthn_rs::Webauthn, Fault> {
    let u = url::Url::parse(i.origin()).map_err(|e| Fault::broken("origin").because(e))?;
    webauthn_rs::WebauthnBuilder::new(i.host(), &u)
        .and_then(|b| b.build())
        .map_err(|e| Fault::broken("webauthn").because(e))
}
