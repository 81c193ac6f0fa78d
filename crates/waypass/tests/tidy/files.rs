//! Names, lengths and beginnings of files; secrets that can be printed.

use super::File;

const EMPTY_NAMES: [&str; 11] = [
    "utils", "util", "common", "types", "helpers", "helper", "services", "service", "manager", "misc", "models",
];

/// Where secrets are declared, and what none of them may have.
const SECRETS: [&str; 2] = ["crates/protocol/src/secret.rs", "crates/protocol/src/user_code.rs"];
const SHOWING: [&str; 3] = ["Debug", "Display", "Serialize"];

pub fn check(files: &[File], findings: &mut Vec<String>) {
    let secrets = secret_types(files);
    assert!(secrets.len() >= 5, "the secret types were not found: {secrets:?}");
    for file in files.iter().filter(|file| file.is_rust()) {
        length(file, findings);
        name(file, findings);
        // A `tests.rs` goes with the file beside it.
        if !file.text.starts_with("//!") && !file.path.ends_with("/tests.rs") {
            findings.push(format!("{}: a file begins by saying what it is, with `//!`", file.path));
        }
        printable_secrets(file, &secrets, findings);
    }
}

fn length(file: &File, findings: &mut Vec<String>) {
    let (lines, limit) = (file.text.lines().count(), if file.is_test() { 800 } else { 500 });
    // `bench` is a workspace of its own, and no part of what is shipped.
    if lines > limit && !file.path.starts_with("bench/") {
        findings.push(format!(
            "{}: {lines} lines, at most {limit} can be read at once",
            file.path
        ));
    }
}

fn name(file: &File, findings: &mut Vec<String>) {
    for part in file.path.split('/') {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            findings.push(format!("{}: `{stem}` says nothing about what is in it", file.path));
        }
    }
}

/// The names in `protocol/src/secret.rs`, and the user code, which is one too.
fn secret_types(files: &[File]) -> Vec<String> {
    let secret = files.iter().find(|file| file.path == SECRETS[0]);
    let text = secret.map_or("", |file| file.text.as_str());
    let is_name = |line: &&str| {
        line.starts_with(|first: char| first.is_ascii_uppercase()) && line.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let mut names: Vec<String> = text.lines().map(str::trim).filter(is_name).map(str::to_owned).collect();
    names.extend(["Entropy".to_owned(), "UserCode".to_owned()]);
    names
}

/// By derive where the secrets are declared, or by hand anywhere.
fn printable_secrets(file: &File, secrets: &[String], findings: &mut Vec<String>) {
    let declares = SECRETS.contains(&file.path.as_str());
    for (place, line) in file.lines() {
        let code = line.trim_start();
        let shows = SHOWING.iter().any(|name| has_word(code, name));
        let is_derived = declares && code.starts_with("#[derive(");
        let is_by_hand = code.starts_with("impl") && secrets.iter().any(|name| code.contains(&format!(" for {name}")));
        if shows && (is_derived || is_by_hand) {
            findings.push(format!("{place}: a secret that can be printed will be"));
        }
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|part| part == word)
}
