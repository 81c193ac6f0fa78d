//! The proof that comes with a request. RFC 9449 §4.3. What it must prove is the endpoint's to say.

use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::dpop::{self, ProofExpectation, VerifiedProof};
use protocol::refusal::Refusal;
use store::Batch;

use crate::app::App;

pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Every `DPoP` header counts, also one that cannot be read: there must be exactly one (P01).
pub fn verified(app: &App, headers: &HeaderMap, expected: &ProofExpectation<'_>) -> Result<VerifiedProof, Refusal> {
    let values: Result<Vec<&str>, _> = headers.get_all(&DPOP).iter().map(HeaderValue::to_str).collect();
    let values = values.map_err(|_| Refusal::DpopProofInvalid)?;
    dpop::verify(&values, expected, app.now())
}

/// A proof takes effect once: part of the batch of what it brings about.
pub fn used_up(proof: &VerifiedProof) -> Batch {
    Batch::default().use_once(proof.jti_digest(), proof.replayable_until(), Refusal::DpopProofReplayed)
}
