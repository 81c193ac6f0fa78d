//! The part of JSON Schema (draft 2020-12) that types of `authorization_details` are written in, and the one
//! keyword of ours: `x-narrower`. What is published is what is read here: a keyword that would go unchecked is
//! refused with the schema. Not here: what a type says to people.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny};
use serde_json::{Map, Value};

use super::path;
use crate::refusal::Refusal;

#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Schema {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(rename = "const")]
    only: Option<Value>,
    #[serde(rename = "enum")]
    one_of: Option<Vec<Value>>,
    pattern: Option<Pattern>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    items: Option<Box<Schema>>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
    #[serde(default)]
    required: BTreeSet<String>,
    additional_properties: Option<Additional>,
    property_names: Option<Box<Schema>>,
    max_properties: Option<usize>,
    #[serde(rename = "x-narrower")]
    order: Option<Order>,
    #[serde(rename = "title")]
    _title: Option<IgnoredAny>,
    #[serde(rename = "description")]
    _description: Option<IgnoredAny>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Integer,
    Boolean,
    Array,
    Object,
}

#[derive(Clone, Debug, serde::Deserialize)]
#[serde(untagged)]
enum Additional {
    Any(bool),
    Each(Box<Schema>),
}

/// When a value is narrower than another. Without it values have to be equal, and a member that is absent from
/// one has to be absent from the other. With it a member that is absent restricts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Same,
    /// Of an array: each item is within one of the other's.
    Subset,
    /// Of an integer.
    Most,
    Path,
}

/// ECMA-262's syntax where both agree. Matching takes time in proportion to the text, whatever the pattern.
#[derive(Clone, Debug)]
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Self).map_err(D::Error::custom)
    }
}

/// What may lack a member that the schema requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Detail,
    /// Of a client: what it does not name it does not bound.
    Ceiling,
}

impl Schema {
    /// Of a type, which has to be more than any schema.
    pub fn of_type(document: &Value, name: &str) -> Result<Self, String> {
        let mut members = document.as_object().cloned().unwrap_or_default();
        // They say nothing about a value.
        for annotation in ["$schema", "examples", "x-sentence"] {
            members.remove(annotation);
        }
        let schema = Self::deserialize(Value::Object(members)).map_err(|error| error.to_string())?;
        schema.must_be_of_type(name)?;
        Ok(schema)
    }

    fn must_be_of_type(&self, name: &str) -> Result<(), String> {
        let names_itself = self.properties.get("type").and_then(|member| member.only.as_ref());
        if self.kind != Kind::Object || !self.is_closed() {
            Err("the schema is no object with additionalProperties false".to_owned())
        } else if names_itself.and_then(Value::as_str) != Some(name) || !self.required.contains("type") {
            Err("the member type is not required, or not its name as const".to_owned())
        } else {
            self.must_be_ordered()
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self.additional_properties, Some(Additional::Any(false)))
    }

    fn must_be_ordered(&self) -> Result<(), String> {
        let fits = match self.order {
            None | Some(Order::Same) => true,
            Some(Order::Subset) => self.kind == Kind::Array && self.items.is_some(),
            Some(Order::Most) => self.kind == Kind::Integer,
            Some(Order::Path) => self.kind == Kind::String,
        };
        if !fits {
            return Err("x-narrower does not fit the type beside it".to_owned());
        }
        let each = match &self.additional_properties {
            Some(Additional::Each(each)) => Some(&**each),
            _ => None,
        };
        let mut parts = self.properties.values().chain(self.items.as_deref()).chain(each);
        parts.try_for_each(Self::must_be_ordered)
    }

    /// Names of members, and whether each has to be there.
    pub fn members(&self) -> impl Iterator<Item = (&str, bool)> {
        let names = self.properties.keys().map(String::as_str);
        names.map(|name| (name, self.required.contains(name)))
    }

    /// What a member of this name has to be. None: nothing is said of it.
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(match &self.additional_properties {
            Some(Additional::Each(schema)) => Some(schema),
            _ => None,
        })
    }

    /// Whether the order of an array says nothing.
    pub fn is_set(&self) -> bool {
        self.order == Some(Order::Subset)
    }

    pub fn check(&self, value: &Value, form: Form) -> Result<(), Refusal> {
        let is_listed = self.only.as_ref().is_none_or(|only| only == value)
            && self.one_of.as_ref().is_none_or(|values| values.contains(value));
        let is_valid = match (self.kind, value) {
            (Kind::String, Value::String(text)) => {
                is_between(text.chars().count(), self.min_length, self.max_length)
                    && self.pattern.as_ref().is_none_or(|pattern| pattern.0.is_match(text))
            }
            (Kind::Integer, Value::Number(number)) => {
                let integer = number.as_i64().ok_or(Refusal::DetailsValueInvalid)?;
                self.minimum.is_none_or(|least| least <= integer) && self.maximum.is_none_or(|most| integer <= most)
            }
            (Kind::Boolean, Value::Bool(_)) => true,
            (Kind::Array, Value::Array(items)) => {
                for (item, schema) in items.iter().zip(std::iter::repeat(&self.items)) {
                    schema
                        .as_ref()
                        .map_or(Ok(()), |schema| schema.check(item, Form::Detail))?;
                }
                is_between(items.len(), self.min_items, self.max_items)
            }
            (Kind::Object, Value::Object(members)) => {
                self.check_members(members, form)?;
                is_between(members.len(), None, self.max_properties)
            }
            _ => return Err(Refusal::DetailsValueOfWrongType),
        };
        if is_valid && is_listed {
            Ok(())
        } else {
            Err(Refusal::DetailsValueInvalid)
        }
    }

    fn check_members(&self, members: &Map<String, Value>, form: Form) -> Result<(), Refusal> {
        for (name, value) in members {
            match self.member(name) {
                Some(schema) => schema.check(value, Form::Detail)?,
                None if self.is_closed() => return Err(Refusal::DetailsMemberUnknown),
                None => {}
            }
            if let Some(names) = &self.property_names {
                names.check(&Value::from(name.as_str()), Form::Detail)?;
            }
        }
        let mut required = self.required.iter();
        if form == Form::Ceiling || required.all(|name| members.contains_key(name)) {
            Ok(())
        } else {
            Err(Refusal::DetailsMemberMissing)
        }
    }

    /// The one spelling of what a value covers: sets without what another of their items covers, in order.
    pub fn normal(&self, value: Value) -> Value {
        match value {
            Value::Array(items) => {
                let items = items.into_iter().map(|item| match &self.items {
                    Some(schema) => schema.normal(item),
                    None => item,
                });
                if self.is_set() {
                    super::antichain(items.collect(), |narrow, wide| self.item_is_within(narrow, wide)).into()
                } else {
                    items.collect()
                }
            }
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| match self.member(&name) {
                    Some(schema) => (name, schema.normal(value)),
                    None => (name, value),
                })
                .collect(),
            other => other,
        }
    }

    /// Of two values that were checked: whether `wide` covers everything that `narrow` does.
    pub fn is_within(&self, narrow: &Value, wide: &Value, form: Form) -> bool {
        match (self.order, narrow, wide) {
            (Some(Order::Subset), Value::Array(narrow), Value::Array(wide)) => narrow
                .iter()
                .all(|narrow| wide.iter().any(|wide| self.item_is_within(narrow, wide))),
            (Some(Order::Most), Value::Number(narrow), Value::Number(wide)) => narrow.as_i64() <= wide.as_i64(),
            (Some(Order::Path), Value::String(narrow), Value::String(wide)) => path::is_within(narrow, wide),
            (_, Value::Object(narrow), Value::Object(wide)) => self.members_are_within(narrow, wide, form),
            _ => narrow == wide,
        }
    }

    fn item_is_within(&self, narrow: &Value, wide: &Value) -> bool {
        match &self.items {
            Some(schema) => schema.is_within(narrow, wide, Form::Detail),
            None => narrow == wide,
        }
    }

    fn members_are_within(&self, narrow: &Map<String, Value>, wide: &Map<String, Value>, form: Form) -> bool {
        let may_be_absent = |name: &String| {
            let is_ordered = |schema: &Self| schema.order.is_some();
            form == Form::Ceiling || self.member(name).is_some_and(is_ordered)
        };
        wide.keys().all(|name| narrow.contains_key(name))
            && narrow.iter().all(|(name, narrow)| match wide.get(name) {
                Some(wide) => match self.member(name) {
                    Some(schema) => schema.is_within(narrow, wide, Form::Detail),
                    None => narrow == wide,
                },
                None => may_be_absent(name),
            })
    }
}

fn is_between(size: usize, least: Option<usize>, most: Option<usize>) -> bool {
    least.is_none_or(|least| least <= size) && most.is_none_or(|most| size <= most)
}

#[cfg(test)]
impl Schema {
    pub fn constant(&self) -> Option<&Value> {
        self.only.as_ref()
    }

    pub fn item(&self) -> Option<&Self> {
        self.items.as_deref()
    }
}
