//! Approvals under which a command may be run again, by what was asked for. What is kept is no secret: the id of a grant
//! is of use with the key of this machine alone.

use std::path::PathBuf;

use protocol::details::Details;
use protocol::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::credentials::Tokens;
use crate::device_flow::Polled;
use crate::dpop::Caller;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::keys::Key;
use crate::print::say;
use crate::settings;
use crate::target::Target;
use crate::token_endpoint::{self, RUN};

/// The oldest are forgotten first; what is forgotten is asked for anew.
const MOST: usize = 64;

#[derive(Serialize, Deserialize)]
struct Known {
    asked: String,
    grant_id: String,
}

/// Where they are kept, and what is looked for.
pub struct Approvals {
    path: PathBuf,
    asked: String,
}

impl Approvals {
    /// None where there is no command, or nowhere to keep them: whoever would have to be asked is asked.
    pub fn of(io: &Io, target: &Target, details: &Details) -> Option<Self> {
        let folder = settings::home(io, "XDG_STATE_HOME", ".local/state").ok()?;
        let profile = &target.profile;
        let asked = json!([
            profile.server,
            profile.client_id,
            profile.scope,
            profile.resource,
            target.key.key.thumbprint().as_str(),
            details.once().canonical()
        ]);
        details.has_command().then(|| Self {
            path: folder.join("waypass/runs.json"),
            asked: Digest::of(asked.to_string().as_bytes()).as_str().to_owned(),
        })
    }

    /// One run of those that are left. None where somebody has to be asked.
    pub async fn use_one(&self, io: &mut Io, target: &Target, key: &Key) -> Result<Option<Tokens>, Failure> {
        let Some(grant_id) = self.grant_id() else {
            return Ok(None);
        };
        let url = &target.metadata.token_endpoint;
        let form = [
            ("grant_type", RUN),
            ("grant_id", &*grant_id),
            ("client_id", &*target.profile.client_id),
        ];
        let asked_at = io.now();
        let answer = Caller::of_client(&target.http, key, target.issuer.as_str())
            .with_posture(target.profile.posture_jwt.as_deref())
            .form(io, url, &form)
            .await
            .map_err(|unanswered| unanswered.failure(url))?;
        let scope = target.profile.scope.as_deref().unwrap_or_default();
        match token_endpoint::read(&answer, asked_at, scope)? {
            Polled::Given(tokens) => Ok(Some(tokens)),
            // What was approved has ended, or would not be allowed today: a person may say otherwise.
            Polled::Refused(body) if ["invalid_grant", "invalid_authorization_details"].contains(&&*body.error) => {
                self.change(io, |known| known.retain(|known| known.grant_id != grant_id));
                Ok(None)
            }
            Polled::Refused(body) => Err(Failure::refusal("the command may not be run again", &body)),
            Polled::Busy => Err(Failure::busy()),
        }
    }

    /// For the runs to come, if there are any.
    pub fn remember(&self, io: &mut Io, tokens: &Tokens) {
        let Some(again) = &tokens.again else { return };
        let is_known = self.grant_id().as_ref() == Some(&again.grant_id);
        if is_known == (again.runs_left > 0) {
            return;
        }
        self.change(io, |known| {
            known.retain(|known| known.asked != self.asked);
            if again.runs_left > 0 {
                known.push(Known {
                    asked: self.asked.clone(),
                    grant_id: again.grant_id.clone(),
                });
            }
        });
    }

    fn grant_id(&self) -> Option<String> {
        let found = self.load().into_iter().find(|known| known.asked == self.asked);
        found.map(|known| known.grant_id)
    }

    /// What is not kept costs a question, and no run that was approved.
    fn change(&self, io: &mut Io, change: impl FnOnce(&mut Vec<Known>)) {
        let changed = files::lock(&self.path).and_then(|_lock| {
            let mut known = self.load();
            change(&mut known);
            let excess = known.len().saturating_sub(MOST);
            known.drain(..excess);
            files::replace(&self.path, json!(known).to_string().as_bytes())
        });
        if let Err(error) = changed {
            say!(io.errors, "warning: {} cannot be used: {error}", self.path.display());
        }
    }

    fn load(&self) -> Vec<Known> {
        let text = files::read_private(&self.path).ok().flatten();
        text.and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }
}
