//! Files become a set of policies, or every mistake in them. Strict: what Cedar's validator only warns of (a policy
//! that can never match, characters that look like others) does not load either, and every policy says by `@id` what
//! it is called on the record.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use protocol::digest::{Digest, canonical_json};
use serde_json::json;

use crate::SCHEMA;
use crate::entities::Names;
use crate::input::Step;
use crate::policies::{self, Mode, OPEN, Policies, Rule};

/// One file: what it is called, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// What is wrong, and where. Lines count from one; 0 is the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub file: String,
    pub line: usize,
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.file, self.text),
            line => write!(formatter, "{}:{line}: {}", self.file, self.text),
        }
    }
}

const ANNOTATIONS: [&str; 3] = ["description", "id", "mode"];

impl Policies {
    /// All of the files, or every mistake in any of them.
    pub fn parse(files: &[Source]) -> Result<Self, Vec<Mistake>> {
        let whole = |error: String| {
            vec![Mistake {
                file: "schema.cedarschema".to_owned(),
                line: 0,
                text: error,
            }]
        };
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| whole(error.to_string()))?;
        let names = Names::new().map_err(|error| whole(error.to_string()))?;
        let open = Policy::parse(Some(PolicyId::new(OPEN)), "permit (principal, action, resource);");
        let open = open.map_err(|error| whole(error.to_string()))?;
        let mut loading = Loading {
            validator: Validator::new(schema),
            actions: actions(&names),
            loaded: Vec::new(),
            mistakes: Vec::new(),
            lines: BTreeMap::new(),
        };
        for file in files {
            loading.file(file);
        }
        if !loading.mistakes.is_empty() {
            loading.mistakes.sort();
            loading.mistakes.dedup();
            return Err(loading.mistakes);
        }
        Self::new(names, version(files), &loading.loaded, &open).map_err(|error| whole(error.to_string()))
    }
}

/// Every action and group, with the steps that it means.
fn actions(names: &Names) -> BTreeMap<EntityUid, Vec<Step>> {
    let mut actions: BTreeMap<EntityUid, Vec<Step>> = BTreeMap::new();
    for step in Step::ALL {
        for name in [Some(step.as_str()), step.group()].into_iter().flatten() {
            actions.entry(names.action(name)).or_default().push(step);
        }
    }
    actions
}

/// The order of the files says nothing.
fn version(files: &[Source]) -> Digest {
    let texts: BTreeSet<(&str, &str)> = files.iter().map(|file| (&*file.name, &*file.text)).collect();
    let text = canonical_json(&json!(texts)).unwrap_or_default();
    Digest::of(text.as_bytes())
}

struct Loading {
    validator: Validator,
    actions: BTreeMap<EntityUid, Vec<Step>>,
    loaded: Vec<(Rule, Policy)>,
    mistakes: Vec<Mistake>,
    /// Where each id was first given.
    lines: BTreeMap<String, String>,
}

impl Loading {
    fn mistake(&mut self, file: &Source, line: usize, text: impl Into<String>) {
        self.mistakes.push(Mistake {
            file: file.name.clone(),
            line,
            text: text.into(),
        });
    }

    fn file(&mut self, file: &Source) {
        let parsed = match file.text.parse::<PolicySet>() {
            Ok(parsed) => parsed,
            Err(errors) => {
                for error in errors.iter() {
                    self.told(file, &DetailedError::from(error));
                }
                return;
            }
        };
        if parsed.num_of_templates() > 0 {
            self.mistake(
                file,
                0,
                "a policy with slots (?principal, ?resource) is a template: write it out",
            );
        }
        let mut policies: Vec<(usize, &Policy)> = parsed
            .policies()
            .map(|policy| (line_of(file, policy), policy))
            .collect();
        policies.sort_by_key(|(line, _)| *line);
        let mut own = PolicySet::new();
        for (line, policy) in policies {
            if let Some((rule, policy)) = self.policy(file, line, policy) {
                // Of one id twice the mistake has been told.
                let _ = own.add(policy.clone());
                self.loaded.push((rule, policy));
            }
        }
        self.validated(file, &own);
    }

    /// What it is called and how it counts.
    fn policy(&mut self, file: &Source, line: usize, policy: &Policy) -> Option<(Rule, Policy)> {
        for (name, _) in policy.annotations() {
            if !ANNOTATIONS.contains(&name) {
                let known = ANNOTATIONS.join(", @");
                self.mistake(file, line, format!("@{name} means nothing here: there are @{known}"));
            }
        }
        let mode = match policy.annotation("mode") {
            None | Some("enforce") => Mode::Enforce,
            Some("report") => Mode::Report,
            Some(_) => {
                self.mistake(
                    file,
                    line,
                    "@mode is \"enforce\", which it is without saying so, or \"report\"",
                );
                return None;
            }
        };
        let id = self.id(file, line, policy)?;
        let rule = Rule {
            mode,
            effect: policies::effect(policy.effect()),
            description: policy.annotation("description").map(str::to_owned),
            file: file.name.clone(),
            line,
            steps: self.steps(policy),
            id: id.clone(),
        };
        Some((rule, policy.new_id(PolicyId::new(id))))
    }

    fn id(&mut self, file: &Source, line: usize, policy: &Policy) -> Option<String> {
        let Some(id) = policy.annotation("id") else {
            self.mistake(
                file,
                line,
                "a policy needs an @id(\"...\"): records and refusals name it by that",
            );
            return None;
        };
        if !is_id(id) {
            self.mistake(file, line, "an @id is 1 to 64 of the characters a-z, 0-9, - and .");
            return None;
        }
        let place = format!("{}:{line}", file.name);
        if let Some(first) = self.lines.get(id) {
            let text = format!("the @id \"{id}\" was given before, at {first}");
            self.mistake(file, line, text);
            return None;
        }
        self.lines.insert(id.to_owned(), place);
        Some(id.to_owned())
    }

    /// What its scope names. Names that no step has are the validator's to tell.
    fn steps(&self, policy: &Policy) -> Vec<Step> {
        let named = match policy.action_constraint() {
            ActionConstraint::Any => return Step::ALL.to_vec(),
            // `==` a group is no step: the validator says so.
            ActionConstraint::Eq(action) => vec![action],
            ActionConstraint::In(actions) => actions,
        };
        let steps: BTreeSet<Step> = named
            .iter()
            .filter_map(|action| self.actions.get(action))
            .flatten()
            .copied()
            .collect();
        steps.into_iter().collect()
    }

    fn validated(&mut self, file: &Source, policies: &PolicySet) {
        let result = self.validator.validate(policies, ValidationMode::Strict);
        let errors = result.validation_errors().map(DetailedError::from);
        let warnings = result.validation_warnings().map(DetailedError::from);
        for error in errors.chain(warnings) {
            self.told(file, &error);
        }
    }

    /// Cedar's own sentence, with its advice, at the line of what it is about.
    fn told(&mut self, file: &Source, error: &DetailedError) {
        let start = error.source_locations.first().map(|label| label.loc.start);
        let line = start.map_or(0, |start| line_at(&file.text, start));
        // Which name was meant Cedar guesses, and not twice the same.
        let help = error.help.as_deref().filter(|help| !help.starts_with("did you mean"));
        let help = help.map(|help| format!(" ({help})"));
        let text = format!("{}{}", error.message, help.unwrap_or_default());
        self.mistake(file, line, text.replace('\n', " "));
    }
}

fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

fn line_of(file: &Source, policy: &Policy) -> usize {
    policy.as_ref().loc().map_or(0, |at| line_at(&file.text, at.start()))
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    before.filter(|byte| *byte == b'\n').count() + 1
}
