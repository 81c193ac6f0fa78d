//! `authorization_details`: exactly what is asked for, where a scope is only a word. RFC 9396. A type is one
//! file: its JSON Schema, with the sentence that people read and the order by which one detail is narrower
//! than another. Those of an operator are of the same kind as ours. Not here: who may ask for which
//! (`client.rs`), and the enforcement, which is the resource server's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::digest::canonical_json;
use crate::refusal::Refusal;
use crate::strict_json;

pub mod enforce;
mod path;
mod runs;
mod schema;
mod sentence;
mod since;

use schema::{Form, Schema};
use sentence::Sentence;

pub use sentence::Part;

const BUILT_IN: [&str; 5] = [
    include_str!("details/api.json"),
    include_str!("details/command.json"),
    include_str!("details/ssh.json"),
    include_str!("details/tool_call.json"),
    include_str!("details/workload.json"),
];

/// Details that were checked, in their one spelling. What another of them covers is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(Vec<Value>);

impl Details {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    /// Each whole: an approver or another of a quorum takes details away and changes none.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|detail| other.0.contains(detail))
    }

    /// Those at these places, in this order; none where there is no such place.
    pub fn only(&self, places: &[usize]) -> Option<Self> {
        let kept = places.iter().map(|place| self.0.get(*place).cloned());
        kept.collect::<Option<Vec<Value>>>().map(Self)
    }

    /// What stands in both.
    pub fn common(&self, other: &Self) -> Self {
        let both = self.0.iter().filter(|detail| other.0.contains(detail));
        Self(both.cloned().collect())
    }

    /// The types, each once.
    pub fn types(&self) -> Vec<&str> {
        let mut types: Vec<_> = self.iter().filter_map(type_of).collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    pub fn has_command(&self) -> bool {
        self.commands().next().is_some()
    }

    /// A command wants the token itself, in a variable.
    pub fn wants_the_token(&self) -> bool {
        self.commands().any(|command| command.get("token_env").is_some())
    }

    fn commands(&self) -> impl Iterator<Item = &Value> {
        self.iter().filter(|detail| is_command(detail))
    }

    /// The bytes of the whole (RFC 8785).
    pub fn canonical(&self) -> String {
        canonical(&json!(self))
    }
}

#[derive(Clone, Debug)]
struct Type {
    schema: Schema,
    sentence: Sentence,
    /// As it is published.
    document: Value,
}

/// The types of this server, by name.
#[derive(Clone, Debug)]
pub struct Types(BTreeMap<String, Type>);

impl Types {
    /// The longest text that is read, and so what a token has to carry to a resource server in one header.
    pub const LONGEST: usize = 4096;
    const MOST: usize = 16;
    const DEEPEST: usize = 8;

    pub fn built_in() -> Self {
        let mut types = Self(BTreeMap::new());
        for text in BUILT_IN {
            // That each of ours can be read is tested.
            let _ = types.add(text);
        }
        types
    }

    /// A type as it is written in a file: what is wrong with it, for the operator who wrote it.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let document = strict_json::parse(text.as_bytes()).ok_or("it is not JSON")?;
        let name = document.pointer("/properties/type/const").and_then(Value::as_str);
        let name = name
            .ok_or("properties.type.const has to be the type's name")?
            .to_owned();
        let sentence = document.get("x-sentence").and_then(Value::as_str);
        let sentence = sentence.ok_or("x-sentence is missing: what people read")?;
        let schema = Schema::of_type(&document, &name)?;
        let written = Type {
            sentence: Sentence::parse(sentence, &schema)?,
            schema,
            document,
        };
        if self.0.contains_key(&name) {
            return Err("there is a type of this name already".to_owned());
        }
        self.0.insert(name, written);
        Ok(())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is published: each type with its schema (draft-ietf-oauth-rar-metadata-remediation).
    pub fn metadata(&self) -> Value {
        let each = self.0.iter().map(|(name, known)| {
            let description = known.document.get("description");
            (
                name.clone(),
                json!({ "description": description, "schema": known.document }),
            )
        });
        Value::Object(each.collect())
    }

    /// The parameter `authorization_details`, whoever sends it.
    pub fn read(&self, text: &str) -> Result<Details, Refusal> {
        let checked = self.checked(text, Form::Detail)?;
        Ok(Details(antichain(checked, |narrow, wide| {
            self.covers(wide, narrow, Form::Detail)
        })))
    }

    /// What a client may ask for at most: details that may leave out any member, to not bound it.
    pub fn read_ceiling(&self, text: &str) -> Result<Details, Refusal> {
        Ok(Details(self.checked(text, Form::Ceiling)?))
    }

    fn checked(&self, text: &str, form: Form) -> Result<Vec<Value>, Refusal> {
        if text.len() > Self::LONGEST {
            return Err(Refusal::DetailsMalformed);
        }
        let Some(Value::Array(details)) = strict_json::parse(text.as_bytes()) else {
            return Err(Refusal::DetailsMalformed);
        };
        let is_bounded = |detail: &Value| depth(detail) <= Self::DEEPEST && canonical_json(detail).is_ok();
        if details.len() > Self::MOST || !details.iter().all(is_bounded) {
            return Err(Refusal::DetailsMalformed);
        }
        let checked = details.into_iter().map(|detail| {
            let name = detail.as_object().ok_or(Refusal::DetailsMalformed)?.get("type");
            let name = name.ok_or(Refusal::DetailsMemberMissing)?.as_str();
            let name = name.ok_or(Refusal::DetailsValueOfWrongType)?;
            let known = self.0.get(name).ok_or(Refusal::DetailsTypeUnknown)?;
            known.schema.check(&detail, form)?;
            Ok(known.schema.normal(detail))
        });
        checked.collect()
    }

    pub fn is_within(&self, narrow: &Details, wide: &Details) -> bool {
        self.are_covered(narrow, wide, Form::Detail)
    }

    pub fn is_within_ceiling(&self, details: &Details, ceiling: &Details) -> bool {
        self.are_covered(details, ceiling, Form::Ceiling)
    }

    /// What is asked for within these, or all of them where nothing is asked (RFC 9396 §6).
    pub fn narrowed(&self, granted: &Details, asked: Option<&str>) -> Result<Details, Refusal> {
        let Some(asked) = asked else {
            return Ok(granted.clone());
        };
        let asked = self.read(asked)?;
        if self.is_within(&asked, granted) {
            Ok(asked)
        } else {
            Err(Refusal::DetailsNotAllowed)
        }
    }

    fn are_covered(&self, narrow: &Details, wide: &Details, form: Form) -> bool {
        let mut narrow = narrow.iter();
        narrow.all(|narrow| wide.iter().any(|wide| self.covers(wide, narrow, form)))
    }

    /// A type that is known no more covers nothing, and nothing covers it.
    fn covers(&self, wide: &Value, narrow: &Value, form: Form) -> bool {
        let known = type_of(wide).and_then(|name| self.0.get(name));
        known.is_some_and(|known| known.schema.is_within(narrow, wide, form))
    }

    /// Of one detail as text, where its type is known.
    pub fn own_sentence(&self, detail: &str) -> Option<Vec<Part>> {
        let detail = strict_json::parse(detail.as_bytes())?;
        let known = type_of(&detail).is_some_and(|name| self.0.contains_key(name));
        known.then(|| self.sentence(&detail))
    }

    /// In plain words.
    pub fn sentence(&self, detail: &Value) -> Vec<Part> {
        let nothing = Map::new();
        let members = detail.as_object().unwrap_or(&nothing);
        match type_of(detail).and_then(|name| self.0.get(name)) {
            Some(known) => known.sentence.of(members, &known.schema),
            None => vec![
                Part::Text("Something of a type that this server does not know: ".to_owned()),
                Part::Value(canonical(detail)),
            ],
        }
    }
}

fn type_of(detail: &Value) -> Option<&str> {
    detail.get("type").and_then(Value::as_str)
}

fn is_command(detail: &Value) -> bool {
    type_of(detail) == Some("command")
}

/// The bytes of one detail (RFC 8785). Of what was checked: its numbers have one form.
pub fn canonical(value: &Value) -> String {
    canonical_json(value).unwrap_or_default()
}

fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}

/// In order, each once, and none that another covers.
fn antichain(mut items: Vec<Value>, is_within: impl Fn(&Value, &Value) -> bool) -> Vec<Value> {
    items.sort_by_cached_key(canonical);
    items.dedup();
    let is_covered = |item: &Value| items.iter().any(|wide| wide != item && is_within(item, wide));
    let keep: Vec<bool> = items.iter().map(|item| !is_covered(item)).collect();
    let kept = items
        .into_iter()
        .zip(keep)
        .filter_map(|(item, keep)| keep.then_some(item));
    kept.collect()
}

#[cfg(test)]
mod tests;
