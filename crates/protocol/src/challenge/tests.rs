use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::time::Lifetime;

fn read(field: &str) -> String {
    let Some(challenges) = parse(field) else {
        return "nothing".to_owned();
    };
    let told = challenges.iter().map(|challenge| {
        let parameters = challenge.parameters.iter();
        let parameters = parameters.map(|(name, value)| format!("{name}={value:?}"));
        let token = challenge.token68.iter().cloned();
        let all: Vec<String> = token.chain(parameters).collect();
        format!("{}({})", challenge.scheme, all.join(" "))
    });
    told.collect::<Vec<_>>().join(" | ")
}

#[test]
fn a20_the_grammar_of_challenges() {
    let fields = [
        "",
        " , ,",
        "Basic",
        "Basic realm=\"simple\"",
        "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
        "Negotiate, DPoP algs=\"ES256\"",
        "Negotiate abc==, Bearer",
        "Negotiate abc== , Bearer error=\"x\"",
        "BEARER Error = x ,\tMax_Age\t=\t5",
        "Bearer ,a=1",
        "Bearer a=1,,b=2",
        "Bearer a=\"1, Basic b=2\", c=3",
        "Bearer a=\"\"",
        "Bearer é",
        "Bearer a=1 b=2",
        "Bearer a=1, a=2",
        "Bearer a=1, A=2",
        "Bearer a=\"1",
        "Bearer a=\"1\\",
        "Bearer a=\"\u{7}\"",
        "Bearer a=\"é\"",
        "Bearer a=",
        "Bearer\ta=1",
        "Bearer a==b",
        "=1",
        "Bearer a=1;b=2",
    ];
    let table: Vec<String> = fields
        .iter()
        .map(|field| format!("{field:?} -> {}\n", read(field)))
        .collect();
    let table = table.concat();
    expect![[r#"
        "" -> 
        " , ," -> 
        "Basic" -> basic()
        "Basic realm=\"simple\"" -> basic(realm="simple")
        "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"" -> newauth(realm="apps" type="1" title="Login to \"apps\"") | basic(realm="simple")
        "Negotiate, DPoP algs=\"ES256\"" -> negotiate() | dpop(algs="ES256")
        "Negotiate abc==, Bearer" -> negotiate(abc==) | bearer()
        "Negotiate abc== , Bearer error=\"x\"" -> negotiate(abc==) | bearer(error="x")
        "BEARER Error = x ,\tMax_Age\t=\t5" -> bearer(error="x" max_age="5")
        "Bearer ,a=1" -> nothing
        "Bearer a=1,,b=2" -> bearer(a="1" b="2")
        "Bearer a=\"1, Basic b=2\", c=3" -> bearer(a="1, Basic b=2" c="3")
        "Bearer a=\"\"" -> bearer(a="")
        "Bearer é" -> nothing
        "Bearer a=1 b=2" -> nothing
        "Bearer a=1, a=2" -> nothing
        "Bearer a=1, A=2" -> nothing
        "Bearer a=\"1" -> nothing
        "Bearer a=\"1\\" -> nothing
        "Bearer a=\"\u{7}\"" -> nothing
        "Bearer a=\"é\"" -> bearer(a="é")
        "Bearer a=" -> bearer(a=)
        "Bearer\ta=1" -> nothing
        "Bearer a==b" -> nothing
        "=1" -> nothing
        "Bearer a=1;b=2" -> nothing
    "#]].assert_eq(&table);
}

#[test]
fn a20_only_a_demand_of_this_kind_for_tokens_of_our_kinds_starts_a_step_up() {
    const ASKED: &str = "error=\"insufficient_user_authentication\"";
    let demands = |acr_values: &[&str], max_age: Option<i64>| {
        Some(Demands {
            acr_values: acr_values.iter().map(|&value| value.to_owned()).collect(),
            max_age: max_age.map(Lifetime::from_seconds),
        })
    };
    for (fields, expected) in [
        (
            vec![format!(
                "Bearer {ASKED}, error_description=\"more\", acr_values=\"phrh phr\""
            )],
            demands(&["phrh", "phr"], None),
        ),
        (
            vec![
                "Basic realm=\"x\"".to_owned(),
                format!("DPoP algs=\"ES256\", {ASKED}, max_age=\"5\""),
            ],
            demands(&[], Some(5)),
        ),
        (vec![format!("dpop {ASKED}")], demands(&[], None)),
        (vec![format!("Basic {ASKED}, max_age=5")], None),
        (vec!["Bearer error=\"invalid_token\", max_age=5".to_owned()], None),
        (vec![format!("Bearer {ASKED}, max_age=-5")], None),
        (vec![format!("Bearer {ASKED}, max_age=5, max_age=6")], None),
        (
            vec![format!("Bearer {ASKED}, acr_values=\"{}\"", "a".repeat(200))],
            None,
        ),
        (vec![format!("Bearer {ASKED}, x=\"{}\"", "a".repeat(9000))], None),
        (vec![], None),
    ] {
        assert_eq!(step_up(fields.iter().map(String::as_str)), expected, "{fields:?}");
    }
}

/// Written out as it was read, it reads the same.
fn written(challenges: &[Challenge]) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let one = |challenge: &Challenge| {
        let parameters = challenge.parameters.iter();
        let parameters = parameters.map(|(name, value)| format!("{name}=\"{}\"", quoted(value)));
        let all: Vec<String> = challenge.token68.iter().cloned().chain(parameters).collect();
        format!("{} {}", challenge.scheme, all.join(", ")).trim_end().to_owned()
    };
    challenges.iter().map(one).collect::<Vec<_>>().join(", ")
}

proptest! {
    #[test]
    fn a20_no_header_makes_the_parser_panic(field in "(?s).{0,200}") {
        let _ = step_up([field.as_str()]);
    }

    #[test]
    fn a20_what_is_read_and_written_reads_the_same(field in "[aB=,\" \\\\\\t/;]{0,24}") {
        if let Some(challenges) = parse(&field) {
            prop_assert_eq!(parse(&written(&challenges)), Some(challenges), "{:?}", field);
        }
    }

    /// Whatever stands inside of quotation marks stays one value.
    #[test]
    fn a20_no_value_becomes_a_parameter(value in "[ -~]{0,60}") {
        let field = format!("Bearer x=\"{}\", y=1", value.replace('\\', "\\\\").replace('"', "\\\""));
        let challenges = parse(&field).unwrap();
        prop_assert_eq!(challenges.len(), 1);
        prop_assert_eq!(challenges[0].parameter("x"), Some(value.as_str()));
        prop_assert_eq!(challenges[0].parameters.len(), 2);
    }
}
