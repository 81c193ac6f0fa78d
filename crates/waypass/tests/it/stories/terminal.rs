//! A machine with the built command line, and a home of its own. What is typed there is told as it was typed.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use super::telling::Telling;
use crate::chance::unique;
use crate::process::{Ran, run, waypass};
use crate::server::Folder;

/// The last line of what is shown, by code and in the inbox.
const ASKED: [&str; 2] = ["decline it then.\n", "decline it.\n"];

pub struct Terminal<'a> {
    pub telling: &'a Telling<'a>,
    home: Folder,
}

/// A command that waits for somebody's decision.
pub struct Asking<'a> {
    telling: &'a Telling<'a>,
    /// Where there is none, it waits in an inbox.
    pub user_code: String,
    /// What stands in the inbox beside it.
    pub words: String,
    child: Child,
    output: BufReader<Receiver>,
}

impl<'a> Terminal<'a> {
    pub fn new(telling: &'a Telling<'a>) -> Self {
        let home = Folder::new();
        telling.calls(&home.path().display().to_string(), "~");
        Self { telling, home }
    }

    /// Somebody has copied everything that is kept here.
    pub async fn copied(&self) -> Self {
        let copy = Self::new(self.telling);
        let everything = self.home.join(".");
        run(Command::new("cp").arg("-r").arg(everything).arg(copy.home.path()))
            .await
            .expect_code(0);
        copy
    }

    /// Every command runs in one folder, where `data` and `docs` are.
    fn command(&self, line: &str) -> Command {
        let folder = &self.telling.world.server.folder;
        let mut command = waypass();
        command.env("HOME", self.home.path()).current_dir(folder.path());
        let words = words(line);
        let program = words.iter().position(|word| word == "waypass").unwrap();
        let (assigned, words) = words.split_at(program);
        command.envs(assigned.iter().filter_map(|word| word.split_once('=')));
        for word in words.iter().skip(1) {
            // What a shell would put there.
            match word.strip_prefix("$(cat ").and_then(|word| word.strip_suffix(')')) {
                Some(file) => command.arg(std::fs::read_to_string(folder.join(file)).unwrap().trim_end()),
                None => command.arg(self.telling.actual(word)),
            };
        }
        command
    }

    /// A command to its end. `> FILE` at the end of the line is what a shell would make of it.
    pub async fn types(&self, line: &str) -> Ran {
        let ran = self.types_unseen(line).await;
        self.telling.prints(&format!("$ {line}"));
        self.telling.prints(&ran.stdout);
        self.telling.prints(&ran.stderr);
        ran
    }

    /// The same, which nobody needs to read.
    pub async fn types_unseen(&self, line: &str) -> Ran {
        let (typed, file) = line.split_once(" > ").unwrap_or((line, ""));
        let mut ran = run(&mut self.command(typed)).await;
        if !file.is_empty() {
            let file = self.telling.world.server.folder.join(file);
            std::fs::write(file, std::mem::take(&mut ran.stdout)).unwrap();
        }
        ran
    }

    /// The same, which nobody needs to read.
    pub async fn runs(&self, line: &str) -> Ran {
        run(&mut self.command(line)).await
    }

    /// A command that asks somebody and waits. What it shows on both streams is told.
    pub async fn asks(&self, line: &str) -> Asking<'a> {
        let (asking, printed) = self.begins(line).await;
        self.telling.prints(&format!("$ {line}"));
        self.telling.prints(&printed);
        asking
    }

    /// The same, of which nobody needs to read how it begins.
    pub async fn asks_unseen(&self, line: &str) -> Asking<'a> {
        self.begins(line).await.0
    }

    async fn begins(&self, line: &str) -> (Asking<'a>, String) {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = self.command(line);
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .kill_on_drop(true);
        let child = command.spawn().unwrap();
        // With it go the ends that are open here.
        drop(command);
        let mut output = BufReader::new(Receiver::from_owned_fd(OwnedFd::from(reader)).unwrap());
        let mut printed = String::new();
        while !ASKED.iter().any(|end| printed.ends_with(end)) {
            let read = output.read_line(&mut printed).await.unwrap();
            assert_ne!(read, 0, "nobody was asked: {printed}");
        }
        let after = |label: &str| {
            let rest = printed.split_once(label).and_then(|(_, rest)| rest.lines().next());
            rest.unwrap_or_default().trim().to_owned()
        };
        let (user_code, words) = (after("Enter this code:"), after("It shows these words:"));
        if !user_code.is_empty() {
            self.telling.world.remember(&user_code);
        }
        let asking = Asking {
            telling: self.telling,
            user_code,
            words,
            child,
            output,
        };
        (asking, printed)
    }

    /// An approver whose key is a file.
    pub async fn enrolls_approver(&self, name: &str) {
        let link = self.telling.world.enrollment_link(name).await;
        let line = format!("waypass approver enroll {link} --key-file {name}.key");
        self.runs(&line).await.expect_code(0);
    }

    /// A token of this machine, as whoever stole it has it.
    pub async fn token(&self, more: &str) -> String {
        let token = self.runs(&format!("waypass token {more}")).await.expect_code(0).stdout;
        let token = token.trim().to_owned();
        self.telling.world.remember(&token);
        token
    }

    fn kept_in(&self) -> PathBuf {
        self.home.join(".local/state/waypass/credentials/default.json")
    }

    pub fn kept(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.kept_in()).unwrap()).unwrap()
    }

    /// As if the tokens that are kept had ended: the next command asks the server.
    pub fn ages(&self) {
        let mut kept = self.kept();
        for pointer in ["/tokens/expires_at", "/machine/tokens/expires_at"] {
            if let Some(end) = kept.pointer_mut(pointer) {
                *end = json!(0);
            }
        }
        std::fs::write(self.kept_in(), kept.to_string()).unwrap();
    }

    /// A file of the folder that all commands run in.
    pub fn file(&self, text: &str) -> String {
        let name = unique("file");
        std::fs::write(self.telling.world.server.folder.join(&name), text).unwrap();
        name
    }
}

impl Asking<'_> {
    /// The exit code. What it printed is told.
    pub async fn ends(self) -> Option<i32> {
        self.ends_saying().await.0
    }

    /// The same, and what it printed.
    pub async fn ends_saying(mut self) -> (Option<i32>, String) {
        let mut printed = String::new();
        self.output.read_to_string(&mut printed).await.unwrap();
        self.telling.prints(&printed);
        (self.child.wait().await.unwrap().code(), printed)
    }
}

/// As a shell takes a line apart that has no more than quotes and line ends.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ' | '\\' | '\n') if words.last().unwrap().is_empty() => {}
            (None, ' ' | '\\' | '\n') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
