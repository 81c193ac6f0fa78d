//! RFC 8628 §3.1 and §3.2. With a DPoP proof the code is bound to its key from here on (P20-P23).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, PRAGMA};
use protocol::authentication::{Demands, Strength};
use protocol::authorization_request::{AuthorizationRequest, Content, PollMark, Purpose, Route, State as RequestState};
use protocol::details::Details;
use protocol::event::Action;
use protocol::initiator;
use protocol::posture;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::resource;
use protocol::scope::Scope;
use protocol::secret::DeviceCode;
use protocol::time::{Lifetime, Timestamp};
use protocol::user_code::UserCode;
use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use protocol::wire::enrollment;
use store::authorization_requests::{Filed, Room};
use store::{Batch, Fault};

use crate::app::{App, Shared};
use crate::asker::Asker;
use crate::binding;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::judging::{self, Judgement};
use crate::passkeys;
use crate::peer;

/// What this endpoint understands; published as `waypass_device_authorization_parameters_supported`
/// and echoed, because RFC 8628 §3.1 has everything else ignored in silence (design decision G2).
pub const PARAMETERS: [&str; 9] = [
    "acr_values",
    "authorization_details",
    binding::PARAMETER,
    "client_id",
    initiator::PARAMETER,
    "max_age",
    posture::PARAMETER,
    "resource",
    "scope",
];
/// Parameters of client authentication, which a strict client may send as well.
const CREDENTIALS: [&str; 3] = ["client_assertion", "client_assertion_type", "client_secret"];

pub async fn device_authorization(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::DeviceAuthorization).await?;
    let profile = app.profile_of(asked.client())?;
    must_be_understood(&asked, &PARAMETERS)?;
    // What its tokens will be bound to, its code is bound to as well: else who steals the code brings their own.
    asked.must_show_certificate_where_registered()?;
    let attempt = || async {
        let asker = Asker::find(&app, &asked, profile).await?;
        let content = content(&app, &asked, (profile, &asker), app.now())?;
        let judged = judging::asked(&app, &asked, &content, asker.instance.as_ref()).await?;
        let before = asked.used_up().then(asker.seen(&app));
        file(&app, &asked, profile, (content, before, judged))
    };
    let issued = app.store.decide(attempt).await?;

    app.metrics.device_authorization();
    Ok(([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], axum::Json(issued)).into_response())
}

/// Draws both codes and writes the request; a taken code is drawn again.
pub fn file(
    app: &App,
    asked: &ClientRequest,
    profile: &Profile,
    wish: (Content, Batch, Judgement),
) -> Result<(Batch, DeviceAuthorizationResponse), Failure> {
    let user_code = draw_user_code(app);
    let user_code_mac = app.derived.user_code_mac(user_code.canonical());
    let (batch, request, device_code) = filed(app, asked, profile, (wish, &user_code_mac))?;
    let response = response(app, asked, profile, (&device_code, &user_code), &request);
    Ok((batch, response))
}

/// The request, under a device code that is drawn here and whatever else leads to it.
pub fn filed(
    app: &App,
    asked: &ClientRequest,
    profile: &Profile,
    ((content, before, judged), user_code_mac): ((Content, Batch, Judgement), &str),
) -> Result<(Batch, AuthorizationRequest, DeviceCode), Failure> {
    let now = app.now();
    let device_code = DeviceCode::new(&app.entropy.draw());
    let source = peer::network(asked.address.counted).to_string();
    let request = AuthorizationRequest {
        digest: content
            .digest()
            .map_err(|_| Fault::broken("a request has no canonical form"))?,
        device_code: device_code.digest(),
        state: RequestState::Pending,
        interval: profile.interval,
        version: 1,
        content,
    };
    let filed = Filed {
        user_code_mac,
        source: &source,
        second_inbox: second_inbox(profile, &request.content),
    };
    let event = asked
        .event(app, Action::DeviceRequested)
        .request(&request)
        .ai_agent(asked.client());
    let batch = before
        .has_room(&request.content.client_id, &source, room(app, profile, &request), now)
        .add_request(&request, &filed)?
        .record(&judged.on(event))?;
    remember(app, &request, now);
    Ok((batch, request, device_code))
}

/// X37: whom the owner leaves waiting somebody else may help.
fn second_inbox<'a>(profile: &'a Profile, content: &Content) -> Option<(&'a str, Timestamp)> {
    let after = profile
        .approval
        .escalate_after
        .filter(|_| content.route == Some(Route::Owner))?;
    Some((profile.approval.group.as_deref()?, content.requested_at + after))
}

/// The first poll may come at once and need not ask the database. Should the batch fail, the code was
/// never told to anybody.
fn remember(app: &App, request: &AuthorizationRequest, now: Timestamp) {
    let ticket = app.pending.ticket(&request.device_code);
    let mark = PollMark {
        last: None,
        interval: request.interval,
    };
    app.pending.remember(request, mark, &ticket, now);
}

fn draw_user_code(app: &App) -> UserCode {
    loop {
        if let Some(code) = UserCode::draw(&app.entropy.draw()) {
            return code;
        }
    }
}

pub fn content(
    app: &App,
    asked: &ClientRequest,
    (profile, asker): (&Profile, &Asker),
    now: Timestamp,
) -> Result<Content, Refusal> {
    let client = asked.client();
    let scope = within(profile, client.requested_scope(asked.form.get("scope"))?);
    let resource = requested_resource(app, asked, &scope)?;
    let demands = demands(app, asked, profile)?;
    let lifetimes = &app.config.lifetimes;
    let id = app.new_id();
    Ok(Content {
        binding: binding::asked(app, &asked.form, profile, &id)?,
        id,
        client_id: client.client_id.clone(),
        purpose: Purpose::Access,
        profile: profile.name.clone(),
        profile_version: profile.version.as_str().to_owned(),
        scope: scope.to_string(),
        resource,
        authorization_details: requested_details(app, asked, profile, &scope)?,
        acr_values: demands.acr_values,
        max_age: demands.max_age,
        jkt: asked.proven_key().map(str::to_owned),
        x5t: asked.x5t().map(str::to_owned),
        instance: asker.instance.as_ref().map(|instance| instance.id.clone()),
        owner: asker.instance.as_ref().map(|instance| instance.owner.clone()),
        route: None,
        binding_message: None,
        initiator: asker.initiator.as_ref().map(|initiator| initiator.approver.id.clone()),
        facts: asked.facts(app).chain(asker.facts()).collect(),
        requested_at: now,
        expires_at: now + code_lifetime(app, asked, profile),
        grant_expires_at: now + profile.lifetimes.grant.unwrap_or(lifetimes.grant),
    })
}

/// A token that a command is handed is bound to no key: it is for the command alone, and not for later.
fn requested_details(app: &App, asked: &ClientRequest, profile: &Profile, scope: &Scope) -> Result<Details, Refusal> {
    let details = asked
        .client()
        .requested_details(app.details(), asked.form.get("authorization_details"))?;
    if details.wants_the_token() && (!profile.approval.token_env || scope.contains("offline_access")) {
        return Err(Refusal::TokenHandoverNotAllowed);
    }
    must_be_for_runs(asked, profile, scope, &details)?;
    Ok(details)
}

/// Each run after the first is asked for with the key alone.
fn must_be_for_runs(asked: &ClientRequest, profile: &Profile, scope: &Scope, details: &Details) -> Result<(), Refusal> {
    if details.most_runs() == 1 {
        return Ok(());
    }
    if asked.proven_key().is_none() {
        return Err(Refusal::DpopProofMissing);
    }
    if scope.contains("offline_access") || !details.runs_are_pinned() {
        return Err(Refusal::RunsNotAllowed);
    }
    profile.must_allow_runs(details)
}

/// RFC 9470 §4, as for the authorization endpoint. What no key of any approver could meet is refused at once (A22).
fn demands(app: &App, asked: &ClientRequest, profile: &Profile) -> Result<Demands, Refusal> {
    let approval = &profile.approval;
    let demands = Demands::parse(asked.form.get("acr_values"), asked.form.get("max_age"))?.under(approval);
    let software = approval.software_keys.then_some(Strength::SoftwareKey);
    let strengths: Vec<Strength> = passkeys::strengths(app).iter().copied().chain(software).collect();
    demands.must_be_possible(&strengths, approval.acr.as_deref())?;
    Ok(demands)
}

/// X09: what this flow gives may be less than the client's ceiling; what is left is told in the answer.
pub fn within(profile: &Profile, scope: Scope) -> Scope {
    match &profile.scopes {
        Some(most) => scope.common(most),
        None => scope,
    }
}

/// The shortest of what the client, its profile and the server say.
pub fn code_lifetime(app: &App, asked: &ClientRequest, profile: &Profile) -> Lifetime {
    let own = asked.client().registration.code_lifetime;
    let lifetimes = [own, profile.code_lifetime].into_iter().flatten();
    lifetimes.min().unwrap_or(app.config.lifetimes.device_code)
}

/// A13: scopes that belong to different resources need one to be named.
pub fn requested_resource(app: &App, asked: &ClientRequest, scope: &Scope) -> Result<Vec<String>, Refusal> {
    let named = asked.form.resource()?;
    let ceiling = &asked.client().registration.resource;
    if named.is_empty() {
        let belonging = app.clients.resources_of(scope);
        if belonging.len() > 1 {
            return Err(Refusal::ScopeAmbiguous);
        }
        if let Some(only) = belonging.into_iter().next().filter(|only| ceiling.contains(only)) {
            return Ok(vec![only]);
        }
    }
    resource::requested(&named, ceiling, app.issuer())
}

fn response(
    app: &App,
    asked: &ClientRequest,
    profile: &Profile,
    codes: (&DeviceCode, &UserCode),
    request: &AuthorizationRequest,
) -> DeviceAuthorizationResponse {
    let (device_code, user_code) = codes;
    let user_code = user_code.reveal();
    let verification_uri = app.config.issuer.url("/device");
    let (what, parameters): (_, &[&str]) = match request.content.purpose {
        Purpose::Access => ("To sign in", &PARAMETERS),
        Purpose::Enrollment(_) => ("To make this device known", &enrollment::PARAMETERS),
    };
    let lifetime: Lifetime = request.content.expires_at - request.content.requested_at;
    DeviceAuthorizationResponse {
        device_code: device_code.reveal().to_owned(),
        verification_uri_complete: profile
            .approval
            .link
            .then(|| format!("{verification_uri}?user_code={user_code}")),
        expires_in: lifetime.seconds(),
        interval: request.interval.seconds(),
        message: Some(format!("{what}, open {verification_uri} and enter {user_code}")),
        waypass_parameters_understood: understood(asked, parameters),
        user_code,
        verification_uri,
    }
}

pub fn understood(asked: &ClientRequest, parameters: &[&str]) -> Vec<String> {
    asked
        .form
        .names()
        .filter(|name| parameters.contains(name))
        .map(str::to_owned)
        .collect()
}

pub fn must_be_understood(asked: &ClientRequest, parameters: &[&str]) -> Result<(), Refusal> {
    let is_known = |name: &str| parameters.contains(&name) || CREDENTIALS.contains(&name);
    if asked.client().registration.strict && !asked.form.names().all(is_known) {
        return Err(Refusal::ParameterUnknown);
    }
    Ok(())
}

/// An anonymous request costs us a row: there is a bound per client and per source (X11).
fn room(app: &App, profile: &Profile, request: &AuthorizationRequest) -> Room {
    let limits = &app.config.limits;
    Room {
        of_client: profile.limits.open_requests.or(limits.open_requests_per_client),
        of_source: limits.open_requests_per_source,
        for_instance: request.content.instance.is_some(),
    }
}
