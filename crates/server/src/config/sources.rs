//! Where a setting comes from: a flag or its variable, else the file, else a default. Collects what is
//! wrong with each, by the place where the operator wrote it. What the values mean is in `rules`.

use std::fmt;
use std::ops::RangeInclusive;

use toml::{Table, Value};

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written: a flag, or a key of the file.
    pub place: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A value and where it was written.
pub struct Given<T> {
    pub value: T,
    pub place: String,
}

/// Several values of one setting; some were given even where none could be read.
pub struct List<T> {
    pub values: Vec<T>,
    pub is_given: bool,
}

pub struct Sources {
    /// What nobody has asked for yet.
    file: Table,
    file_name: String,
    problems: Vec<Problem>,
}

impl Sources {
    pub fn open(path: Option<&str>) -> Self {
        let mut sources = Self {
            file: Table::new(),
            file_name: path.unwrap_or_default().to_owned(),
            problems: Vec::new(),
        };
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            match std::fs::read_to_string(path) {
                Ok(text) => sources.parse(&text),
                Err(error) => sources.problem("--config", format!("{path} cannot be read: {error}")),
            }
        }
        sources
    }

    /// Only the line's number is told, never the line: it may hold a password.
    fn parse(&mut self, text: &str) {
        match text.parse() {
            Ok(table) => self.file = table,
            Err(error) => {
                let error: toml::de::Error = error;
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let place = format!("{} line {}", self.file_name, before.matches('\n').count() + 1);
                self.problem(place, format!("not TOML: {}", error.message().replace('\n', " ")));
            }
        }
    }

    pub fn problem(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Problem {
            place: place.into(),
            text: text.into(),
        });
    }

    /// All problems, with what is left in the file: a misspelt setting must not be a silent default.
    pub fn finish(mut self) -> Vec<Problem> {
        for (key, value) in std::mem::take(&mut self.file) {
            let inner = value.as_table().filter(|table| !table.is_empty());
            let names: Vec<String> = match inner {
                Some(table) => table.keys().map(|inner| format!("{key}.{inner}")).collect(),
                None => vec![key],
            };
            for name in names {
                self.problem(self.in_file(&name), "no such setting");
            }
        }
        self.problems
    }

    /// An empty flag or variable is none: that is how container files leave one out.
    pub fn text(&mut self, name: &str, flag: Option<&str>) -> Option<Given<String>> {
        let in_file = self.file.remove(name);
        if let Some(value) = flag.filter(|text| !text.is_empty()) {
            return Some(Given {
                value: value.to_owned(),
                place: of_flag(name),
            });
        }
        let place = self.in_file(name);
        if let Value::String(value) = in_file? {
            return Some(Given { value, place });
        }
        self.problem(place, "must be text in quotes");
        None
    }

    pub fn parsed<T>(
        &mut self,
        name: &str,
        flag: Option<&str>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Given<T>> {
        let Given { value, place } = self.text(name, flag)?;
        self.parse_at(&value, place, parse)
    }

    /// None only where a problem was noted.
    pub fn required<T>(
        &mut self,
        name: &str,
        flag: Option<&str>,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Given<T>> {
        let count = self.problems.len();
        match self.text(name, flag) {
            Some(given) => self.parse_at(&given.value, given.place, parse),
            None if self.problems.len() > count => None,
            None => self.parse_at(default, format!("{}, by default", of_flag(name)), parse),
        }
    }

    /// A flag that may be repeated; in the file an array, or one text.
    pub fn list<T>(&mut self, name: &str, flags: &[String], parse: impl Fn(&str) -> Result<T, String>) -> List<T> {
        let in_file = self.file.remove(name);
        let flags: Vec<Value> = flags
            .iter()
            .filter(|text| !text.is_empty())
            .cloned()
            .map(Value::String)
            .collect();
        let (place, given) = match in_file {
            _ if !flags.is_empty() => (of_flag(name), flags),
            Some(Value::Array(values)) => (self.in_file(name), values),
            Some(value) => (self.in_file(name), vec![value]),
            None => (String::new(), Vec::new()),
        };
        let is_given = !given.is_empty();
        let mut values = Vec::new();
        for value in given {
            match value.as_str() {
                Some(text) => values.extend(
                    self.parse_at(text.trim(), place.clone(), &parse)
                        .map(|given| given.value),
                ),
                None => self.problem(place.clone(), "must be texts in quotes"),
            }
        }
        List { values, is_given }
    }

    /// A whole number of a section of the file, or the default.
    pub fn number(&mut self, name: [&str; 2], default: u32, range: RangeInclusive<u32>) -> u32 {
        match self.in_section(name) {
            None => default,
            Some(value) => self.in_range(name, &value, range).unwrap_or(default),
        }
    }

    /// As `number`, where `"off"` is none.
    pub fn number_or_off(&mut self, name: [&str; 2], default: Option<u32>, range: RangeInclusive<u32>) -> Option<u32> {
        match self.in_section(name) {
            None => default,
            Some(value) if is_off(&value) => None,
            Some(value) => self.in_range(name, &value, range),
        }
    }

    /// Takes a value out of a section; the section goes when it is empty, so that `finish` is right.
    pub fn in_section(&mut self, [section, key]: [&str; 2]) -> Option<Value> {
        let table = self.file.get_mut(section)?.as_table_mut()?;
        let value = table.remove(key);
        if table.is_empty() {
            self.file.remove(section);
        }
        value
    }

    pub fn has_section(&self, section: &str) -> bool {
        self.file.contains_key(section)
    }

    pub fn has_in_section(&self, [section, key]: [&str; 2]) -> bool {
        let table = self.file.get(section).and_then(Value::as_table);
        table.is_some_and(|table| table.contains_key(key))
    }

    /// A text of a section; None where it is absent, or a problem was noted.
    pub fn text_in_section(&mut self, name: [&str; 2]) -> Option<Given<String>> {
        let place = self.in_file(&name.join("."));
        if let Value::String(value) = self.in_section(name)? {
            return Some(Given { value, place });
        }
        self.problem(place, "must be text in quotes");
        None
    }

    pub fn in_range(&mut self, name: [&str; 2], value: &Value, range: RangeInclusive<u32>) -> Option<u32> {
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let text = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.problem(self.in_file(&name.join(".")), text);
        None
    }

    pub fn in_file(&self, key: &str) -> String {
        format!("`{key}` in {}", self.file_name)
    }

    fn parse_at<T>(
        &mut self,
        text: &str,
        place: String,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Given<T>> {
        match parse(text) {
            Ok(value) => Some(Given { value, place }),
            Err(problem) => {
                self.problem(place, problem);
                None
            }
        }
    }
}

pub fn is_off(value: &Value) -> bool {
    value.as_str() == Some("off")
}

/// clap does not say which of the two it was.
fn of_flag(name: &str) -> String {
    format!("--{} (WAYPASS_{})", name.replace('_', "-"), name.to_uppercase())
}
