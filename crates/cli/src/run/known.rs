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
    pub fn of(io: &Io, target: &Target, details: &Details) -> Result<Self, Failure> {
        let profile = &target.profile;
        let asked = json!([
            profile.server,
            profile.client_id,
            profile.scope,
            profile.resource,
            details.once().canonical()
        ]);
        Ok(Self {
            path: settings::home(io, "XDG_STATE_HOME", ".local/state")?.join("waypass/runs.json"),
            asked: Digest::of(asked.to_string().as_bytes()).as_str().to_owned(),
        })
    }

    /// One run of those that are left. None where somebody has to be asked.
    pub async fn use_one(&self, io: &mut Io, target: &Target, key: &Key) -> Result<Option<Tokens>, Failure> {
        let Some(grant_id) = self.grant_id()? else {
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
        match token_endpoint::read(&answer, asked_at, target.profile.scope.as_deref().unwrap_or_default())? {
            Polled::Given(tokens) => {
                if tokens.again.as_ref().is_none_or(|again| again.runs_left == 0) {
                    self.forget()?;
                }
                Ok(Some(tokens))
            }
            // What was approved has ended, or would not be allowed today: a person may say otherwise.
            Polled::Refused(body) if ["invalid_grant", "invalid_authorization_details"].contains(&&*body.error) => {
                self.forget()?;
                Ok(None)
            }
            Polled::Refused(body) => Err(Failure::refusal("the command may not be run again", &body)),
            Polled::Busy => Err(Failure::busy()),
        }
    }

    fn grant_id(&self) -> Result<Option<String>, Failure> {
        let found = self.load()?.into_iter().find(|known| known.asked == self.asked);
        Ok(found.map(|known| known.grant_id))
    }

    /// For the runs to come.
    pub fn remember(&self, tokens: &Tokens) -> Result<(), Failure> {
        let Some(again) = tokens.again.as_ref().filter(|again| again.runs_left > 0) else {
            return Ok(());
        };
        let grant_id = again.grant_id.clone();
        self.change(|known| {
            known.push(Known {
                asked: self.asked.clone(),
                grant_id,
            });
        })
    }

    fn forget(&self) -> Result<(), Failure> {
        self.change(|_| {})
    }

    /// Without what was known of the same request.
    fn change(&self, change: impl FnOnce(&mut Vec<Known>)) -> Result<(), Failure> {
        let _lock = files::lock(&self.path).map_err(|error| self.unusable(&error))?;
        let mut known = self.load()?;
        known.retain(|known| known.asked != self.asked);
        change(&mut known);
        let excess = known.len().saturating_sub(MOST);
        known.drain(..excess);
        files::replace(&self.path, json!(known).to_string().as_bytes()).map_err(|error| self.unusable(&error))
    }

    /// A file that cannot be read costs a question and no more.
    fn load(&self) -> Result<Vec<Known>, Failure> {
        let text = files::read_private(&self.path).map_err(|error| self.unusable(&error))?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    fn unusable(&self, error: &std::io::Error) -> Failure {
        Failure::failed(format!("{} cannot be used: {error}", self.path.display()))
    }
}
