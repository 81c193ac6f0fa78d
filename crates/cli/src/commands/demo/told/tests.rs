use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::print::Printer;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is printed where the output is a terminal, or is none.
fn shown(is_terminal: bool, colours: bool, tell: impl FnOnce(&mut Io)) -> String {
    let captured = Captured::default();
    let mut io = Io::of_this_process();
    io.output = Printer::new(Box::new(captured.clone()), is_terminal).coloured(colours);
    io.environment = Box::new(|_| None);
    io.input_is_terminal = is_terminal;
    tell(&mut io);
    let bytes = captured.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn place() -> Place<'static> {
    Place {
        enrollment_link: Some("http://localhost:1/enroll#t"),
        verification_uri: "http://localhost:1/device",
        user_code: "WDJB-MJHT",
        minutes: 10,
        port: 1,
    }
}

#[test]
fn claims_are_shown_with_the_key_they_are_bound_to_and_nothing_that_commands_a_terminal() {
    let value = json!({"scope": "a b", "cnf": {"jkt": "0ZcO"}, "sub": "x\u{1b}[2J\u{202e}\ny"});
    let text = shown(false, false, |io| {
        claims(io, "alice", value.as_object().unwrap().clone());
    });
    for line in [
        "Approved by alice",
        "\"scope\": \"a b\",",
        "\"cnf\": {",
        "\"jkt\": \"0ZcO\"",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let is_hostile = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
    assert!(!text.contains(is_hostile), "{text:?}");
}

#[test]
fn what_to_open_stands_alone_on_its_line() {
    let text = shown(false, false, |io| where_to_approve(io, &place()));
    for line in ["http://localhost:1/enroll#t", "http://localhost:1/device", "WDJB-MJHT"] {
        assert!(text.lines().any(|shown| shown.trim() == line), "{line} in {text}");
    }
    assert!(
        text.contains("ssh -L 1:localhost:1 HOST") && text.contains("--auto"),
        "{text}"
    );
    for text in [text, shown(true, false, |io| where_to_approve(io, &place()))] {
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    for (is_terminal, colours, expected) in [(true, true, true), (true, false, false), (false, true, false)] {
        let text = shown(is_terminal, colours, |io| where_to_approve(io, &place()));
        assert_eq!(text.contains('\u{1b}'), expected, "{text:?}");
    }
}

#[test]
fn each_end_has_its_words_and_its_exit_code() {
    let failure = |exit, error| Err(Failure::new(exit, error, "why"));
    for (outcome, exit, words) in [
        (Ok(()), Exit::Done, "That was all of it."),
        (
            failure(Exit::Refused, "access_denied"),
            Exit::Refused,
            "Declined: the program was told so",
        ),
        (
            failure(Exit::UnknownCode, "expired_token"),
            Exit::UnknownCode,
            "Nobody decided in time",
        ),
        (failure(Exit::Failed, "interrupted"), Exit::Failed, "Stopped."),
    ] {
        let text = shown(false, false, |io| assert_eq!(end(io, outcome), exit));
        assert!(text.contains(words) && text.contains("its data is removed"), "{text}");
    }
}
