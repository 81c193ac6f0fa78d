//! A key as six words, for a person who compares what two screens show. 48 bits: enough against a key made
//! to look alike within the life of a request; the thumbprint itself is what is bound. The list may never
//! change: words written down yesterday must be the words shown tomorrow.

use sha2::{Digest as _, Sha256};

/// 256 words, one a line.
const WORDS: &str = include_str!("key_words.txt");

/// The six words of a thumbprint, joined by spaces.
pub fn of(thumbprint: &str) -> String {
    let digest = Sha256::digest(format!("waypass-key-words/1:{thumbprint}"));
    let words: Vec<&str> = WORDS.lines().collect();
    let six = digest
        .iter()
        .take(6)
        .filter_map(|&byte| words.get(usize::from(byte)).copied());
    six.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_words_are_256_distinct_short_and_plain() {
        let words: BTreeSet<_> = WORDS.lines().collect();
        assert_eq!((words.len(), WORDS.lines().count()), (256, 256));
        for word in words {
            let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!((4..=6).contains(&word.len()) && is_plain, "{word}");
        }
    }

    #[test]
    fn no_two_words_differ_by_one_letter() {
        let words: Vec<_> = WORDS.lines().map(str::as_bytes).collect();
        for (position, one) in words.iter().enumerate() {
            for other in &words[..position] {
                assert!(distance_exceeds_one(one, other), "{one:?} {other:?}");
            }
        }
    }

    /// Without their common start and end, words one edit apart have at most one letter left each.
    fn distance_exceeds_one(one: &[u8], other: &[u8]) -> bool {
        let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        let (one, other) = (&one[start..], &other[start..]);
        let end = one
            .iter()
            .rev()
            .zip(other.iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
        one.len().max(other.len()) - end > 1
    }

    #[test]
    fn the_words_of_one_thumbprint_never_change() {
        assert_eq!(
            of("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
            "spiral arrow needle recipe brush anchor"
        );
        assert_eq!(of("").split(' ').count(), 6);
    }
}
