//! What is refused, what is narrower than what, and what people read: over every type, ours and an operator's.

use expect_test::expect;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::*;

mod any;
mod hostile;
mod poisoned;

/// An operator's own, with the fields of RFC 9396 §2.2 and each of the orders.
const DEPLOY: &str = include_str!("tests/deploy.json");

fn types() -> Types {
    let mut types = Types::built_in();
    types.add(DEPLOY).unwrap();
    types
}

fn examples() -> Vec<Value> {
    let types = types();
    let documents = types.0.values().map(|known| &known.document["examples"]);
    documents
        .flat_map(|examples| examples.as_array().unwrap().clone())
        .collect()
}

fn read(detail: &Value) -> Result<Details, Refusal> {
    types().read(&json!([detail]).to_string())
}

fn said(detail: &Value) -> String {
    types().sentence(detail).iter().map(Part::shown).collect()
}

/// A detail of a type, with a member set, or taken away.
fn with(name: &str, pointer: &str, value: Option<Value>) -> Value {
    let mut detail = examples().into_iter().find(|detail| detail["type"] == name).unwrap();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = detail.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(member.to_owned(), value),
        None => parent.remove(member),
    };
    detail
}

#[test]
fn every_type_of_ours_is_read_and_takes_its_own_examples() {
    assert_eq!(
        Types::built_in().names().collect::<Vec<_>>(),
        ["api", "command", "ssh", "tool_call", "workload"]
    );
    for example in examples() {
        assert_eq!(read(&example).unwrap().iter().collect::<Vec<_>>(), [&example]);
    }
}

#[test]
fn a02_the_parameter_is_an_array_of_objects_with_a_type() {
    for text in [
        "",
        "{}",
        "[1]",
        "[[]]",
        "null",
        "[{\"type\":\"api\",\"type\":\"api\"}]",
        "[] []",
    ] {
        assert_eq!(types().read(text), Err(Refusal::DetailsMalformed), "{text}");
    }
    assert_eq!(types().read("[{}]"), Err(Refusal::DetailsMemberMissing));
    assert_eq!(types().read(r#"[{"type":1}]"#), Err(Refusal::DetailsValueOfWrongType));
    assert!(types().read("[]").unwrap().is_empty());
}

#[test]
fn a02_a_type_of_an_operator_may_have_the_common_fields() {
    let detail = with("deploy", "/locations", Some(json!(["https://deploy.example.com"])));
    assert!(read(&detail).is_ok());
}

#[test]
fn a03_an_unknown_type_is_refused() {
    assert_eq!(read(&json!({"type": "payment"})), Err(Refusal::DetailsTypeUnknown));
}

#[test]
fn a03_an_unknown_field_is_refused_in_every_type() {
    for example in examples() {
        let name = example["type"].as_str().unwrap();
        let detail = with(name, "/extra", Some(json!("x")));
        assert_eq!(read(&detail), Err(Refusal::DetailsMemberUnknown), "{name}");
    }
}

#[test]
fn a03_a_value_of_the_wrong_type_is_refused_in_every_member() {
    for example in examples() {
        let name = example["type"].as_str().unwrap();
        for member in example.as_object().unwrap().keys().filter(|member| *member != "type") {
            let detail = with(name, &format!("/{member}"), Some(Value::Null));
            assert_eq!(read(&detail), Err(Refusal::DetailsValueOfWrongType), "{name} {member}");
        }
    }
    let detail = with("command", "/argv", Some(json!([1])));
    assert_eq!(read(&detail), Err(Refusal::DetailsValueOfWrongType));
}

#[test]
fn a03_an_invalid_value_is_refused() {
    for (name, pointer, value) in [
        ("command", "/argv", json!([])),
        ("command", "/executable_sha256", json!("9F86")),
        ("command", "/environment/A=B", json!("x")),
        ("command", "/inputs/site.toml", json!("x")),
        ("api", "/methods", json!(["get"])),
        ("api", "/resource", json!("https://crm.example.com/#x")),
        ("api", "/paths", json!(["v2"])),
        ("api", "/paths", json!(["/v2/../admin"])),
        ("api", "/paths", json!(["/v2/./admin"])),
        ("api", "/paths", json!(["/v2/%2e%2e/admin"])),
        ("api", "/paths", json!(["/v2/**/admin"])),
        ("api", "/paths", json!(["/v2/a*"])),
        ("api", "/paths", json!([""])),
        ("ssh", "/hosts", json!([])),
        ("ssh", "/source_address", json!("here")),
        ("tool_call", "/tool", json!("")),
        ("workload", "/commit", json!("main")),
        ("deploy", "/stage", json!("moon")),
        ("deploy", "/instances", json!(101)),
    ] {
        let detail = with(name, pointer, Some(value));
        assert_eq!(read(&detail), Err(Refusal::DetailsValueInvalid), "{detail}");
    }
    for path in ["/", "/**", "/a/", "/.well-known/x", "/..a/b.c/*/**"] {
        assert!(read(&with("api", "/paths", Some(json!([path])))).is_ok(), "{path}");
    }
}

#[test]
fn a03_a_missing_field_is_refused_in_every_type() {
    for (name, known) in &types().0 {
        for (member, is_required) in known.schema.members() {
            let detail = with(name, &format!("/{member}"), None);
            let expected = is_required.then_some(Refusal::DetailsMemberMissing);
            assert_eq!(read(&detail).err(), expected, "{name} {member}");
        }
    }
}

#[test]
fn what_is_too_long_too_deep_too_much_or_has_no_one_form_is_refused() {
    let tool_call = |arguments: Value| with("tool_call", "/arguments", Some(arguments));
    let deep = (0..9).fold(json!(1), |inner, _| json!({ "a": inner }));
    for arguments in [
        deep,
        json!({"a": 0.5}),
        json!({"a": u64::MAX}),
        json!({"a": "x".repeat(5000)}),
    ] {
        assert_eq!(read(&tool_call(arguments)), Err(Refusal::DetailsMalformed));
    }
    let many: Vec<_> = (0..17).map(|n| tool_call(json!({ "a": n }))).collect();
    assert_eq!(types().read(&json!(many).to_string()), Err(Refusal::DetailsMalformed));
    assert!(types().read(&json!(many[..16]).to_string()).is_ok());
}

#[test]
fn an_absent_member_restricts_nothing_only_where_its_schema_says_so() {
    let wide = with("command", "/inputs", None);
    let narrow = with("command", "/inputs", Some(json!({"a": "0".repeat(64)})));
    let narrower = with(
        "command",
        "/inputs",
        Some(json!({"a": "0".repeat(64), "b": "0".repeat(64)})),
    );
    assert!(is_within(&narrow, &wide) && !is_within(&wide, &narrow));
    assert!(is_within(&narrower, &narrow) && !is_within(&narrow, &narrower));
    // Nothing says that a deployment without `force` may become one with it.
    let plain = with("deploy", "/force", None);
    let forced = with("deploy", "/force", Some(json!(true)));
    assert!(!is_within(&forced, &plain) && !is_within(&plain, &forced));
}

/// A resource server tells the query of each request; an approval of one is of no other.
#[test]
fn a06_a_query_that_is_named_is_the_only_one() {
    let with_query = |query: Option<&str>| {
        let mut detail =
            json!({ "type": "api", "resource": "https://crm.example.com", "methods": ["DELETE"], "paths": ["/sites"] });
        if let Some(query) = query {
            detail["query"] = query.into();
        }
        detail
    };
    for (asked, granted, expected) in [
        (Some("id=7"), Some("id=7"), true),
        (Some("id=7"), None, true),
        (Some("id=8"), Some("id=7"), false),
        (Some(""), Some("id=7"), false),
        (None, Some("id=7"), false),
    ] {
        assert_eq!(
            is_within(&with_query(asked), &with_query(granted)),
            expected,
            "{asked:?} {granted:?}"
        );
    }
}

fn is_within(narrow: &Value, wide: &Value) -> bool {
    types().is_within(&read(narrow).unwrap(), &read(wide).unwrap())
}

/// Of each type a crowd of few values each, so that many of them compare.
fn crowds() -> Vec<(String, Vec<Details>)> {
    let types = types();
    let crowd = |(name, known): (&String, &Type)| {
        let mut runner = TestRunner::deterministic();
        let strategy = any::value(&known.schema);
        let mut draw = || strategy.new_tree(&mut runner).unwrap().current();
        let required: Vec<_> = known.schema.members().filter(|(_, is_required)| *is_required).collect();
        let bare = |mut detail: Value| {
            let is_kept = |name: &str| required.iter().any(|(required, _)| *required == name);
            detail.as_object_mut().unwrap().retain(|name, _| is_kept(name));
            detail
        };
        let details = (0..24).flat_map(|_| [json!([draw(), draw()]), json!([bare(draw()), draw()])]);
        let read = |details: Value| types.read(&details.to_string()).unwrap();
        (name.clone(), details.map(read).collect())
    };
    types.0.iter().map(crowd).collect()
}

#[test]
fn narrower_is_reflexive_antisymmetric_and_transitive_in_every_type() {
    let types = types();
    for (name, crowd) in crowds() {
        let mut strictly = 0;
        for a in &crowd {
            assert!(types.is_within(a, a), "{name}: {a:?}");
            for b in crowd.iter().filter(|b| types.is_within(a, b)) {
                assert!(a == b || !types.is_within(b, a), "{name}: {a:?} and {b:?}");
                strictly += usize::from(a != b);
                for c in crowd.iter().filter(|c| types.is_within(b, c)) {
                    assert!(types.is_within(a, c), "{name}: {a:?}, {b:?}, {c:?}");
                }
            }
        }
        assert!(strictly > 10, "{name}: {strictly} pairs compare");
    }
}

#[test]
fn what_is_within_a_detail_is_within_every_ceiling_of_it() {
    let types = types();
    for (name, crowd) in crowds() {
        for ceiling in &crowd {
            let mut members = ceiling.iter().next().unwrap().as_object().unwrap().clone();
            members.retain(|member, _| member == "type" || member.len() % 2 == 0);
            let ceiling = types.read_ceiling(&json!([members]).to_string()).unwrap();
            for b in crowd.iter().filter(|b| types.is_within_ceiling(b, &ceiling)) {
                for a in crowd.iter().filter(|a| types.is_within(a, b)) {
                    assert!(
                        types.is_within_ceiling(a, &ceiling),
                        "{name}: {a:?}, {b:?}, {ceiling:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_ceiling_of_a_type_alone_bounds_nothing_of_it_and_no_ceiling_gives_nothing() {
    let types = types();
    for example in examples() {
        let details = read(&example).unwrap();
        let ceiling = types.read_ceiling(&json!([{"type": example["type"]}]).to_string());
        assert!(types.is_within_ceiling(&details, &ceiling.unwrap()));
        assert!(!types.is_within_ceiling(&details, &Details::default()));
    }
}

#[test]
fn a05_a_token_request_may_ask_for_less_and_never_for_more() {
    let types = types();
    for (name, crowd) in crowds() {
        for (granted, asked) in crowd.iter().flat_map(|a| crowd.iter().map(move |b| (a, b))) {
            match types.narrowed(granted, Some(&asked.canonical())) {
                Ok(given) => assert!(given == *asked && types.is_within(&given, granted), "{name}"),
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::DetailsNotAllowed);
                    assert!(!types.is_within(asked, granted), "{name}");
                }
            }
        }
        assert_eq!(types.narrowed(&crowd[0], None).as_ref(), Ok(&crowd[0]));
    }
}

#[test]
fn one_thing_said_in_two_ways_reads_the_same() {
    let one =
        r#"[{"type":"api","resource":"https://a.example","methods":["GET","PUT","GET"],"paths":["/a/b","/a/**"]}]"#;
    let other = r#"[{"paths":["/a/**"],"methods":["PUT","GET"],"resource":"https://a.example","type":"api"},
        {"type":"api","resource":"https://a.example","methods":["GET"],"paths":["/a/b/*"]}]"#;
    assert_eq!(types().read(one), types().read(other));
    expect![[r#"[{"methods":["GET","PUT"],"paths":["/a/**"],"resource":"https://a.example","type":"api"}]"#]]
        .assert_eq(&types().read(one).unwrap().canonical());
}

#[test]
fn a_type_that_is_known_no_more_covers_nothing() {
    let deploy = read(&with("deploy", "/force", None)).unwrap();
    let fewer = Types::built_in();
    assert!(!fewer.is_within(&deploy, &deploy));
    assert!(!fewer.is_within_ceiling(&deploy, &deploy));
    assert!(
        fewer.sentence(deploy.iter().next().unwrap())[0]
            .shown()
            .contains("does not know")
    );
}

#[test]
fn each_type_says_in_plain_words_what_is_asked() {
    let mut text = String::new();
    for example in examples() {
        text += &said(&example);
        text += "\n";
    }
    expect![[r#"
        Send "GET", "PATCH" requests to "https://crm.example.com", to the paths "/v2/contacts/4711", "/v2/notes/**".
        Run "/usr/local/bin/bootstrap" "--site" "berlin-2" on "jump-1.example.com" as "bootstrap" in "/srv/bootstrap", with the program whose SHA-256 is "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", with the files "site.toml"="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", with the environment "LANG"="C".
        Deploy "v7" to "test", on at most 3 instances, by force: true, to the regions "{\"name\":\"eu\",\"zones\":[\"a\",\"b\"]}".
        Sign in by SSH as "support" on "db-3.example.com", to run "journalctl -u postgresql" and nothing else, from the address "192.0.2.7".
        Call the tool "close_ticket" of the server "https://mcp.example.com" with "reason"="solved" "ticket"=4711.
        Act as the workload "spiffe://example.com/ci/nightly", running the image "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", built from "https://git.example.com/site/app" at the commit "0123456789abcdef0123456789abcdef01234567", in the run "8231".
    "#]].assert_eq(&text);
}

#[test]
fn the_document_has_the_example_and_the_sentence_of_each_type_of_ours() {
    let document = include_str!("../../../../docs/authorization-details.md");
    let examples = document
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let examples: Vec<Value> = examples.map(|text| serde_json::from_str(text).unwrap()).collect();
    for example in self::examples().iter().filter(|example| example["type"] != "deploy") {
        assert!(examples.contains(example), "{example}");
        assert!(document.contains(&format!("> {}\n", said(example))), "{example}");
    }
    let own: Vec<_> = examples
        .iter()
        .filter(|example| example.get("x-sentence").is_some())
        .collect();
    assert_eq!(own.len(), 1);
    assert_eq!(types_with(&own[0].to_string()), Ok(()));
}

#[test]
fn a_schema_that_would_not_be_kept_is_refused() {
    let mut problems = String::new();
    for (from, to) in [
        ("\"type\": \"object\"", "\"type\": \"object\", \"oneOf\": []"),
        (
            "  \"additionalProperties\": false,\n  \"ex",
            "  \"additionalProperties\": true,\n  \"ex",
        ),
        ("\"const\": \"deploy\"", "\"const\": \"api\""),
        ("\"const\": \"deploy\"", "\"minLength\": 1"),
        ("\"x-narrower\": \"most\"", "\"x-narrower\": \"path\""),
        ("\"x-narrower\": \"most\"", "\"x-narrower\": \"least\""),
        ("\"pattern\": \"^v", "\"pattern\": \"(^v"),
        ("[, by force: {force}]", ""),
        ("[, by force: {force}]", ", by force: {force}"),
        ("[, by force: {force}]", "[, by force: {force}"),
        ("{version}", "{versions}"),
        ("Deploy ", "Deploy\u{202e} "),
        ("\"x-sentence\"", "\"sentence\""),
        ("{", "["),
    ] {
        assert!(DEPLOY.contains(from), "{from}");
        let problem = types_with(&DEPLOY.replacen(from, to, 1)).unwrap_err();
        problems += &format!("{problem}\n");
    }
    problems += &types().add(DEPLOY).unwrap_err();
    expect![[r#"
        unknown field `oneOf`, expected one of `type`, `const`, `enum`, `pattern`, `minLength`, `maxLength`, `minimum`, `maximum`, `items`, `minItems`, `maxItems`, `properties`, `required`, `additionalProperties`, `propertyNames`, `maxProperties`, `x-narrower`, `title`, `description`
        the schema is no object with additionalProperties false
        there is a type of this name already
        properties.type.const has to be the type's name
        x-narrower does not fit the type beside it
        unknown variant `least`, expected one of `same`, `subset`, `most`, `path`
        found open group without closing ')'
        x-sentence has to name every member but type, those that are not required in brackets
        x-sentence has to name every member but type, those that are not required in brackets
        x-sentence has a bracket without its other half
        x-sentence has to name every member but type, those that are not required in brackets
        x-sentence has a character that cannot be seen, or passes for another
        x-sentence is missing: what people read
        it is not JSON
        there is a type of this name already"#]].assert_eq(&problems);
}

fn types_with(text: &str) -> Result<(), String> {
    Types::built_in().add(text)
}
