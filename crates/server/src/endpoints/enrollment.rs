//! A key becomes known: one running copy of a client, on one device. What an unknown key may ask for is this
//! and nothing else. Shapes are in `protocol/wire/enrollment.rs`; what happens to instances later is
//! `instances.rs`.

mod finish;
mod rotate;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, PRAGMA};
use protocol::authorization_request::{Content, Enrollment, Purpose};
use protocol::details::Details;
use protocol::dpop::VerifiedProof;
use protocol::fact::{Fact, Source};
use protocol::instance::{self, DEFAULT_LIFETIME, Instance, is_name};
use protocol::profile::{AskingKey, Ceremony, Profile};
use protocol::refusal::Refusal;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::enrollment::{EnrolledInstance, EnrollmentResponse, PARAMETERS};

use super::device_authorization;
use crate::admitting;
use crate::app::{App, Shared};
use crate::extract::client::{ClientRequest, Endpoint};
use crate::extract::form::Form;
use crate::failure::Failure;
use crate::instances;
use crate::judging;

pub use finish::finish;
pub use rotate::rotate;

pub async fn enrollment(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::Enrollment).await?;
    let profile = app.profiles().of_any(asked.client())?;
    let proof = asked.proof.as_ref().ok_or(Refusal::DpopProofMissing)?;
    must_know_instances(profile)?;
    if !profile.may_ask_from(asked.address.address) {
        return Err(Refusal::NetworkNotAllowed.into());
    }
    device_authorization::must_be_understood(&asked, &PARAMETERS)?;
    instances::must_be_no_approvers(&app, proof.thumbprint()).await?;
    if let Some(instance) = known(&app, &asked, proof).await? {
        let enrolled = told(&app, &instance, proof.thumbprint()).await?;
        return Ok(answer(StatusCode::OK, &EnrollmentResponse::Enrolled(enrolled)));
    }
    let wish = Wish::read(&asked.form)?;
    if let Some(instance) = admitted(&app, &asked, proof, &wish).await? {
        let enrolled = told(&app, &instance, proof.thumbprint()).await?;
        return Ok(answer(StatusCode::OK, &EnrollmentResponse::Enrolled(enrolled)));
    }
    // A ceremony asks a person, by a code.
    app.profile_of(asked.client())?;
    must_allow_ceremony(profile)?;
    let content = content(&app, &asked, (profile, proof), &wish);
    let judged = judging::asked(&app, &asked, &content, None).await?;
    let attempt = || async {
        let filed = (content.clone(), asked.used_up(), judged.clone());
        device_authorization::file(&app, &asked, profile, filed)
    };
    let issued = app.store.decide(attempt).await?;
    Ok(answer(StatusCode::ACCEPTED, &EnrollmentResponse::Pending(issued)))
}

/// Where any key may ask there is nothing to enroll.
fn must_know_instances(profile: &Profile) -> Result<(), Refusal> {
    if profile.key == AskingKey::Enrolled {
        Ok(())
    } else {
        Err(Refusal::EnrollmentNotOffered)
    }
}

fn must_allow_ceremony(profile: &Profile) -> Result<(), Refusal> {
    match profile.ceremony {
        Ceremony::Off => Err(Refusal::CeremonyNotAllowed),
        Ceremony::WithNetwork | Ceremony::Alone => Ok(()),
    }
}

/// A key that an administrator registered needs no more, and a lost answer is told again. A key that was
/// ever another's, or that has been replaced, is never enrolled again.
async fn known(app: &App, asked: &ClientRequest, proof: &VerifiedProof) -> Result<Option<Instance>, Failure> {
    let Some((key, instance)) = app.store.enrolled_key(proof.thumbprint()).await? else {
        return Ok(None);
    };
    let is_own = instance.client_id == asked.client().client_id && instance.removed_at.is_none();
    if !is_own || key.retires_at.is_some() {
        return Err(Refusal::InstanceKeyTaken.into());
    }
    instance.must_be_active(app.now())?;
    Ok(Some(instance))
}

/// Evidence lets an instance in without a person, on an administrator's terms.
async fn admitted(
    app: &App,
    asked: &ClientRequest,
    proof: &VerifiedProof,
    wish: &Wish,
) -> Result<Option<Instance>, Failure> {
    let Some(admitted) = admitting::by_evidence(app, asked).await? else {
        return Ok(None);
    };
    let attempt = || async {
        let named = (&*wish.name, wish.facts.clone());
        let (instance, entry) = admitted.instance(app, asked, proof, named).await?;
        Ok::<_, Failure>((asked.used_up().then(entry), instance))
    };
    app.store.decide(attempt).await.map(Some)
}

/// What the instance shall be, by its own words.
struct Wish {
    name: String,
    environment: Option<String>,
    lifetime: Lifetime,
    /// About its device, each a claim.
    facts: Vec<Fact>,
}

/// Parameter and fact of each claim about the device.
const CLAIMS: [(&str, &str); 5] = [
    ("key_storage", Fact::DEVICE_KEY_STORAGE),
    ("host", Fact::DEVICE_HOST),
    ("system", Fact::DEVICE_SYSTEM),
    ("user", Fact::DEVICE_USER),
    ("version", Fact::DEVICE_VERSION),
];

impl Wish {
    fn read(form: &Form) -> Result<Self, Refusal> {
        let malformed = Refusal::EnrollmentMalformed;
        let named = |text: &str| is_name(text).then(|| text.to_owned()).ok_or(malformed);
        let lifetime = match form.get("expires_in") {
            Some(seconds) => Lifetime::from_seconds(seconds.parse().map_err(|_| malformed)?),
            None => DEFAULT_LIFETIME,
        };
        if !instance::LIFETIME.contains(&lifetime) {
            return Err(malformed);
        }
        let claims = CLAIMS.into_iter().filter_map(|(parameter, fact)| {
            let value = form.get(parameter)?;
            Some(Fact::new(fact, value, Source::Claimed))
        });
        Ok(Self {
            name: named(form.required("name")?)?,
            environment: form.get("environment").map(named).transpose()?,
            lifetime,
            facts: claims.collect(),
        })
    }
}

/// What a person is asked. No scope and no resource: an enrollment gives access to nothing.
fn content(app: &App, asked: &ClientRequest, (profile, proof): (&Profile, &VerifiedProof), wish: &Wish) -> Content {
    let now = app.now();
    let ends: Timestamp = now + wish.lifetime;
    Content {
        id: app.new_id(),
        client_id: asked.client().client_id.clone(),
        purpose: Purpose::Enrollment(Enrollment {
            name: wish.name.clone(),
            environment: wish.environment.clone(),
            expires_at: ends,
            key: proof.public_key().to_value(),
        }),
        profile: profile.name.clone(),
        profile_version: profile.version.as_str().to_owned(),
        scope: String::new(),
        resource: Vec::new(),
        authorization_details: Details::default(),
        acr_values: Vec::new(),
        max_age: None,
        jkt: Some(proof.thumbprint().to_owned()),
        // An enrollment ends in an instance, and an instance is known by its key.
        x5t: None,
        instance: None,
        owner: None,
        route: None,
        binding_message: None,
        initiator: None,
        binding: None,
        facts: asked.facts(app).chain(wish.facts.iter().cloned()).collect(),
        requested_at: now,
        expires_at: now + device_authorization::code_lifetime(app, asked, profile),
        grant_expires_at: ends,
    }
}

/// What an instance is told about itself: no secret is in it.
async fn told(app: &App, instance: &Instance, thumbprint: &str) -> Result<EnrolledInstance, Failure> {
    let owner = app.store.approver(&instance.owner).await?;
    let owner = owner.ok_or(Refusal::InstanceSuspended)?;
    owner.must_be_active().map_err(|_| Refusal::InstanceSuspended)?;
    Ok(EnrolledInstance {
        instance_id: instance.id.clone(),
        client_id: instance.client_id.clone(),
        name: instance.about.name.clone(),
        environment: instance.about.environment.clone(),
        owner: owner.name,
        expires_at: instance.expires_at.millis(),
        thumbprint: thumbprint.to_owned(),
        way_in: instance.about.way_in.kind().to_owned(),
    })
}

fn answer(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let headers = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
    (status, headers, axum::Json(body)).into_response()
}
