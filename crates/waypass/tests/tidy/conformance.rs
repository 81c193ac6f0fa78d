//! docs/conformance.md and docs/rfc10027.md: each row once, with tests that exist or an honest `none`; and no
//! test named after a row that its row does not list. Tests that other pages name exist too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::File;

type Ranges = &'static [(char, RangeInclusive<u8>)];

/// The rows that each page answers for. RFC 8628; RFC 6749, 8414, 7009, 7662; RFC 9396, 8707, 9068, 9470; RFC 9700,
/// 10070; RFC 9449 and DPoP for the device grant; RFC 8705; client attestation and SPIFFE; WebAuthn and SP 800-63B-4;
/// transaction challenges. RFC 10027: mitigations, the rules around them, formal analysis.
const PAGES: [(&str, Ranges); 2] = [
    (
        "docs/conformance.md",
        &[
            ('D', 1..=38),
            ('B', 1..=16),
            ('A', 1..=14),
            ('A', 20..=25),
            ('I', 1..=5),
            ('S', 2..=10),
            ('P', 1..=15),
            ('P', 20..=25),
            ('P', 30..=33),
            ('C', 20..=24),
            ('C', 30..=30),
            ('N', 1..=5),
            ('T', 13..=13),
        ],
    ),
    (
        "docs/rfc10027.md",
        &[('X', 1..=17), ('X', 20..=26), ('X', 30..=38), ('X', 40..=44)],
    ),
];

fn rows_of_page(ranges: Ranges) -> BTreeSet<String> {
    let rows = ranges
        .iter()
        .flat_map(|(letter, range)| range.clone().map(move |n| format!("{letter}{n:02}")));
    rows.collect()
}

fn rows() -> BTreeSet<String> {
    PAGES.iter().flat_map(|(_, ranges)| rows_of_page(ranges)).collect()
}

/// Pages that name tests as what holds a promise.
const PROMISES: [&str; 4] = [
    "ARCHITECTURE.md",
    "docs/attacks.md",
    "docs/rfc10027.md",
    "docs/threat-model.md",
];

pub fn check(files: &[File], findings: &mut Vec<String>) {
    let functions = functions(files);
    promises(files, &functions, findings);
    for (path, ranges) in &PAGES {
        match files.iter().find(|file| file.path == *path) {
            Some(page) => check_page(page, &rows_of_page(ranges), &functions, findings),
            None => findings.push(format!("{path} is missing")),
        }
    }
}

fn check_page(page: &File, rows: &BTreeSet<String>, functions: &BTreeSet<&str>, findings: &mut Vec<String>) {
    let mut listed: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (place, line) in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, row, .., tests, _] = cells.as_slice() else {
            continue;
        };
        if !rows.contains(*row) {
            continue;
        }
        let names = names_in(&place, row, tests, findings);
        for name in names.iter().filter(|name| !functions.contains(**name)) {
            findings.push(format!("{place}: {row} names `{name}`, and there is no such function"));
        }
        if listed.insert((*row).to_owned(), names).is_some() {
            findings.push(format!("{place}: {row} stands here twice"));
        }
    }
    for row in rows.iter().filter(|row| !listed.contains_key(*row)) {
        findings.push(format!("{}: {row} is missing", page.path));
    }
    for name in functions {
        let own = rows_of(name).filter(|row| rows.contains(row));
        for row in own.filter(|row| !listed.get(row).is_some_and(|names| names.contains(name))) {
            let path = &page.path;
            findings.push(format!(
                "{path}: `{name}` is named after {row} and does not stand there"
            ));
        }
    }
}

/// A row's tests; none only with a reason.
fn names_in<'a>(place: &str, row: &str, tests: &'a str, findings: &mut Vec<String>) -> Vec<&'a str> {
    let none = tests.strip_prefix("none:").map(str::trim);
    let names = if none.is_some() {
        Vec::new()
    } else {
        in_backticks(tests)
    };
    if names.is_empty() && none.is_none_or(|reason| reason.len() < 10) {
        findings.push(format!("{place}: {row} has neither a test nor `none: ` and a reason"));
    }
    names
}

/// A name of four words or more in backticks is a test's.
fn promises(files: &[File], functions: &BTreeSet<&str>, findings: &mut Vec<String>) {
    let is_name = |text: &&str| {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        text.chars().all(is_word) && text.matches('_').count() >= 3
    };
    for page in files.iter().filter(|file| PROMISES.contains(&file.path.as_str())) {
        for (place, line) in page.lines() {
            for name in in_backticks(line)
                .into_iter()
                .filter(is_name)
                .filter(|name| !functions.contains(name))
            {
                findings.push(format!("{place}: `{name}` is no function"));
            }
        }
    }
}

fn in_backticks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Every function's name in every Rust file.
fn functions(files: &[File]) -> BTreeSet<&str> {
    let rust = files.iter().filter(|file| file.is_rust());
    let texts = rust.flat_map(|file| file.text.split("fn ").skip(1));
    let names = texts.filter_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
    names.filter(|name| !name.is_empty()).collect()
}

/// `d21_…` is named after D21, `d38_p22_…` after both.
fn rows_of(name: &str) -> impl Iterator<Item = String> {
    let known = rows();
    name.split('_')
        .map(str::to_uppercase)
        .take_while(move |part| known.contains(part))
}
