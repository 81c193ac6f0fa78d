//! `waypass curl`: one request, approved as exactly this request. What sends it is what sends a command's (`run/`).

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response};
use http_body_util::BodyExt as _;
use protocol::details::Details;
use protocol::details::enforce::{self, Unfit};
use reqwest::Body;
use serde_json::json;
use url::Url;

use crate::asking::BroughtArgs;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::print::say;
use crate::run::access::{Access, Ask, origin, outside};
use crate::run::admission::says_otherwise;
use crate::run::detail;
use crate::run::upstream::{Outgoing, Sent, passed_on};
use crate::screen::{ScreenArgs, Stream};
use crate::target::TargetArgs;

#[cfg(target_os = "linux")]
use crate::run::signals::told_to_end;
#[cfg(not(target_os = "linux"))]
use std::future::pending as told_to_end;

/// Send one request when somebody has approved exactly this request, and print the answer
///
/// Method, path, query and body are what is approved. Redirects are not followed. It ends with 0 where the resource answered with
/// 2xx, with 5 where it refused with 401 or 403, else with 1.
///
///   waypass curl https://api.example.com/me
///   waypass curl -X DELETE https://api.example.com/deploys/17
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct CurlArgs {
    /// Where to: https, or http on this machine
    url: String,
    /// The method of the request [default: GET, with --data POST]
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = super::run::method)]
    request: Option<String>,
    /// A header of the request; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The body of the request, or the file that holds it; a form unless a header says otherwise
    #[arg(short, long, value_name = "TEXT|@FILE", allow_hyphen_values = true)]
    data: Option<String>,
    /// Write the body of the answer to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the status and the headers of the answer too
    #[arg(short, long)]
    include: bool,
    /// The resource by the name that the server knows [default: the origin of the URL]
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// What to ask for beside it, separated by spaces [default: what the profile has, without offline_access]
    #[arg(long)]
    scope: Option<String>,
    /// Show what would be asked for, and its digest, and ask nobody
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    brought: BroughtArgs,
    #[command(flatten)]
    screen: ScreenArgs,
}

impl CurlArgs {
    pub fn json(&self) -> bool {
        self.screen.json
    }

    fn outgoing(&self) -> Result<Outgoing, Failure> {
        let url = Url::parse(&self.url).map_err(|_| Failure::usage(format!("{:?} is no URL", self.url)))?;
        let default = if self.data.is_some() { "POST" } else { "GET" };
        let method = self.request.as_deref().unwrap_or(default);
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Failure::usage(format!("{method:?} is no HTTP method")))?;
        let body = self.data.as_deref().map(body_of).transpose()?;
        Ok(Outgoing {
            method,
            url,
            headers: self.headers()?,
            body: body.map_or(Sent::Nothing, |body| Sent::Whole(body.into())),
        })
    }

    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        if self.data.is_some() {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
        }
        let mut given = HeaderMap::new();
        for line in &self.header {
            let header = line.split_once(':').and_then(|(name, value)| {
                Some((
                    name.trim().parse::<HeaderName>().ok()?,
                    value.trim().parse::<HeaderValue>().ok()?,
                ))
            });
            let (name, value) = header.ok_or_else(|| Failure::usage(format!("{line:?} is no header")))?;
            given.append(name, value);
        }
        headers.extend(given);
        if says_otherwise(&headers) {
            return Err(Failure::usage(
                "a header names another method or path than is asked for",
            ));
        }
        Ok(passed_on(&headers))
    }
}

fn body_of(data: &str) -> Result<Vec<u8>, Failure> {
    let Some(file) = data.strip_prefix('@') else {
        return Ok(data.as_bytes().to_vec());
    };
    std::fs::read(file).map_err(|error| Failure::usage(format!("{file} cannot be read: {error}")))
}

/// A body is approved as the bytes that it is.
fn details(outgoing: &Outgoing, resource: &str) -> Result<Details, Failure> {
    let body = match &outgoing.body {
        Sent::Whole(body) => Some(&**body),
        Sent::Nothing | Sent::Streamed(_) => None,
    };
    let url = &outgoing.url;
    let act = enforce::request(resource, outgoing.method.as_str(), url.path(), url.query(), body);
    let act = act.map_err(|unfit| match unfit {
        Unfit::TwoPaths => Failure::usage("this path can be taken for another, and is not asked for"),
        Unfit::OutsideResource => outside(url.path(), resource),
    });
    detail::checked(&[act?])
}

/// Its approver allows more than is sent, and whoever sends it has to know.
fn warn_of_segments(io: &mut Io, url: &Url) {
    if url.path().contains('%') {
        say!(
            io.errors,
            "warning: a percent-encoded segment cannot be named: * is asked for in its place, in {}",
            url.path()
        );
    }
}

pub async fn run(args: &CurlArgs, io: &mut Io) -> Result<(), Failure> {
    #[cfg(target_os = "linux")]
    crate::run::child::hide()?;
    let outgoing = args.outgoing()?;
    let at = origin(&args.url)?;
    let name = args
        .resource
        .clone()
        .unwrap_or_else(|| at.origin().ascii_serialization());
    let details = details(&outgoing, &name)?;
    warn_of_segments(io, &outgoing.url);
    if args.dry_run {
        detail::show(io, &details, args.screen.json);
        return Ok(());
    }
    let screen = ScreenArgs {
        on: Stream::NotOutput,
        ..args.screen.clone()
    };
    screen.check(io)?;
    let ask = Ask {
        target: &args.target,
        scope: args.scope.as_deref(),
        resource: Some(&name),
        details: &details,
        brought: &args.brought,
        screen: &screen,
        command: "waypass curl",
    };
    let access = Access::ask(io, &ask).await?;
    let (interrupted, told) = ((io.interrupted)(), told_to_end());
    let stopped = |exit| Failure::new(exit, "interrupted", "stopped before the answer had ended");
    let outcome = tokio::select! {
        biased;
        outcome = sent(args, io, &access, (&outgoing, &at, &details)) => outcome,
        () = interrupted => Err(stopped(Exit::Failed)),
        code = told => Err(stopped(Exit::Of(code))),
    };
    access.end(io, &screen, None).await;
    outcome
}

async fn sent(
    args: &CurlArgs,
    io: &mut Io,
    access: &Access,
    (outgoing, at, details): (&Outgoing, &Url, &Details),
) -> Result<(), Failure> {
    access.must_cover(details)?;
    let upstream = access.upstream(io, at)?;
    let answer = upstream.send(outgoing).await;
    let answer = answer.map_err(|not| Failure::unreachable(not.sentence()))?;
    let status = answer.status();
    if args.screen.json {
        io.errors.json(&json!({ "event": "answer", "status": status.as_u16() }));
    }
    print(args, io, answer).await?;
    let what = || format!("{} answered {}", at.origin().ascii_serialization(), status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        401 | 403 => Err(Failure::new(Exit::Refused, "resource_refused", what())),
        _ => Err(Failure::new(Exit::Failed, "resource_refused", what())),
    }
}

/// As it comes.
async fn print(args: &CurlArgs, io: &mut Io, answer: Response<Body>) -> Result<(), Failure> {
    if args.include {
        say!(io.output, "{:?} {}", answer.version(), answer.status());
        for (name, value) in answer.headers() {
            say!(io.output, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        say!(io.output, "");
    }
    let unwritten = |error: std::io::Error| Failure::failed(format!("the answer cannot be written: {error}"));
    let mut file = args.output.as_ref().map(File::create).transpose().map_err(unwritten)?;
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::unreachable("the answer broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        match &mut file {
            Some(file) => file.write_all(data).map_err(unwritten)?,
            None => io.output.document(data),
        }
        if io.output.is_closed() {
            break;
        }
    }
    Ok(())
}
