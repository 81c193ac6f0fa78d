//! The page says each detail in plain words, and exactly on request; nothing in it acts (A04, A08).

use askama::Template as _;
use protocol::details::{self, Types};
use protocol::wire::approver::{RequestView, ShownDetail};
use serde_json::{Value, json};

use super::super::outline::tags;
use super::super::samples;
use crate::tests::poisoned;

fn examples() -> Vec<Value> {
    let metadata = Types::built_in().metadata();
    let known = metadata.as_object().unwrap().values();
    known.map(|known| known["schema"]["examples"][0].clone()).collect()
}

fn page(detail: &Value) -> String {
    let shown = ShownDetail {
        sentence: Types::built_in().sentence(detail),
        canonical: details::canonical(detail),
    };
    let view = RequestView {
        authorization_details: vec![shown],
        ..samples::view()
    };
    samples::decide(&view).render().unwrap()
}

#[test]
fn a04_each_type_is_said_in_plain_words_and_exactly_beside_the_scopes() {
    let html = samples::decide(&samples::details_view()).render().unwrap();
    for words in [
        "<bdi>read</bdi>",
        "Run ",
        "Call the tool ",
        "Send ",
        "Sign in by SSH as ",
        "Act as the workload ",
    ] {
        assert!(html.contains(words), "{words}");
    }
    for example in examples() {
        let exactly = details::canonical(&example).replace('"', "&#34;");
        assert!(html.contains(&exactly), "{exactly}");
    }
}

#[test]
fn a08_no_text_of_any_field_of_any_type_acts_on_the_page() {
    let mut count = 0;
    for (example, poison) in examples()
        .iter()
        .flat_map(|example| poisoned::HOSTILE.map(|poison| (example, poison)))
    {
        for detail in poisoned::poisoned(example, poison) {
            if Types::built_in().read(&json!([detail]).to_string()).is_err() {
                continue;
            }
            count += 1;
            let html = page(&detail);
            let acts = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{ad}' | '\u{430}' | '\u{3164}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0041}')
            };
            assert!(!html.contains(acts), "{detail}");
            assert!(!tags(&html).iter().any(|tag| tag.contains("alert(1)")), "{detail}");
        }
    }
    assert!(count > 200, "{count}");
}
