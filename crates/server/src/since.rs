//! What a command asks for that the same approver did not give the last time to the same instance: told to them. What
//! others approved, before an instance was handed over or in the same group, is theirs to know. Not here: the comparison,
//! which is `protocol/details/since.rs`.

use protocol::authorization_request::Content;
use protocol::decision::{Decision, Granted};
use protocol::fact::{Fact, Source};
use store::Fault;

use crate::app::App;
use crate::pages::moment::Moment;

/// As many of their approvals are looked through.
const LOOKED_THROUGH: u8 = 50;

/// None for what is no command, or where no instance is known by its key. `left`: what can be given now.
pub async fn facts(app: &App, approver_id: &str, content: &Content, left: &Granted) -> Result<Vec<Fact>, Fault> {
    let (Some(instance), true) = (&content.instance, left.authorization_details.has_command()) else {
        return Ok(Vec::new());
    };
    let decisions = app.store.decisions(approver_id, instance, LOOKED_THROUGH).await?;
    let last = decisions.iter().find_map(|(decision, at)| {
        let before = Decision::from_value(decision).ok()?.granted;
        Some((at, left.changed_since(&before, app.details())?))
    });
    let told = match last {
        Some((at, changes)) => said(&changes, &Moment::at(*at).text),
        None if decisions.len() < usize::from(LOOKED_THROUGH) => vec![NEVER.to_owned()],
        None => vec![format!(
            "None of your last {LOOKED_THROUGH} approvals for this instance was of this command"
        )],
    };
    let fact = |text: &String| Fact::new(Fact::SINCE_LAST, text, Source::Derived);
    Ok(told.iter().map(fact).collect())
}

const NEVER: &str = "You have not approved this command for this instance before";

fn said(changes: &[String], at: &str) -> Vec<String> {
    if changes.is_empty() {
        return vec![format!("Nothing has changed since {at}")];
    }
    changes.iter().map(|change| format!("{change} ({at})")).collect()
}
