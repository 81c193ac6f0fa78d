//! `waypass enroll`: makes this machine's key known, once and with care. An administrator has registered it,
//! somebody vouches for it, or a person answers for it in a ceremony.

use std::path::{Path, PathBuf};

use http::Method;
use protocol::time::Timestamp;
use protocol::wire::enrollment::{EnrolledInstance, EnrollmentResponse};
use serde_json::json;

use crate::commands::instance::own;
use crate::credentials::Credentials;
use crate::date;
use crate::device;
use crate::device_flow::{Asked, Poll, Polled};
use crate::dpop::{Body, Call, Caller};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::http::Answer;
use crate::io::Io;
use crate::print::say;
use crate::profile_key;
use crate::screen::{Screen, ScreenArgs};
use crate::target::{Target, TargetArgs};

/// Make this machine's key known to a server, so that it may ask for access
///
/// Where somebody vouches for the machine, or an administrator has registered its key, it is known at once.
/// Otherwise a person opens a page and answers for it.
///
///   waypass enroll --server https://login.example.com --client-id cli --name "alice's laptop"
///   waypass enroll --workload-token-file /var/run/secrets/tokens/waypass
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[group(id = "evidence", multiple = false, args = ["workload_token_file", "jwt_svid_file", "attestation_file"])]
pub struct EnrollArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// What people call this copy of the program [default: the host's name]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Where it runs, `production` for instance
    #[arg(long, value_name = "TEXT")]
    environment: Option<String>,
    /// When it ends, if the server allows that long: `90d`, `12h`, or a day such as 2027-01-31
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    expires: String,
    /// A token that the platform gives this workload: Kubernetes, GitHub Actions, GitLab CI, any configured issuer
    #[arg(long, value_name = "FILE")]
    workload_token_file: Option<PathBuf>,
    /// A JWT-SVID of this workload
    #[arg(long, value_name = "FILE")]
    jwt_svid_file: Option<PathBuf>,
    /// A client attestation for this machine's key, by an attester that the server knows
    #[arg(long, value_name = "FILE")]
    attestation_file: Option<PathBuf>,
    /// Make a new key first: for an instance that has expired or was removed. Tokens kept here are forgotten
    #[arg(long)]
    new_key: bool,
    #[command(flatten)]
    screen: ScreenArgs,
}

impl EnrollArgs {
    pub fn json(&self) -> bool {
        self.screen.json
    }

    fn form(&self, io: &Io, target: &Target) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut form = vec![
            ("client_id", target.profile.client_id.clone()),
            ("key_storage", target.key.kept.key_storage().name().to_owned()),
            (
                "expires_in",
                (date::end(&self.expires, io.now())? - io.now()).seconds().to_string(),
            ),
        ];
        let claims = device::claims(io);
        let host = claims
            .iter()
            .find(|(name, _)| *name == "host")
            .map(|(_, host)| host.clone());
        let name = self.name.clone().or(host);
        let name = name.ok_or_else(|| Failure::usage("this machine has no name: --name is missing"))?;
        form.push(("name", name));
        form.extend(self.environment.clone().map(|environment| ("environment", environment)));
        for (parameter, file) in [
            ("workload_token", &self.workload_token_file),
            ("jwt_svid", &self.jwt_svid_file),
        ] {
            form.extend(
                file.as_deref()
                    .map(token_of)
                    .transpose()?
                    .map(|token| (parameter, token)),
            );
        }
        form.extend(claims);
        Ok(form)
    }
}

pub async fn run(args: &EnrollArgs, io: &mut Io) -> Result<(), Failure> {
    let outcome = enroll(args, io).await;
    args.screen.ended(io, &outcome);
    outcome
}

async fn enroll(args: &EnrollArgs, io: &mut Io) -> Result<(), Failure> {
    args.screen.check(io)?;
    let mut target = args.target.open(io).await?;
    target.key.must_be_kept(&args.target.profile)?;
    if args.new_key {
        let _lock = target.vault.lock().await?;
        target.key = profile_key::make(io, &target.vault, &target.profile, args.target.key_storage)?;
    }
    let mut caller = Caller::of_client(&target.http, &target.key.key, target.issuer.as_str());
    let asked_at = io.now();
    let answer = ask(args, io, &target, &mut caller).await?;
    let unreadable = || answer.unreadable("the answer cannot be read");
    let instance = match answer.json().ok_or_else(unreadable)? {
        EnrollmentResponse::Enrolled(instance) => instance,
        EnrollmentResponse::Pending(shown) => {
            let asked = Asked::of(shown, asked_at).ok_or_else(unreadable)?;
            ceremony(args, io, &target, &mut caller, &asked).await?
        }
    };
    if instance.thumbprint != target.key.key.thumbprint().as_str() {
        return Err(Failure::failed("the server has enrolled another key than ours"));
    }
    keep(args, io, &target, instance).await
}

/// `POST {issuer}/enrollment`.
async fn ask(args: &EnrollArgs, io: &mut Io, target: &Target, caller: &mut Caller<'_>) -> Result<Answer, Failure> {
    let form = args.form(io, target)?;
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let attestation = args.attestation_file.as_deref().map(token_of).transpose()?;
    let url = target.metadata.enrollment_endpoint(&target.issuer);
    let call = Call {
        body: Body::Form(&form),
        attestation: attestation.as_deref(),
        ..Call::new(Method::POST, &url)
    };
    let answer = caller
        .call(io, &call)
        .await
        .map_err(|unanswered| unanswered.failure(&url))?;
    if answer.is_success() {
        return Ok(answer);
    }
    let failure = answer.failure("the key was not enrolled");
    Err(match failure.error.as_str() {
        "exists" => failure.hint("a key is enrolled once: log in with it, or make another one with --new-key"),
        // Nobody may answer for it here: the other ways in are an administrator's.
        "refused" => failure.hint(format!(
            "waypass instance key --profile {} prints the key; an administrator registers it with: \
             waypass instance add {} --jwk-file FILE --owner NAME --name NAME --expires 90d",
            args.target.profile, target.profile.client_id
        )),
        _ => failure,
    })
}

/// The same page, code, words and digits as for access.
async fn ceremony(
    args: &EnrollArgs,
    io: &mut Io,
    target: &Target,
    caller: &mut Caller<'_>,
    asked: &Asked,
) -> Result<EnrolledInstance, Failure> {
    let mut screen = Screen::show(&args.screen, io, asked, &target.key.key).await;
    let mut url = target.metadata.enrollment_endpoint(&target.issuer);
    let finish = format!("{}/finish", url.path());
    url.set_path(&finish);
    let mut poll = Poll {
        caller,
        url: &url,
        form: &[("client_id", &target.profile.client_id)],
        hold: None,
        again: "waypass enroll",
    };
    let interrupted = (io.interrupted)();
    tokio::select! {
        biased;
        enrolled = poll.wait(io, asked, &mut screen, finished) => enrolled,
        () = interrupted => Err(Failure::new(Exit::Failed, "interrupted", "stopped; the key is not enrolled")
            .hint("the request waits on until it expires: whoever sees it may decline it")),
    }
}

pub fn finished(answer: &Answer, _: Timestamp) -> Result<Polled<EnrolledInstance>, Failure> {
    if answer.is_success() {
        let enrolled = answer
            .json()
            .ok_or_else(|| answer.unreadable("the answer cannot be read"));
        return enrolled.map(Polled::Given);
    }
    let body = answer.error().ok_or_else(|| answer.failure("the key was not enrolled"));
    body.map(Polled::Refused)
}

async fn keep(args: &EnrollArgs, io: &mut Io, target: &Target, instance: EnrolledInstance) -> Result<(), Failure> {
    let kept = &target.key.kept;
    let credentials = Credentials {
        instance: Some(instance.clone()),
        ..kept.credentials.clone()
    };
    let name = &args.target.profile;
    let stored_in = target.keep(io, name, &credentials).await?;
    if args.json() {
        io.output.json(&json!({
            "event": "enrolled", "profile": name, "instance": instance,
            "key_storage": kept.key_storage().name(), "stored_in": stored_in
        }));
        return Ok(());
    }
    say!(
        io.output,
        "Enrolled: this machine is now known to {}.",
        target.profile.server
    );
    say!(io.output, "");
    let fields = own::fields(&instance);
    io.output.fields(fields);
    say!(io.output, "");
    say!(
        io.output,
        "The key is in {stored_in}. Ask for access with: waypass login --profile {name}"
    );
    Ok(())
}

/// A JWT in a file of its own; the line break that editors and echo leave is none of it.
fn token_of(file: &Path) -> Result<String, Failure> {
    let token = files::text_of(file)?.trim().to_owned();
    if token.is_empty() {
        return Err(Failure::usage(format!("{} holds no token", file.display())));
    }
    Ok(token)
}
