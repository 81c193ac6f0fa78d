//! An instance changes its key: the old one signs for the request, the new one for itself, both proofs in the
//! form of RFC 9449 over the same request. Grants follow by themselves (`token/refresh_token.rs`).

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use protocol::dpop::{self, NonceRule, ProofExpectation, VerifiedProof};
use protocol::event::Action;
use protocol::instance::WayIn;
use protocol::instance::{Instance, KEY_OVERLAP};
use protocol::profile::Ceremony;
use protocol::refusal::Refusal;
use store::Batch;

use super::{answer, told};
use crate::app::{App, Shared};
use crate::asker;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::extract::proof;
use crate::failure::Failure;
use crate::instances;

pub async fn rotate(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::InstanceRotate).await?;
    let old = asked.proof.as_ref().ok_or(Refusal::DpopProofMissing)?;
    let new = new_key(&app, &asked)?;
    let attempt = || async { rotated(&app, &asked, old, &new).await };
    let instance = app.store.decide(attempt).await?;
    let enrolled = told(&app, &instance, new.thumbprint()).await?;
    Ok(answer(StatusCode::OK, &enrolled))
}

/// As strict as the header's: method, address, nonce, and used once.
fn new_key(app: &App, asked: &ClientRequest) -> Result<VerifiedProof, Refusal> {
    let htu = app.config.issuer.url(Endpoint::InstanceRotate.path());
    let alias = app.config.alias(Endpoint::InstanceRotate.path());
    let expected = ProofExpectation {
        htm: "POST",
        htu: &htu,
        alias: alias.as_deref(),
        access_token: None,
        nonce: NonceRule::Required(&app.derived.nonces),
    };
    dpop::verify(&[asked.form.required("new_key_proof")?], &expected, app.now())
}

/// A key that evidence or an administrator let in vouches for nobody but itself: another one comes in the
/// same way. Else a key in a TPM could make way for one that anybody copies, and still be told as proven.
fn must_be_theirs_to_change(app: &App, asked: &ClientRequest, instance: &Instance) -> Result<(), Refusal> {
    let profile = app.profiles().of_any(asked.client())?;
    if !profile.may_ask_from(asked.address.address) {
        return Err(Refusal::NetworkNotAllowed);
    }
    let may_by_hand = profile.ceremony != Ceremony::Off;
    match instance.about.way_in {
        WayIn::Ceremony { .. } | WayIn::Preregistered if may_by_hand => Ok(()),
        _ => Err(Refusal::RotationNotAllowed),
    }
}

async fn rotated(
    app: &App,
    asked: &ClientRequest,
    old: &VerifiedProof,
    new: &VerifiedProof,
) -> Result<(Batch, Instance), Failure> {
    let instance = asker::enrolled(app, asked.client(), old.thumbprint()).await?;
    let instance = instance.ok_or(Refusal::InstanceUnknown)?;
    if let Some((key, known)) = app.store.enrolled_key(new.thumbprint()).await? {
        let is_told_again = known.id == instance.id && key.retires_at.is_none() && new.thumbprint() != old.thumbprint();
        if is_told_again {
            return Ok((Batch::default(), instance));
        }
        return Err(Refusal::InstanceKeyTaken.into());
    }
    // A key that was replaced serves for a while, and signs for no other: its thief would stay.
    let own = app.store.enrolled_key(old.thumbprint()).await?;
    if own.is_none_or(|(key, _)| key.retires_at.is_some()) {
        return Err(Refusal::InstanceUnknown.into());
    }
    must_be_theirs_to_change(app, asked, &instance)?;
    instances::must_be_no_approvers(app, new.thumbprint()).await?;
    let now = app.now();
    // One replaced key at a time: each stays for good, and each change is one that others decide again for.
    let keys = app.store.instance_keys(&instance.id).await?;
    if keys
        .iter()
        .any(|key| key.retires_at.is_some_and(|retires_at| retires_at > now))
    {
        return Err(Refusal::TooManyRequests.into());
    }
    let event = app
        .event(Action::InstanceKeyRotated)
        .instance(&instance)
        .with("key.jkt", new.thumbprint())
        .with("key.jkt.before", old.thumbprint());
    // Written over itself: whatever is decided upon its keys at this moment is decided again.
    let batch = asked
        .used_up()
        .then(proof::used_up(new))
        .change_instance(&instance, &instance)?
        .instance_seen(&instance.id, now)
        .add_instance_key(&instance.id, new.public_key(), now)
        .retire_other_keys(&instance.id, new.thumbprint(), now + KEY_OVERLAP)
        .record(&event)?;
    Ok((batch, instance))
}
