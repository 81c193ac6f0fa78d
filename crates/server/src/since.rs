//! What a command asks for that it was not given the last time by the same instance: told to the approver. Not here: the
//! comparison, which is `protocol/details/since.rs`.

use protocol::authorization_request::Content;
use protocol::fact::{Fact, Source};
use store::Fault;

use crate::app::App;
use crate::pages::moment::Moment;

/// As many of its grants are looked through.
const LOOKED_THROUGH: i64 = 50;

/// None for what is no command, or where no instance is known by its key.
pub async fn facts(app: &App, content: &Content) -> Result<Vec<Fact>, Fault> {
    let (Some(instance), true) = (&content.instance, content.authorization_details.has_command()) else {
        return Ok(Vec::new());
    };
    let grants = app.store.last_grants_of_instance(instance, LOOKED_THROUGH).await?;
    let last = grants.iter().find_map(|grant| {
        let changes = content
            .authorization_details
            .changed_since(&grant.authorization_details, app.details())?;
        Some((grant.created_at, changes))
    });
    let told = |text: String| Fact::new(Fact::SINCE_LAST, &text, Source::Derived);
    Ok(match last {
        None => vec![told("This command was never approved for this instance".to_owned())],
        Some((at, changes)) => {
            let at = Moment::at(at).text;
            if changes.is_empty() {
                return Ok(vec![told(format!("Nothing has changed since {at}"))]);
            }
            changes
                .into_iter()
                .map(|change| told(format!("{change} ({at})")))
                .collect()
        }
    })
}
