//! The one form of a citation; what is left over from work; what only one machine knows.

use super::File;

pub fn check(files: &[File], findings: &mut Vec<String>) {
    // Split, so that this file does not find itself.
    let left_over = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[ig", "nore"),
    ];
    let hosts = [
        concat!("registry.", "npmjs"),
        concat!("static.", "crates.io"),
        concat!("index.", "crates.io"),
        concat!("files.", "pythonhosted"),
        concat!("deb.", "debian.org"),
        concat!("pypi", ".org"),
    ];
    for file in files {
        for (place, line) in file.lines() {
            if let Some(marker) = left_over.iter().find(|marker| stands_alone(line, marker)) {
                findings.push(format!("{place}: `{marker}` is left over: do it, or file an issue"));
            }
            if let Some(host) = hosts.iter().find(|host| line.contains(**host)) {
                findings.push(format!(
                    "{place}: `{host}`: where packages come from is the caller's business"
                ));
            }
            for folder in ["root", "home", "work"] {
                if has_folder(line, folder) {
                    findings.push(format!("{place}: /{folder}/ is a folder of one machine"));
                }
            }
            if let Some(cited) = citation(file, line) {
                findings.push(format!(
                    "{place}: {cited:?}: a citation is `RFC 8628 §3.5`, so that all are found"
                ));
            }
        }
    }
}

/// Not inside a longer word.
fn stands_alone(line: &str, marker: &str) -> bool {
    line.match_indices(marker).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + marker.len()..).and_then(|text| text.chars().next());
        let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        !is_letter(before) && (!is_letter(after) || marker.ends_with('('))
    })
}

/// An absolute path of that folder, not a part of a longer one or of a URL.
fn has_folder(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"/.}_-)".contains(c))
    })
}

/// In prose: comments of Rust, everything of Markdown, without what stands in backticks.
fn citation<'a>(file: &File, line: &'a str) -> Option<&'a str> {
    let prose = if file.is_prose() {
        line
    } else if file.is_rust() {
        line.get(
            line.find("// ")
                .or_else(|| line.find("//!"))
                .or_else(|| line.find("///"))?..,
        )?
    } else {
        return None;
    };
    prose
        .split('`')
        .step_by(2)
        .flat_map(words)
        .find(|word| is_crooked(word))
}

/// Words with the one that follows, since a citation has a space in it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let starts = text
        .match_indices(|c: char| c.eq_ignore_ascii_case(&'r'))
        .map(|(at, _)| at);
    starts.filter_map(move |at| {
        let before = text.get(..at)?.chars().next_back();
        let is_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '/' && c != '_');
        let end = text.len().min(at + 24);
        let end = (end..=text.len()).find(|&end| text.is_char_boundary(end))?;
        text.get(at..end).filter(|_| is_start)
    })
}

fn is_crooked(text: &str) -> bool {
    let Some((head, rest)) = text.split_at_checked(3) else {
        return false;
    };
    if !head.eq_ignore_ascii_case("rfc") {
        return false;
    }
    let digits = rest.trim_start_matches([' ', '-', '_']);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let (number, after) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
    let is_straight = head == "RFC" && rest.starts_with(' ') && rest.get(1..) == Some(digits) && number.len() >= 4;
    if after.starts_with(".md") {
        return false;
    }
    let after = after.trim_start_matches([',', ' ']).to_lowercase();
    !is_straight || after.starts_with("section") || after.starts_with("sec.")
}

#[test]
fn crooked_citations_are_told_from_straight_ones() {
    for straight in [
        "RFC 8628 §3.5",
        "RFC 8628",
        "RFC 8628, which",
        "rfcs",
        "RFCs 1 to 9",
        "RFC words",
        "rfc10027.md",
    ] {
        assert!(!is_crooked(straight), "{straight}");
    }
    for crooked in [
        "rfc8628",
        "RFC8628",
        "RFC-8628",
        "rfc 8628",
        "RFC 8628 section 3",
        "RFC 8628, Section 3.5",
        "RFC  8628",
    ] {
        assert!(is_crooked(crooked), "{crooked}");
    }
    assert_eq!(
        words("see (RFC8628) and x/rfc8628")
            .filter(|word| is_crooked(word))
            .count(),
        1
    );
}

#[test]
fn folders_of_a_machine_are_told_from_parts_of_paths() {
    let folder = concat!("/ro", "ot/x");
    assert!(has_folder(folder, "root") && has_folder(&format!("see {folder}"), "root"));
    assert!(!has_folder(&format!("https://as.example{folder}"), "root"));
}
