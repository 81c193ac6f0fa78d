//! The worked examples of docs/policies, each with its cases.

use std::path::Path;

use crate::cases::{self, Outcome};
use crate::{Policies, Source};

fn read(example: &str, file: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/policies")
        .join(example)
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source {
        name: file.to_owned(),
        text,
    }
}

/// Every case comes out, and without the policies not all of them would.
fn holds(example: &str) {
    let cases = read(example, "policy.test.json");
    let policies = Policies::parse(&[read(example, "policy.cedar")]).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let wrong = |policies: &Policies| -> Vec<String> {
        let outcomes = cases::run(policies, &cases).unwrap_or_else(|mistake| panic!("{mistake}"));
        let is_wrong = |outcome: &&Outcome| outcome.difference.is_some();
        outcomes.iter().filter(is_wrong).map(ToString::to_string).collect()
    };
    assert_eq!(wrong(&policies), Vec::<String>::new());
    assert!(
        !wrong(&Policies::none()).is_empty(),
        "the cases would hold without any policy"
    );
    assert!(policies.rules().iter().all(|rule| rule.description.is_some()));
}

#[test]
fn production_is_reached_from_a_listed_network_by_a_proven_address_only() {
    holds("production-network");
}

#[test]
fn agents_never_ask_at_night() {
    holds("agents-at-night");
}

#[test]
fn tools_are_called_on_listed_servers_only() {
    holds("listed-tool-servers");
}

#[test]
fn disk_encryption_counts_where_an_attester_proves_it() {
    holds("proven-disk-encryption");
}

#[test]
fn nothing_is_renewed_after_hours() {
    holds("after-hours");
}

#[test]
fn production_scopes_take_two_people() {
    holds("two-for-production");
}

#[test]
fn a_policy_on_trial_changes_nothing_and_tells() {
    holds("trial");
}

#[test]
fn a_link_opens_nothing() {
    holds("no-links");
}

#[test]
fn who_decides_depends_on_kind_and_environment() {
    holds("operators-decide");
}

#[test]
fn one_client_does_not_get_one_resource() {
    holds("one-clients-resource");
}

#[test]
fn every_example_of_the_documents_is_one_of_these() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies");
    let here = include_str!("examples.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(here.contains(&format!("holds(\"{name}\")")), "{name} has no test");
    }
}
