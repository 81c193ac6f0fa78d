//! `waypass demo`: one request from asking to taking back, in six steps a stranger can follow. The server
//! is in `demo/server.rs`, who takes part in `demo/cast.rs`, the decision in `demo/desk.rs`, the protected
//! API in `demo/api.rs`, the words in `demo/told.rs`, the use of the token in
//! `demo/bearer.rs`. Each step is what the other commands do.

mod api;
mod bearer;
mod cast;
mod desk;
mod server;
mod told;

use std::future::Future;

use protocol::wire::enrollment::EnrollmentResponse;
use protocol::wire::local::{ApproverView, GrantView};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::asking::Request;
use crate::commands::demo::bearer::Bearer;
use crate::commands::demo::cast::Cast;
use crate::commands::demo::desk::Desk;
use crate::commands::demo::server::Server;
use crate::commands::demo::told::Place;
use crate::commands::enroll;
use crate::commands::whoami::claims_of;
use crate::credentials::Tokens;
use crate::device_flow::{Asked, Poll};
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::keys::Key;
use crate::local::read;
use crate::print::say;

/// Try it: a server, a request and an approval on this machine, leaving nothing behind
///
/// Starts a server with temporary data, asks for access as a program would, waits until you approve in a
/// browser, uses the token, and takes everything back.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct DemoArgs {
    /// Approve by itself, with a software key: needs neither a browser nor a terminal
    #[arg(long)]
    auto: bool,
}

pub async fn run(args: &DemoArgs, io: &mut Io) -> Exit {
    // With --auto nobody is asked.
    io.input_is_terminal &= !args.auto;
    let told_to_stop = told_to_stop(io);
    let mut server = None;
    let outcome = tokio::select! {
        biased;
        () = told_to_stop => Err(Failure::new(Exit::Failed, "interrupted", "stopped by hand")),
        outcome = play(args, io, &mut server) => outcome,
    };
    if let Some(server) = server {
        server.stop().await;
    }
    told::end(io, outcome)
}

/// Ctrl-C, `kill`, or a terminal that was closed: each must end the server too.
fn told_to_stop(io: &Io) -> impl Future<Output = ()> + use<> {
    let interrupted = (io.interrupted)();
    async {
        tokio::select! {
            () = interrupted => {}
            () = received(SignalKind::terminate()) => {}
            () = received(SignalKind::hangup()) => {}
        }
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Without a handler the signal ends this process as ever.
        Err(_) => std::future::pending().await,
    }
}

async fn play(args: &DemoArgs, io: &mut Io, server: &mut Option<Server>) -> Result<(), Failure> {
    const TITLE: &str = "Waypass demo: a program asks, you approve, the program works, you take it back.";
    say!(io.output, "{TITLE}");
    let server = server.insert(Server::spawn(io)?);
    server.ready(io).await?;
    let cast = Cast::gather(io, server).await?;
    told::start(io, server.issuer.as_str());
    let key = io.draw_key()?;
    let mut desk = Desk::open(io, &cast);
    enroll_key(args, io, (server, &cast, &key), &mut desk).await?;
    let tokens = ask(args, io, (server, &cast, &key), &mut desk).await?;

    let claims = claims_of(&tokens.access_token).ok_or_else(|| Failure::failed("the token cannot be read"))?;
    let grant_id = claims.get("grant_id").and_then(Value::as_str).unwrap_or_default();
    let granted: GrantView = read(cast.local.get(io, &["grants", grant_id]).await?)?;
    told::claims(io, &granted.approver, claims);
    let bearer = Bearer::new(server, &cast, &key, &tokens);
    bearer.work(io).await?;
    tell_events(io, &cast).await?;
    told::take_back(io);
    cast.local
        .post(io, &["grants", &granted.grant_id, "revoke"], &Value::Null)
        .await?;
    bearer.find_it_ended(io).await
}

/// Who takes part in one request: the server, those around it, the program's key.
type Around<'a> = (&'a Server, &'a Cast, &'a Key);

/// The second step: the program's key becomes known, and whoever approves answers for it from then on.
async fn enroll_key(
    args: &DemoArgs,
    io: &mut Io,
    (server, cast, key): Around<'_>,
    desk: &mut Desk,
) -> Result<(), Failure> {
    let client_id = cast.profile.client_id.as_str();
    let mut caller = Caller::new(&server.http, key);
    let url = server.issuer.endpoint("enrollment");
    let form = [
        ("client_id", client_id),
        ("name", cast::MACHINE),
        ("expires_in", "3600"),
    ];
    let asked_at = io.now();
    let answer = caller.form(io, &url, &form).await;
    let answer = answer.map_err(|unanswered| unanswered.failure(&url))?;
    let unreadable = || answer.failure("the key was not enrolled");
    let Some(EnrollmentResponse::Pending(shown)) = answer.json() else {
        return Err(unreadable());
    };
    let asked = Asked::of(shown, asked_at).ok_or_else(unreadable)?;
    told::what_is_enrolled(io, key);
    decide(args, io, server, (&asked, desk), Some(&cast.enrollment_link)).await?;
    let url = server.issuer.endpoint("enrollment/finish");
    let mut poll = Poll {
        caller: &mut caller,
        url: &url,
        form: &[("client_id", client_id)],
        again: "waypass demo",
    };
    let enrolled = poll.wait(io, &asked, desk, enroll::finished).await;
    io.output.end_live();
    told::enrolled(io, &enrolled?.owner);
    Ok(())
}

/// Tells where to approve, or approves by itself.
async fn decide(
    args: &DemoArgs,
    io: &mut Io,
    server: &Server,
    (asked, desk): (&Asked, &mut Desk),
    enrollment_link: Option<&str>,
) -> Result<(), Failure> {
    desk.turn_to(asked);
    if args.auto {
        told::decided_alone(io);
        return desk.decide_alone(io).await;
    }
    let place = Place {
        enrollment_link,
        verification_uri: &asked.shown.verification_uri,
        user_code: &asked.shown.user_code,
        minutes: asked.shown.expires_in / 60,
        port: server.port,
    };
    told::where_to_approve(io, &place);
    Ok(())
}

/// The third step: from the request to its token.
async fn ask(
    args: &DemoArgs,
    io: &mut Io,
    (server, cast, key): Around<'_>,
    desk: &mut Desk,
) -> Result<Tokens, Failure> {
    let mut request = Request {
        profile: &cast.profile,
        metadata: &cast.metadata,
        caller: Caller::new(&server.http, key),
        brought: Vec::new(),
        command: "waypass demo",
    };
    let asked = request.ask(io, |failure, _| failure).await?;
    told::what_is_asked(io);
    decide(args, io, server, (&asked, desk), None).await?;
    let tokens = request.wait(io, &asked, desk).await;
    io.output.end_live();
    tokens
}

async fn tell_events(io: &mut Io, cast: &Cast) -> Result<(), Failure> {
    let approvers: Vec<ApproverView> = read(cast.local.get(io, &["approvers"]).await?)?;
    let events = cast.local.get_with(io, &["events"], &[("limit", "100")]).await?;
    told::events(io, read(events)?, &approvers);
    Ok(())
}
