//! A folder of files that an operator writes: profiles, types of `authorization_details`, policies.

use std::path::{Path, PathBuf};

use crate::config::Problem;

/// How many files of one folder are read.
const MOST: usize = 1_000;

/// A file, and its text or why there is none.
pub struct File {
    pub path: PathBuf,
    pub text: Result<String, String>,
}

impl File {
    pub fn name(&self) -> String {
        name_of(&self.path)
    }
}

/// The files whose names end so, in the order of their names, so that the same folder is always told the same way; or why
/// there are none. Whatever cannot be read is among them, and not left out: a forbid may stand in it.
pub fn files(folder: &Path, ending: &str, longest_kib: u64) -> Result<Vec<File>, String> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut paths = entries.map_err(|error| format!("the folder cannot be read: {error}"))?;
    paths.retain(|path| name_of(path).ends_with(ending));
    if paths.len() > MOST {
        return Err(format!("{} files, at most {MOST} are read", paths.len()));
    }
    paths.sort();
    let read = |path: PathBuf| File {
        text: text(&path, longest_kib).map_err(|error| format!("cannot be read: {error}")),
        path,
    };
    Ok(paths.into_iter().map(read).collect())
}

/// Of the configuration: each file by its place and text, and every problem.
pub fn configured(folder: &Path, ending: &str, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    const LONGEST_KIB: u64 = 64;
    let mut problem = |path: &Path, text: String| {
        let place = path.display().to_string();
        problems.push(Problem { place, text });
    };
    let files = files(folder, ending, LONGEST_KIB).unwrap_or_else(|text| {
        problem(folder, text);
        Vec::new()
    });
    let read = |File { path, text }: File| {
        let text = text.map_err(|text| problem(&path, text)).ok()?;
        Some((path.display().to_string(), text))
    };
    files.into_iter().filter_map(read).collect()
}

fn text(path: &Path, longest_kib: u64) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > longest_kib * 1024 {
        return Err(std::io::Error::other(format!("it is larger than {longest_kib} KiB")));
    }
    std::fs::read_to_string(path)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
