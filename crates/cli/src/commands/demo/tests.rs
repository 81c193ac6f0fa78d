use serde_json::json;

use super::*;

#[test]
fn claims_are_shown_with_the_key_they_are_bound_to_and_nothing_that_commands_a_terminal() {
    let Value::Object(claims) = json!({"scope": "a b", "cnf": {"jkt": "0ZcO"}, "sub": "x\u{1b}[2J\ny"}) else {
        panic!("an object");
    };
    let lines = pretty(claims);
    for line in ["{", "  \"scope\": \"a b\",", "    \"jkt\": \"0ZcO\"", "}"] {
        assert!(lines.iter().any(|shown| shown == line), "{line} in {lines:?}");
    }
    assert!(lines.iter().any(|line| line.contains("cnf")), "{lines:?}");
    let hostile = |character: char| character.is_control();
    assert!(!lines.iter().any(|line| line.contains(hostile)), "{lines:?}");
}
