//! What A08 is tested with, in this crate, on the server's pages and in the terminal: one text after another of
//! a detail replaced by one that would act.

use serde_json::{Value, json};

/// Each acts on a terminal or a page, hides, or passes for something else.
pub const HOSTILE: [&str; 12] = [
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
pub fn poisoned(value: &Value, poison: &str) -> Vec<Value> {
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
