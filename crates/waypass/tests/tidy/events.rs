//! docs/events.md is a closed list: every action and every field that the sources can write stands in it, so
//! that rules can be written against it.

use super::File;

const PAGE: &str = "docs/events.md";
const ACTIONS: &str = "crates/protocol/src/event.rs";

pub fn check(files: &[File], findings: &mut Vec<String>) {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        findings.push(format!("{PAGE} is missing"));
        return;
    };
    let folders = ["crates/protocol/src/", "crates/server/src/"];
    let is_source = |file: &&File| {
        let is_there = folders.iter().any(|folder| file.path.starts_with(folder));
        is_there && file.is_rust() && !file.is_test()
    };
    let mut found = 0;
    for file in files.iter().filter(is_source) {
        let action = (file.path == ACTIONS).then_some("=> \"");
        for (place, line) in file.lines() {
            let written = [".with(\""].into_iter().chain(action);
            let names = written.flat_map(|written| line.split(written).skip(1));
            for name in names.filter_map(|rest| rest.split('"').next()) {
                found += 1;
                if !page.text.contains(&format!("`{name}`")) {
                    findings.push(format!("{place}: {PAGE} does not know `{name}`"));
                }
            }
        }
    }
    assert!(found > 60, "only {found} actions and fields were found");
}
