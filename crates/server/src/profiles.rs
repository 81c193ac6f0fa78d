//! The profiles of this server: those it brings along, and one for each TOML file of a folder. Every
//! mistake of every file is told at once, and nothing is served while there is one.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::profile::{Profile, Profiles};
use serde_json::Value;

use crate::config::Problem;
use crate::folder;

/// Each documents itself: `waypass profile show NAME --toml` prints it.
pub const BUILT_IN: [&str; 4] = [
    include_str!("../profiles/open.toml"),
    include_str!("../profiles/standard.toml"),
    include_str!("../profiles/privileged.toml"),
    include_str!("../profiles/break-glass.toml"),
];

/// All profiles, and by name the text that each was written as.
#[derive(Default)]
pub struct Loaded {
    pub profiles: Profiles,
    pub texts: BTreeMap<String, String>,
}

pub fn load(folder: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut profiles = Vec::new();
    let mut texts = BTreeMap::new();
    for text in BUILT_IN {
        if let Some(profile) = read("a built-in profile", text, &mut problems) {
            texts.insert(profile.name.clone(), text.to_owned());
            profiles.push(profile);
        }
    }
    for (place, text) in folder
        .map(|folder| folder::configured(folder, ".toml", &mut problems))
        .unwrap_or_default()
    {
        let Some(profile) = read(&place, &text, &mut problems) else {
            continue;
        };
        if texts.contains_key(&profile.name) {
            let text = format!(
                "there is a profile named {:?} already: give this one another name",
                profile.name
            );
            problems.push(Problem { place, text });
        } else {
            texts.insert(profile.name.clone(), text);
            profiles.push(profile);
        }
    }
    if problems.is_empty() {
        let profiles = Profiles::new(profiles);
        Ok(Loaded { profiles, texts })
    } else {
        Err(problems)
    }
}

fn read(place: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Profile> {
    let value: Value = match toml::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let text = format!("not TOML: {}", error.message().replace('\n', " "));
            problems.push(Problem {
                place: place.to_owned(),
                text,
            });
            return None;
        }
    };
    Profile::read(&value)
        .map_err(|mistakes| {
            problems.extend(mistakes.into_iter().map(|mistake| Problem {
                place: place.to_owned(),
                text: mistake.to_string(),
            }));
        })
        .ok()
}

#[cfg(test)]
mod tests;
