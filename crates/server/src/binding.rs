//! Binding data (RFC 10027 §6.1.17): typed where a request is started, typed again where it is approved, shown
//! nowhere. What is stored is a keyed digest that fits this one request.

use protocol::authorization_request::{AuthorizationRequest, State};
use protocol::binding_data::BindingData;
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use store::Batch;

use crate::app::App;
use crate::deciding::Deciding;
use crate::extract::form::Form;
use crate::failure::Failure;

pub const PARAMETER: &str = "binding_data";

/// What stands in the request that is being made. Under every profile it is understood, and demanded then.
pub fn asked(app: &App, form: &Form, profile: &Profile, request_id: &str) -> Result<Option<String>, Refusal> {
    match form.get(PARAMETER).map(BindingData::parse) {
        Some(Some(data)) => Ok(Some(digest(app, request_id, &data).as_str().to_owned())),
        Some(None) => Err(Refusal::BindingDataMissing),
        None if profile.binding_data => Err(Refusal::BindingDataMissing),
        None => Ok(None),
    }
}

/// Whether it has to be typed now: by who opened the request with the code. The others of a quorum were not
/// there when it was started.
pub fn is_wanted(request: &AuthorizationRequest) -> bool {
    request.content.binding.is_some() && !matches!(request.state, State::Endorsed { .. })
}

pub fn is_right(app: &App, request: &AuthorizationRequest, typed: Option<&str>) -> Result<bool, Refusal> {
    let Some(stored) = request.content.binding.clone().filter(|_| is_wanted(request)) else {
        return Ok(true);
    };
    let typed = typed.ok_or(Refusal::ParameterMissing(PARAMETER))?;
    let stored = Digest::from_stored(stored);
    Ok(BindingData::parse(typed).is_some_and(|data| digest(app, &request.content.id, &data).matches(&stored)))
}

impl Deciding {
    /// A wrong one is counted by the request's version, and the third ends it.
    pub async fn wrongly_bound(&self, app: &App, request: &AuthorizationRequest) -> Result<(Batch, State), Failure> {
        const WRONG: Refusal = Refusal::BindingDataWrong;
        let state = request.wrongly_bound(app.now())?;
        let event = self
            .event(app, Action::DeviceRefused, request)
            .failed(WRONG.code().as_str())
            .with("reason", WRONG.reason());
        let event = app.naming_agent(event).await?;
        let mut batch = self.used_up.clone().move_request(request, &state)?.record(&event)?;
        if let State::Cancelled { .. } = &state {
            batch = batch.record(&app.cancelled(request, &state).await?)?;
        }
        Ok((batch, state))
    }
}

fn digest(app: &App, request_id: &str, data: &BindingData) -> Digest {
    app.derived.binding_mac(request_id, data.reveal())
}
