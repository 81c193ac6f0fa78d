//! Reading a table, member by member: each is asked for once, what is wrong is noted with its place, and what
//! nobody asked for is a mistake too.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::time::Lifetime;

/// One thing to put right, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `mitigations.X11.quiet_hours.from`.
    pub place: String,
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A table of the text, from which each member is taken once; what is left over is a mistake.
pub struct Table {
    place: String,
    members: Map<String, Value>,
    asked: BTreeSet<&'static str>,
}

impl Table {
    pub fn of(value: &Value, place: &str, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let Value::Object(members) = value else {
            note(mistakes, place, "must be a table");
            return None;
        };
        Some(Self {
            place: place.to_owned(),
            members: members.clone(),
            asked: BTreeSet::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn place_of(&self, name: &str) -> String {
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place)
        }
    }

    pub fn note(&self, name: &str, text: &str, mistakes: &mut Vec<Mistake>) {
        note(mistakes, &self.place_of(name), text);
    }

    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.asked.insert(name);
        self.members.remove(name)
    }

    pub fn finish(self, mistakes: &mut Vec<Mistake>) {
        let known = self.asked.iter().copied().collect::<Vec<_>>().join(", ");
        for name in self.members.keys() {
            self.note(name, &format!("is not known here; known are {known}"), mistakes);
        }
    }

    pub fn text(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<String> {
        const LONGEST: usize = 2_000;
        match self.take(name)? {
            Value::String(text) if !text.trim().is_empty() && text.len() <= LONGEST => Some(text),
            _ => {
                self.note(
                    name,
                    "must be a text, neither empty nor longer than 2000 bytes",
                    mistakes,
                );
                None
            }
        }
    }

    pub fn required_text(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<String> {
        let count = mistakes.len();
        let text = self.text(name, mistakes);
        if text.is_none() && mistakes.len() == count {
            self.note(name, "is missing", mistakes);
        }
        text
    }

    /// A profile's name goes into files, events and command lines.
    pub fn name(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<String> {
        let text = self.required_text(name, mistakes)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() > 40 || !text.bytes().all(is_plain) {
            self.note(
                name,
                "must be at most 40 lower-case letters, digits and dashes",
                mistakes,
            );
            return None;
        }
        Some(text)
    }

    pub fn texts(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Vec<String> {
        let Some(value) = self.take(name) else {
            return Vec::new();
        };
        let texts = value.as_array().and_then(|values| {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        texts.unwrap_or_else(|| {
            self.note(name, "must be a list of texts", mistakes);
            Vec::new()
        })
    }

    pub fn networks(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in self.texts(name, mistakes) {
            match text.parse() {
                Ok(network) => networks.push(network),
                Err(_) => self.note(name, &format!("{text:?} is no network, such as 192.0.2.0/24"), mistakes),
            }
        }
        networks
    }

    pub fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<u32> {
        let value = self.take(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let text = format!("must be a whole number from {} to {}", range.start(), range.end());
            self.note(name, &text, mistakes);
        }
        number
    }

    pub fn seconds(
        &mut self,
        name: &'static str,
        range: RangeInclusive<i64>,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Lifetime> {
        let value = self.take(name)?;
        let seconds = value.as_i64().filter(|seconds| range.contains(seconds));
        if seconds.is_none() {
            let text = format!("must be seconds, from {} to {}", range.start(), range.end());
            self.note(name, &text, mistakes);
        }
        seconds.map(Lifetime::from_seconds)
    }

    pub fn switch(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(is_on)) => is_on,
            Some(_) => {
                self.note(name, "must be true or false", mistakes);
                false
            }
        }
    }

    pub fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        known: &[(&str, T)],
        mistakes: &mut Vec<Mistake>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let found = known.iter().find(|(known, _)| value.as_str() == Some(known));
        if found.is_none() {
            self.note(name, &format!("must be one of {}", names(known)), mistakes);
        }
        found.map(|(_, value)| *value)
    }

    /// None where there is no such member: an empty list is none of them.
    pub fn some_of<T: Copy>(
        &mut self,
        name: &'static str,
        known: &[(&str, T)],
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Vec<T>> {
        if !self.members.contains_key(name) {
            self.asked.insert(name);
            return None;
        }
        let mut found = Vec::new();
        for text in self.texts(name, mistakes) {
            match known.iter().find(|(known, _)| *known == text) {
                Some((_, value)) => found.push(*value),
                None => self.note(name, &format!("{text:?} is none of {}", names(known)), mistakes),
            }
        }
        Some(found)
    }

    pub fn required_one_of<T: Copy>(
        &mut self,
        name: &'static str,
        known: &[(&str, T)],
        mistakes: &mut Vec<Mistake>,
    ) -> Option<T> {
        let count = mistakes.len();
        let found = self.one_of(name, known, mistakes);
        if found.is_none() && mistakes.len() == count {
            self.note(name, &format!("is missing: one of {}", names(known)), mistakes);
        }
        found
    }

    /// `22:30`, or as an offset `+01:00`: minutes.
    pub fn clock(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<i64> {
        let text = self.required_text(name, mistakes)?;
        let minutes = minutes(&text);
        if minutes.is_none() {
            self.note(
                name,
                "must be a time such as 22:30, or an offset such as +01:00",
                mistakes,
            );
        }
        minutes
    }

    /// Every member, whatever its name, for a table whose names are the writer's.
    pub fn into_members(self) -> Map<String, Value> {
        self.members
    }

    pub fn table(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<Table> {
        let place = self.place_of(name);
        let Some(value) = self.take(name) else {
            note(mistakes, &place, "is missing");
            return None;
        };
        Self::of(&value, &place, mistakes)
    }

    pub fn optional_table(&mut self, name: &'static str, mistakes: &mut Vec<Mistake>) -> Option<Table> {
        let place = self.place_of(name);
        Self::of(&self.take(name)?, &place, mistakes)
    }
}

fn minutes(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let two_digits = |text: &str, below: i64| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| is_plain && *number < below)
    };
    Some(sign * (two_digits(hours, 24)? * 60 + two_digits(minutes, 60)?))
}

pub fn note(mistakes: &mut Vec<Mistake>, place: &str, text: &str) {
    mistakes.push(Mistake {
        place: place.to_owned(),
        text: text.to_owned(),
    });
}

fn names<T>(known: &[(&str, T)]) -> String {
    known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
