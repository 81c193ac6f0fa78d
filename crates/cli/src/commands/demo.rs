//! `waypass demo`: one request from asking to taking back, in six steps a stranger can follow. The server
//! is in `demo/server.rs`, who takes part in `demo/cast.rs`, the decision in `demo/desk.rs`, the protected
//! API in `demo/api.rs`. Nothing is left behind. Not here: anything that only a demo could do; each step
//! is what the other commands do.

mod api;
mod cast;
mod desk;
mod server;

use std::future::Future;

use http::Method;
use protocol::wire::local::{ApproverView, EventView, GrantView};
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::demo::cast::Cast;
use crate::commands::demo::desk::Desk;
use crate::commands::demo::server::Server;
use crate::commands::login::{Asked, Request};
use crate::commands::whoami::claims_of;
use crate::credentials::Tokens;
use crate::date;
use crate::dpop::{Body, Call, Caller, proof};
use crate::failure::{Exit, Failure};
use crate::http::Answer;
use crate::io::Io;
use crate::keys::Key;
use crate::local::read;
use crate::print::{Escaped, say};
use protocol::time::Timestamp;

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
        () = told_to_stop => Err(Failure::new(Exit::Failed, "interrupted", "Stopped.")),
        outcome = play(args, io, &mut server) => outcome,
    };
    if let Some(server) = server {
        server.stop().await;
    }
    end(io, outcome)
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
    say!(
        io.output,
        "Waypass demo: a program asks, you approve, the program works, you take it back."
    );
    let server = server.insert(Server::spawn(io)?);
    server.ready(io).await?;
    let cast = Cast::gather(io, server).await?;
    step(io, 1, "Start");
    let text = format!("A server of its own runs at {}.", server.issuer.as_str());
    paragraph(io, &[&text, "Its data is temporary and is removed when this ends."]);

    let key = io.draw_key()?;
    let mut request = Request {
        profile: &cast.profile,
        metadata: &cast.metadata,
        caller: Caller::new(&server.http, &key),
    };
    let asked = request.ask(io).await?;
    tell_what_is_asked(io, &key);
    step(io, 3, "Approve");
    tell_where_to_approve(args, io, &cast, &asked, server.port);
    let mut desk = Desk::open(io, &cast, &asked);
    if args.auto {
        desk.decide_alone(io).await?;
    }
    let tokens = request
        .wait(io, &asked, async |io: &mut Io, until| desk.pause(io, until).await)
        .await?;
    io.output.end_live();

    let claims = claims_of(&tokens.access_token).ok_or_else(|| Failure::failed("the token cannot be read"))?;
    let grant = [
        "grants",
        claims.get("grant_id").and_then(Value::as_str).unwrap_or_default(),
    ];
    let granted: GrantView = read(cast.local.get(io, &grant).await?)?;
    tell_claims(io, &granted, claims);
    use_token(io, server, &cast, (&key, &tokens)).await?;
    tell_events(io, &cast).await?;
    take_back(io, server, &cast, (&granted, &key, &tokens)).await
}

fn end(io: &mut Io, outcome: Result<(), Failure>) -> Exit {
    const GONE: &str = "The server has ended and its data is removed.";
    io.output.end_live();
    let Err(failure) = outcome else {
        say!(io.output, "");
        say!(io.output, "That was all of it. {GONE}");
        say!(io.output, "A server of your own: waypass serve --help");
        return Exit::Done;
    };
    match failure.error.as_str() {
        "access_denied" => {
            say!(
                io.output,
                "   You declined. The program was told so and got nothing: that is how it"
            );
            say!(
                io.output,
                "   should end whenever you did not start a request yourself. {GONE}"
            );
        }
        "expired_token" => {
            say!(
                io.output,
                "   Nobody decided in time: the code is dead and the program got nothing."
            );
            say!(io.output, "   {GONE} Run the demo again when you like.");
        }
        "interrupted" => say!(io.output, "{} {GONE}", failure.what),
        _ => failure.print(io, false),
    }
    failure.exit
}

fn step(io: &mut Io, number: u8, title: &str) {
    say!(io.output, "");
    io.output.heading(&Escaped::of(&format!("{number}  {title}")));
}

fn paragraph(io: &mut Io, lines: &[&str]) {
    for line in lines {
        say!(io.output, "{}", format!("   {line}").trim_end());
    }
}

/// Names on the left, below a step.
fn table(io: &mut Io, rows: Vec<Vec<String>>) {
    let indented: Vec<_> = rows
        .into_iter()
        .map(|row| [vec![" ".to_owned()], row].concat())
        .collect();
    io.output.table(&indented);
}

fn tell_what_is_asked(io: &mut Io, key: &Key) {
    step(io, 2, "Ask");
    let words = protocol::key_words::of(key.thumbprint().as_str());
    let name = cast::NAME;
    paragraph(
        io,
        &[
            &format!("A program, \"{name}\", asks to deploy to staging. It has made a key and"),
            "proved that it holds it: whatever it gets will work with that key only.",
            "People compare keys by six words:",
            "",
            &format!("   {words}"),
        ],
    );
}

fn tell_where_to_approve(args: &DemoArgs, io: &mut Io, cast: &Cast, asked: &Asked, port: u16) {
    if args.auto {
        paragraph(
            io,
            &[
                "--auto: a software key decides, which sees what the page would show:",
                "",
            ],
        );
        return;
    }
    let shown = &asked.shown;
    paragraph(io, &["a  Make your passkey, once, in a browser on this machine:", ""]);
    io.output
        .heading(&Escaped::of(&format!("      {}", cast.enrollment_link)));
    let page = format!(
        "b  Then, within {} minutes, open this page and type the code:",
        shown.expires_in / 60
    );
    paragraph(io, &["", &page, ""]);
    io.output
        .heading(&Escaped::of(&format!("      {}", shown.verification_uri)));
    io.output.heading(&Escaped::of(&format!("      {}", shown.user_code)));
    paragraph(
        io,
        &[
            "",
            "The page shows the six words from above. Other words, or none: decline.",
            "",
        ],
    );
    let host = (io.environment)("SSH_CONNECTION").and_then(|text| text.into_string().ok());
    let host = host
        .as_deref()
        .and_then(|text| text.split(' ').nth(2))
        .unwrap_or("HOST");
    let tunnel = format!("   Is the browser elsewhere? There, first:  ssh -L {port}:localhost:{port} {host}");
    io.output.aside(&Escaped::of(&tunnel));
    let keys = if io.input_is_terminal {
        "   Or type a letter and Enter:  t  decide in this terminal   q  quit"
    } else {
        "   No terminal to ask in: approve in the browser, or run this with --auto."
    };
    io.output.aside(&Escaped::of(keys));
    say!(io.output, "");
}

fn tell_claims(io: &mut Io, granted: &GrantView, claims: Map<String, Value>) {
    step(io, 4, "Use");
    let approved = format!(
        "Approved by {}. The program has fetched its token, which says:",
        granted.approver
    );
    paragraph(io, &[&approved, ""]);
    for line in pretty(claims) {
        say!(io.output, "      {line}");
    }
    paragraph(
        io,
        &[
            "",
            "cnf.jkt is the digest of the program's key. An API that gets this token wants",
            "a proof by that key with each call. The same call, four times:",
            "",
        ],
    );
}

/// Line by line, since what is printed is one line at a time.
fn pretty(claims: Map<String, Value>) -> Vec<String> {
    let text = format!("{:#}", Value::Object(claims));
    text.lines().map(str::to_owned).collect()
}

/// One call of the demo's API, as its program or a thief makes it.
async fn present(
    io: &Io,
    server: &Server,
    cast: &Cast,
    (scheme, token, proof): (&str, &str, Option<&str>),
) -> Result<Answer, Failure> {
    let mut request = server
        .http
        .request(Method::POST, cast.api.url.clone())
        .header("Authorization", format!("{scheme} {token}"));
    if let Some(proof) = proof {
        request = request.header("DPoP", proof);
    }
    let answer = server.http.send(&*io.clock, request).await;
    answer.map_err(|unanswered| unanswered.failure(&cast.api.url))
}

fn proof_by(io: &mut Io, cast: &Cast, key: &Key, token: &str) -> Result<String, Failure> {
    let call = Call {
        method: Method::POST,
        url: &cast.api.url,
        body: Body::None,
        access_token: Some(token),
    };
    proof(io, key, &call, None).ok_or_else(|| Failure::failed("no proof could be signed"))
}

async fn use_token(io: &mut Io, server: &Server, cast: &Cast, (key, tokens): (&Key, &Tokens)) -> Result<(), Failure> {
    let token = tokens.access_token.as_str();
    let own = proof_by(io, cast, key, token)?;
    let thiefs_key = io.draw_key()?;
    let thiefs = proof_by(io, cast, &thiefs_key, token)?;
    let calls = [
        ("the program, with a proof", 200, ("DPoP", token, Some(own.as_str()))),
        ("a thief with the token alone", 401, ("Bearer", token, None)),
        (
            "a thief with a key of his own",
            401,
            ("DPoP", token, Some(thiefs.as_str())),
        ),
        ("a thief with a copied proof", 401, ("DPoP", token, Some(own.as_str()))),
    ];
    let mut rows = Vec::new();
    for (who, expected, call) in calls {
        let answer = present(io, server, cast, call).await?;
        if answer.status != expected {
            return Err(answer.failure(&format!("{who}: {expected} was expected")));
        }
        rows.push(vec![who.to_owned(), answer.status.to_string(), said(&answer)]);
    }
    table(io, rows);
    Ok(())
}

/// Why not, or what came of it.
fn said(answer: &Answer) -> String {
    match answer.error() {
        Some(body) => body.error_description.unwrap_or(body.error),
        None => answer.json::<Value>().unwrap_or_default().to_string(),
    }
}

async fn tell_events(io: &mut Io, cast: &Cast) -> Result<(), Failure> {
    step(io, 5, "Record");
    paragraph(io, &["Each act was recorded together with what it changed:", ""]);
    let approvers: Vec<ApproverView> = read(cast.local.get(io, &["approvers"]).await?)?;
    let events = cast.local.get_with(io, &["events"], &[("limit", "100")]).await?;
    let name = |id: &str| approvers.iter().find(|one| one.id == id).map(|one| one.name.clone());
    let mut rows = vec![["AT", "EVENT", "CLIENT", "APPROVER"].map(str::to_owned).to_vec()];
    for event in read::<Vec<EventView>>(events)? {
        rows.push(vec![
            date::utc(Timestamp::from_millis(event.at)),
            event.action,
            event.client_id.unwrap_or_default(),
            event.approver_id.and_then(|id| name(&id)).unwrap_or_default(),
        ]);
    }
    table(io, rows);
    Ok(())
}

async fn take_back(
    io: &mut Io,
    server: &Server,
    cast: &Cast,
    (granted, key, tokens): (&GrantView, &Key, &Tokens),
) -> Result<(), Failure> {
    step(io, 6, "Take back");
    paragraph(
        io,
        &[
            "The administrator revokes the grant: what was approved, with all its tokens.",
            "",
        ],
    );
    let path = ["grants", &granted.grant_id, "revoke"];
    cast.local.post(io, &path, &Value::Null).await?;

    let token = tokens.access_token.as_str();
    let known = cast.api.introspection().ask(token).await;
    let known = known.ok_or_else(|| Failure::failed("the server does not answer"))?;
    let proof = proof_by(io, cast, key, token)?;
    let answer = present(io, server, cast, ("DPoP", token, Some(&proof))).await?;
    if known.active || answer.status != 401 {
        return Err(Failure::failed("the token still works after its grant was revoked"));
    }
    let row = |who: &str, status: &str, said: String| vec![who.to_owned(), status.to_owned(), said];
    let inactive = serde_json::to_string(&known).unwrap_or_default();
    table(
        io,
        vec![
            row("the API asks the server", "200", inactive),
            row("the program, with a proof", "401", said(&answer)),
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests;
