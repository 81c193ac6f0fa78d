//! Binding data (RFC 10027 §6.1.17): what a person typed where the request was started and types again where
//! it is approved. Kept as a keyed digest only, since it is short: `server` has the key.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// In its one form: `SN-12 345` and `sn-12345` are the same.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct BindingData(String);

impl BindingData {
    const LEAST: usize = 4;
    const MOST: usize = 64;

    /// 4 to 64 printable ASCII characters; white space is left out and case does not count. Other letters
    /// are refused, since two keyboards write one of them in two ways.
    pub fn parse(text: &str) -> Option<Self> {
        let plain: String = text
            .chars()
            .filter(|letter| !letter.is_ascii_whitespace())
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        let data = Self(plain);
        let fits = (Self::LEAST..=Self::MOST).contains(&data.0.len());
        let is_printable = data.0.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && is_printable).then_some(data)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        BindingData::parse(text).map(|data| data.reveal().to_owned())
    }

    #[test]
    fn x17_binding_data_has_one_form_however_it_is_typed() {
        for text in ["SN-12345", "sn-12345", " SN-12 345\t"] {
            assert_eq!(parsed(text).as_deref(), Some("sn-12345"), "{text:?}");
        }
        assert_eq!(parsed(&"a".repeat(64)), Some("a".repeat(64)));
    }

    #[test]
    fn x17_what_is_too_short_too_long_or_not_printable_is_none() {
        for text in [
            "",
            "   ",
            "abc",
            " a b c ",
            "abc\u{0}d",
            "caf\u{e9}s",
            "\u{202e}abcd",
            &"a".repeat(65),
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
