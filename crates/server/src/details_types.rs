//! The types of `authorization_details` of this server: those it brings along, and one for each JSON file of a
//! folder. RFC 9396 §10.

use std::path::Path;

use protocol::details::Types;

use crate::config::Problem;
use crate::folder;

pub fn load(folder: Option<&Path>) -> Result<Types, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut types = Types::built_in();
    for (place, text) in folder
        .map(|folder| folder::configured(folder, ".json", &mut problems))
        .unwrap_or_default()
    {
        if let Err(text) = types.add(&text) {
            problems.push(Problem { place, text });
        }
    }
    if problems.is_empty() { Ok(types) } else { Err(problems) }
}
