//! The headers of a client attestation (draft-ietf-oauth-attestation-based-client-auth-11 §6), read and checked.
//! Who must bring one is the registration's to say (`protocol/client_auth.rs`).

use http::{HeaderMap, HeaderName};
use protocol::admission::Evidence;
use protocol::attestation::{self, AttestedInstance, Attester};
use protocol::dpop::VerifiedProof;
use protocol::refusal::Refusal;

use crate::app::App;

pub const ATTESTATION: HeaderName = HeaderName::from_static("oauth-client-attestation");
pub const POP: HeaderName = HeaderName::from_static("oauth-client-attestation-pop");
pub const CHALLENGE: HeaderName = HeaderName::from_static("oauth-client-attestation-challenge");

/// "There is precisely one", where there is any.
pub fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => only.to_str().map(Some).map_err(|_| Refusal::AttestationInvalid),
        _ => Err(Refusal::AttestationInvalid),
    }
}

/// Whether the DPoP proof of the request has to prove the attested key too ("combined mode").
pub fn is_combined(headers: &HeaderMap) -> bool {
    headers.contains_key(ATTESTATION) && !headers.contains_key(POP)
}

/// The instance that one of the client's attesters vouches for and that holds its key. `proof` is what came of
/// the DPoP proof of the same request.
pub fn attested(
    app: &App,
    client_id: &str,
    headers: &HeaderMap,
    proof: &Result<Option<VerifiedProof>, Refusal>,
) -> Result<Option<AttestedInstance>, Refusal> {
    let Some(text) = sole(headers, &ATTESTATION)? else {
        return Ok(None);
    };
    let admissions = app.clients.admissions_of(client_id);
    let attesters: Vec<Attester<'_>> = admissions
        .iter()
        .filter_map(|admission| match &admission.terms.evidence {
            Evidence::Attester { name, jwks } => Some(Attester { name, keys: jwks }),
            _ => None,
        })
        .collect();
    let now = app.now();
    let attestation = attestation::verify(text, client_id, &attesters, now)?;
    let proven = match (sole(headers, &POP)?, proof) {
        (Some(pop), _) => attestation.proven_by_pop(pop, app.issuer(), &app.derived.nonces, now)?,
        (None, Ok(Some(proof))) => attestation.proven_by_dpop(proof)?,
        (None, Ok(None)) => return Err(Refusal::AttestationInvalid),
        (None, Err(refusal)) => return Err(*refusal),
    };
    Ok(Some(proven))
}
