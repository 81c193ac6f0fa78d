//! `waypass instance rotate`: another key for this machine's instance. The old key signs for it: its proof is
//! the header, the new key's proof stands in the body, both in the form of RFC 9449 over the same request.

use http::Method;
use protocol::wire::enrollment::{EnrolledInstance, EnrollmentResponse};
use serde_json::json;

use crate::commands::instance::own::{self, StatusArgs};
use crate::credentials::{self, Credentials, Kept, Place, Vault};
use crate::dpop::{Call, Caller, proof};
use crate::failure::Failure;
use crate::http::{Answer, Http};
use crate::io::Io;
use crate::keys::Key;
use crate::metadata::Issuer;
use crate::print::say;
use crate::profile_key::{self, KeyStorage};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub struct RotateArgs {
    #[command(flatten)]
    own: StatusArgs,
    /// Where to make the new key [default: where the old one is]
    #[arg(long, value_name = "WHERE")]
    key_storage: Option<KeyStorage>,
}

impl RotateArgs {
    pub fn json(&self) -> bool {
        self.own.json
    }
}

pub async fn rotate(args: &RotateArgs, io: &mut Io) -> Result<(), Failure> {
    let vault = Vault::of(io, &args.own.profile)?;
    let _lock = vault.lock().await?;
    let (mut kept, _) = own::enrolled(&vault, io, &args.own.profile)?;
    let server = Server::of(io, &args.own.profile, &kept)?;
    let known = match &kept.credentials.next_key {
        Some(begun) => server.knows(io, &credentials::open(io, begun)?).await?,
        None => None,
    };
    let instance = if let Some(instance) = known {
        instance
    } else {
        let old = kept.credentials.signing_key(io)?;
        let new = next_key(args, io, &vault, &mut kept)?;
        server.change(io, &old, &new).await?
    };
    keep(args, io, &vault, kept, &instance)
}

/// Written before anybody is asked; what was begun before and not answered is gone on with.
fn next_key(args: &RotateArgs, io: &mut Io, vault: &Vault, kept: &mut Kept) -> Result<Key, Failure> {
    if let Some(begun) = &kept.credentials.next_key {
        return credentials::open(io, begun);
    }
    let storage = args.key_storage.unwrap_or(kept.key_storage());
    let place = match storage {
        KeyStorage::Tpm => kept.place,
        KeyStorage::Keyring => Place::Keyring,
        KeyStorage::File => Place::File,
    };
    if place != kept.place {
        return Err(
            Failure::usage("key and tokens stay where they are; only a TPM can take the key alone")
                .hint("enroll another --profile to use another place"),
        );
    }
    let new = profile_key::draw(io, Some(storage))?;
    kept.credentials.next_key = Some(profile_key::stored(&new)?);
    kept.place = vault.save(io, &kept.credentials, kept.place)?;
    Ok(new)
}

/// Where the instance is known.
struct Server {
    http: Http,
    issuer: Issuer,
    client_id: String,
}

impl Server {
    fn of(io: &Io, profile: &str, kept: &Kept) -> Result<Self, Failure> {
        let issuer = Issuer::parse(&kept.credentials.issuer)?;
        let settings = Settings::load(io)?;
        Ok(Self {
            http: Http::for_profile(io, issuer.url(), settings.profile(profile))?,
            client_id: kept.credentials.client_id.clone(),
            issuer,
        })
    }

    /// An enrollment that says no name is none: only a key that is known gets an answer.
    async fn knows(&self, io: &mut Io, key: &Key) -> Result<Option<EnrolledInstance>, Failure> {
        let url = self.issuer.endpoint("enrollment");
        let mut caller = Caller::of_client(&self.http, key, self.issuer.as_str());
        let answer = caller.form(io, &url, &[("client_id", &self.client_id)]).await;
        let answer = answer.map_err(|unanswered| unanswered.failure(&url))?;
        Ok(match answer.json() {
            Some(EnrollmentResponse::Enrolled(instance)) if answer.is_success() => Some(instance),
            _ => None,
        })
    }

    async fn change(&self, io: &mut Io, old: &Key, new: &Key) -> Result<EnrolledInstance, Failure> {
        let mut caller = Caller::of_client(&self.http, old, self.issuer.as_str());
        let mut answer = self.send(io, &mut caller, new).await?;
        // The caller has tried again with the nonce that was wanted; the proof in the body did not have it yet.
        let is_about_proofs = answer.error().is_some_and(|body| body.error == "invalid_dpop_proof");
        if answer.wants_nonce() || is_about_proofs {
            answer = self.send(io, &mut caller, new).await?;
        }
        if !answer.is_success() {
            return Err(answer.failure("the key was not changed"));
        }
        answer
            .json()
            .ok_or_else(|| answer.unreadable("the answer cannot be read"))
    }

    async fn send(&self, io: &mut Io, caller: &mut Caller<'_>, new: &Key) -> Result<Answer, Failure> {
        let url = self.issuer.endpoint("instance/rotate");
        let by_new = proof(io, new, &Call::new(Method::POST, &url), caller.nonce());
        let by_new = by_new.ok_or_else(|| Failure::failed("no proof could be signed"))?;
        let form = [("client_id", self.client_id.as_str()), ("new_key_proof", &by_new)];
        caller
            .form(io, &url, &form)
            .await
            .map_err(|unanswered| unanswered.failure(&url))
    }
}

fn keep(args: &RotateArgs, io: &mut Io, vault: &Vault, kept: Kept, instance: &EnrolledInstance) -> Result<(), Failure> {
    let new = kept.credentials.next_key.clone();
    let new = new.filter(|key| key.thumbprint().as_str() == instance.thumbprint);
    let now = io.now().seconds();
    let credentials = Credentials {
        key: new.ok_or_else(|| Failure::failed("the server has taken another key than ours"))?,
        next_key: None,
        instance: Some(instance.clone()),
        // The access token is bound to the key that goes; the next refresh binds all to the new one.
        tokens: kept.credentials.tokens.clone().map(|tokens| tokens.ended(now)),
        machine: None,
        ..kept.credentials
    };
    let place = vault.save(io, &credentials, kept.place)?;
    let stored_in = vault.describe(place, &credentials.key);
    if args.json() {
        io.output
            .json(&json!({"profile": args.own.profile, "instance": instance, "stored_in": stored_in}));
    } else {
        let words = protocol::key_words::of(&instance.thumbprint);
        say!(
            io.output,
            "Instance {} has a new key, in {stored_in}.",
            instance.instance_id
        );
        say!(io.output, "Its words are: {words}");
    }
    Ok(())
}
