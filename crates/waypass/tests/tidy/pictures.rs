//! Pictures of pages: each is shown by a document, and each that a document shows is there. What nobody looks at grows
//! old unseen.

use std::collections::BTreeSet;

use super::{File, root};

const FOLDER: &str = "screenshots/";

pub fn check(files: &[File], findings: &mut Vec<String>) {
    let documents = files.iter().filter(|file| file.is_prose());
    let shown: BTreeSet<String> = documents.flat_map(|file| pictures(&file.text)).collect();
    let folder = std::fs::read_dir(root().join("docs").join(FOLDER)).unwrap();
    let kept: BTreeSet<String> = folder
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let is_missing = shown.difference(&kept).map(|name| (name, "is shown and is not there"));
    let is_unused = kept.difference(&shown).map(|name| (name, "is shown by no document"));
    findings.extend(
        is_missing
            .chain(is_unused)
            .map(|(name, why)| format!("docs/{FOLDER}{name} {why}")),
    );
}

fn pictures(text: &str) -> impl Iterator<Item = String> {
    let named = text.split(FOLDER).skip(1);
    named.filter_map(|rest| Some(format!("{}.png", rest.split_once(".png")?.0)))
}
