//! What a command line starts: its program, the interpreters that a script names, its inputs, each held from the
//! moment it is hashed. execve(2) on interpreter scripts; how it is written down is in `detail.rs`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::held::{Held, Way};
use crate::failure::{Exit, Failure};

/// What is claimed where no `--input` says so.
const NAMED: &str = "the files and folders that its arguments name";
/// As env(1) and shells have it.
const NOT_FOUND: Exit = Exit::Of(127);
const NOT_EXECUTABLE: Exit = Exit::Of(126);
/// As Linux has it.
const MOST_INTERPRETERS: usize = 4;

pub struct Program {
    /// As it was typed.
    pub argv: Vec<OsString>,
    /// What `argv` begins with.
    pub executable: Held,
    /// In the order in which one starts the other.
    pub interpreters: Vec<Interpreter>,
    pub inputs: Vec<Input>,
    /// In plain words: what it uses and nothing pins.
    pub claimed: Vec<String>,
}

pub struct Interpreter {
    pub held: Held,
    /// Its own name as the script has it.
    name: OsString,
    /// What the script's first line gives it.
    argument: Option<OsString>,
}

pub struct Input {
    /// As it was typed.
    pub name: OsString,
    pub held: Held,
}

/// What execve(2) is given.
pub struct Start {
    pub file: OsString,
    pub arguments: Vec<OsString>,
}

impl Program {
    pub fn find(argv: &[OsString], inputs: &[OsString], path: &OsStr, way: Way) -> Result<Self, Failure> {
        let name = argv
            .first()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Failure::usage("there is no command to run"))?;
        let executable = executable(name, path, way)?;
        let mut program = Self {
            argv: argv.to_vec(),
            executable,
            interpreters: Vec::new(),
            inputs: Vec::new(),
            claimed: Vec::new(),
        };
        program.find_interpreters(path, way)?;
        if way == Way::InPlace {
            let path = std::path::absolute(&program.executable.path).unwrap_or_default();
            let folder = path.parent().unwrap_or(Path::new("/"));
            program.claimed.push(format!("the other files of {}", folder.display()));
        }
        for name in inputs {
            program.add_input(name, way)?;
        }
        if program.names_another_file() {
            program.claimed.push(NAMED.to_owned());
        }
        Ok(program)
    }

    /// Which is no input, and so may be another one when it is read.
    fn names_another_file(&self) -> bool {
        let is_input = |word: &OsStr| self.inputs.iter().any(|input| prefix(word, &input.name).is_some());
        let mut words = self.argv.iter().skip(1);
        words.any(|word| !is_input(word) && names_a_file(word.as_bytes()))
    }

    /// A script's interpreter may be a script too.
    fn find_interpreters(&mut self, path: &OsStr, way: Way) -> Result<(), Failure> {
        for _ in 0..=MOST_INTERPRETERS {
            let started = self.interpreters.last().map_or(&self.executable, |last| &last.held);
            let beginning = started.beginning().map_err(|error| unusable(&started.path, &error))?;
            let Some((name, argument)) = first_line(&beginning) else {
                return must_be_program(started, &beginning);
            };
            let name = name.ok_or_else(|| no_program(&started.path, "its #! line names nothing"))?;
            let (name, argument) = match looked_up_by_env(&name, argument.as_deref()) {
                Some(found) => (found, None),
                None => (name, argument),
            };
            if Path::new(&name).file_name() == Some(OsStr::new("env")) {
                self.claimed.push("the interpreter that env finds".to_owned());
            }
            let held = executable(&name, path, way)?;
            self.interpreters.push(Interpreter { held, name, argument });
        }
        Err(no_program(
            &self.executable.path,
            "too many interpreters start each other",
        ))
    }

    /// Sealed where an argument names it, else only compared again before the start.
    fn add_input(&mut self, name: &OsStr, way: Way) -> Result<(), Failure> {
        let is_named = || self.argv.iter().skip(1).any(|word| prefix(word, name).is_some());
        let way = if way == Way::Sealed && is_named() {
            Way::Sealed
        } else {
            Way::InPlace
        };
        let held = Held::of(Path::new(name), way)
            .map_err(|error| Failure::usage(format!("the input {} cannot be used: {error}", name.display())))?;
        if way == Way::InPlace {
            self.claimed.push(format!("{}", name.display()));
        }
        let name = name.to_owned();
        self.inputs.push(Input { name, held });
        Ok(())
    }

    /// What is in its place is as it was when it was hashed, and no file has come where an argument named none.
    pub fn must_be_unchanged(&self) -> Result<(), Failure> {
        let is_told = self.claimed.iter().any(|claim| claim == NAMED);
        if !is_told && self.names_another_file() {
            let what = "a file that an argument names has come since it was asked for; nothing was run";
            return Err(Failure::new(Exit::Refused, "changed", what).hint("name it with --input, or ask again"));
        }
        let interpreters = self.interpreters.iter().map(|interpreter| &interpreter.held);
        let inputs = self.inputs.iter().map(|input| &input.held);
        for held in std::iter::once(&self.executable).chain(interpreters).chain(inputs) {
            if !held.is_unchanged().unwrap_or(false) {
                let what = format!(
                    "{} has changed since it was hashed; nothing was run",
                    held.path.display()
                );
                return Err(
                    Failure::new(Exit::Refused, "changed", what).hint("run it again to ask for it as it is now")
                );
            }
        }
        Ok(())
    }

    /// Whoever is started opens scripts and inputs by the descriptors that it inherits.
    pub fn start(&self) -> io::Result<Start> {
        for held in self.inputs.iter().map(|input| &input.held) {
            held.hand_down()?;
        }
        let mut file = &self.executable;
        let mut arguments = vec![self.argv.first().cloned().unwrap_or_default()];
        for interpreter in &self.interpreters {
            file.hand_down()?;
            let script = std::mem::replace(&mut arguments, vec![interpreter.name.clone()]);
            arguments.extend(interpreter.argument.clone());
            arguments.push(file.name());
            arguments.extend(script.into_iter().skip(1));
            file = &interpreter.held;
        }
        arguments.extend(self.argv.iter().skip(1).map(|word| self.substituted(word)));
        Ok(Start {
            file: file.name(),
            arguments,
        })
    }

    fn substituted(&self, word: &OsStr) -> OsString {
        let sealed = self.inputs.iter().filter(|input| input.held.way == Way::Sealed);
        let named = sealed.filter_map(|input| Some((prefix(word, &input.name)?, input)));
        named
            .map(|(mut before, input)| {
                before.push(input.held.name());
                before
            })
            .next()
            .unwrap_or_else(|| word.to_owned())
    }
}

/// In any of the ways in which programs are told of files: `FILE`, `if=FILE`, `@FILE`, `-fFILE`, `FILE:FILE`.
fn names_a_file(word: &[u8]) -> bool {
    const BEFORE: &[u8] = b"=@<:,";
    const AFTER: &[u8] = b":,;";
    let is_there = |name: &[u8]| {
        let path = Path::new(OsStr::from_bytes(name));
        path.is_file() || path.is_dir()
    };
    // -fFILE, and -xvfFILE.
    let has_options = word.starts_with(b"-") && !word.starts_with(b"--");
    let is_beginning = |(place, byte): &(usize, &u8)| BEFORE.contains(byte) || (has_options && *place > 0);
    let beginnings = word.iter().enumerate().filter(is_beginning);
    let later = beginnings.filter_map(|(place, _)| word.get(place + 1..));
    let mut rests = [word].into_iter().chain(later);
    rests.any(|rest| {
        let first = rest.split(|byte| AFTER.contains(byte)).next();
        is_there(rest) || first.is_some_and(is_there)
    })
}

/// What stands before the file's name in an argument: nothing, or an option as in `--values=FILE`, and an `@` where it
/// has one.
fn prefix(word: &OsStr, file: &OsStr) -> Option<OsString> {
    let before = word.as_bytes().strip_suffix(file.as_bytes())?;
    let option = before.strip_suffix(b"@").unwrap_or(before);
    let named = option.strip_suffix(b"=").unwrap_or_default();
    let is_option = named.starts_with(b"-") && !named.contains(&b'=');
    (option.is_empty() || is_option).then(|| OsString::from_vec(before.to_vec()))
}

/// By the rules of execvp(3).
fn executable(name: &OsStr, path: &OsStr, way: Way) -> Result<Held, Failure> {
    let is_executable = |file: &Path| file.is_file() && access(file, Access::EXEC_OK).is_ok();
    let found = if name.as_bytes().contains(&b'/') {
        PathBuf::from(name)
    } else {
        let mut folders = std::env::split_paths(path);
        let found = folders.find_map(|folder| Some(folder.join(name)).filter(|file| is_executable(file)));
        found.ok_or_else(|| not_found(name))?
    };
    if !found.exists() {
        return Err(not_found(name));
    }
    if !is_executable(&found) {
        return Err(no_program(&found, "it may not be executed"));
    }
    let held = Held::of(&found, way).map_err(|error| unusable(&found, &error))?;
    if way == Way::Sealed && held.lends_rights() {
        return Err(no_program(&found, "it runs with its owner's rights, which a copy has not").hint(IN_PLACE));
    }
    Ok(held)
}

const IN_PLACE: &str = "--in-place runs it from where it is";

fn not_found(name: &OsStr) -> Failure {
    let what = format!("{}: there is no such command", name.display());
    let failure = Failure::new(NOT_FOUND, "not_found", what);
    if name.as_bytes().contains(&b' ') {
        return failure.hint("that is one word: leave the quotation marks out, and each argument is a word");
    }
    failure
}

fn no_program(path: &Path, why: &str) -> Failure {
    Failure::new(NOT_EXECUTABLE, "not_executable", format!("{}: {why}", path.display()))
}

pub fn unusable(path: &Path, error: &io::Error) -> Failure {
    no_program(path, &format!("it cannot be run: {error}"))
        .hint("where the system forbids sealed copies in memory, --in-place does without")
}

/// None for what is no script. By the kernel's rules: one word, and the rest of the line as one argument.
fn first_line(beginning: &[u8]) -> Option<(Option<OsString>, Option<OsString>)> {
    let line = beginning.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let word = |bytes: &[u8]| (!bytes.is_empty()).then(|| OsString::from_vec(bytes.to_vec()));
    Some((word(name), word(rest.trim_ascii())))
}

/// `#!/usr/bin/env python3`: what env would find and start.
fn looked_up_by_env(name: &OsStr, argument: Option<&OsStr>) -> Option<OsString> {
    let is_env = Path::new(name).file_name() == Some(OsStr::new("env"));
    let is_name = |bytes: &[u8]| !bytes.starts_with(b"-") && !bytes.iter().any(|byte| b" \t=".contains(byte));
    argument
        .filter(|argument| is_env && is_name(argument.as_bytes()))
        .map(OsStr::to_owned)
}

/// What is neither would be given to a shell, by execvp(3), and nobody would have been told.
fn must_be_program(held: &Held, beginning: &[u8]) -> Result<(), Failure> {
    if beginning.starts_with(b"\x7fELF") {
        return Ok(());
    }
    Err(
        no_program(&held.path, "it is neither a program nor a script with a #! line")
            .hint("name what runs it: waypass run --input FILE -- INTERPRETER FILE"),
    )
}
