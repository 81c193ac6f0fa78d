//! Authenticated initiation (RFC 10027 §6.1.15): who signed at the device that asks, before there is a code.
//! The rules are in `protocol/initiator.rs`; here the key is looked up, and the assertion used up.

use protocol::approver::Approver;
use protocol::initiator::{self, InitiatorExpectation, VerifiedInitiator};
use protocol::jwk::PublicJwk;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use store::{Batch, Fault};

use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;

/// The approver who signed.
pub struct Initiator {
    pub approver: Approver,
    assertion: VerifiedInitiator,
}

impl Initiator {
    /// None where none was sent and none is demanded. One that is sent has to be good under every profile.
    pub async fn find(app: &App, asked: &ClientRequest, profile: &Profile) -> Result<Option<Self>, Failure> {
        let Some(assertion) = asked.form.get(initiator::PARAMETER) else {
            return if profile.initiator {
                Err(Refusal::InitiatorMissing.into())
            } else {
                Ok(None)
            };
        };
        let jkt = asked.jkt().ok_or(Refusal::DpopProofMissing)?;
        let kid = initiator::kid_claimed(assertion).ok_or(Refusal::InitiatorInvalid)?;
        let found = app.store.approver_of_software_key(&kid).await?;
        let (approver, key) = found.ok_or(Refusal::InitiatorInvalid)?;
        let key = PublicJwk::parse(&key)
            .map_err(|flaw| Fault::broken("a stored software key does not parse").because(flaw))?;
        let expected = InitiatorExpectation {
            approver: &approver,
            key: &key,
            issuer: app.issuer(),
            jkt,
        };
        let assertion = initiator::verify(assertion, &expected, app.now())?;
        Ok(Some(Self { approver, assertion }))
    }

    /// It serves once: part of the batch of what it brings about.
    pub fn used_up(&self) -> Batch {
        Batch::default().approver_is_unchanged(&self.approver).use_once(
            self.assertion.jti_digest(),
            self.assertion.expires_at(),
            Refusal::InitiatorInvalid,
        )
    }
}
