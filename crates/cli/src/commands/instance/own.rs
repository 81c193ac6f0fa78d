//! `waypass instance key`, `status` and `rotate`: this machine's own instance, as its own key sees it.

use http::Method;
use protocol::wire::enrollment::EnrolledInstance;
use serde_json::json;
use url::Url;

use crate::credentials::{self, Credentials, Kept, Place, Vault};
use crate::date;
use crate::dpop::{Call, Caller, proof};
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Http};
use crate::io::Io;
use crate::keys::Key;
use crate::metadata::Issuer;
use crate::print::{or_dash, say};
use crate::profile_key::{self, KeyStorage, stored};
use crate::settings::Settings;
use crate::target::TargetArgs;

#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// The profile that was enrolled
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

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

/// What people are told of an instance.
pub fn fields(instance: &EnrolledInstance) -> [(&'static str, String); 8] {
    [
        ("Instance", instance.instance_id.clone()),
        ("Name", instance.name.clone()),
        ("Client", instance.client_id.clone()),
        ("Owner", instance.owner.clone()),
        ("Environment", or_dash(instance.environment.clone())),
        ("Until", date::moment(instance.expires_at)),
        ("Came in by", instance.way_in.clone()),
        ("Key words", words(instance)),
    ]
}

/// The public half, for an administrator: makes the key if there is none yet, and asks nobody.
pub async fn key(args: &KeyArgs, io: &mut Io) -> Result<(), Failure> {
    let (vault, profile) = args.target.settle(io)?;
    Issuer::parse(&profile.server)?;
    let own = profile_key::of(io, &vault, &profile, args.target.key_storage).await?;
    own.must_be_kept(&args.target.profile)?;
    Settings::keep(io, &args.target.profile, &profile)?;
    io.output.json(&own.key.public_jwk());
    Ok(())
}

pub fn status(args: &StatusArgs, io: &mut Io) -> Result<(), Failure> {
    let vault = Vault::of(io, &args.profile)?;
    let (kept, instance) = enrolled(&vault, io, &args.profile)?;
    if args.json {
        io.output.json(&json!({
            "profile": args.profile, "server": kept.credentials.issuer, "instance": instance,
            "key_storage": kept.key_storage().name()
        }));
        return Ok(());
    }
    let stored_in = vault.describe(kept.place, &kept.credentials.key);
    let own = [("Server", kept.credentials.issuer), ("Stored in", stored_in)];
    io.output.fields(fields(&instance).into_iter().chain(own));
    Ok(())
}

/// RFC 9449 has no words for it: the old key's proof is the header, the new key's proof stands in the body.
pub async fn rotate(args: &RotateArgs, io: &mut Io) -> Result<(), Failure> {
    let name = &args.own.profile;
    let vault = Vault::of(io, name)?;
    let _lock = vault.lock().await?;
    let (mut kept, _) = enrolled(&vault, io, name)?;
    let old = kept.credentials.signing_key(io)?;
    let new = next_key(args, io, &vault, &mut kept)?;

    let issuer = Issuer::parse(&kept.credentials.issuer)?;
    let ca_file = Settings::load(io)?
        .profile(name)
        .and_then(|profile| profile.ca_file.clone());
    let http = Http::for_server(io, issuer.url(), ca_file.as_deref())?;
    let mut caller = Caller::of_client(&http, &old, issuer.as_str());
    let url = issuer.endpoint("instance/rotate");
    let client_id = kept.credentials.client_id.clone();
    let answer = ask(io, &mut caller, (&url, &client_id), &new).await?;
    let instance: EnrolledInstance = answer
        .json()
        .ok_or_else(|| answer.unreadable("the answer cannot be read"))?;
    if instance.thumbprint != new.thumbprint().as_str() {
        return Err(Failure::failed("the server has taken another key than ours"));
    }
    let old_key = kept.credentials.tokens.as_ref().map(|_| kept.credentials.key.clone());
    let credentials = Credentials {
        key: stored(&new)?,
        next_key: None,
        // The tokens that are there stay bound to the key that goes.
        token_key: kept.credentials.token_key.clone().or(old_key),
        instance: Some(instance.clone()),
        ..kept.credentials
    };
    let place = vault.save(io, &credentials, kept.place)?;
    let (key_words, stored_in) = (words(&instance), vault.describe(place, &credentials.key));
    if args.json() {
        io.output
            .json(&json!({"profile": name, "instance": instance, "stored_in": stored_in}));
    } else {
        say!(
            io.output,
            "Instance {} has a new key, in {stored_in}.",
            instance.instance_id
        );
        say!(io.output, "Its words are: {key_words}");
    }
    Ok(())
}

/// What was begun before and not answered is gone on with.
fn next_key(args: &RotateArgs, io: &mut Io, vault: &Vault, kept: &mut Kept) -> Result<Key, Failure> {
    if let Some(begun) = &kept.credentials.next_key {
        return credentials::open(io, begun);
    }
    let storage = args.key_storage.unwrap_or(kept.key_storage());
    if matches!(
        (storage, kept.place),
        (KeyStorage::Keyring, Place::File) | (KeyStorage::File, Place::Keyring)
    ) {
        return Err(Failure::usage(
            "key and tokens of a profile stay where they are; only a TPM can take the key alone",
        )
        .hint("enroll another --profile to use another place"));
    }
    let new = profile_key::draw(io, Some(storage))?;
    kept.credentials.next_key = Some(stored(&new)?);
    kept.place = vault.save(io, &kept.credentials, kept.place)?;
    Ok(new)
}

async fn ask(
    io: &mut Io,
    caller: &mut Caller<'_>,
    (url, client_id): (&Url, &str),
    new: &Key,
) -> Result<Answer, Failure> {
    let mut answer = send(io, caller, (url, client_id), new).await?;
    // The caller has tried again with the nonce that was wanted; the proof in the body did not have it yet.
    let is_about_proofs = answer.error().is_some_and(|body| body.error == "invalid_dpop_proof");
    if answer.wants_nonce() || is_about_proofs {
        answer = send(io, caller, (url, client_id), new).await?;
    }
    if answer.is_success() {
        Ok(answer)
    } else {
        Err(answer.failure("the key was not changed"))
    }
}

/// Both proofs are about the same request.
async fn send(
    io: &mut Io,
    caller: &mut Caller<'_>,
    (url, client_id): (&Url, &str),
    new: &Key,
) -> Result<Answer, Failure> {
    let call = Call::new(Method::POST, url);
    let by_new = proof(io, new, &call, caller.nonce()).ok_or_else(|| Failure::failed("no proof could be signed"))?;
    let form = [("client_id", client_id), ("new_key_proof", &by_new)];
    caller
        .form(io, url, &form)
        .await
        .map_err(|unanswered| unanswered.failure(url))
}

/// What is kept of an instance that was enrolled.
fn enrolled(vault: &Vault, io: &Io, profile: &str) -> Result<(Kept, EnrolledInstance), Failure> {
    let kept = vault.load(io)?;
    let instance = kept.as_ref().and_then(|kept| kept.credentials.instance.clone());
    kept.zip(instance).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "not_enrolled",
            format!("profile {profile:?} is not enrolled"),
        )
        .hint(format!("waypass enroll --profile {profile}"))
    })
}

fn words(instance: &EnrolledInstance) -> String {
    protocol::key_words::of(&instance.thumbprint)
}
