//! Test cases in files beside the policies: what is given, and what has to come of it. An input of the record
//! (`policy.input` of an event) is one as it stands.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::input::Input;
use crate::load::{Mistake, Source};
use crate::policies::{Decision, Policies, Verdict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// What all cases have in common; each case says what is different.
    #[serde(default)]
    input: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    input: Value,
    decision: Decision,
    /// Which policies decide; not looked at where it is left out.
    ids: Option<Vec<String>>,
    #[serde(default)]
    reported: Vec<String>,
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub file: String,
    pub name: String,
    /// What is not as expected, one sentence.
    pub difference: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.difference {
            None => write!(formatter, "ok    {}: {}", self.file, self.name),
            Some(difference) => write!(formatter, "WRONG {}: {}: {difference}", self.file, self.name),
        }
    }
}

/// Runs the cases of one file, or says why it is none.
pub fn run(policies: &Policies, file: &Source) -> Result<Vec<Outcome>, Mistake> {
    let mistake = |line: usize, text: String| Mistake {
        file: file.name.clone(),
        line,
        text,
    };
    let cases: Cases = serde_json::from_str(&file.text).map_err(|error| mistake(error.line(), error.to_string()))?;
    let mut outcomes = Vec::with_capacity(cases.cases.len());
    for case in &cases.cases {
        let mut input = cases.input.clone();
        lay_over(&mut input, &case.input);
        let input: Input =
            serde_json::from_value(input).map_err(|error| mistake(0, format!("{}: {error}", case.name)))?;
        outcomes.push(Outcome {
            file: file.name.clone(),
            name: case.name.clone(),
            difference: case.difference(&policies.decide(&input)),
        });
    }
    Ok(outcomes)
}

impl Case {
    fn difference(&self, verdict: &Verdict) -> Option<String> {
        let told = |ids: &[String]| {
            if ids.is_empty() {
                "none".to_owned()
            } else {
                ids.join(", ")
            }
        };
        if verdict.decision != self.decision {
            let (decided, by) = (verdict.decision.as_str(), told(&verdict.ids));
            return Some(format!(
                "{decided} by {by}, where {} is expected",
                self.decision.as_str()
            ));
        }
        if let Some(ids) = self.ids.as_ref().filter(|ids| !is_same(ids, &verdict.ids)) {
            return Some(format!(
                "decided by {}, where {} is expected",
                told(&verdict.ids),
                told(ids)
            ));
        }
        if !is_same(&self.reported, &verdict.reported) {
            let (have, want) = (told(&verdict.reported), told(&self.reported));
            return Some(format!("reported by {have}, where {want} is expected"));
        }
        None
    }
}

fn is_same(one: &[String], other: &[String]) -> bool {
    let (mut one, mut other) = (one.to_vec(), other.to_vec());
    one.sort();
    other.sort();
    one == other
}

/// RFC 7396: members take the place of members, null takes one away.
fn lay_over(under: &mut Value, over: &Value) {
    let Value::Object(members) = over else {
        if !over.is_null() {
            *under = over.clone();
        }
        return;
    };
    if !under.is_object() {
        *under = Value::Object(serde_json::Map::new());
    }
    let Some(own) = under.as_object_mut() else { return };
    for (name, value) in members {
        if value.is_null() {
            own.remove(name);
        } else {
            lay_over(own.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
