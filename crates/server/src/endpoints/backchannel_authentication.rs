//! OpenID CIBA Core §7, poll mode: an enrolled instance asks its owner directly, and there is no code that could be
//! phished. From here on it is a request like any other. Two extensions, both advertised: no hint means the owner,
//! and `openid` is not demanded.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, PRAGMA};
use protocol::authorization_request::{Content, Route};
use protocol::backchannel::{self, Hint};
use protocol::instance::Instance;
use protocol::posture;
use protocol::profile::{ApprovedBy, Profile};
use protocol::refusal::Refusal;
use protocol::wire::backchannel_authentication::BackchannelAuthenticationResponse;
use store::Batch;

use super::device_authorization::{content, filed, must_be_understood, understood};
use crate::app::{App, Shared};
use crate::asker::Asker;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::judging;

/// What this endpoint understands; published as `waypass_backchannel_authentication_parameters_supported`.
pub const PARAMETERS: [&str; 10] = [
    "acr_values",
    "authorization_details",
    backchannel::BINDING_MESSAGE,
    "client_id",
    backchannel::LOGIN_HINT,
    "max_age",
    posture::PARAMETER,
    backchannel::REQUESTED_EXPIRY,
    "resource",
    "scope",
];

pub async fn backchannel_authentication(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::BackchannelAuthentication).await?;
    let profile = app.profile_of(asked.client())?;
    must_be_understood(&asked, &PARAMETERS)?;
    if backchannel::NOT_TAKEN.iter().any(|name| asked.form.get(name).is_some()) {
        return Err(Refusal::BackchannelParameterInvalid.into());
    }
    asked.must_show_certificate_where_registered()?;
    let attempt = || async { asks(&app, &asked, profile).await };
    let issued = app.store.decide(attempt).await?;
    app.metrics.device_authorization();
    Ok(([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], axum::Json(issued)).into_response())
}

async fn asks(
    app: &App,
    asked: &ClientRequest,
    profile: &Profile,
) -> Result<(Batch, BackchannelAuthenticationResponse), Failure> {
    let asker = Asker::find(app, asked, profile).await?;
    let instance = asker.instance.as_ref().ok_or(Refusal::InstanceUnknown)?;
    let now = app.now();
    if profile.limits.quiet_hours.is_some_and(|quiet| quiet.hold(now)) {
        return Err(Refusal::AskedInQuietHours.into());
    }
    let content = routed(app, asked, (profile, &asker, instance)).await?;
    let judged = judging::asked(app, asked, &content, Some(instance)).await?;
    let before = asked
        .used_up()
        .then(asker.seen(app))
        .then(prompted(app, profile, instance));
    let leads_to_it = format!("inbox {}", content.id);
    let (batch, request, auth_req_id) = filed(app, asked, profile, ((content, before, judged), &leads_to_it))?;
    let response = BackchannelAuthenticationResponse {
        auth_req_id: auth_req_id.reveal().to_owned(),
        expires_in: (request.content.expires_at - now).seconds(),
        interval: request.interval.seconds(),
        waypass_parameters_understood: understood(asked, &PARAMETERS),
    };
    Ok((batch, response))
}

async fn routed(
    app: &App,
    asked: &ClientRequest,
    (profile, asker, instance): (&Profile, &Asker, &Instance),
) -> Result<Content, Failure> {
    let form = &asked.form;
    let binding_message = backchannel::binding_message(form.get(backchannel::BINDING_MESSAGE))?;
    let expiry = backchannel::requested_expiry(form.get(backchannel::REQUESTED_EXPIRY))?;
    let hint = form.get(backchannel::LOGIN_HINT).map(Hint::parse);
    let content = content(app, asked, (profile, asker), app.now())?;
    let expires_at = match expiry {
        Some(expiry) => content.expires_at.min(content.requested_at + expiry),
        None => content.expires_at,
    };
    Ok(Content {
        route: Some(route(app, profile, (hint, instance)).await?),
        binding_message,
        expires_at,
        ..content
    })
}

/// X11, X33, X37: whoever answers for the asking instance pays for the prompt, whomever the hint names: else the
/// hint would tell who exists, and a stolen key could bother everybody.
fn prompted(app: &App, profile: &Profile, instance: &Instance) -> Batch {
    match profile.limits.prompts_per_hour {
        Some(most) => Batch::default().count_prompt(&instance.owner, most, app.now()),
        None => Batch::default(),
    }
}

/// I04: whom the hint names and this client may not ask is as unknown as whom nobody knows.
async fn route(
    app: &App,
    profile: &Profile,
    (hint, instance): (Option<Hint<'_>>, &Instance),
) -> Result<Route, Failure> {
    let group = profile.approval.group.as_deref();
    let by_group = || Route::Group(group.unwrap_or_default().to_owned());
    Ok(match (hint, profile.approval.by) {
        (None, ApprovedBy::Group) => by_group(),
        (None, _) => Route::Owner,
        (Some(Hint::Group(name)), ApprovedBy::Group) if Some(name) == group => by_group(),
        (Some(Hint::Group(_)), _) => Route::Nobody,
        (Some(Hint::Approver(name)), by) => match app.store.approver_named(name).await? {
            Some(approver) if approver.id == instance.owner => Route::Owner,
            Some(approver) if by != ApprovedBy::Owner => Route::Approver(approver.id),
            _ => Route::Nobody,
        },
    })
}
