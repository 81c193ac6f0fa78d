//! A08: whatever is written into whichever field of whichever type, people read it and it does nothing.

use super::poisoned::{HOSTILE, poisoned};
use super::*;

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
