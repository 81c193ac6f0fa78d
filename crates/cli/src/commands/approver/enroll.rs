//! `waypass approver enroll`: turns an enrollment link into a software key of one's own.

use std::path::PathBuf;

use protocol::secret::EnrollmentToken;
use protocol::wire::approver::{EnrollRequest, EnrollResponse};
use serde_json::json;

use crate::approver_key::{self, KeyFile};
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::http::Http;
use crate::io::Io;
use crate::metadata::Issuer;
use crate::print::say;

/// Make a software key and register it with the link an administrator has sent
///
/// A passkey is stronger: open the link in a browser to make one. A software key decides only for
/// clients whose profile allows it.
///
///   waypass approver enroll 'https://login.example.com/enroll#TOKEN' --key-file alice.key
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct EnrollArgs {
    /// The enrollment link; it is good once
    pub link: String,
    /// Where to write the private key (0600); an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl EnrollArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

pub async fn run(args: &EnrollArgs, io: &mut Io) -> Result<(), Failure> {
    let EnrollResponse {
        approver, thumbprint, ..
    } = enroll(args, io).await?;
    if args.json {
        io.output
            .json(&json!({"approver": approver, "thumbprint": thumbprint, "key_file": args.key_file}));
    } else {
        say!(
            io.output,
            "Enrolled as {approver}. The key is in {}.",
            args.key_file.display()
        );
        say!(
            io.output,
            "Whoever can read that file decides in your name: keep it to yourself."
        );
    }
    Ok(())
}

pub async fn enroll(args: &EnrollArgs, io: &mut Io) -> Result<EnrollResponse, Failure> {
    let (issuer, token) = take_apart(&args.link)?;
    let http = Http::for_server(io, issuer.url(), args.ca_file.as_deref())?;
    let key = io.draw_key()?;
    let mut file = KeyFile {
        jwk: key
            .to_jwk()
            .ok_or_else(|| Failure::failed("the key cannot be written"))?,
        approver: None,
        approver_id: None,
        server: issuer.as_str().to_owned(),
    };
    // Before the link is used up: a key that cannot be kept must not be registered.
    files::create_new(&args.key_file, file.to_text()?.as_bytes()).map_err(|error| {
        Failure::usage(format!(
            "the key file {} cannot be made: {error}",
            args.key_file.display()
        ))
        .hint("an existing file is never overwritten: name another one")
    })?;

    let body = EnrollRequest {
        enrollment_token: token.reveal().to_owned(),
    };
    let mut caller = Caller::new(&http, &key);
    let answer = approver_key::post(io, &mut caller, (&issuer, "enroll"), &body).await;
    let enrolled: EnrollResponse = answer.map_err(|failure| give_up(args, failure))?;
    if enrolled.thumbprint != key.thumbprint().as_str() {
        return Err(Failure::failed("the server has registered another key than ours"));
    }
    file.approver = Some(enrolled.approver.clone());
    file.approver_id = Some(enrolled.approver_id.clone());
    file.replace(&args.key_file)?;
    Ok(enrolled)
}

/// `{issuer}/enroll#TOKEN`.
fn take_apart(link: &str) -> Result<(Issuer, EnrollmentToken), Failure> {
    let parts = link
        .trim()
        .split_once('#')
        .and_then(|(page, token)| Some((page.strip_suffix("/enroll")?, token)));
    match parts {
        Some((issuer, token)) if !token.is_empty() => Ok((Issuer::parse(issuer)?, EnrollmentToken::presented(token))),
        _ => Err(Failure::usage("this is no enrollment link")
            .hint("it reads https://SERVER/enroll#TOKEN; in a shell, put it in quotes")),
    }
}

/// After a clear no the file is of no use. Without an answer the key may be registered: then the file is
/// the only half of it, and stays.
fn give_up(args: &EnrollArgs, failure: Failure) -> Failure {
    let path = args.key_file.display();
    if failure.exit == Exit::Unreachable {
        return failure.hint(format!(
            "{path} is kept, in case the server has registered it: try `waypass show` with it"
        ));
    }
    match files::remove(&args.key_file) {
        Ok(()) => failure,
        Err(error) => failure.hint(format!("{path} is of no use and could not be removed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_server_and_a_token() {
        for (link, issuer, token) in [
            ("http://localhost:8628/enroll#abc", "http://localhost:8628", "abc"),
            (" https://a.example/as/enroll#a#b\n", "https://a.example/as", "a#b"),
        ] {
            let (found, secret) = take_apart(link).ok().unwrap();
            assert_eq!((found.as_str(), secret.reveal()), (issuer, token));
        }
        for link in [
            "",
            "abc",
            "http://localhost/enroll",
            "http://localhost/enroll#",
            "http://a.example/enroll#t",
        ] {
            assert!(take_apart(link).is_err(), "{link:?}");
        }
    }
}
