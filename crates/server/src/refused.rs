//! Refusals of programs and people that go on the record although nothing else is written: what a policy forbids, what a
//! machine lacks, what an approval was too weak for. Whoever is refused can ask again and again, so of those that are alike
//! one in a while is written.

use protocol::digest::Digest;
use protocol::event::Event;
use protocol::refusal::Refusal;
use protocol::time::Lifetime;
use serde_json::json;
use store::Batch;

use crate::app::App;
use crate::failure::Failure;

/// How long a refusal stands for those like it.
const ALIKE: Lifetime = Lifetime::from_seconds(60);

/// Where it is written now, the event's id. `apart`: what tells refusals of one client, action and reason apart; nothing
/// that whoever is refused can choose freely.
pub async fn record(app: &App, event: Event, refusal: Refusal, apart: &[&str]) -> Result<Option<String>, Failure> {
    let (reason, now) = (refusal.reason(), app.now());
    let alike = json!(["refused", event.action.as_str(), event.client_id, reason, apart]);
    let alike = Digest::of(alike.to_string().as_bytes());
    if !app.seen.is_first(&alike, now + ALIKE, now) {
        return Ok(None);
    }
    let event = app
        .naming_agent(event)
        .await?
        .failed(refusal.code().as_str())
        .with("reason", reason);
    app.commit(Batch::default().record(&event)?).await?;
    Ok(Some(event.id))
}
