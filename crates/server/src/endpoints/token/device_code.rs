//! RFC 8628 §3.4 and §3.5. A pending poll is answered from memory and writes nothing; a token is issued
//! only by the compare-and-set of [`redeem`].

use protocol::authorization_request::{AuthorizationRequest, CodeKind, Poll, PollMark, State};
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::grant::Grant;
use protocol::refusal::Refusal;
use protocol::resource;
use protocol::time::Timestamp;
use protocol::wire::token::TokenResponse;
use store::{Batch, Fault};

use super::issue::{Issue, issue};
use super::polling::{Presented, digits_awaited};
use crate::app::App;
use crate::confirmation::{self, Confirmation};
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::holding::Hold;
use crate::instances;
use crate::judging;
use crate::posture;
use crate::quorum::{self, Approved};

/// X16: the six digits of the approver's page.
pub const CONFIRMATION: &str = "confirmation";

/// What the batch of an answer ends in; a failure here has something to write (`Replayed`, wrong digits).
type Answer = Result<TokenResponse, Failure>;

/// RFC 8628 §3.4 and CIBA §10.1: the same in all but what the code is called.
pub async fn by_code(
    app: &App,
    asked: &ClientRequest,
    kind: CodeKind,
    hold: Option<&mut Hold<'_>>,
) -> Result<TokenResponse, Failure> {
    app.profile_of(asked.client())?;
    let presented = Presented::read(app, asked, kind)?;
    presented.decided(app, hold).await?;
    let answer = Box::pin(redeem(app, &presented)).await;
    // Digits may have been wrong: how many tries are left is read anew.
    app.pending.forget(&presented.code);
    answer
}

pub async fn load(app: &App, code: &Digest) -> Result<AuthorizationRequest, Failure> {
    app.store
        .request_by_device_code(code)
        .await?
        .ok_or(Failure::Refusal(Refusal::DeviceCodeUnknown))
}

/// Of any number at once exactly one gets the token: the batch moves the request by its version, and
/// stands on the very client and approver that were decided upon.
async fn redeem(app: &App, presented: &Presented<'_>) -> Result<TokenResponse, Failure> {
    let asked = presented.asked;
    let attempt = || async {
        let now = app.now();
        let request = load(app, &presented.code).await?;
        let mark = PollMark {
            last: None,
            interval: request.interval,
        };
        match request.poll(asked.poller(presented.kind), mark, now)? {
            Poll::Redeem => redeemed(app, asked, &request, Batch::default(), now).await,
            Poll::Confirm { tries } => {
                let typed = asked.form.get(CONFIRMATION).ok_or_else(|| digits_awaited(tries))?;
                match confirmation::check(app, &request, typed).await? {
                    Confirmation::Right(batch) => redeemed(app, asked, &request, batch, now).await,
                    Confirmation::Wrong(batch, failure) => Ok((asked.used_up().then(batch), Err(failure))),
                }
            }
            Poll::Replayed { grant_id, revoke } => replayed(app, asked, &request, (&grant_id, revoke)).await,
            Poll::Enrolled { .. } | Poll::Pending | Poll::SlowDown { .. } => Err(Refusal::AuthorizationPending.into()),
        }
    };
    let answer: Answer = app.store.decide(attempt).await?;
    answer
}

async fn redeemed(
    app: &App,
    asked: &ClientRequest,
    request: &AuthorizationRequest,
    confirmed: Batch,
    now: Timestamp,
) -> Result<(Batch, Answer), Failure> {
    let client = app.stored_client(&request.content.client_id).await?;
    let Approved {
        approvers,
        granted,
        context,
    } = quorum::approved_by(app, request, &client).await?;
    let approver = approvers.first().ok_or_else(|| missing("an approver"))?;
    let instance = app.named_instance(request.content.instance.as_deref()).await?;
    // The key that asked may have been replaced since, and serve no more.
    if let Some(instance) = &instance
        && !instances::has_key(app, &instance.id, asked.jkt()).await?
    {
        return Err(Refusal::InstanceGone.into());
    }
    let refused = || asked.event(app, Action::DeviceRefused).request(request);
    let posture = posture::again(app, asked, app.profile_of(&client)?, (refused, &request.content.id)).await?;
    let ground = app.ground(&client, approver, instance.as_ref());
    let grant = Grant::begin(app.new_id(), (request, &granted, context), &ground, asked.keys(), now)?;
    let audience = resource::audience(&asked.form.resource()?, &grant.resource)?;
    let authorization_details = app
        .details()
        .narrowed(&grant.authorization_details, asked.form.get("authorization_details"))?;
    let judged = judging::redeemed(app, asked, (&grant, &ground), Some(request), &posture).await?;

    let issued = issue(
        app,
        &Issue {
            grant: &grant,
            client: &client,
            approver,
            scope: &grant.scope,
            audience,
            authorization_details,
        },
    )?;
    let state = State::Redeemed {
        grant_id: grant.id.clone(),
        jkt: grant.jkt.clone(),
        at: now,
    };
    let mut batch = asked
        .used_up()
        .then(confirmed)
        .move_request(request, &state)?
        .client_is_unchanged(&client);
    for approver in &approvers {
        batch = batch.approver_is_unchanged(approver);
    }
    if let Some(instance) = &instance {
        batch = batch.instance_is_unchanged(instance).instance_seen(&instance.id, now);
    }
    let event = asked
        .event(app, Action::DeviceRedeemed)
        .grant(&grant)
        .posture(&posture)
        .ai_agent(&client);
    let event = match &request.state {
        State::Approved { at, .. } => event.with("latency.decide_to_redeem_s", (now - *at).seconds()),
        _ => event,
    };
    let event = judged.on(issued.on(event));
    let batch = batch.begin_grant(&grant)?.then(issued.batch).record(&event)?;
    Ok((batch, Ok(issued.response)))
}

/// A dead code came up again. It is recorded; unless it looks like the client's own retry, its grant ends.
async fn replayed(
    app: &App,
    asked: &ClientRequest,
    request: &AuthorizationRequest,
    (grant_id, revoke): (&str, bool),
) -> Result<(Batch, Answer), Failure> {
    let grant = app.store.grant(grant_id).await?.ok_or_else(|| missing("a grant"))?;
    // Where nothing is left to end, presenting it again and again fills no record.
    if !grant.is_live(app.now()) {
        return Ok((Batch::default(), Err(Refusal::DeviceCodeUnknown.into())));
    }
    let event = asked
        .event(app, Action::DeviceReplayed)
        .grant(&grant)
        .ai_agent(asked.client())
        .with("grant.ended", revoke)
        .failed("invalid_grant");
    let mut batch = Batch::default().request_is_unchanged(request).record(&event)?;
    if revoke {
        batch = batch.then(app.end_grant(&grant, "device_code_replayed").await?);
    }
    Ok((batch, Err(Refusal::DeviceCodeUnknown.into())))
}

fn missing(what: &'static str) -> Failure {
    tracing::error!(what, "a row that another row names is missing");
    Failure::Fault(Fault::broken("a row that another row names is missing"))
}
