//! A machine with the built command line, and a home of its own. What is typed there is told as it was typed.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::telling::Telling;
use crate::process::{Ran, run, waypass};
use crate::server::Folder;

pub struct Terminal<'a> {
    telling: &'a Telling<'a>,
    home: Folder,
}

/// A command that waits for somebody's decision.
pub struct Asking<'a> {
    telling: &'a Telling<'a>,
    pub user_code: String,
    pub key_words: String,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl<'a> Terminal<'a> {
    pub fn new(telling: &'a Telling<'a>) -> Self {
        let home = Folder::new();
        telling.calls(&home.path().display().to_string(), "~");
        Self { telling, home }
    }

    pub fn home(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }

    /// Every command runs in one folder, where `data` and `docs` are.
    fn command(&self, line: &str) -> Command {
        let world = self.telling.world;
        let mut command = waypass();
        command
            .env("HOME", self.home.path())
            .current_dir(world.server.folder.path());
        let words = words(line).into_iter().map(|word| self.telling.actual(&word));
        command.args(words.skip(1));
        command
    }

    /// A command to its end. `> FILE` at the end of the line is what a shell would make of it.
    pub async fn types(&self, line: &str) -> Ran {
        let (typed, file) = line.split_once(" > ").unwrap_or((line, ""));
        let mut ran = run(&mut self.command(typed)).await;
        if !file.is_empty() {
            let file = self.telling.world.server.folder.join(file);
            std::fs::write(file, std::mem::take(&mut ran.stdout)).unwrap();
        }
        self.telling.prints(&format!("$ {line}\n{}{}", ran.stdout, ran.stderr));
        ran
    }

    /// The same, which nobody needs to read.
    pub async fn runs(&self, line: &str) -> Ran {
        run(&mut self.command(line)).await
    }

    /// A command that shows a code and waits.
    pub async fn asks(&self, line: &str) -> Asking<'a> {
        let mut command = self.command(line);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.ends_with("decline it then.\n") {
            let read = output.read_line(&mut printed).await.unwrap();
            assert_ne!(read, 0, "no code was shown: {printed}");
        }
        self.telling.prints(&format!("$ {line}\n{printed}"));
        let after = |label: &str| {
            let (_, rest) = printed.split_once(label).unwrap();
            rest.lines().next().unwrap().trim().to_owned()
        };
        Asking {
            telling: self.telling,
            user_code: after("Enter this code:"),
            key_words: after("Compare these words:"),
            child,
            output,
        }
    }
}

impl Asking<'_> {
    /// The exit code. What it printed is told.
    pub async fn ends(mut self) -> Option<i32> {
        let mut printed = String::new();
        self.output.read_to_string(&mut printed).await.unwrap();
        self.telling.prints(&printed);
        self.child.wait().await.unwrap().code()
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
    words
}
