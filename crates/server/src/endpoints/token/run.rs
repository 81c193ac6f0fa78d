//! One more run of a command whose approval allows several: a token under the same grant, asked for with the grant's id
//! and its key. The id is no secret: without the key it is of no use.

use protocol::event::Action;
use protocol::grant::Grant;
use protocol::refusal::Refusal;
use protocol::wire::token::TokenResponse;
use store::Batch;

use super::standing::Standing;
use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;

pub async fn run(app: &App, asked: &ClientRequest) -> Result<TokenResponse, Failure> {
    let grant_id = asked.form.required("grant_id")?;
    app.store.decide(|| async { decide(app, asked, grant_id).await }).await
}

async fn decide(app: &App, asked: &ClientRequest, grant_id: &str) -> Result<(Batch, TokenResponse), Failure> {
    let before = load(app, asked, grant_id).await?.ok_or(Refusal::GrantEnded)?;
    if asked.jkt().is_none() || before.grant.jkt.as_deref() != asked.jkt() {
        return Err(Refusal::DpopKeyMismatch.into());
    }
    let use_up = Batch::default().run_again(&before.grant);
    let after = before.run_again()?;
    let another = after.another(app, asked, Action::TokenIssued).await?;
    let event = another.event.with("grant.runs_left", after.grant.runs_left);
    let batch = asked
        .used_up()
        .then(another.batch)
        .then(another.issued.batch)
        .then(use_up)
        .record(&event)?;
    Ok((batch, another.issued.response))
}

/// What is run once, with what its code was redeemed for, is as unknown here as another client's.
async fn load(app: &App, asked: &ClientRequest, grant_id: &str) -> Result<Option<Standing>, Failure> {
    match app.store.grant(grant_id).await? {
        Some(grant @ Grant { runs_left: Some(_), .. }) => Standing::load(app, asked, grant).await,
        _ => Ok(None),
    }
}
