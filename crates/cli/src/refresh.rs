//! A fresh access token for any number of processes at once. The one that holds the credential's lock
//! refreshes; all others find its result when they get the lock. RFC 6749 §6, RFC 9449 §5.

use std::path::PathBuf;

use crate::credentials::{Credentials, Kept, Tokens, Vault};
use crate::device_flow::Polled;
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::http::Http;
use crate::io::Io;
use crate::metadata::{Issuer, discover};
use crate::settings::Settings;
use crate::token_endpoint;

/// A profile that has logged in, with what is needed to talk to its server.
pub struct Session {
    pub vault: Vault,
    pub issuer: Issuer,
    pub http: Http,
    pub kept: Kept,
    pub posture_jwt: Option<PathBuf>,
}

impl Session {
    pub fn open(io: &Io, profile: &str) -> Result<Self, Failure> {
        let vault = Vault::of(io, profile)?;
        let settings = Settings::load(io)?;
        let posture_jwt = settings
            .profile(profile)
            .and_then(|profile| profile.posture_jwt.clone());
        let kept = vault.load(io)?.ok_or_else(|| not_logged_in(profile))?;
        let issuer = Issuer::parse(&kept.credentials.issuer)?;
        let http = Http::for_profile(io, issuer.url(), settings.profile(profile))?;
        Ok(Self {
            vault,
            issuer,
            http,
            kept,
            posture_jwt,
        })
    }

    /// The session with an access token that is good for at least half a minute.
    pub async fn fresh(io: &mut Io, profile: &str) -> Result<Self, Failure> {
        let mut session = Self::open(io, profile)?;
        if session.kept.credentials.fresh_tokens(io.now()).is_some() {
            return Ok(session);
        }
        let _lock = session.vault.lock().await?;
        session.reload(io, profile)?;
        if session.kept.credentials.fresh_tokens(io.now()).is_none() {
            session.refresh(io, profile).await?;
        }
        Ok(session)
    }

    /// What a login has left.
    pub fn tokens(&self, profile: &str) -> Result<&Tokens, Failure> {
        self.kept
            .credentials
            .tokens
            .as_ref()
            .ok_or_else(|| not_logged_in(profile))
    }

    /// Under the lock: as another process may have left it.
    pub fn reload(&mut self, io: &Io, profile: &str) -> Result<(), Failure> {
        self.kept = self.vault.load(io)?.ok_or_else(|| not_logged_in(profile))?;
        Ok(())
    }

    /// Under the lock. Whatever fails, what was kept stays as it was: an answer that was lost is asked
    /// for again with the same refresh token and key.
    async fn refresh(&mut self, io: &mut Io, profile: &str) -> Result<(), Failure> {
        let credentials = &self.kept.credentials;
        let tokens = self.tokens(profile)?;
        let Some(refresh_token) = &tokens.refresh_token else {
            return Err(log_in_again(
                "the access token has ended, and there is no refresh token",
                profile,
            ));
        };
        let metadata = discover(io, &self.http, &self.issuer).await?;
        let key = credentials.signing_key(io)?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", &credentials.client_id),
        ];
        let asked_at = io.now();
        let url = &metadata.token_endpoint;
        let answer = Caller::of_client(&self.http, &key, &credentials.issuer)
            .with_posture(self.posture_jwt.as_deref())
            .form(io, url, &form)
            .await;
        let answer = answer.map_err(|unanswered| unanswered.failure(url))?;
        match token_endpoint::read(&answer, asked_at, &tokens.scope)? {
            Polled::Given(mut issued) => {
                // RFC 6749 §6: without a new refresh token the old one goes on.
                issued.refresh_token = issued.refresh_token.clone().or_else(|| Some(refresh_token.clone()));
                let credentials = Credentials {
                    tokens: Some(issued),
                    ..credentials.clone()
                };
                self.kept.place = self.vault.save(io, &credentials, self.kept.place)?;
                self.kept.credentials = credentials;
                Ok(())
            }
            Polled::Refused(body) if body.error == "invalid_grant" => Err(log_in_again(
                "the server takes the refresh token no longer: what was approved has ended",
                profile,
            )),
            Polled::Refused(body) => Err(Failure::refusal("no fresh token was issued", &body)),
            Polled::Busy => Err(Failure::busy()),
        }
    }
}

fn not_logged_in(profile: &str) -> Failure {
    let failure = log_in_again(&format!("profile {profile:?} is not logged in"), profile);
    Failure {
        exit: Exit::Failed,
        ..failure
    }
}

fn log_in_again(what: &str, profile: &str) -> Failure {
    Failure::new(Exit::Refused, "login_required", what).hint(format!("waypass login --profile {profile}"))
}
