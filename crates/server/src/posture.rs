//! The posture of the machine that asks, wherever a token is in question: at the request, at its redemption and at
//! every refresh. What is refused goes on the record. The rules are `protocol/posture.rs` and `protocol/posture_demand.rs`.

use protocol::event::Event;
use protocol::fact::Fact;
use protocol::posture::{self, DEFAULT_MAX_AGE, Posture, PostureExpectation};
use protocol::profile::Profile;
use protocol::refusal::Refusal;

use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::refused;

/// Asked again before anything comes of it: the machine is where it may ask from (X08), and as it has to be.
pub async fn again(
    app: &App,
    asked: &ClientRequest,
    profile: &Profile,
    refused: (impl FnOnce() -> Event, &str),
) -> Result<Vec<Fact>, Failure> {
    if !profile.may_ask_from(asked.address.address) {
        return Err(Refusal::NetworkNotAllowed.into());
    }
    facts(app, asked, profile, refused).await
}

/// What is stated of it, if the profile is content with that. One that is sent has to be good under every profile; one
/// that is not goes on the record, by this event and whose machine it is.
pub async fn facts(
    app: &App,
    asked: &ClientRequest,
    profile: &Profile,
    (refused, whose): (impl FnOnce() -> Event, &str),
) -> Result<Vec<Fact>, Failure> {
    let (facts, judged) = match verified(app, asked) {
        Ok(Some(posture)) => (posture.facts(), enough(app, &posture, profile)),
        // Clients state it when they are asked to, so that this is how each of them begins.
        Ok(None) if profile.posture.is_some() => return Err(Refusal::PostureMissing.into()),
        Ok(None) => (Vec::new(), Ok(())),
        Err(refusal) => (Vec::new(), Err(refusal)),
    };
    let Err(refusal) = judged else {
        return Ok(facts);
    };
    let event = match refusal {
        Refusal::PostureInvalid(flaw) => refused().with("posture.flaw", flaw.0),
        Refusal::PostureUnmet(lacks) => refused().with("posture.lacks", lacks.names()),
        _ => refused(),
    };
    refused::record(app, event.posture(&facts), refusal, &[whose]).await?;
    Err(refusal.into())
}

fn enough(app: &App, posture: &Posture, profile: &Profile) -> Result<(), Refusal> {
    match &profile.posture {
        Some(demand) => demand.must_be_met_by(posture, app.now()),
        None => posture.must_be_younger_than(DEFAULT_MAX_AGE, app.now()),
    }
}

fn verified(app: &App, asked: &ClientRequest) -> Result<Option<Posture>, Refusal> {
    let Some(stated) = asked.form.get(posture::PARAMETER) else {
        return Ok(None);
    };
    let proof = asked.proof.as_ref().ok_or(Refusal::DpopProofMissing)?;
    let expected = PostureExpectation {
        issuer: app.issuer(),
        key: proof.public_key(),
        attesters: &app.config.posture_attesters,
    };
    posture::verify(stated, &expected, app.now()).map(Some)
}
