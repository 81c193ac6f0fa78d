//! The end of an enrollment by ceremony: polled for like a token (RFC 8628 §3.4 and §3.5), and what comes of
//! it is an instance. Nothing that stood at the approval is taken for standing still.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use protocol::approver::Approver;
use protocol::authorization_request::{
    AuthorizationRequest, CodeKind, Enrollment, Poll, PollMark, Purpose, State as RequestState,
};
use protocol::client::Client;
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::fact::Fact;
use protocol::instance::{About, ID_PREFIX, Instance, WayIn};
use protocol::jwk::PublicJwk;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use store::{Batch, Fault};

use super::{answer, must_allow_ceremony, must_know_instances, told};
use crate::app::{App, Shared};
use crate::confirmation::{self, Confirmation};
use crate::endpoints::token::device_code::{self, CONFIRMATION};
use crate::endpoints::token::polling::{Presented, digits_awaited};
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::instances;
use crate::judging;
use crate::quorum::{self, Approved};

pub async fn finish(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    let asked = ClientRequest::read(&app, request, Endpoint::EnrollmentFinish).await?;
    let presented = Presented::read(&app, &asked, CodeKind::Enrollment)?;
    presented.decided(&app, None).await?;
    let attempt = || async { finished(&app, &asked, &presented.code).await };
    let instance: Answer = app.store.decide(attempt).await?;
    // Digits may have been wrong: how many tries are left is read anew.
    app.pending.forget(&presented.code);
    let instance = instance?;
    let enrolled = told(&app, &instance, asked.jkt().unwrap_or_default()).await?;
    Ok(answer(StatusCode::OK, &enrolled))
}

/// What the batch of an answer ends in; wrong digits have something to write.
type Answer = Result<Instance, Failure>;

/// Of any number at once one makes the instance; the others are told of it.
async fn finished(app: &App, asked: &ClientRequest, code: &Digest) -> Result<(Batch, Answer), Failure> {
    let now = app.now();
    let request = device_code::load(app, code).await?;
    let mark = PollMark {
        last: None,
        interval: request.interval,
    };
    match request.poll(asked.poller(CodeKind::Enrollment), mark, now)? {
        Poll::Redeem => enrolled(app, asked, &request, now).await.map(made),
        Poll::Confirm { tries } => {
            let typed = asked.form.get(CONFIRMATION).ok_or_else(|| digits_awaited(tries))?;
            match confirmation::check(app, &request, typed).await? {
                Confirmation::Right(confirmed) => {
                    let (batch, instance) = enrolled(app, asked, &request, now).await?;
                    Ok(made((confirmed.then(batch), instance)))
                }
                Confirmation::Wrong(batch, failure) => Ok((asked.used_up().then(batch), Err(failure))),
            }
        }
        Poll::Enrolled { instance_id } => {
            let instance = app.store.instance(&instance_id).await?;
            let instance = instance.ok_or(Refusal::InstanceGone)?;
            instance.must_be_active(now).map_err(|_| Refusal::InstanceGone)?;
            Ok(made((Batch::default(), instance)))
        }
        // A code for access: it is none here, whatever became of it.
        Poll::Replayed { .. } => Err(Refusal::DeviceCodeUnknown.into()),
        Poll::Pending | Poll::SlowDown { .. } => Err(Refusal::AuthorizationPending.into()),
    }
}

fn made((batch, instance): (Batch, Instance)) -> (Batch, Answer) {
    (batch, Ok(instance))
}

async fn enrolled(
    app: &App,
    asked: &ClientRequest,
    request: &AuthorizationRequest,
    now: Timestamp,
) -> Result<(Batch, Instance), Failure> {
    let (Purpose::Enrollment(enrollment), RequestState::Approved { viewer, .. }) =
        (&request.content.purpose, &request.state)
    else {
        return Err(Refusal::DeviceCodeUnknown.into());
    };
    let client = app.stored_client(&request.content.client_id).await?;
    must_still_stand(app, (asked, request), (&client, enrollment), now)?;
    let Approved { approvers, context, .. } = quorum::approved_by(app, request, &client).await?;
    let owner = approvers.iter().find(|approver| approver.id == viewer.approver_id);
    let owner = owner.ok_or(Refusal::ApproverDisabled)?;
    let key = PublicJwk::parse(&enrollment.key)
        .map_err(|flaw| Fault::broken("a stored enrollment's key does not parse").because(flaw))?;
    instances::must_be_no_approvers(app, &key.thumbprint()).await?;

    let judged = judging::enrolled(app, asked, (request, &client), (owner, &context)).await?;
    let instance = instance(app, request, enrollment, owner);
    let state = RequestState::Enrolled {
        instance_id: instance.id.clone(),
        at: now,
    };
    let event = app
        .event(Action::InstanceEnrolled)
        .request(request)
        .instance(&instance)
        .with("key.jkt", key.thumbprint());
    let mut batch = asked
        .used_up()
        .move_request(request, &state)?
        .client_is_unchanged(&client);
    for approver in &approvers {
        batch = batch.approver_is_unchanged(approver);
    }
    let batch = batch
        .add_instance(&instance)?
        .add_instance_key(&instance.id, &key, now)
        .record(&judged.on(event))?;
    Ok((batch, instance))
}

/// Between approval and this a client may have been disabled, or its profile have become another.
fn must_still_stand(
    app: &App,
    (asked, request): (&ClientRequest, &AuthorizationRequest),
    (client, enrollment): (&Client, &Enrollment),
    now: Timestamp,
) -> Result<(), Refusal> {
    client.must_be_active(now)?;
    let profile = app.profile_of(client)?;
    must_know_instances(profile)?;
    must_allow_ceremony(profile)?;
    if !request.content.is_under(profile) {
        return Err(Refusal::InstanceGone);
    }
    if !profile.may_ask_from(asked.address.address) {
        return Err(Refusal::NetworkNotAllowed);
    }
    if now >= enrollment.expires_at {
        return Err(Refusal::InstanceExpired);
    }
    Ok(())
}

/// Whoever approved first answers for it; what proved that the device was theirs stays with it.
fn instance(app: &App, request: &AuthorizationRequest, enrollment: &Enrollment, owner: &Approver) -> Instance {
    let evidence = match &request.state {
        RequestState::Approved { proofs, .. } => proofs.clone(),
        _ => Vec::new(),
    };
    let facts = &request.content.facts;
    Instance {
        id: format!("{ID_PREFIX}{}", app.new_id()),
        client_id: request.content.client_id.clone(),
        owner: owner.id.clone(),
        about: About {
            name: enrollment.name.clone(),
            environment: enrollment.environment.clone(),
            way_in: WayIn::Ceremony {
                request: request.content.id.clone(),
                evidence,
            },
            facts: facts.iter().filter(|fact| Fact::is_of_device(fact)).cloned().collect(),
        },
        created_at: app.now(),
        expires_at: enrollment.expires_at,
        last_seen_at: None,
        suspended_at: None,
        removed_at: None,
        version: 1,
    }
}
