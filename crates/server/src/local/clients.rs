//! `client add|list|show|disable|enable|delete`.

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use protocol::client::{AssertionAudience, Authentication, Client, Kind, Permission, Registration, is_client_id};
use protocol::client_certificate::{self, ExpectedName};
use protocol::details::Details;
use protocol::event::Action;
use protocol::grant::Origin;
use protocol::jwk::{Algorithm, Jwks};
use protocol::profile::Profile;
use protocol::scope::Scope;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::local::{AddClient, ClientView, TlsClientAuth};
use serde_json::Value;
use store::Batch;

use crate::app::{App, Shared};
use crate::failure::Failure;

pub async fn add(State(app): State<Shared>, request: Request) -> Result<(StatusCode, Json<ClientView>), Failure> {
    let asked: AddClient = super::body(request).await?;
    let client = client(&app, asked)?;
    let event = app
        .event(Action::ClientAdded)
        .client(&client.client_id)
        .with("profile", client.registration.profile.clone())
        .with("grants", grants(&client.registration));
    app.commit(Batch::default().add_client(&client)?.record(&event)?)
        .await?;
    app.clients.reload(&app.store, app.now()).await?;
    Ok((StatusCode::CREATED, Json(view(&client))))
}

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<ClientView>>, Failure> {
    Ok(Json(app.store.clients().await?.iter().map(view).collect()))
}

pub async fn show(State(app): State<Shared>, Path(client_id): Path<String>) -> Result<Json<ClientView>, Failure> {
    Ok(Json(view(&find(&app, &client_id).await?)))
}

pub async fn disable(State(app): State<Shared>, Path(client_id): Path<String>) -> Result<Json<ClientView>, Failure> {
    set_disabled(&app, &client_id, Action::ClientDisabled).await
}

pub async fn enable(State(app): State<Shared>, Path(client_id): Path<String>) -> Result<Json<ClientView>, Failure> {
    set_disabled(&app, &client_id, Action::ClientEnabled).await
}

/// C03: with the client go its grants, and so its tokens.
pub async fn delete(State(app): State<Shared>, Path(client_id): Path<String>) -> Result<StatusCode, Failure> {
    let attempt = || async {
        let client = find(&app, &client_id).await?;
        let now = app.now();
        let mut batch = Batch::default().delete_client(&client, now);
        for grant in app.store.grants_of_client(&client_id, now).await? {
            batch = batch.then(app.end_grant(&grant, "client_deleted").await?);
        }
        let batch = batch.record(&app.event(Action::ClientDeleted).client(&client_id))?;
        Ok::<_, Failure>((batch, ()))
    };
    app.store.decide(attempt).await?;
    app.clients.reload(&app.store, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_disabled(app: &App, client_id: &str, action: Action) -> Result<Json<ClientView>, Failure> {
    let attempt = || async {
        let client = find(app, client_id).await?;
        let disabled_at = (action == Action::ClientDisabled).then(|| app.now());
        let batch = Batch::default()
            .set_client_disabled(&client, disabled_at)
            .record(&app.event(action).client(client_id))?;
        Ok::<_, Failure>((batch, Client { disabled_at, ..client }))
    };
    let client = app.store.decide(attempt).await?;
    app.clients.reload(&app.store, app.now()).await?;
    Ok(Json(view(&client)))
}

pub async fn find(app: &App, client_id: &str) -> Result<Client, Failure> {
    app.store
        .client(client_id)
        .await?
        .ok_or(Failure::NotFound("There is no client of this name."))
}

fn client(app: &App, asked: AddClient) -> Result<Client, Failure> {
    if !is_client_id(&asked.client_id) {
        return Err(invalid(
            "a client_id is 1 to 64 letters, digits, dots, dashes or underscores, and not like an approver's",
        ));
    }
    Ok(Client {
        client_id: asked.client_id.clone(),
        created_at: app.now(),
        disabled_at: None,
        version: 1,
        registration: registration(app, asked)?,
    })
}

fn registration(app: &App, mut asked: AddClient) -> Result<Registration, Failure> {
    let scope = Scope::parse(&asked.scope).map_err(|refusal| invalid(refusal.sentence()))?;
    for resource in &asked.resource {
        protocol::resource::parse(resource).map_err(|refusal| invalid(refusal.sentence()))?;
    }
    if let Some(name) = asked.profile.as_deref() {
        must_be_profile(app, name)?;
    }
    let asked_grants = std::mem::take(&mut asked.grants);
    let mut registration = Registration {
        authorization_details: details_ceiling(app, asked.authorization_details.as_ref())?,
        authentication: authentication(app, &asked)?,
        kind: kind(asked.kind.as_deref())?,
        signing_alg: signing_alg(asked.signing_alg.as_deref())?,
        code_lifetime: code_lifetime(asked.code_lifetime)?,
        name: text(asked.name)?.unwrap_or(asked.client_id),
        environment: text(asked.environment)?,
        owner: text(asked.owner)?,
        purpose: text(asked.purpose)?,
        verified: asked.verified,
        expires_at: asked.expires_at.map(Timestamp::from_millis),
        scope: scope.to_string(),
        resource: asked.resource,
        profile: asked.profile,
        require_dpop: asked.require_dpop,
        certificate_bound: asked.certificate_bound,
        strict: asked.strict,
        introspect: asked.introspect,
        report_codes: asked.report_codes,
        device_grant: Permission::On,
        client_credentials: Permission::Withheld,
        profile_given_at: None,
    };
    if !asked_grants.is_empty() {
        give(&mut registration, &asked_grants)?;
    }
    Ok(registration)
}

/// Those that are named, and no others.
pub fn give(registration: &mut Registration, names: &[String]) -> Result<(), Failure> {
    let known = |name: &String| Origin::named(name).is_some();
    if !names.iter().all(known) {
        return Err(invalid("the grants are device_code and client_credentials"));
    }
    for origin in Origin::ALL {
        let is_named = names.iter().any(|name| name == origin.as_str());
        *registration.permission_mut(origin) = if is_named { Permission::On } else { Permission::Withheld };
    }
    let is_machine = registration.client_credentials == Permission::On;
    if is_machine && matches!(registration.authentication, Authentication::None) {
        return Err(invalid(
            "who gets tokens without a person has to authenticate: by its instances' keys, an attester, a key set or a secret",
        ));
    }
    if is_machine && registration.profile.is_none() {
        return Err(invalid("who gets tokens without a person needs a profile"));
    }
    Ok(())
}

/// The names of those that were given, whatever became of them since.
pub fn grants(registration: &Registration) -> Vec<&'static str> {
    let is_given = |origin: &Origin| registration.permission(*origin) != Permission::Withheld;
    Origin::ALL.into_iter().filter(is_given).map(Origin::as_str).collect()
}

pub fn details_ceiling(app: &App, asked: Option<&Value>) -> Result<Details, Failure> {
    let Some(asked) = asked else {
        return Ok(Details::default());
    };
    let ceiling = app.details().read_ceiling(&asked.to_string());
    ceiling.map_err(|refusal| invalid(refusal.sentence()))
}

const ONE_WAY: &str =
    "a client is either public, or has a secret, or has a key set, or its instances' keys, or certificates";

pub fn must_be_profile(app: &App, name: &str) -> Result<(), Failure> {
    if app.profiles().named(name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = app.profiles().iter().map(|profile| profile.name.as_str()).collect();
    Err(invalid(&format!(
        "there is no profile of this name; known: {}",
        known.join(", ")
    )))
}

fn authentication(app: &App, asked: &AddClient) -> Result<Authentication, Failure> {
    let ways = [
        asked.public,
        asked.secret.is_some(),
        asked.jwks.is_some(),
        asked.instance_key,
        asked.attested,
        asked.tls_client_auth.is_some(),
        asked.self_signed_certificates.is_some(),
    ];
    if ways.into_iter().filter(|&is| is).count() != 1 {
        return Err(invalid(ONE_WAY));
    }
    if asked.assertion_audience.is_some() && asked.jwks.is_none() {
        return Err(invalid("an assertion audience goes with a key set"));
    }
    if let Some(secret) = &asked.secret {
        return match secret.as_str() {
            "" => Err(invalid("the secret is empty")),
            secret => Ok(Authentication::ClientSecret {
                mac: app.derived.client_secret_mac(&asked.client_id, secret),
            }),
        };
    }
    if let Some(jwks) = &asked.jwks {
        let parsed = Jwks::parse(jwks).map_err(|flaw| invalid(&format!("the key set is not usable: {flaw}")))?;
        return Ok(Authentication::PrivateKeyJwt {
            jwks: parsed.to_value(),
            audience: assertion_audience(asked.assertion_audience.as_deref())?,
        });
    }
    if let Some(auth) = by_certificate(asked)? {
        return Ok(auth);
    }
    match (asked.instance_key, asked.attested) {
        (true, _) => Ok(Authentication::InstanceKey),
        (_, true) => Ok(Authentication::Attested),
        _ if asked.introspect => Err(invalid(
            "a resource server has to authenticate: give it a secret or a key set",
        )),
        _ if asked.report_codes => Err(invalid(
            "who reports codes has to authenticate: give it a secret or a key set",
        )),
        _ => Ok(Authentication::None),
    }
}

fn assertion_audience(name: Option<&str>) -> Result<AssertionAudience, Failure> {
    match name {
        None | Some("issuer") => Ok(AssertionAudience::Issuer),
        Some("legacy") => Ok(AssertionAudience::Legacy),
        Some(_) => Err(invalid("the assertion audience is `issuer` or `legacy`")),
    }
}

fn by_certificate(asked: &AddClient) -> Result<Option<Authentication>, Failure> {
    if let Some(TlsClientAuth {
        authorities,
        kind,
        name,
    }) = &asked.tls_client_auth
    {
        must_be_certificates(authorities)?;
        let name = ExpectedName::parse(kind, name).map_err(|flaw| invalid(flaw.0))?;
        let authorities = authorities.clone();
        return Ok(Some(Authentication::TlsClientAuth { name, authorities }));
    }
    let Some(certificates) = asked.self_signed_certificates.clone() else {
        return Ok(None);
    };
    must_be_certificates(&certificates)?;
    Ok(Some(Authentication::SelfSignedTlsClientAuth { certificates }))
}

pub fn must_be_certificates(x5c: &[String]) -> Result<(), Failure> {
    client_certificate::must_be_certificates(x5c).map_err(|flaw| invalid(flaw.0))
}

fn kind(name: Option<&str>) -> Result<Kind, Failure> {
    let named = |name| Kind::named(name).ok_or_else(|| invalid("the kind is cli, agent, workload or service"));
    name.map_or(Ok(Kind::default()), named)
}

/// PS256 is verified and not signed with: no client asked for it yet.
fn signing_alg(name: Option<&str>) -> Result<Algorithm, Failure> {
    match name.map_or(Some(Algorithm::Es256), Algorithm::parse) {
        Some(Algorithm::Ps256) | None => Err(invalid("the signing algorithm is ES256, RS256 or EdDSA")),
        Some(alg) => Ok(alg),
    }
}

fn code_lifetime(seconds: Option<i64>) -> Result<Option<Lifetime>, Failure> {
    match seconds {
        Some(seconds) if !(10..=1800).contains(&seconds) => Err(invalid("a code lives 10 to 1800 seconds")),
        seconds => Ok(seconds.map(Lifetime::from_seconds)),
    }
}

fn text(text: Option<String>) -> Result<Option<String>, Failure> {
    const LONGEST: usize = 200;
    match text {
        Some(text) if text.chars().count() > LONGEST => {
            Err(invalid("names and descriptions have at most 200 characters"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

pub fn invalid(sentence: &str) -> Failure {
    Failure::Invalid(sentence.to_owned())
}

pub fn warnings(client: &Client) -> Vec<String> {
    let registration = &client.registration;
    let mut warnings = Vec::new();
    if registration.profile.as_deref() == Some(Profile::OPEN) {
        warnings.push(format!(
            "client {} has the profile open: any program may ask in its name, and its tokens depend on an approval alone",
            client.client_id
        ));
    }
    if matches!(
        registration.authentication,
        Authentication::PrivateKeyJwt {
            audience: AssertionAudience::Legacy,
            ..
        }
    ) {
        warnings.push(format!(
            "client {} may sign its assertions for the token endpoint's URL: RFC 10070 forbids it, because another server can ask for such an assertion",
            client.client_id
        ));
    }
    warnings
}

pub fn view(client: &Client) -> ClientView {
    let registration = &client.registration;
    let (authentication, audience) = match &registration.authentication {
        Authentication::None => ("none", None),
        Authentication::ClientSecret { .. } => ("client_secret", None),
        Authentication::PrivateKeyJwt {
            audience: AssertionAudience::Issuer,
            ..
        } => ("private_key_jwt", Some("issuer")),
        Authentication::PrivateKeyJwt {
            audience: AssertionAudience::Legacy,
            ..
        } => ("private_key_jwt", Some("legacy")),
        Authentication::InstanceKey => ("instance_key", None),
        Authentication::Attested => ("attested", None),
        Authentication::TlsClientAuth { .. } => ("tls_client_auth", None),
        Authentication::SelfSignedTlsClientAuth { .. } => ("self_signed_tls_client_auth", None),
    };
    let types = registration.authorization_details.types().into_iter();
    ClientView {
        client_id: client.client_id.clone(),
        name: registration.name.clone(),
        kind: registration.kind.as_str().to_owned(),
        environment: registration.environment.clone(),
        owner: registration.owner.clone(),
        purpose: registration.purpose.clone(),
        verified: registration.verified,
        expires_at: registration.expires_at.map(Timestamp::millis),
        scope: registration.scope.clone(),
        resource: registration.resource.clone(),
        authorization_details: registration.authorization_details.clone(),
        authorization_details_types: types.map(str::to_owned).collect(),
        profile: registration.profile.clone(),
        authentication: authentication.to_owned(),
        certificate: registration.authentication.certificate(),
        certificate_bound: registration.certificate_bound,
        assertion_audience: audience.map(str::to_owned),
        require_dpop: registration.require_dpop,
        strict: registration.strict,
        code_lifetime: registration.code_lifetime.map(Lifetime::seconds),
        signing_alg: registration.signing_alg.as_str().to_owned(),
        introspect: registration.introspect,
        report_codes: registration.report_codes,
        device_grant: registration.device_grant.as_str().to_owned(),
        device_grant_since: registration.device_grant.since().map(Timestamp::millis),
        client_credentials: registration.client_credentials.as_str().to_owned(),
        client_credentials_since: registration.client_credentials.since().map(Timestamp::millis),
        created_at: client.created_at.millis(),
        disabled_at: client.disabled_at.map(Timestamp::millis),
        warnings: warnings(client),
    }
}
