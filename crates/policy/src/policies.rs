//! A loaded set of policies, and what it says to a question. A forbid beats every permit. Where no permit speaks of a
//! step, only forbids count there; where one does, the step is closed and what no permit matches is forbidden. A
//! policy that fails while it is evaluated forbids.

use std::collections::BTreeMap;

use cedar_policy::{Authorizer, Decision as CedarDecision, Effect, PolicyId, PolicySet, Response};
use protocol::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::entities::{Names, Question};
use crate::input::{Input, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Permit,
    Forbid,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// Whether what a policy says is done, or only written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Enforce,
    Report,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }
}

/// What is told of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub mode: Mode,
    /// Whether it permits or forbids.
    pub effect: Decision,
    /// Its own words, where it has some.
    pub description: Option<String>,
    pub file: String,
    pub line: usize,
    /// The steps that its scope names.
    pub steps: Vec<Step>,
}

/// What is to be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// The policies that decided. Empty where nothing forbade and no permit was needed, or where none matched.
    pub ids: Vec<String>,
    /// Those in report mode that would have turned the decision round.
    pub reported: Vec<String>,
}

impl Verdict {
    fn of(decision: Decision) -> Self {
        Self {
            decision,
            ids: Vec::new(),
            reported: Vec::new(),
        }
    }

    pub fn is_permitted(&self) -> bool {
        self.decision == Decision::Permit
    }
}

/// What is asked at one step: only the policies whose scope names it.
#[derive(Clone, Default)]
struct Stage {
    enforced: PolicySet,
    /// Those in report mode, where there are any.
    reports: Option<PolicySet>,
    is_closed: bool,
}

pub struct Policies {
    names: Option<Names>,
    stages: BTreeMap<Step, Stage>,
    rules: Vec<Rule>,
    version: Digest,
    authorizer: Authorizer,
}

/// Stands for all permits at a step that is not closed. No policy can have this id: see `load.rs`.
pub(crate) const OPEN: &str = "waypass:open";

impl Policies {
    /// A server without policies: every step is open.
    pub fn none() -> Self {
        Self {
            names: None,
            stages: BTreeMap::new(),
            rules: Vec::new(),
            version: Digest::of(b""),
            authorizer: Authorizer::new(),
        }
    }

    pub(crate) fn new(
        names: Names,
        version: Digest,
        loaded: &[(Rule, cedar_policy::Policy)],
        open: &cedar_policy::Policy,
    ) -> Result<Self, Box<cedar_policy::PolicySetError>> {
        let mut stages = BTreeMap::new();
        for step in Step::ALL {
            let own = loaded.iter().filter(|(rule, _)| rule.steps.contains(&step));
            let own: Vec<&(Rule, cedar_policy::Policy)> = own.collect();
            if !own.is_empty() {
                stages.insert(step, Stage::new(&own, open)?);
            }
        }
        Ok(Self {
            names: Some(names),
            stages,
            rules: loaded.iter().map(|(rule, _)| rule.clone()).collect(),
            version,
            authorizer: Authorizer::new(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Names the set to the letter: digest of its files.
    pub fn version(&self) -> &Digest {
        &self.version
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Whether a step needs a permit that matches.
    pub fn is_closed(&self, step: Step) -> bool {
        self.stages.get(&step).is_some_and(|stage| stage.is_closed)
    }

    /// The steps that need one.
    pub fn closed(&self) -> impl Iterator<Item = Step> {
        Step::ALL.into_iter().filter(|&step| self.is_closed(step))
    }

    /// Whether any policy speaks of a step.
    pub fn speak_of(&self, step: Step) -> bool {
        self.stages.contains_key(&step)
    }

    pub fn decide(&self, input: &Input) -> Verdict {
        let (Some(names), Some(stage)) = (&self.names, self.stages.get(&input.step)) else {
            return Verdict::of(Decision::Permit);
        };
        // It fits by construction. Should it not, nobody knows what was asked.
        let Ok(question) = names.question(input, None) else {
            return Verdict::of(Decision::Forbid);
        };
        let mut verdict = self.ask(&stage.enforced, &question);
        if let Some(reports) = &stage.reports {
            let alone = self.ask(reports, &question);
            verdict.reported = self.on_account_of(alone, &verdict, input.step);
        }
        verdict
    }

    fn ask(&self, policies: &PolicySet, Question { request, entities }: &Question) -> Verdict {
        let response = self.authorizer.is_authorized(request, policies, entities);
        judged(&response)
    }

    /// Which reports would have turned the decision round, from what they say alone. A permit is turned by one that
    /// forbids, or by those that would close the step; of what no permit matched, by one that permits.
    fn on_account_of(&self, alone: Verdict, verdict: &Verdict, step: Step) -> Vec<String> {
        match (verdict.decision, alone.decision) {
            (Decision::Permit, Decision::Forbid) if !alone.ids.is_empty() => alone.ids,
            (Decision::Permit, Decision::Forbid) if !self.is_closed(step) => self.closing(step),
            (Decision::Forbid, Decision::Permit) if verdict.ids.is_empty() => alone.ids,
            _ => Vec::new(),
        }
    }

    fn closing(&self, step: Step) -> Vec<String> {
        let closing = self
            .rules
            .iter()
            .filter(|rule| rule.mode == Mode::Report && rule.effect == Decision::Permit && rule.steps.contains(&step));
        closing.map(|rule| rule.id.clone()).collect()
    }
}

impl Stage {
    fn new(
        own: &[&(Rule, cedar_policy::Policy)],
        open: &cedar_policy::Policy,
    ) -> Result<Self, Box<cedar_policy::PolicySetError>> {
        let (enforced, reports): (Vec<_>, Vec<_>) =
            own.iter().copied().partition(|(rule, _)| rule.mode == Mode::Enforce);
        Ok(Self {
            is_closed: is_closed(&enforced),
            reports: (!reports.is_empty()).then(|| set(&reports, open)).transpose()?,
            enforced: set(&enforced, open)?,
        })
    }
}

fn is_closed(own: &[&(Rule, cedar_policy::Policy)]) -> bool {
    own.iter().any(|(rule, _)| rule.effect == Decision::Permit)
}

fn set(
    own: &[&(Rule, cedar_policy::Policy)],
    open: &cedar_policy::Policy,
) -> Result<PolicySet, Box<cedar_policy::PolicySetError>> {
    let open = (!is_closed(own)).then_some(open);
    let policies = own.iter().map(|(_, policy)| policy).chain(open);
    PolicySet::from_policies(policies.cloned()).map_err(Box::new)
}

/// An error counts as a forbid: Cedar itself would leave the policy out, and with it what it forbids.
fn judged(response: &Response) -> Verdict {
    let failed = response.diagnostics().errors().map(|error| match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    });
    let failed = named(failed);
    if !failed.is_empty() {
        return Verdict {
            ids: failed,
            ..Verdict::of(Decision::Forbid)
        };
    }
    let decision = match response.decision() {
        CedarDecision::Allow => Decision::Permit,
        CedarDecision::Deny => Decision::Forbid,
    };
    Verdict {
        ids: named(response.diagnostics().reason()),
        ..Verdict::of(decision)
    }
}

fn named<'a>(ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(ToString::to_string).filter(|id| id != OPEN).collect();
    ids.sort();
    ids
}

pub(crate) fn effect(effect: Effect) -> Decision {
    match effect {
        Effect::Permit => Decision::Permit,
        Effect::Forbid => Decision::Forbid,
    }
}
