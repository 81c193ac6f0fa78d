//! `policy list|reload|explain|replay`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use policy::{Input, Policies, Rule, Source};
use protocol::secret::Entropy;
use protocol::time::Lifetime;
use protocol::wire::policies::{Change, DecidedStep, ExplainedStep, PolicySetView, PolicyView, Replay, Replayed};
use serde_json::Value;
use store::Fault;
use store::events::StoredEvent;

use crate::app::{App, Shared};
use crate::entropy;
use crate::extract::form::read_at_most;
use crate::failure::Failure;
use crate::policies;

/// Of one request or one reading.
const MOST: i64 = 1000;
/// So many changes are told; all are counted.
const MOST_CHANGES: usize = 1000;
/// A set of policies in a body.
const LARGEST_SET: usize = 8 * 1024 * 1024;
const DAYS: std::ops::RangeInclusive<u32> = 1..=366;

pub async fn list(State(app): State<Shared>) -> Json<PolicySetView> {
    Json(policies::view(&app.policies))
}

pub async fn reload(State(app): State<Shared>) -> Result<Json<PolicySetView>, Failure> {
    policies::reload(&app).await.map(Json)
}

/// What decided at each step of one request, oldest first.
pub async fn explain(
    State(app): State<Shared>,
    Path(request_id): Path<String>,
) -> Result<Json<Vec<ExplainedStep>>, Failure> {
    let events = app.store.events_of_request(&request_id, MOST).await?;
    let in_force = app.policies.now();
    let steps: Vec<ExplainedStep> = events
        .into_iter()
        .filter_map(|event| {
            let decided = decided(&event)?;
            let is_in_force = decided.version.as_deref() == Some(in_force.version().as_str());
            let named = decided.ids.iter().chain(&decided.reported);
            let known = named.filter_map(|id| in_force.rule(id).filter(|_| is_in_force));
            Some(ExplainedStep {
                policies: known.map(rule).collect(),
                input: event.detail.get("policy.input").cloned().unwrap_or_default(),
                decided,
            })
        })
        .collect();
    if steps.is_empty() {
        return Err(Failure::NotFound("No decision is recorded on a request of this id."));
    }
    Ok(Json(steps))
}

/// What a set of policies, in force or not yet, would have said to what was asked in the last days.
pub async fn replay(State(app): State<Shared>, request: Request) -> Result<Json<Replayed>, Failure> {
    let bytes = read_at_most(request.into_body(), LARGEST_SET).await?;
    let asked: Replay =
        serde_json::from_slice(&bytes).map_err(|error| Failure::Invalid(format!("the body does not fit: {error}")))?;
    if !DAYS.contains(&asked.days) {
        return Err(Failure::Invalid("days are 1 to 366".to_owned()));
    }
    let policies = match asked.files {
        None => app.policies.now(),
        Some(files) => {
            let files: Vec<Source> = files
                .into_iter()
                .map(|file| Source {
                    name: file.name,
                    text: file.text,
                })
                .collect();
            let parsed = Policies::parse(&files).map_err(|mistakes| {
                let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                Failure::Invalid(mistakes.join("; "))
            })?;
            Arc::new(parsed)
        }
    };
    let since = app.now() - Lifetime::from_seconds(i64::from(asked.days) * 86_400);
    replayed(&app, policies, entropy::time_ordered_id(since, &Entropy([0; 32])))
        .await
        .map(Json)
}

/// Page by page, and off the threads that serve: a year of decisions takes its time.
async fn replayed(app: &App, policies: Arc<Policies>, mut after: String) -> Result<Replayed, Failure> {
    let mut replayed = Replayed {
        version: policies.version().as_str().to_owned(),
        ..Replayed::default()
    };
    loop {
        let events = app.store.events_after(&after, MOST).await?;
        let Some(last) = events.last() else {
            return Ok(replayed);
        };
        after.clone_from(&last.id);
        let policies = policies.clone();
        let page = tokio::task::spawn_blocking(move || {
            for event in &events {
                again(&policies, event, &mut replayed);
            }
            replayed
        });
        replayed = page.await.map_err(|_| Fault::broken("a replay did not end"))?;
    }
}

fn again(policies: &Policies, event: &StoredEvent, replayed: &mut Replayed) {
    let (Some(was), Some(input)) = (decided(event), event.detail.get("policy.input")) else {
        return;
    };
    let Some(input) = Input::from_record(input) else {
        replayed.not_decided += 1;
        return;
    };
    replayed.decided += 1;
    let verdict = policies.decide(&input);
    if verdict.decision.as_str() == was.decision {
        return;
    }
    replayed.changed += 1;
    if replayed.changes.len() < MOST_CHANGES {
        replayed.changes.push(Change {
            was,
            would_be: verdict.decision.as_str().to_owned(),
            would_be_ids: verdict.ids,
        });
    }
}

/// None where no policy was asked.
fn decided(event: &StoredEvent) -> Option<DecidedStep> {
    let detail = &event.detail;
    let text = |name: &str| Some(detail.get(name)?.as_str()?.to_owned());
    let texts = |name: &str| {
        let values = detail.get(name).and_then(Value::as_array);
        let texts = values.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    Some(DecidedStep {
        event_id: event.id.clone(),
        at: event.at.millis(),
        action: event.action.clone(),
        request_id: event.request_id.clone(),
        client_id: event.client_id.clone(),
        step: text("policy.step")?,
        decision: text("policy.decision")?,
        ids: texts("policy.ids"),
        reported: texts("policy.reported"),
        version: text("policy.version"),
    })
}

pub fn rule(rule: &Rule) -> PolicyView {
    PolicyView {
        id: rule.id.clone(),
        mode: rule.mode.as_str().to_owned(),
        effect: rule.effect.as_str().to_owned(),
        description: rule.description.clone(),
        place: format!("{}:{}", rule.file, rule.line),
        steps: rule.steps.iter().map(|step| step.as_str().to_owned()).collect(),
    }
}
