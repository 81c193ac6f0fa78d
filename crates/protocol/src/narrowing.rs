//! Giving less than is asked for: an approver may take away scopes, resources, details and time, and what is left
//! is what they sign. Others of a quorum can only take away more. How a choice reaches the server is in
//! `server/pages/narrowing.rs` and `wire/approver.rs`; both arrive here.

use crate::authorization_request::Purpose;
use crate::decision::Granted;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// What this choice gives of what is `left` of the request, written in the one order that the request has: a part,
/// and not nothing.
pub fn given(purpose: &Purpose, choice: &Granted, left: &Granted, now: Timestamp) -> Result<Granted, Refusal> {
    if !choice.is_within(left) {
        return Err(Refusal::GrantedTooMuch);
    }
    let given = left.common(choice);
    // A device becomes known whole or not at all.
    if purpose.is_enrollment() && given != *left {
        return Err(Refusal::GrantedTooMuch);
    }
    let allows = |granted: &Granted| !granted.scope.is_empty() || !granted.authorization_details.is_empty();
    let is_left = (allows(&given) || !allows(left))
        && (!given.resource.is_empty() || left.resource.is_empty())
        && given.expires_at > now.seconds();
    if is_left {
        Ok(given)
    } else {
        Err(Refusal::NothingGranted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::authorization_request::Enrollment;
    use crate::scope::Scope;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn granted(scope: &str, resource: &[&str], expires_at: i64) -> Granted {
        Granted {
            scope: Scope::parse(scope).unwrap(),
            resource: resource.iter().map(|&uri| uri.to_owned()).collect(),
            authorization_details: serde_json::from_str("[]").unwrap(),
            expires_at,
        }
    }

    fn details(mut granted: Granted, details: &str) -> Granted {
        granted.authorization_details = serde_json::from_str(details).unwrap();
        granted
    }

    #[test]
    fn what_is_given_is_a_part_of_what_is_left_and_never_nothing() {
        let left = details(
            granted("read write", &["https://a", "https://b"], 2_000),
            r#"[{"type":"x"}]"#,
        );
        let (too_much, nothing) = (Err(Refusal::GrantedTooMuch), Err(Refusal::NothingGranted));
        let less = granted("read", &["https://b"], 1_500);
        let only_details = details(granted("", &["https://a"], 2_000), r#"[{"type":"x"}]"#);
        for (choice, outcome) in [
            (left.clone(), Ok(left.clone())),
            (less.clone(), Ok(less)),
            (only_details.clone(), Ok(only_details)),
            (granted("read admin", &["https://a"], 2_000), too_much.clone()),
            (granted("read", &["https://c"], 2_000), too_much.clone()),
            (granted("read", &["https://a"], 2_001), too_much.clone()),
            (
                details(granted("read", &["https://a"], 2_000), r#"[{"type":"y"}]"#),
                too_much,
            ),
            (granted("", &["https://a"], 2_000), nothing.clone()),
            (granted("read", &[], 2_000), nothing.clone()),
            (granted("read", &["https://a"], 1_000), nothing.clone()),
            (granted("read", &["https://a"], i64::MIN), nothing),
            // Another order or the same twice is the same choice, and is written in one way.
            (
                details(
                    granted("write read", &["https://b", "https://a", "https://b"], 2_000),
                    r#"[{"type":"x"}]"#,
                ),
                Ok(left.clone()),
            ),
        ] {
            assert_eq!(given(&Purpose::Access, &choice, &left, NOW), outcome, "{choice:?}");
        }
    }

    #[test]
    fn a_request_for_no_scope_at_all_can_be_approved() {
        let left = granted("", &["https://a"], 2_000);
        assert_eq!(given(&Purpose::Access, &left, &left, NOW), Ok(left.clone()));
    }

    #[test]
    fn a_device_becomes_known_whole_or_not_at_all() {
        let known = Purpose::Enrollment(Enrollment {
            name: "laptop".to_owned(),
            environment: None,
            expires_at: NOW,
            key: serde_json::Value::Null,
        });
        let left = granted("", &[], 2_000);
        assert_eq!(given(&known, &left, &left, NOW), Ok(left.clone()));
        let shorter = granted("", &[], 1_500);
        assert_eq!(given(&known, &shorter, &left, NOW), Err(Refusal::GrantedTooMuch));
    }

    proptest! {
        /// Whatever three people choose, one after the other: each gives a part of what the one before left, and
        /// all of them together give what the last one gave.
        #[test]
        fn nobody_widens_what_another_left(choices in prop::collection::vec(("[abc ]{0,6}", 0usize..8, 900i64..2_100), 3)) {
            let asked = granted("a b", &["https://a", "https://b"], 2_000);
            let (mut left, mut common) = (asked.clone(), asked.clone());
            for (scope, resources, end) in choices {
                let uris = ["https://a", "https://b", "https://c"];
                let chosen: Vec<&str> =
                    uris.iter().enumerate().filter(|(bit, _)| resources >> bit & 1 == 1).map(|(_, uri)| *uri).collect();
                let choice = granted(&scope, &chosen, end);
                if let Ok(given) = given(&Purpose::Access, &choice, &left, NOW) {
                    prop_assert!(given.is_within(&left) && given.is_within(&asked) && given.is_within(&choice));
                    common = common.common(&given);
                    left = given;
                }
                prop_assert_eq!(&common, &left);
            }
        }
    }
}
