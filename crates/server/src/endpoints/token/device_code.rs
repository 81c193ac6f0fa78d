//! RFC 8628 §3.4 and §3.5. A pending poll is answered from memory and writes nothing; a token is issued
//! only by the compare-and-set of [`redeem`].

use protocol::authorization_request::{AuthorizationRequest, Poll, PollMark, State};
use protocol::digest::Digest;
use protocol::event::Action;
use protocol::grant::Grant;
use protocol::refusal::Refusal;
use protocol::resource;
use protocol::secret::DeviceCode;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::token::TokenResponse;
use store::{Batch, Fault};

use super::issue::{Issue, issue};
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;

/// What the batch of an answer ends in; a refusal here has something to write (`Replayed`).
type Answer = Result<TokenResponse, Refusal>;

pub async fn device_code(app: &App, asked: &ClientRequest) -> Result<TokenResponse, Failure> {
    asked.client().profile()?;
    let code = DeviceCode::presented(asked.form.required("device_code")?).digest();
    if let Some(answer) = app.pending.poll(&code, asked.poller(), app.now()) {
        let (poll, request_id) = answer?;
        return Err(waiting(app, &poll, &request_id).await?);
    }

    let ticket = app.pending.ticket(&code);
    let now = app.now();
    let request = load(app, &code).await?;
    let mark = app.pending.mark(&code).unwrap_or(PollMark {
        last: None,
        interval: request.interval,
    });
    match request.poll(asked.poller(), mark, now)? {
        Poll::Redeem | Poll::Replayed { .. } => redeem(app, asked, &code).await,
        poll => {
            let interval = if let Poll::SlowDown { interval, .. } = poll {
                interval
            } else {
                mark.interval
            };
            app.pending.remember(
                &request,
                PollMark {
                    last: Some(now),
                    interval,
                },
                &ticket,
                now,
            );
            Err(waiting(app, &poll, &request.content.id).await?)
        }
    }
}

async fn load(app: &App, code: &Digest) -> Result<AuthorizationRequest, Failure> {
    app.store
        .request_by_device_code(code)
        .await?
        .ok_or(Failure::Refusal(Refusal::DeviceCodeUnknown))
}

/// Pending, or a raised interval, which is stored: the other nodes and the next start hold it too.
async fn waiting(app: &App, poll: &Poll, request_id: &str) -> Result<Failure, Failure> {
    let Poll::SlowDown { interval, raised } = poll else {
        return Ok(Refusal::AuthorizationPending.into());
    };
    if *raised {
        let event = early(app, request_id, *interval);
        app.commit(Batch::default().raise_interval(request_id, *interval).record(&event)?)
            .await?;
    }
    Ok(Failure::SlowDown {
        interval: interval.seconds(),
    })
}

fn early(app: &App, request_id: &str, interval: Lifetime) -> protocol::event::Event {
    let mut event = app
        .event(Action::DevicePolledEarly)
        .with("interval", interval.seconds());
    event.request_id = Some(request_id.to_owned());
    event
}

/// Of any number at once exactly one gets the token: the batch moves the request by its version, and
/// stands on the very client and approver that were decided upon.
async fn redeem(app: &App, asked: &ClientRequest, code: &Digest) -> Result<TokenResponse, Failure> {
    let attempt = || async {
        let now = app.now();
        let request = load(app, code).await?;
        let mark = PollMark {
            last: None,
            interval: request.interval,
        };
        match request.poll(asked.poller(), mark, now)? {
            Poll::Redeem => redeemed(app, asked, &request, now).await,
            Poll::Replayed { grant_id, revoke } => replayed(app, &request, &grant_id, revoke).await,
            Poll::Pending | Poll::SlowDown { .. } => Err(Refusal::AuthorizationPending.into()),
        }
    };
    let answer: Answer = app.store.decide(attempt).await?;
    Ok(answer?)
}

async fn redeemed(
    app: &App,
    asked: &ClientRequest,
    request: &AuthorizationRequest,
    now: Timestamp,
) -> Result<(Batch, Answer), Failure> {
    let client = app.stored_client(&request.content.client_id).await?;
    let approval = app
        .store
        .approval(&request.content.id)
        .await?
        .ok_or_else(|| missing("an approval"))?;
    let approver = app
        .store
        .approver(&approval.approver_id)
        .await?
        .ok_or_else(|| missing("an approver"))?;
    let grant = Grant::begin(
        app.new_id(),
        request,
        (&approver, approval.context),
        (&client, asked.jkt()),
        now,
    )?;
    let audience = resource::audience(&asked.form.resource()?, &grant.resource)?;

    let issued = issue(
        app,
        &Issue {
            grant: &grant,
            client: &client,
            approver: &approver,
            scope: &grant.scope,
            audience,
        },
    )?;
    let state = State::Redeemed {
        grant_id: grant.id.clone(),
        jkt: grant.jkt.clone(),
        at: now,
    };
    let batch = asked
        .used_up()
        .move_request(request, &state)?
        .client_is_unchanged(&client)
        .approver_is_unchanged(&approver)
        .begin_grant(&grant)?
        .then(issued.batch)
        .record(
            &app.event(Action::DeviceRedeemed)
                .grant(&grant)
                .with("token.id", issued.jti),
        )?;
    Ok((batch, Ok(issued.response)))
}

/// A dead code came up again. It is recorded; unless it looks like the client's own retry, its grant ends.
async fn replayed(
    app: &App,
    request: &AuthorizationRequest,
    grant_id: &str,
    revoke: bool,
) -> Result<(Batch, Answer), Failure> {
    let grant = app.store.grant(grant_id).await?.ok_or_else(|| missing("a grant"))?;
    // Where nothing is left to end, presenting it again and again fills no record.
    if !grant.is_live(app.now()) {
        return Ok((Batch::default(), Err(Refusal::DeviceCodeUnknown)));
    }
    let event = app
        .event(Action::DeviceReplayed)
        .grant(&grant)
        .with("grant.ended", revoke)
        .failed("invalid_grant");
    let mut batch = Batch::default().request_is_unchanged(request).record(&event)?;
    if revoke {
        batch = batch.then(app.end_grant(&grant, "device_code_replayed")?);
    }
    Ok((batch, Err(Refusal::DeviceCodeUnknown)))
}

fn missing(what: &'static str) -> Failure {
    tracing::error!(what, "a row that another row names is missing");
    Failure::Fault(Fault::broken("a row that another row names is missing"))
}
