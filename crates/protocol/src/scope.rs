//! Scopes: grammar, subset, narrowing. RFC 6749 §3.3.

use std::collections::BTreeSet;
use std::fmt;

use crate::refusal::Refusal;

/// A set of scope tokens. Prints space-separated, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// Longest scope text that is read; a bound on what one request can make us keep.
    const LONGEST: usize = 2048;

    /// Reads `scope-token *( SP scope-token )`. Forgives repeated spaces, nothing else.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > Self::LONGEST {
            return Err(Refusal::ScopeMalformed);
        }
        let tokens: BTreeSet<String> = text
            .split(' ')
            .filter(|token| !token.is_empty())
            .map(str::to_owned)
            .collect();
        if tokens.iter().all(|token| token.bytes().all(is_scope_byte)) {
            Ok(Self(tokens))
        } else {
            Err(Refusal::ScopeMalformed)
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    pub fn is_within(&self, ceiling: &Self) -> bool {
        self.0.is_subset(&ceiling.0)
    }

    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    pub fn without(&self, token: &str) -> Self {
        Self(self.0.iter().filter(|&own| own != token).cloned().collect())
    }

    /// What is asked for within this, or all of it where nothing is asked (RFC 6749 §6).
    pub fn narrowed(&self, asked: Option<&str>) -> Result<Self, Refusal> {
        let Some(asked) = asked else { return Ok(self.clone()) };
        let asked = Self::parse(asked)?;
        if asked.is_within(self) {
            Ok(asked)
        } else {
            Err(Refusal::ScopeNotAllowed)
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, token) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

/// NQCHAR of RFC 6749 appendix A.
fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_prints_sorted_and_each_token_once() {
        assert_eq!(Scope::parse("read  openid read").unwrap().to_string(), "openid read");
        assert!(Scope::parse("").unwrap().is_empty());
    }

    #[test]
    fn a_scope_outside_the_grammar_is_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "é", "a\u{7f}", &"a".repeat(3000)] {
            assert_eq!(Scope::parse(text), Err(Refusal::ScopeMalformed), "{text:?}");
        }
    }
}
