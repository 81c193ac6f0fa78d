//! The posture of the machine that asks, wherever a token is in question: at the request, at its redemption and at
//! every refresh. The rules are `protocol/posture.rs` and `protocol/posture_demand.rs`.

use protocol::fact::Fact;
use protocol::posture::{self, DEFAULT_MAX_AGE, Posture, PostureExpectation};
use protocol::profile::Profile;
use protocol::refusal::Refusal;

use crate::app::App;
use crate::extract::client::ClientRequest;

/// Asked again before anything comes of it: the machine is where it may ask from (X08), and as it has to be.
pub fn again(app: &App, asked: &ClientRequest, profile: &Profile) -> Result<Vec<Fact>, Refusal> {
    if !profile.may_ask_from(asked.address.address) {
        return Err(Refusal::NetworkNotAllowed);
    }
    facts(app, asked, profile)
}

/// What is stated of it, if the profile is content with that. One that is sent has to be good under every profile.
pub fn facts(app: &App, asked: &ClientRequest, profile: &Profile) -> Result<Vec<Fact>, Refusal> {
    match (verified(app, asked)?, &profile.posture) {
        (Some(posture), Some(demand)) => {
            demand.must_be_met_by(&posture, app.now())?;
            Ok(posture.facts())
        }
        (Some(posture), None) => {
            posture.must_be_younger_than(DEFAULT_MAX_AGE, app.now())?;
            Ok(posture.facts())
        }
        (None, Some(_)) => Err(Refusal::PostureMissing),
        (None, None) => Ok(Vec::new()),
    }
}

/// What is stated with this very request, once it was found to be enough.
pub fn stated(app: &App, asked: &ClientRequest) -> Vec<Fact> {
    let posture = verified(app, asked).ok().flatten();
    posture.map(|posture| posture.facts()).unwrap_or_default()
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
