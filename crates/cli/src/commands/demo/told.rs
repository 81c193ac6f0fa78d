//! What the demo says: six numbered steps, at most 80 columns. All of it passes `print.rs`, since claims and
//! names came over a network.

use protocol::time::Timestamp;
use protocol::wire::local::{ApproverView, EventView};
use serde_json::{Map, Value};

use crate::commands::demo::cast;
use crate::commands::demo::desk;
use crate::date;
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::keys::Key;
use crate::print::{Escaped, say};

fn step(io: &mut Io, number: u8, title: &str) {
    say!(io.output, "");
    io.output.heading(&Escaped::of(&format!("{number}  {title}")));
}

/// Line by line below a step.
fn paragraph(io: &mut Io, text: &str) {
    for line in text.lines() {
        say!(io.output, "{}", format!("   {line}").trim_end());
    }
}

pub fn table(io: &mut Io, rows: Vec<Vec<String>>) {
    let indented = rows.into_iter().map(|row| [vec![" ".to_owned()], row].concat());
    io.output.columns(&indented.collect::<Vec<_>>());
}

fn to_open(io: &mut Io, text: &str) {
    io.output.heading(&Escaped::of(&format!("      {text}")));
}

pub fn start(io: &mut Io, address: &str) {
    step(io, 1, "Start");
    let text = format!("A server of its own runs at {address}.\nIts data is temporary and is removed when this ends.");
    paragraph(io, &text);
}

pub fn what_is_enrolled(io: &mut Io, key: &Key) {
    let (name, words) = (cast::NAME, protocol::key_words::of(key.thumbprint().as_str()));
    let machine = cast::MACHINE;
    step(io, 2, "Enroll");
    let text = format!(
        "A program, \"{name}\", runs on \"{machine}\". A key that nobody\n\
         knows may ask for one thing only: to become somebody's. That counts here because\n\
         both sides have the same address; talked through on the telephone it would not.\n\
         The program has made a key. People compare keys by six words:\n\n   {words}\n\n"
    );
    paragraph(io, &text);
}

pub fn enrolled(io: &mut Io, owner: &str) {
    paragraph(
        io,
        &format!("The machine belongs to {owner} now: nobody else can approve what it asks."),
    );
}

pub fn what_is_asked(io: &mut Io) {
    step(io, 3, "Ask");
    let text = "Now it asks to deploy to staging. What it gets will work with its key only.\n\n";
    paragraph(io, text);
}

pub fn decided_alone(io: &mut Io) {
    paragraph(
        io,
        "--auto: a software key decides, and sees what the page would show:\n\n",
    );
}

/// What a person needs to open and type.
pub struct Place<'a> {
    /// To make a passkey with, where there is none yet.
    pub enrollment_link: Option<&'a str>,
    pub verification_uri: &'a str,
    pub user_code: &'a str,
    pub minutes: i64,
    pub port: u16,
}

pub fn where_to_approve(io: &mut Io, place: &Place<'_>) {
    let minutes = place.minutes;
    if let Some(link) = place.enrollment_link {
        paragraph(io, "a  Make your passkey, once, in a browser on this machine:\n\n");
        to_open(io, link);
        let page = format!("\nb  Then, within {minutes} minutes, open this page and type the code:\n\n");
        paragraph(io, &page);
    } else {
        paragraph(
            io,
            &format!("Within {minutes} minutes, open this page and type the code:\n\n"),
        );
    }
    to_open(io, place.verification_uri);
    to_open(io, place.user_code);
    paragraph(
        io,
        "\nThe page shows the six words from above. Other words, or none: decline.\n\n",
    );
    if place.enrollment_link.is_some() {
        tunnel(io, place.port);
    }
    let keys = if io.input_is_terminal {
        desk::KEYS
    } else {
        desk::NO_KEYS
    };
    io.output.aside(&Escaped::of(keys));
    say!(io.output, "");
}

/// Passkeys work on `localhost` only, so a browser elsewhere needs this port there.
fn tunnel(io: &mut Io, port: u16) {
    // sshd: "client address, client port, server address, server port".
    let connection = (io.environment)("SSH_CONNECTION").and_then(|text| text.into_string().ok());
    let host = connection.as_deref().and_then(|text| text.split(' ').nth(2));
    let host = host.unwrap_or("HOST");
    let text = format!("   Is the browser elsewhere? There, first:  ssh -L {port}:localhost:{port} {host}");
    io.output.aside(&Escaped::of(&text));
}

pub fn claims(io: &mut Io, approver: &str, claims: Map<String, Value>) {
    step(io, 4, "Use");
    paragraph(
        io,
        &format!("Approved by {approver}. The program has fetched its token, which says:\n\n"),
    );
    for line in format!("{:#}", Value::Object(claims)).lines() {
        say!(io.output, "      {line}");
    }
    let text = "\ncnf.jkt is the digest of the program's key. An API that gets this token wants\n\
                a proof by that key with each call. The same call, four times:\n\n";
    paragraph(io, text);
}

pub fn events(io: &mut Io, events: Vec<EventView>, approvers: &[ApproverView]) {
    step(io, 5, "Record");
    paragraph(io, "Each act was recorded together with what it changed:\n\n");
    let name = |id: String| approvers.iter().find(|one| one.id == id).map(|one| one.name.clone());
    let mut rows = vec![["AT", "EVENT", "CLIENT", "APPROVER"].map(str::to_owned).to_vec()];
    rows.extend(events.into_iter().map(|event| {
        vec![
            date::utc(Timestamp::from_millis(event.at)),
            event.action,
            event.client_id.unwrap_or_default(),
            event.approver_id.and_then(name).unwrap_or_default(),
        ]
    }));
    table(io, rows);
}

pub fn take_back(io: &mut Io) {
    step(io, 6, "Take back");
    paragraph(
        io,
        "The administrator revokes the grant: what was approved, with all its tokens.\n\n",
    );
}

pub fn end(io: &mut Io, outcome: Result<(), Failure>) -> Exit {
    const GONE: &str = "The server has ended and its data is removed.";
    io.output.end_live();
    let (text, exit) = match outcome {
        Ok(()) => ("That was all of it.", Exit::Done),
        Err(failure) => match failure.error.as_str() {
            "access_denied" => (
                "Declined: the program was told so and got nothing. That is how every request\n\
                 should end that you did not start yourself.",
                failure.exit,
            ),
            "expired_token" => (
                "Nobody decided in time: the code is dead and the program got nothing.",
                failure.exit,
            ),
            "interrupted" => ("Stopped.", failure.exit),
            _ => {
                failure.print(io, false);
                return failure.exit;
            }
        },
    };
    say!(io.output, "");
    for line in text.lines() {
        say!(io.output, "{line}");
    }
    say!(io.output, "{GONE}");
    exit
}

#[cfg(test)]
mod tests;
