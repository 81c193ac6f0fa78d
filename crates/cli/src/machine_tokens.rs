//! Tokens of this machine's own, without a person: client credentials with the profile's key. RFC 6749 §4.4,
//! RFC 9449 §5. One process at a time asks, the others find what it got (`refresh.rs`).

use std::path::Path;

use crate::credentials::{Credentials, MachineAsk, MachineTokens, Tokens};
use crate::device_flow::Polled;
use crate::dpop::Caller;
use crate::failure::Failure;
use crate::files;
use crate::http::Answer;
use crate::io::Io;
use crate::metadata::discover;
use crate::refresh::Session;
use crate::token_endpoint;

impl Session {
    /// The session, and an access token of the machine that is good for at least half a minute.
    pub async fn of_machine(
        io: &mut Io,
        profile: &str,
        asked: &MachineAsk,
        attestation_file: Option<&Path>,
    ) -> Result<(Self, Tokens), Failure> {
        let mut session = Self::open(io, profile).map_err(|failure| failure.hint(enroll(profile)))?;
        if let Some(tokens) = session.kept.credentials.fresh_machine_tokens(asked, io.now()) {
            let tokens = tokens.clone();
            return Ok((session, tokens));
        }
        let _lock = session.vault.lock().await?;
        session.reload(io, profile)?;
        let kept = session.kept.credentials.fresh_machine_tokens(asked, io.now()).cloned();
        let tokens = match kept {
            Some(tokens) => tokens,
            None => session.ask_as_machine(io, profile, asked, attestation_file).await?,
        };
        Ok((session, tokens))
    }

    /// Under the lock.
    async fn ask_as_machine(
        &mut self,
        io: &mut Io,
        profile: &str,
        asked: &MachineAsk,
        attestation_file: Option<&Path>,
    ) -> Result<Tokens, Failure> {
        let metadata = discover(io, &self.http, &self.issuer).await?;
        let attestation = attestation_file.map(files::text_of).transpose()?;
        let credentials = &self.kept.credentials;
        let key = credentials.signing_key(io)?;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &*credentials.client_id),
        ];
        form.extend(asked.scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(asked.resource.iter().map(|resource| ("resource", resource.as_str())));
        let details = asked.authorization_details.as_deref();
        form.extend(details.map(|details| ("authorization_details", details)));
        let asked_at = io.now();
        let url = &metadata.token_endpoint;
        let answer = Caller::of_client(&self.http, &key, &credentials.issuer)
            .with_posture(self.posture_jwt.as_deref())
            .with_attestation(attestation.as_deref().map(str::trim))
            .form(io, url, &form)
            .await;
        let answer = answer.map_err(|unanswered| unanswered.failure(url))?;
        let scope = asked.scope.as_deref().unwrap_or_default();
        let tokens = match token_endpoint::read(&answer, asked_at, scope)? {
            Polled::Given(tokens) => tokens,
            Polled::Refused(_) => return Err(refused(&answer, profile)),
            Polled::Busy => return Err(Failure::busy()),
        };
        let machine = MachineTokens {
            asked: asked.clone(),
            tokens: tokens.clone(),
        };
        let credentials = Credentials {
            machine: Some(machine),
            ..credentials.clone()
        };
        self.kept.place = self.vault.save(io, &credentials, self.kept.place)?;
        self.kept.credentials = credentials;
        Ok(tokens)
    }
}

fn refused(answer: &Answer, profile: &str) -> Failure {
    let failure = answer.failure("no token was issued to this machine");
    let needs = answer.error().and_then(|body| body.needs);
    match (failure.error.as_str(), needs.as_deref()) {
        (_, Some("enrollment")) | ("invalid_client", _) => failure.hint(enroll(profile)),
        (_, Some("new_key")) => failure.hint(format!("{} --new-key", enroll(profile))),
        _ => failure,
    }
}

fn enroll(profile: &str) -> String {
    format!("once, on this machine: waypass enroll --server URL --client-id ID --profile {profile}")
}
