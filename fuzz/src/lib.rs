//! What is fuzzed, as plain functions: what has to hold of any bytes whatever. No target writes or waits.

use std::sync::LazyLock;

use protocol::details::{Details, Types};
use serde_json::{Value, json};

static TYPES: LazyLock<Types> = LazyLock::new(Types::built_in);

/// The members of one detail of this type; any text that is no object is tried as the whole parameter.
pub fn detail(name: &str, bytes: &[u8]) {
    let text = match serde_json::from_slice(bytes) {
        Ok(Value::Object(mut members)) => {
            members.insert("type".to_owned(), json!(name));
            json!([members]).to_string()
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    if let Ok(details) = TYPES.read(&text) {
        must_hold(&TYPES, &details);
    }
    let _ = TYPES.read_ceiling(&text);
}

/// A schema, and a detail out of its own examples.
pub fn own_type(bytes: &[u8]) {
    let mut types = TYPES.clone();
    let text = String::from_utf8_lossy(bytes);
    if types.add(&text).is_err() {
        return;
    }
    let document: Value = serde_json::from_str(&text).expect("a schema that was read is JSON");
    if let Ok(details) = types.read(&document["examples"].to_string()) {
        must_hold(&types, &details);
    }
}

/// What was read is in its one spelling, is within itself and the ceiling of its types, and can be said.
fn must_hold(types: &Types, details: &Details) {
    let again = types.read(&details.canonical());
    assert_eq!(again.as_ref(), Ok(details), "it reads as what it is");
    assert!(types.is_within(details, details), "it is within itself: {details:?}");
    assert_eq!(
        types.narrowed(details, Some(&details.canonical())).as_ref(),
        Ok(details)
    );
    let ceiling: Vec<Value> = details.types().iter().map(|name| json!({ "type": name })).collect();
    let ceiling = types
        .read_ceiling(&json!(ceiling).to_string())
        .expect("types that are known");
    assert!(types.is_within_ceiling(details, &ceiling));
    for part in details.iter().flat_map(|detail| types.sentence(detail)) {
        let shown = part.shown();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}
