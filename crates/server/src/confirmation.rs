//! Six digits that go back from the approver's page to the device that asked (RFC 10027 §6.1.16). They are
//! made from a server key and the request, so that nothing is stored, and a page that is loaded again shows
//! them again. Whoever is talked into approving reads digits aloud too: alone they prove little.

use protocol::authorization_request::{AuthorizationRequest, State, Viewer};
use protocol::event::Action;
use protocol::refusal::Refusal;
use protocol::secret::ConfirmationDigits;
use store::Batch;

use crate::app::App;
use crate::failure::Failure;

/// What comes of digits that were sent.
pub enum Confirmation {
    /// Goes on with what was approved, in one batch with this.
    Right(Batch),
    /// A try less, to be committed; and what is answered then.
    Wrong(Batch, Failure),
}

pub fn digits(app: &App, request: &AuthorizationRequest) -> ConfirmationDigits {
    let mut round = 0_u32;
    loop {
        let parts = [request.digest.as_str(), &request.content.id, &round.to_string()];
        if let Some(digits) = ConfirmationDigits::from_number(app.derived.confirmation_number(&parts)) {
            return digits;
        }
        round = round.wrapping_add(1);
    }
}

/// For the browser or key that opened the request, and approved through it, from the last approval on until it is
/// redeemed: another session of the same person may be one that no passkey stands behind.
pub fn shown_to(app: &App, request: &AuthorizationRequest, to: &Viewer) -> Option<ConfirmationDigits> {
    let is_awaited = matches!(
        &request.state,
        State::Approved { viewer, confirmation_tries: Some(_), .. } if viewer == to
    );
    (is_awaited && !request.has_expired(app.now())).then(|| digits(app, request))
}

/// For a request that awaits digits (`Poll::Confirm`). The tries are counted by the request's version: of many
/// guesses at once only as many count as there are tries.
pub async fn check(app: &App, request: &AuthorizationRequest, typed: &str) -> Result<Confirmation, Failure> {
    let event = app
        .naming_agent(app.event(Action::DeviceConfirmed).request(request))
        .await?;
    let expected = digits(app, request).digest();
    if ConfirmationDigits::typed(typed).digest().matches(&expected) {
        return Ok(Confirmation::Right(Batch::default().record(&event)?));
    }
    let state = request.wrongly_confirmed(app.now())?;
    let event = event.failed(Refusal::ConfirmationWrong.code().as_str());
    let batch = Batch::default().move_request(request, &state)?;
    let (batch, failure) = match &state {
        State::Approved {
            confirmation_tries: Some(tries),
            ..
        } => (
            batch.record(&event.with("confirmation_tries", *tries))?,
            Failure::Confirmation {
                refusal: Refusal::ConfirmationWrong,
                tries: *tries,
            },
        ),
        _ => (
            batch
                .record(&event.with("confirmation_tries", 0))?
                .record(&app.cancelled(request, &state).await?)?,
            Refusal::AccessDenied.into(),
        ),
    };
    Ok(Confirmation::Wrong(batch, failure))
}
