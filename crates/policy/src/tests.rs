mod examples;

use std::collections::BTreeSet;

use cedar_policy::Schema;
use protocol::fact::{Fact, Source as FactSource};
use protocol::network::NetworkMatch;
use protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::entities::Names;
use crate::input::{Access, Approver, Client, Instance, Place};
use crate::{Decision, Input, Policies, SCHEMA, Source, Step, Verdict};

fn input(step: Step) -> Input {
    Input {
        step,
        now: Timestamp::from_seconds(1_795_473_000),
        client: Client {
            id: "deploy".to_owned(),
            kind: "agent".to_owned(),
            verified: true,
            environment: Some("production".to_owned()),
        },
        profile: "standard".to_owned(),
        origin: "device_code".to_owned(),
        binding: "dpop".to_owned(),
        instance: Some(Instance {
            id: "instance_1".to_owned(),
            name: "laptop".to_owned(),
            way_in: "ceremony".to_owned(),
            environment: None,
        }),
        access: Access {
            id: "request-1".to_owned(),
            enrolls: false,
            scopes: vec!["prod:write".to_owned(), "read".to_owned()],
            resources: vec!["https://api.example".to_owned()],
            details: vec![
                json!({"type": "tool_call", "server": "https://mcp.example", "tool": "search",
                "arguments": {"q": "x", "a.b": [1, true, null]}}),
            ],
            lifetime: 3600,
        },
        requester: Place {
            address: Some("192.0.2.7".parse().unwrap()),
            listed: false,
            operator: Some(64496),
            country: Some("CH".to_owned()),
        },
        approver: Some(Approver {
            id: "approver_1".to_owned(),
            name: "alice".to_owned(),
            groups: vec!["ops".to_owned()],
        }),
        onlooker: Some(Place::default()),
        network: NetworkMatch::SameAddress,
        entry: Some("typed".to_owned()),
        quorum: 1,
        approvals: 1,
        acr: Some("phr".to_owned()),
        amr: vec!["hwk".to_owned(), "user".to_owned()],
        age: 60,
        reader: Some("api".to_owned()),
        facts: vec![
            Fact::new("posture.disk_encrypted", "true", FactSource::Claimed),
            Fact::new("requester.country", "CH", FactSource::Derived),
        ],
    }
}

fn policies(text: &str) -> Policies {
    loaded(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn loaded(text: &str) -> Result<Policies, Vec<crate::Mistake>> {
    Policies::parse(&[file(text)])
}

fn file(text: &str) -> Source {
    Source {
        name: "a.cedar".to_owned(),
        text: text.to_owned(),
    }
}

fn told(verdict: &Verdict) -> String {
    let Verdict {
        decision,
        ids,
        reported,
    } = verdict;
    format!("{} {ids:?} {reported:?}", decision.as_str())
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = loaded(text).err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_question_fits_the_schema() {
    let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    let names = Names::new().unwrap();
    for step in Step::ALL {
        let question = names.question(&input(step), Some(&schema));
        assert!(question.is_ok(), "{step}: {:?}", question.err());
        let least: Input = serde_json::from_value(json!({
            "step": step.as_str(), "now": "2026-11-23T22:30:00Z", "client": {"id": "c"}
        }))
        .unwrap();
        assert!(names.question(&least, Some(&schema)).is_ok(), "{step}, the least");
    }
}

/// The hot path asks the same without the schema; and each policy can speak of what it should.
#[test]
fn what_the_schema_names_is_what_a_policy_sees() {
    let seen = policies(
        r#"@id("all") forbid (principal == Client::"deploy", action == Action::"approve", resource)
        when {
            principal.kind == "agent" && principal.verified && principal has environment &&
            principal.environment == "production" && context has instance && context.instance in principal &&
            context.instance.way_in == "ceremony" && resource.scopes.contains("prod:write") &&
            resource.resources.contains("https://api.example") && resource.details.contains("tool_call") &&
            resource.hasTag("tool_call.server") && resource.getTag("tool_call.server") == ["https://mcp.example"] &&
            resource.hasTag("tool_call.arguments.a\\.b") &&
            resource.getTag("tool_call.arguments.a\\.b").containsAll(["1", "true"]) &&
            resource.lifetime == 3600 && resource.purpose == "access" && context.requester has address &&
            context.requester.address.isInRange(ip("192.0.2.0/24")) && !context.requester.listed &&
            context.requester has country && context.requester.country == "CH" &&
            !(context.onlooker has address) && context.network == "same_address" && context.entry == "typed" &&
            context.approver in Group::"ops" && context.approver.name == "alice" && context.quorum == 1 &&
            context.approvals == 1 && context.acr == "phr" && context.amr.contains("hwk") &&
            context.now.weekday == "monday" && context.now.hour == 22 && context.now.minute == 30 &&
            context.now.year == 2026 && context.now.month == 11 && context.now.day == 23 &&
            context.now.unix == 1795473000 && context.profile == "standard" && context.binding == "dpop" &&
            context.origin == "device_code" &&
            context.claimed.hasTag("posture.disk_encrypted") && !context.proven.hasTag("posture.disk_encrypted") &&
            context.derived.hasTag("requester.country") && context.derived.getTag("requester.country") == "CH"
        };"#,
    );
    assert_eq!(told(&seen.decide(&input(Step::Approve))), r#"forbid ["all"] []"#);
    assert_eq!(told(&seen.decide(&input(Step::View))), "permit [] []");
}

#[test]
fn without_policies_everything_is_permitted() {
    for step in Step::ALL {
        assert_eq!(told(&Policies::none().decide(&input(step))), "permit [] []");
        assert_eq!(told(&policies("").decide(&input(step))), "permit [] []");
    }
}

#[test]
fn a_permit_closes_the_steps_of_its_scope_and_no_others() {
    let closed = policies(
        r#"@id("only-ops") permit (principal, action in Action::"by_person", resource)
        when { context.approver in Group::"ops" };"#,
    );
    let other = |step| Input {
        approver: Some(Approver::default()),
        ..input(step)
    };
    assert_eq!(told(&closed.decide(&input(Step::Approve))), r#"permit ["only-ops"] []"#);
    assert_eq!(told(&closed.decide(&other(Step::Approve))), "forbid [] []");
    assert_eq!(told(&closed.decide(&other(Step::View))), "forbid [] []");
    assert_eq!(told(&closed.decide(&other(Step::Redeem))), "permit [] []");
    let steps: Vec<Step> = Step::ALL.into_iter().filter(|&step| closed.is_closed(step)).collect();
    assert_eq!(steps, [Step::View, Step::Approve]);
}

#[test]
fn a_forbid_beats_every_permit() {
    let both = policies(
        r#"@id("yes") permit (principal, action, resource);
        @id("no") forbid (principal, action == Action::"redeem", resource);"#,
    );
    assert_eq!(told(&both.decide(&input(Step::Redeem))), r#"forbid ["no"] []"#);
    assert_eq!(told(&both.decide(&input(Step::Refresh))), r#"permit ["yes"] []"#);
}

#[test]
fn a_report_is_told_only_where_it_would_turn_the_decision_round() {
    let trial = policies(
        r#"@id("trial") @mode("report") forbid (principal, action == Action::"redeem", resource)
        when { resource.scopes.contains("prod:write") };
        @id("closing") @mode("report") permit (principal, action == Action::"view", resource)
        when { context.approver in Group::"nobody" };
        @id("no") @mode("enforce") forbid (principal, action == Action::"refresh", resource);
        @id("too") @mode("report") forbid (principal, action == Action::"refresh", resource);
        @id("yes") permit (principal, action == Action::"introspect", resource) when { context.age > 1000 };
        @id("wider") @mode("report") permit (principal, action == Action::"introspect", resource)
        when { context.age > 10 };"#,
    );
    let verdict = |step| told(&trial.decide(&input(step)));
    assert_eq!(verdict(Step::Redeem), r#"permit [] ["trial"]"#);
    assert_eq!(
        verdict(Step::View),
        r#"permit [] ["closing"]"#,
        "a report closes nothing"
    );
    assert_eq!(verdict(Step::Refresh), r#"forbid ["no"] []"#);
    assert_eq!(verdict(Step::Introspect), r#"forbid [] ["wider"]"#);
    assert_eq!(verdict(Step::Request), "permit [] []");
}

#[test]
fn a_policy_that_fails_while_it_is_evaluated_forbids() {
    let failing = policies(
        r#"@id("yes") permit (principal, action, resource);
        @id("overflow") forbid (principal, action, resource)
        when { context.now.unix * 9223372036854775807 == 1 };"#,
    );
    assert_eq!(
        told(&failing.decide(&input(Step::Request))),
        r#"forbid ["overflow"] []"#
    );
}

/// Adding a detail never widens what a policy lets through.
#[test]
fn a_detail_that_leaves_a_member_open_does_not_hide_behind_one_that_names_it() {
    let policies = policies(
        r#"@id("journal") forbid (principal, action, resource) unless
            { resource.hasTag("ssh.command") && resource.getTag("ssh.command") == ["journalctl"] };"#,
    );
    let narrow = json!({"type": "ssh", "principals": ["root"], "hosts": ["db"], "command": "journalctl"});
    let open = json!({"type": "ssh", "principals": ["root"], "hosts": ["db"], "source_address": "192.0.2.7"});
    let other = json!({"type": "tool_call", "server": "https://mcp.example", "tool": "search"});
    for (details, expected) in [
        (vec![narrow.clone()], Decision::Permit),
        (vec![narrow.clone(), other], Decision::Permit),
        (vec![open.clone()], Decision::Forbid),
        (vec![narrow, open], Decision::Forbid),
    ] {
        let mut input = input(Step::Request);
        input.access.details.clone_from(&details);
        assert_eq!(policies.decide(&input).decision, expected, "{details:?}");
    }
}

#[test]
fn the_version_is_the_texts_and_not_their_order() {
    let (a, b) = (
        file(r#"@id("a") forbid (principal, action == Action::"view", resource);"#),
        Source {
            name: "b.cedar".to_owned(),
            text: r#"@id("b") forbid (principal, action == Action::"view", resource);"#.to_owned(),
        },
    );
    let version = |files: &[Source]| Policies::parse(files).unwrap().version().clone();
    assert_eq!(version(&[a.clone(), b.clone()]), version(&[b.clone(), a.clone()]));
    let changed = Source {
        text: format!("{} ", b.text),
        ..b.clone()
    };
    assert_ne!(version(&[a.clone(), b]), version(&[a, changed]));
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let told = mistakes(
        r#"// one
@id("Bad Id") permit (principal, action, resource);
forbid (principal, action, resource);
@id("a") @mode("audit") forbid (principal, action, resource);
@id("b") @owner("me") forbid (principal, action == Action::"view", resource);
@id("b") forbid (principal, action == Action::"view", resource);
@id("c") forbid (principal, action == Action::"aprove", resource);
@id("d") forbid (principal, action, resource) when { context.approver in Group::"x" };
@id("e") forbid (principal, action, resource)
when {
    context.now.hour == "ten"
};
@id("f") forbid (principal, action == Action::"view", resource) when { 1 == 2 };
@id("g") forbid (principal, action, resource) when { context.proven.getTag("posture.disk") == "on" };
@id("h") forbid (principal, action == Action::"by_person", resource);
@id("i") forbid (principal == ?principal, action, resource);
"#,
    );
    expect_test::expect![[r#"
        a.cedar: a policy with slots (?principal, ?resource) is a template: write it out
        a.cedar:2: an @id is 1 to 64 of the characters a-z, 0-9, - and .
        a.cedar:3: a policy needs an @id("..."): records and refusals name it by that
        a.cedar:4: @mode is "enforce", which it is without saying so, or "report"
        a.cedar:5: @owner means nothing here: there are @description, @id, @mode
        a.cedar:6: the @id "b" was given before, at a.cedar:5
        a.cedar:7: for policy `c`, policy is impossible: the policy expression evaluates to false for all valid requests
        a.cedar:7: for policy `c`, unable to find an applicable action given the policy scope constraints
        a.cedar:7: for policy `c`, unrecognized action `Action::"aprove"`
        a.cedar:8: for policy `d`, attribute `approver` in context for Action::"request" not found
        a.cedar:11: the types Long and String are not compatible (for policy `e`, both operands to a `==` expression must have compatible types. Types must be exactly equal to be compatible)
        a.cedar:13: for policy `f`, policy is impossible: the policy expression evaluates to false for all valid requests
        a.cedar:14: for policy `g`, unable to guarantee safety of access to tag `"posture.disk"` on entity type `Facts` (try testing for the tag's presence with `.hasTag("posture.disk") && ..`)
        a.cedar:15: for policy `h`, policy is impossible: the policy expression evaluates to false for all valid requests
        a.cedar:15: for policy `h`, unable to find an applicable action given the policy scope constraints"#]].assert_eq(&told.join("\n"));
}

#[test]
fn what_cannot_be_parsed_is_named_with_its_line() {
    let told = mistakes("@id(\"a\")\nforbid (principal, action, resource)\nwhen { context.now.hour = 3 };\nallow (x);");
    expect_test::expect![[r#"
        a.cedar:3: '=' is not a valid operator in Cedar (try using '==' instead)
        a.cedar:4: found an invalid variable in the policy scope: x (policy scopes must contain a `principal`, `action`, and `resource` element in that order)
        a.cedar:4: invalid policy effect: allow (effect must be either `permit` or `forbid`)
        a.cedar:4: this policy is missing the `action` variable in the scope (policy scopes must contain a `principal`, `action`, and `resource` element in that order)
        a.cedar:4: this policy is missing the `resource` variable in the scope (policy scopes must contain a `principal`, `action`, and `resource` element in that order)"#]].assert_eq(&told.join("\n"));
    assert!(!mistakes("@id(\"\u{202e}\") forbid (principal, action, resource);").is_empty());
}

/// The record is the input: what was decided can be decided again.
#[test]
fn an_input_comes_back_from_the_record_as_it_was() {
    for step in Step::ALL {
        let input = input(step);
        assert_eq!(Input::from_record(&input.recorded()), Some(input));
    }
    let long = Input {
        access: Access {
            details: vec![json!({"type": "api", "path": "x".repeat(20_000)})],
            ..Access::default()
        },
        ..input(Step::Request)
    };
    let recorded = long.recorded();
    assert_eq!(Input::from_record(&recorded), None);
    assert!(recorded.to_string().len() < 200, "{recorded}");
}

/// No text of a requester is ever read as Cedar: it cannot end a string, name an entity, or add a fact.
mod hostile {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    const POLICIES: &str = r#"
        @id("server") forbid (principal, action, resource)
        unless { resource.hasTag("tool_call.server") && ["https://mcp.example"].containsAll(resource.getTag("tool_call.server")) };
        @id("disk") forbid (principal, action, resource)
        unless { context.proven.hasTag("posture.disk") && context.proven.getTag("posture.disk") == "on" };
        @id("ops") forbid (principal, action in Action::"by_person", resource)
        unless { context.approver in Group::"ops" };
        @id("client") forbid (principal, action, resource) unless { principal == Client::"deploy" };"#;

    static LOADED: LazyLock<Policies> = LazyLock::new(|| policies(POLICIES));

    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            Just(r#"x" || true || ""#.to_owned()),
            Just(r#"Group::"ops""#.to_owned()),
            Just("tool_call.server".to_owned()),
            Just("posture.disk".to_owned()),
            Just("proven".to_owned()),
            Just("\\".to_owned()),
            Just("{\"__entity\":{\"type\":\"Group\",\"id\":\"ops\"}}".to_owned()),
            Just("\u{202e}on\u{0}".to_owned()),
        ]
    }

    fn filled(text: &[String; 4], step: Step) -> Input {
        let [a, b, c, d] = text;
        Input {
            client: Client {
                id: a.clone(),
                kind: b.clone(),
                verified: false,
                environment: Some(c.clone()),
            },
            instance: Some(Instance {
                id: d.clone(),
                name: a.clone(),
                way_in: b.clone(),
                environment: Some(c.clone()),
            }),
            access: Access {
                id: a.clone(),
                scopes: vec![a.clone(), b.clone()],
                resources: vec![c.clone()],
                details: vec![json!({"type": "tool_call", a.clone(): b, "arguments": {c.clone(): d, "server": a}})],
                ..Access::default()
            },
            approver: Some(Approver {
                id: b.clone(),
                name: c.clone(),
                groups: vec![],
            }),
            facts: vec![
                Fact::new(a, b, FactSource::Claimed),
                Fact::new("posture.disk", "on", FactSource::Claimed),
                Fact::new(c, d, FactSource::Derived),
            ],
            ..input(step)
        }
    }

    proptest! {
        #[test]
        fn no_text_changes_what_a_policy_means(text in proptest::array::uniform4(hostile()), step in 0_usize..6) {
            let step = Step::ALL[step];
            let input = filled(&text, step);
            let verdict = LOADED.decide(&input);
            let decided: BTreeSet<&str> = verdict.ids.iter().map(String::as_str).collect();
            let mut expected = BTreeSet::from(["disk"]);
            if text[0] != "deploy" {
                expected.insert("client");
            }
            let servers: Vec<&Value> = input.access.details[0].get("server").into_iter().collect();
            if servers != [&json!("https://mcp.example")] {
                expected.insert("server");
            }
            if step.group() == Some("by_person") {
                expected.insert("ops");
            }
            prop_assert_eq!(decided, expected);
            prop_assert_eq!(verdict.decision, Decision::Forbid);
            let recorded = Input::from_record(&input.recorded());
            prop_assert!(recorded.is_none_or(|recorded| recorded == input));
        }
    }
}
