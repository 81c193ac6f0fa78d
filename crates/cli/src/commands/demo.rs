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

use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use protocol::wire::local::{ApproverView, GrantView};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::demo::bearer::Bearer;
use crate::commands::demo::cast::Cast;
use crate::commands::demo::desk::Desk;
use crate::commands::demo::server::Server;
use crate::commands::demo::told::Place;
use crate::commands::login::Request;
use crate::commands::whoami::claims_of;
use crate::credentials::Tokens;
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
    let tokens = ask(args, io, server, &cast, &key).await?;

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

/// From the request to its token: the second and the third step.
async fn ask(args: &DemoArgs, io: &mut Io, server: &Server, cast: &Cast, key: &Key) -> Result<Tokens, Failure> {
    let mut request = Request {
        profile: &cast.profile,
        metadata: &cast.metadata,
        caller: Caller::new(&server.http, key),
        brought: Vec::new(),
    };
    let asked = request.ask(io, |failure, _| failure).await?;
    told::what_is_asked(io, key);
    let mut desk = Desk::open(io, cast, &asked);
    if args.auto {
        told::decided_alone(io);
        desk.decide_alone(io).await?;
    } else {
        told::where_to_approve(io, &place(server, cast, &asked.shown));
    }
    let tokens = request.wait(io, &asked, &mut desk).await;
    io.output.end_live();
    tokens
}

fn place<'a>(server: &Server, cast: &'a Cast, shown: &'a DeviceAuthorizationResponse) -> Place<'a> {
    Place {
        enrollment_link: &cast.enrollment_link,
        verification_uri: &shown.verification_uri,
        user_code: &shown.user_code,
        minutes: shown.expires_in / 60,
        port: server.port,
    }
}

async fn tell_events(io: &mut Io, cast: &Cast) -> Result<(), Failure> {
    let approvers: Vec<ApproverView> = read(cast.local.get(io, &["approvers"]).await?)?;
    let events = cast.local.get_with(io, &["events"], &[("limit", "100")]).await?;
    told::events(io, read(events)?, &approvers);
    Ok(())
}
