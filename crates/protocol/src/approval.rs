//! One person's decision on one digest. A [`ConfirmedApproval`] can only be made by checking the
//! evidence, so that whatever takes one need not check again.

use crate::authentication::{Demands, Strength};
use crate::authorization_request::{AuthorizationRequest, Viewer};
use crate::decision::{self, Decision, Evidence, Granted, RelyingParty, StoredKey};
use crate::digest::Digest;
use crate::profile::Profile;
use crate::refusal::Refusal;

/// An approval whose signature fits. Private fields: [`ConfirmedApproval::check`] is the one maker.
#[derive(Clone, Debug)]
pub struct ConfirmedApproval {
    pub(crate) viewer: Viewer,
    decision: Decision,
    evidence: Evidence,
    strength: Strength,
    acr: &'static str,
    /// The authenticator's counter after this signature, to be stored (a software key has none: 0).
    sign_count: u32,
}

/// Everything that a decision is checked against.
pub struct Expected<'a> {
    pub request: &'a AuthorizationRequest,
    pub profile: &'a Profile,
    /// What this approver gives: all that is asked for, or less.
    pub granted: &'a Granted,
    pub viewer: &'a Viewer,
    /// The nonce that this server made for this page; that it is ours and fresh was checked.
    pub nonce: &'a str,
    pub relying_party: &'a RelyingParty,
    pub key: &'a StoredKey,
}

impl Expected<'_> {
    /// The only decision that may be signed here: rebuilt from what is stored, never taken from what
    /// was sent.
    pub fn decision(&self) -> Result<Decision, Refusal> {
        decision_on(self.request, self.granted, &self.viewer.approver_id, self.nonce)
    }
}

/// What this approver would sign to give this much of what was asked for, and never more.
pub fn decision_on(
    request: &AuthorizationRequest,
    granted: &Granted,
    approver_id: &str,
    nonce: &str,
) -> Result<Decision, Refusal> {
    if !granted.is_within(&Granted::all_of(&request.content)?) {
        return Err(Refusal::DecisionInvalid);
    }
    Ok(Decision {
        request_digest: request.digest.clone(),
        granted: granted.clone(),
        approver: approver_id.to_owned(),
        nonce: nonce.to_owned(),
    })
}

impl ConfirmedApproval {
    pub fn check(expected: &Expected<'_>, evidence: Evidence) -> Result<Self, Refusal> {
        if matches!(evidence, Evidence::SoftwareKey { .. }) && !expected.profile.approval.software_keys {
            return Err(Refusal::SoftwareKeyNotAllowed);
        }
        let strength = expected.key.strength();
        let demands = Demands::of(&expected.request.content);
        let acr = demands.acr(strength, expected.profile.approval.acr.as_deref())?;
        let decision = expected.decision()?;
        let checked = decision::check(&decision, &evidence, expected.relying_party, expected.key)?;
        Ok(Self {
            viewer: expected.viewer.clone(),
            decision,
            evidence,
            strength,
            acr,
            sign_count: checked.sign_count,
        })
    }

    pub(crate) fn must_be_for(&self, digest: &Digest) -> Result<(), Refusal> {
        if self.decision.request_digest.matches(digest) {
            Ok(())
        } else {
            Err(Refusal::DecisionInvalid)
        }
    }

    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub fn sign_count(&self) -> u32 {
        self.sign_count
    }

    pub fn acr(&self) -> &'static str {
        self.acr
    }

    /// RFC 8176 values: `hwk` is not claimed without an attestation.
    pub fn amr(&self) -> Vec<&'static str> {
        match self.strength {
            Strength::HardwarePasskey => vec!["hwk", "pop", "user"],
            Strength::Passkey => vec!["pop", "user"],
            Strength::SoftwareKey => vec!["swk"],
        }
    }
}

#[cfg(test)]
impl ConfirmedApproval {
    /// For the tests of the state machine, which is about who and when; what a signature proves is
    /// tested with the signatures, in `decision`.
    pub(crate) fn for_tests(viewer: Viewer, request_digest: Digest) -> Self {
        let granted = Granted {
            scope: crate::scope::Scope::default(),
            resource: Vec::new(),
            authorization_details: crate::details::Details::default(),
            expires_at: 0,
        };
        let decision = Decision {
            request_digest,
            granted,
            approver: viewer.approver_id.clone(),
            nonce: "nonce".to_owned(),
        };
        let evidence = Evidence::SoftwareKey {
            thumbprint: String::new(),
            public_key: serde_json::Value::Null,
            signature: String::new(),
        };
        Self {
            viewer,
            decision,
            evidence,
            strength: Strength::SoftwareKey,
            acr: crate::authentication::SOFTWARE_KEY,
            sign_count: 0,
        }
    }
}
