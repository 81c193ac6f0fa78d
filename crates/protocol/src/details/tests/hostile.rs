//! A08: whatever is written into whichever field of whichever type, people read it and it does nothing.

use super::*;

const HOSTILE: [&str; 12] = [
    "\u{1b}[2J\u{1b}]0;gone\u{7}",
    "a\r\nb\tc\u{7f}\u{9b}1m\u{0}",
    "\u{202e}drawkcab\u{2066}",
    "zero\u{200b}width\u{feff}\u{2060}",
    "p\u{430}yp\u{430}l",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "x\" as \"root",
    "x\u{201d} as \u{201c}root",
    "x\u{2033} as \u{2ba}root\u{301e}",
    "tag\u{e0041}\u{ad}\u{3164}",
    "<U+202E> \\u{202e} \\",
];

/// The detail with one text after another replaced, names of members too.
fn poisoned(value: &Value, poison: &str) -> Vec<Value> {
    match value {
        Value::String(_) => vec![json!(poison)],
        Value::Array(items) => (0..items.len())
            .flat_map(|place| {
                let with = move |item| {
                    let mut items = items.clone();
                    items[place] = item;
                    Value::from(items)
                };
                poisoned(&items[place], poison).into_iter().map(with)
            })
            .collect(),
        Value::Object(members) => {
            let values = members.iter().flat_map(|(name, member)| {
                let with = move |member| {
                    let mut members = members.clone();
                    members.insert(name.clone(), member);
                    Value::from(members)
                };
                poisoned(member, poison).into_iter().map(with)
            });
            let names = members.iter().map(|(name, member)| {
                let mut members = members.clone();
                members.remove(name);
                members.insert(poison.to_owned(), member.clone());
                Value::from(members)
            });
            values.chain(names).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a08_no_text_of_any_field_acts_or_leaves_its_quotation_marks() {
    let types = types();
    let (mut accepted, mut refused) = (0, 0);
    for (example, poison) in examples()
        .iter()
        .flat_map(|example| HOSTILE.map(|poison| (example, poison)))
    {
        for detail in poisoned(example, poison) {
            let Ok(details) = read(&detail) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            for part in details.iter().flat_map(|detail| types.sentence(detail)) {
                must_be_harmless(&part);
            }
        }
    }
    assert!(accepted > 200 && refused > 200, "{accepted} and {refused}");
}

fn must_be_harmless(part: &Part) {
    let shown = part.shown();
    let acts = |c: char| c.is_control() || !c.is_ascii();
    assert!(!shown.contains(acts), "{shown}");
    if let Part::Value(_) = part {
        let inner = shown.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        assert!(!inner.replace("\\\\", "").replace("\\\"", "").contains('"'), "{shown}");
    }
}
