//! Policies are asked: at every step, with everything that the step knows. What comes of it goes on the record, also
//! where it refuses. What policies mean is in the crate `policy`; which are in force is in `policies.rs`.

use policy::input::{self, Access as Asked, Input};
use policy::{Policies, Step, Verdict};
use protocol::approval::ConfirmedApproval;
use protocol::approver::Approver;
use protocol::authorization_request::{AuthorizationRequest, CodeEntry, Content, State};
use protocol::client::Client;
use protocol::details::Details;
use protocol::event::{Action, Event};
use protocol::fact::Fact;
use protocol::grant::{AuthenticationContext, Grant, Ground, Origin};
use protocol::instance::Instance;
use protocol::network;
use protocol::refusal::Refusal;
use protocol::scope::Scope;
use serde_json::Value;

use crate::access::{Access, text};
use crate::app::App;
use crate::asker;
use crate::deciding::Deciding;
use crate::ends::End;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::{peer, refused};

/// What the policies said.
#[derive(Clone)]
pub struct Judgement {
    step: Step,
    verdict: Verdict,
    version: Option<String>,
    input: Value,
}

impl Judgement {
    fn of(policies: &Policies, input: &Input) -> Self {
        Self {
            step: input.step,
            verdict: policies.decide(input),
            version: (!policies.is_empty()).then(|| policies.version().as_str().to_owned()),
            input: input.recorded(),
        }
    }

    /// Decision, deciding policies and input, on the event of the step.
    pub fn on(self, event: Event) -> Event {
        event
            .with("policy.step", self.step.as_str())
            .with("policy.decision", self.verdict.decision.as_str())
            .with("policy.ids", self.verdict.ids)
            .with("policy.reported", self.verdict.reported)
            .with("policy.version", self.version)
            .with("policy.input", self.input)
    }
}

/// A program asks for access, or to be enrolled.
pub async fn asked(
    app: &App,
    asked: &ClientRequest,
    content: &Content,
    instance: Option<&Instance>,
) -> Result<Judgement, Failure> {
    let input = Input {
        requester: place(app, &End::asking(app, asked)),
        ..of_content(app, Step::Request, (content, asked.client()), instance)
    };
    let refused = || asked.event(app, Action::DeviceRefused).content(content);
    must_permit(app, &input, (refused, peer::network(asked.address.counted).to_string())).await
}

/// An approver opens a request.
pub async fn viewed(
    app: &App,
    deciding: &Deciding,
    (request, client): (&AuthorizationRequest, &Client),
    entry: CodeEntry,
) -> Result<Judgement, Failure> {
    let input = Input {
        entry: Some(entry.as_str().to_owned()),
        ..of_person(app, Step::View, deciding, (request, client)).await?
    };
    let refused = || deciding.event(app, Action::DeviceRefused, request);
    must_permit(app, &input, (refused, deciding.approver.id.clone())).await
}

/// Whether it may be shown: again, or in a list. Nothing is written.
pub async fn may_be_seen(
    app: &App,
    deciding: &Deciding,
    (request, client): (&AuthorizationRequest, &Client),
) -> Result<(), Failure> {
    if !app.policies.now().speak_of(Step::View) {
        return Ok(());
    }
    let input = of_person(app, Step::View, deciding, (request, client)).await?;
    let judgement = Judgement::of(&app.policies.now(), &input);
    if judgement.verdict.is_permitted() {
        return Ok(());
    }
    Err(forbidden(judgement, None))
}

/// An approver has signed.
pub async fn approved(
    app: &App,
    deciding: &Deciding,
    (request, client): (&AuthorizationRequest, &Client),
    approval: &ConfirmedApproval,
) -> Result<Judgement, Failure> {
    let granted = &approval.decision().granted;
    let input = of_person(app, Step::Approve, deciding, (request, client)).await?;
    let input = Input {
        access: Asked {
            scopes: scopes(&granted.scope),
            resources: granted.resource.clone(),
            details: granted.authorization_details.iter().cloned().collect(),
            lifetime: granted.expires_at - app.now().seconds(),
            ..input.access
        },
        approvals: input.approvals + 1,
        acr: Some(approval.acr().to_owned()),
        amr: approval.amr().into_iter().map(str::to_owned).collect(),
        ..input
    };
    let refused = || deciding.event(app, Action::DeviceRefused, request);
    must_permit(app, &input, (refused, deciding.approver.id.clone())).await
}

/// A grant begins: of what was approved, or of an instance's own word.
pub async fn redeemed(
    app: &App,
    asked: &ClientRequest,
    (grant, ground): (&Grant, &Ground<'_>),
    request: Option<&AuthorizationRequest>,
    posture: &[Fact],
) -> Result<Judgement, Failure> {
    let input = of_grant(app, Step::Redeem, grant, ground).await?;
    let known = request.iter().flat_map(|request| &request.content.facts);
    let input = Input {
        facts: facts_now(app, asked, ground.instance, posture)
            .chain(lasting(known))
            .collect(),
        requester: place(app, &End::asking(app, asked)),
        approvals: request.map_or(0, approvals),
        ..input
    };
    let refused = || {
        let event = match request {
            Some(request) => asked.event(app, Action::DeviceRefused).request(request),
            None => asked
                .event(app, Action::TokenRefused)
                .client(&grant.client_id)
                .with("instance.id", grant.instance_id.clone()),
        };
        event.approver(&grant.subject)
    };
    let whose = request.map_or(&grant.client_id, |request| &request.content.id);
    must_permit(app, &input, (refused, whose.clone())).await
}

/// A key that a person let in becomes an instance.
pub async fn enrolled(
    app: &App,
    asked: &ClientRequest,
    (request, client): (&AuthorizationRequest, &Client),
    (owner, context): (&Approver, &AuthenticationContext),
) -> Result<Judgement, Failure> {
    let content = &request.content;
    let input = of_content(app, Step::Redeem, (content, client), None);
    let end = End::asking(app, asked);
    let input = Input {
        facts: end.facts().into_iter().chain(lasting(&content.facts)).collect(),
        requester: place(app, &end),
        approver: Some(approver(app, owner).await?),
        approvals: approvals(request),
        acr: Some(context.acr.clone()),
        amr: context.amr.clone(),
        age: (app.now() - context.auth_time).seconds(),
        ..input
    };
    let refused = || asked.event(app, Action::DeviceRefused).request(request);
    must_permit(app, &input, (refused, content.id.clone())).await
}

/// Evidence lets a key in, and nobody is asked: it asks to be an instance and becomes one in the same moment, so that the
/// policies of both steps are asked. What the second says goes on the event.
pub async fn admitted(
    app: &App,
    asked: &ClientRequest,
    instance: &Instance,
    owner: &Approver,
) -> Result<Judgement, Failure> {
    let refused = || asked.event(app, Action::DeviceRefused).instance(instance);
    let whose = peer::network(asked.address.counted).to_string();
    let input = Input {
        binding: binding(None, asked.jkt()).to_owned(),
        instance: Some(of_instance(instance)),
        access: Asked {
            id: instance.id.clone(),
            enrolls: true,
            lifetime: (instance.expires_at - app.now()).seconds(),
            ..Asked::default()
        },
        requester: place(app, &End::asking(app, asked)),
        facts: asked.facts(app).chain(asker::facts_of(instance)).collect(),
        ..of_client(app, Step::Request, asked.client())
    };
    must_permit(app, &input, (refused, whose.clone())).await?;
    let input = Input {
        step: Step::Redeem,
        approver: Some(approver(app, owner).await?),
        ..input
    };
    must_permit(app, &input, (refused, whose)).await
}

/// A refresh token is presented; scope, audience and details are those of the next access token.
pub async fn refreshed(
    app: &App,
    asked: &ClientRequest,
    (grant, ground): (&Grant, &Ground<'_>),
    (scope, audience, details): (&str, &[String], &Details),
    posture: &[Fact],
) -> Result<Judgement, Failure> {
    let input = of_grant(app, Step::Refresh, grant, ground).await?;
    let input = Input {
        facts: facts_now(app, asked, ground.instance, posture).collect(),
        requester: place(app, &End::asking(app, asked)),
        access: Asked {
            scopes: words(scope),
            resources: audience.to_vec(),
            details: details.iter().cloned().collect(),
            ..input.access
        },
        ..input
    };
    let refused = || asked.event(app, Action::TokenRefused).grant(grant);
    must_permit(app, &input, (refused, grant.id.clone())).await
}

/// A resource server asks about a token. What is permitted leaves no record: nothing is written then.
pub async fn introspected(app: &App, access: &Access, reader: &str) -> Result<(), Failure> {
    if !app.policies.now().speak_of(Step::Introspect) {
        return Ok(());
    }
    let (input, grant) = (of_token(app, access, reader).await?, &access.grant);
    let refused = || app.event(Action::TokenRefused).grant(grant).with("reader", reader);
    must_permit(app, &input, (refused, grant.id.clone())).await.map(|_| ())
}

/// The same for a resource of our own, which is read by GET: nothing is written.
pub async fn may_be_read(app: &App, access: &Access, reader: &str) -> Result<(), Failure> {
    if !app.policies.now().speak_of(Step::Introspect) {
        return Ok(());
    }
    let judgement = Judgement::of(&app.policies.now(), &of_token(app, access, reader).await?);
    if judgement.verdict.is_permitted() {
        return Ok(());
    }
    Err(forbidden(judgement, None))
}

/// What the token itself holds, which may be less than its grant.
async fn of_token(app: &App, access: &Access, reader: &str) -> Result<Input, Failure> {
    let grant = &access.grant;
    let ground = app.ground(&access.client, &access.approver, access.instance.as_ref());
    let input = of_grant(app, Step::Introspect, grant, &ground).await?;
    let details = access.claims.get("authorization_details").and_then(Value::as_array);
    Ok(Input {
        facts: ground.instance.map(asker::facts_of).unwrap_or_default(),
        access: Asked {
            scopes: words(text(&access.claims, "scope").unwrap_or_default()),
            resources: access.audience().map(str::to_owned).collect(),
            details: details.cloned().unwrap_or_default(),
            ..input.access
        },
        reader: Some(reader.to_owned()),
        ..input
    })
}

/// Permitted, with what goes on the event of the step; else refused, on the record. `whose`: what tells refusals of
/// one step apart.
async fn must_permit(
    app: &App,
    input: &Input,
    (refused, whose): (impl FnOnce() -> Event, String),
) -> Result<Judgement, Failure> {
    let policies = app.policies.now();
    let judgement = Judgement::of(&policies, input);
    app.metrics.policy_decided(input.step, &judgement.verdict);
    if judgement.verdict.is_permitted() {
        return Ok(judgement);
    }
    let apart = [input.step.as_str(), &whose, &judgement.verdict.ids.join(" ")];
    let event = judgement.clone().on(refused());
    let reference = refused::record(app, event, Refusal::PolicyForbids, &apart).await?;
    Err(forbidden(judgement, reference))
}

/// Approvers are told which policies it was: they can ask for a change. A program is told where that is written down.
fn forbidden(judgement: Judgement, reference: Option<String>) -> Failure {
    let policies = match judgement.step {
        Step::View | Step::Approve => judgement.verdict.ids,
        Step::Request | Step::Redeem | Step::Refresh | Step::Introspect => Vec::new(),
    };
    Failure::Forbidden { policies, reference }
}

fn of_client(app: &App, step: Step, client: &Client) -> Input {
    let registration = &client.registration;
    Input {
        quorum: app.profile_of(client).map_or(1, |profile| profile.approval.quorum),
        profile: registration.profile.clone().unwrap_or_default(),
        ..Input::new(
            step,
            app.now(),
            input::Client {
                id: client.client_id.clone(),
                kind: registration.kind.as_str().to_owned(),
                verified: registration.verified,
                environment: registration.environment.clone(),
            },
        )
    }
}

fn of_content(app: &App, step: Step, (content, client): (&Content, &Client), instance: Option<&Instance>) -> Input {
    Input {
        profile: content.profile.clone(),
        binding: binding(content.x5t.as_deref(), content.jkt.as_deref()).to_owned(),
        instance: instance.map(of_instance),
        access: Asked {
            id: content.id.clone(),
            enrolls: content.purpose.is_enrollment(),
            scopes: words(&content.scope),
            resources: content.resource.clone(),
            details: content.authorization_details.iter().cloned().collect(),
            lifetime: (content.grant_expires_at - app.now()).seconds(),
        },
        requester: place(app, &End::asked(app, content)),
        facts: content.facts.clone(),
        ..of_client(app, step, client)
    }
}

async fn of_person(
    app: &App,
    step: Step,
    deciding: &Deciding,
    (request, client): (&AuthorizationRequest, &Client),
) -> Result<Input, Failure> {
    let content = &request.content;
    let instance = app.named_instance(content.instance.as_deref()).await?;
    let (requester, own) = (End::asked(app, content), deciding.end(app));
    let input = of_content(app, step, (content, client), instance.as_ref());
    Ok(Input {
        approver: Some(approver(app, &deciding.approver).await?),
        onlooker: Some(place(app, &own)),
        network: network::compare(&requester.place, &own.place, &app.config.shared_networks),
        entry: Some(entry(&request.state).as_str().to_owned()),
        approvals: approvals(request),
        facts: input.facts.into_iter().chain(own.facts()).collect(),
        ..input
    })
}

async fn of_grant(app: &App, step: Step, grant: &Grant, ground: &Ground<'_>) -> Result<Input, Failure> {
    let now = app.now();
    Ok(Input {
        origin: grant.origin.as_str().to_owned(),
        binding: binding(grant.x5t.as_deref(), grant.jkt.as_deref()).to_owned(),
        instance: ground.instance.map(of_instance),
        approver: Some(approver(app, ground.approver).await?),
        access: Asked {
            id: grant.id.clone(),
            enrolls: false,
            scopes: words(&grant.scope),
            resources: grant.resource.clone(),
            details: grant.authorization_details.iter().cloned().collect(),
            lifetime: (grant.expires_at - now).seconds(),
        },
        acr: Some(grant.acr.clone()),
        amr: grant.amr.clone(),
        // Nobody decided what a machine got by itself.
        age: match grant.origin {
            Origin::DeviceCode => (now - grant.auth_time).seconds(),
            Origin::ClientCredentials => 0,
        },
        ..of_client(app, step, ground.client)
    })
}

/// What is known of the program at this step, the newest first.
fn facts_now(
    app: &App,
    asked: &ClientRequest,
    instance: Option<&Instance>,
    posture: &[Fact],
) -> impl Iterator<Item = Fact> {
    let now = End::asking(app, asked).facts().into_iter();
    now.chain(posture.iter().cloned())
        .chain(instance.map(asker::facts_of).unwrap_or_default())
}

/// From where something was asked then, and what the machine was like, says nothing of now.
fn lasting<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> impl Iterator<Item = Fact> {
    let is_of_then = |fact: &Fact| fact.name.starts_with("requester.") || fact.name.starts_with("posture.");
    facts.into_iter().filter(move |fact| !is_of_then(fact)).cloned()
}

fn of_instance(instance: &Instance) -> input::Instance {
    input::Instance {
        id: instance.id.clone(),
        name: instance.about.name.clone(),
        way_in: instance.about.way_in.kind().to_owned(),
        environment: instance.about.environment.clone(),
    }
}

async fn approver(app: &App, approver: &Approver) -> Result<input::Approver, Failure> {
    Ok(input::Approver {
        id: approver.id.clone(),
        name: approver.name.clone(),
        groups: app.every_group_of(&approver.id).await?,
    })
}

fn place(app: &App, end: &End) -> input::Place {
    let place = &end.place;
    let listed = &app.config.networks.trusted;
    input::Place {
        address: place.address,
        listed: place.address.is_some_and(|address| network::is_within(address, listed)),
        operator: place.operator.as_ref().map(|operator| operator.number),
        country: place.country.clone(),
    }
}

fn entry(state: &State) -> CodeEntry {
    match state {
        State::Viewed { entry, .. } => *entry,
        _ => CodeEntry::Push,
    }
}

fn approvals(request: &AuthorizationRequest) -> u32 {
    match &request.state {
        State::Endorsed { by, .. } | State::Approved { by, .. } => u32::try_from(by.len()).unwrap_or(u32::MAX),
        _ => 0,
    }
}

fn binding(x5t: Option<&str>, jkt: Option<&str>) -> &'static str {
    match (x5t, jkt) {
        (Some(_), _) => "mtls",
        (None, Some(_)) => "dpop",
        (None, None) => "none",
    }
}

fn scopes(scope: &Scope) -> Vec<String> {
    scope.iter().map(str::to_owned).collect()
}

fn words(scope: &str) -> Vec<String> {
    scope.split_whitespace().map(str::to_owned).collect()
}
