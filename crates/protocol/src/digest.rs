//! SHA-256 digests and canonical JSON (RFC 8785). What is signed or stored by digest goes through here,
//! never through a map's own order: another crate in the build may switch that order on and off.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::base64url;

/// A SHA-256 digest as base64url text, the form in which it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(base64url::encode(&Sha256::digest(bytes)))
    }

    /// Reads back what was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Equality that takes the same time wherever the two differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// Why a value has no canonical form here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCanonical {
    /// A number that is no integer of at most 53 bits. RFC 8785 §3.2.2.3 would allow doubles; nothing
    /// we sign needs one, and two programs may print one differently.
    Number,
}

/// RFC 8785: members sorted by UTF-16 code units, no white space, the shortest escapes.
pub fn canonical_json(value: &Value) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write_value(value, &mut text)?;
    Ok(text)
}

fn write_value(value: &Value, out: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_integer(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (position, (name, member)) in members.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_value(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// The largest integer that every JSON reader keeps exactly: 2^53 - 1.
const LARGEST_INTEGER: i64 = 9_007_199_254_740_991;

fn write_integer(number: &serde_json::Number, out: &mut String) -> Result<(), NotCanonical> {
    let integer = number.as_i64().ok_or(NotCanonical::Number)?;
    if !(-LARGEST_INTEGER..=LARGEST_INTEGER).contains(&integer) {
        return Err(NotCanonical::Number);
    }
    out.push_str(&integer.to_string());
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Of bytes, in lower case: as people and build tools write a SHA-256.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 8785 §3.2.3.
    #[test]
    fn rfc8785_3_2_3_members_sort_by_utf16_code_units() {
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let text = canonical_json(&value).unwrap();
        let order: Vec<_> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
            .iter()
            .map(|word| text.find(word).unwrap())
            .collect();
        assert!(order.is_sorted(), "{text}");
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        let text = canonical_json(&json!({"a": "\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}"})).unwrap();
        assert_eq!(text, "{\"a\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"}");
    }

    #[test]
    fn a_number_that_programs_print_differently_has_no_canonical_form() {
        for value in [json!(1.5), json!(9_007_199_254_740_992_i64), json!(u64::MAX)] {
            assert_eq!(canonical_json(&value), Err(NotCanonical::Number));
        }
        assert_eq!(
            canonical_json(&json!([0, -1, 9_007_199_254_740_991_i64])).unwrap(),
            "[0,-1,9007199254740991]"
        );
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_insertion() {
        let one: Value = serde_json::from_str(r#"{"b":1,"a":{"d":2,"c":[]}}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":{"c":[],"d":2},"b":1}"#).unwrap();
        assert_eq!(canonical_json(&one), canonical_json(&two));
    }
}
