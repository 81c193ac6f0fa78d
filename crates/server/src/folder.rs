//! A folder of files that an operator writes: profiles, types of `authorization_details`.

use std::path::{Path, PathBuf};

use crate::config::Problem;

/// The longest file that is read.
const LONGEST: u64 = 64 * 1024;

/// Each file with this extension, by its place and text, in the order of their names, so that the same folder
/// is always told the same way.
pub fn files(folder: &Path, extension: &str, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut paths = entries.unwrap_or_else(|error| {
        let text = format!("the folder cannot be read: {error}");
        problems.push(problem(folder, text));
        Vec::new()
    });
    paths.retain(|path| path.extension().is_some_and(|own| own == extension));
    paths.sort();
    let read = |path: PathBuf| Some((path.display().to_string(), text(&path, problems)?));
    paths.into_iter().filter_map(read).collect()
}

fn text(path: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    let read = std::fs::metadata(path).and_then(|about| {
        if about.len() > LONGEST {
            return Err(std::io::Error::other("it is larger than 64 KiB"));
        }
        std::fs::read_to_string(path)
    });
    read.map_err(|error| problems.push(problem(path, format!("cannot be read: {error}"))))
        .ok()
}

fn problem(path: &Path, text: String) -> Problem {
    Problem {
        place: path.display().to_string(),
        text,
    }
}
