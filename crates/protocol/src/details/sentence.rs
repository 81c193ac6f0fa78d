//! What a type says to people: a text with `{member}` in it, and `[, with {member}]` for a member that need not
//! be there. A sentence names every member, or nobody could approve what it leaves out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema::Schema;
use crate::digest::canonical_json;
use crate::shown::{is_disguised, shown};

/// Of one sentence: ours, or as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Text(String),
    Value(String),
}

impl Part {
    /// Fit to be read. A value stands in quotation marks that it cannot close.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Value(value) => quoted(&shown(value)),
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // They pass for the mark that ends a value.
            '\u{2ba}'
            | '\u{2dd}'
            | '\u{2ee}'
            | '\u{2f6}'
            | '\u{5f4}'
            | '\u{201c}'..='\u{201f}'
            | '\u{2033}'
            | '\u{2036}'
            | '\u{275d}'..='\u{275e}'
            | '\u{301d}'..='\u{301f}' => {
                out.push_str(&format!("<U+{:04X}>", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// As written in `x-sentence`.
#[derive(Clone, Debug)]
pub struct Sentence(Vec<Group>);

#[derive(Clone, Debug)]
struct Group {
    is_optional: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Member(String),
}

impl Sentence {
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, String> {
        if !are_pairs(text, ['[', ']']) || !are_pairs(text, ['{', '}']) {
            return Err("x-sentence has a bracket without its other half".to_owned());
        }
        if is_disguised(text) {
            return Err("x-sentence has a character that cannot be seen, or passes for another".to_owned());
        }
        let groups = text.split(['[', ']']).enumerate().map(|(position, text)| Group {
            is_optional: position % 2 == 1,
            pieces: pieces(text),
        });
        let sentence = Self(groups.collect());
        sentence.must_name_all_of(schema)?;
        Ok(sentence)
    }

    /// An optional member has brackets of its own: with another in them it would be left out when that one is.
    fn must_name_all_of(&self, schema: &Schema) -> Result<(), String> {
        let mut named = BTreeMap::new();
        for group in &self.0 {
            let members: Vec<_> = group.members().collect();
            if group.is_optional && members.len() != 1 {
                return Err("in x-sentence, brackets hold exactly one member".to_owned());
            }
            named.extend(members.into_iter().map(|name| (name, !group.is_optional)));
        }
        let members: BTreeMap<_, _> = schema.members().filter(|(name, _)| *name != "type").collect();
        if named == members {
            Ok(())
        } else {
            Err("x-sentence has to name every member but type, those that are not required in brackets".to_owned())
        }
    }

    pub fn of(&self, detail: &Map<String, Value>, schema: &Schema) -> Vec<Part> {
        let is_said = |group: &&Group| !group.is_optional || group.members().all(|name| detail.contains_key(name));
        let pieces = self.0.iter().filter(is_said).flat_map(|group| &group.pieces);
        let parts = pieces.flat_map(|piece| match piece {
            Piece::Text(text) => vec![Part::Text(text.clone())],
            Piece::Member(name) => detail
                .get(name)
                .map_or_else(Vec::new, |value| said(value, schema.member(name))),
        });
        parts.collect()
    }
}

impl Group {
    fn members(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Member(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

/// Each opened is closed before the next, and none stands within itself.
fn are_pairs(text: &str, [open, close]: [char; 2]) -> bool {
    let brackets = text.chars().filter(|c| [open, close].contains(c));
    let mut is_open = false;
    for bracket in brackets {
        if (bracket == open) == is_open {
            return false;
        }
        is_open = !is_open;
    }
    !is_open
}

fn pieces(text: &str) -> Vec<Piece> {
    let parts = text.split(['{', '}']).enumerate();
    let parts = parts.map(|(position, part)| match position % 2 {
        0 => Piece::Text(part.to_owned()),
        _ => Piece::Member(part.to_owned()),
    });
    let is_empty = |piece: &Piece| matches!(piece, Piece::Text(text) if text.is_empty());
    parts.filter(|piece| !is_empty(piece)).collect()
}

fn said(value: &Value, schema: Option<&Schema>) -> Vec<Part> {
    let separator = match schema {
        Some(schema) if schema.is_set() => ", ",
        _ => " ",
    };
    let several: Vec<Vec<Part>> = match value {
        Value::Array(items) => items.iter().map(|item| vec![plain(item)]).collect(),
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().collect();
            let said = members.into_iter().map(|(name, value)| {
                let is = Part::Text("=".to_owned());
                vec![Part::Value(name.clone()), is, plain(value)]
            });
            said.collect()
        }
        single => return vec![plain(single)],
    };
    if several.is_empty() {
        return vec![Part::Text("(nothing)".to_owned())];
    }
    several.join(&Part::Text(separator.to_owned()))
}

fn plain(value: &Value) -> Part {
    match value {
        Value::String(text) => Part::Value(text.clone()),
        Value::Array(_) | Value::Object(_) => Part::Value(canonical_json(value).unwrap_or_default()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Part::Text(value.to_string()),
    }
}
