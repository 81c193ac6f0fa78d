//! A write as a value: statements with guards, all of which happen or none. There is no interactive
//! transaction, so nothing can be awaited inside one and no hang-up can cut one.
//! `Value` and `Batch` have no `Debug`: what they carry must reach no log.

use protocol::refusal::Refusal;

use crate::announcement::Announcement;

/// An argument. Null has a type, because PostgreSQL's protocol gives every argument one.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Text(Option<String>),
    Int(Option<i64>),
}

/// The arguments of one statement, each of its own type.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { Vec::<$crate::batch::Value>::from([$($crate::batch::Value::from($arg)),*]) };
}
pub(crate) use args;

impl Value {
    /// PostgreSQL's TEXT holds no NUL. So nothing that is stored equals such a text, and none is written.
    pub(crate) fn has_nul(&self) -> bool {
        matches!(self, Self::Text(Some(text)) if text.contains('\0'))
    }
}

#[derive(Clone)]
pub struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) args: Vec<Value>,
    guard: Guard,
}

#[derive(Clone, Copy)]
enum Guard {
    None,
    /// What was decided upon has changed: load and decide again.
    OneOrConflict,
    OneOrRefused(Refusal),
}

/// Why a guard stopped a batch.
#[derive(Clone, Copy)]
pub(crate) enum Stopped {
    Conflict,
    Refused(Refusal),
}

impl Statement {
    /// `rows`: affected by an INSERT, UPDATE or DELETE, or returned by a SELECT or RETURNING.
    pub(crate) fn check(&self, rows: u64) -> Result<(), Stopped> {
        match self.guard {
            Guard::OneOrConflict if rows != 1 => Err(Stopped::Conflict),
            Guard::OneOrRefused(refusal) if rows != 1 => Err(Stopped::Refused(refusal)),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Default)]
pub struct Batch {
    pub(crate) statements: Vec<Statement>,
    /// Told when the batch stands.
    pub(crate) announcements: Vec<Announcement>,
}

impl Batch {
    /// Exactly one row, or all of the batch is refused with `refusal`.
    pub fn one(self, sql: &'static str, args: impl Into<Vec<Value>>, refusal: Refusal) -> Self {
        self.push(sql, args.into(), Guard::OneOrRefused(refusal))
    }

    /// Exactly one row, or Conflict: for the version of a row that was decided upon.
    pub fn guard(self, sql: &'static str, args: impl Into<Vec<Value>>) -> Self {
        self.push(sql, args.into(), Guard::OneOrConflict)
    }

    /// Any number of rows.
    pub fn any(self, sql: &'static str, args: impl Into<Vec<Value>>) -> Self {
        self.push(sql, args.into(), Guard::None)
    }

    pub fn then(mut self, other: Batch) -> Self {
        self.statements.extend(other.statements);
        self.announcements.extend(other.announcements);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    fn push(mut self, sql: &'static str, args: Vec<Value>, guard: Guard) -> Self {
        self.statements.push(Statement { sql, args, guard });
        self
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(Some(int))
    }
}

impl From<Option<i64>> for Value {
    fn from(int: Option<i64>) -> Self {
        Self::Int(int)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(Some(flag.into()))
    }
}
