//! The code that a person types. RFC 8628 §6.1: the 20 consonants that spell no words and are hard to
//! confuse; eight of them are 34.5 bits, which together with the guess limits is RFC 8628 §5.1's example.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret::Entropy;

const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// Eight letters of the alphabet. No `Debug`: a code that is still open is a secret.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct UserCode(String);

impl UserCode {
    /// Draws a code. Bytes that would favour some letters (240 and above) are skipped; `None` when the
    /// 32 bytes held too few others (once in about 10^21 draws): the caller draws again.
    pub fn draw(entropy: &Entropy) -> Option<Self> {
        let text: String = entropy
            .0
            .iter()
            .filter(|&&byte| byte < 240)
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 20)))
            .map(|&letter| char::from(letter))
            .take(LENGTH)
            .collect();
        (text.len() == LENGTH).then_some(Self(text))
    }

    /// Reads what a person typed: any case, dashes, dots and spaces ignored, look-alikes mapped
    /// (RFC 8628 §6.1). `None` when it cannot be a code; the page says the same as for an unknown one.
    pub fn parse(typed: &str) -> Option<Self> {
        // Longer than any decorated code: refused before any work is done on it.
        if typed.len() > 128 {
            return None;
        }
        let mut text = String::with_capacity(LENGTH);
        for character in typed.chars() {
            if is_decoration(character) {
                continue;
            }
            let letter = look_alike(character)?;
            if text.len() == LENGTH {
                return None;
            }
            text.push(letter);
        }
        (text.len() == LENGTH).then_some(Self(text))
    }

    /// `WDJB-MJHT`, as it is shown.
    pub fn reveal(&self) -> String {
        let (left, right) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{left}-{right}")
    }

    /// The eight letters, for the keyed digest under which the code is stored.
    pub fn canonical(&self) -> &str {
        &self.0
    }
}

fn is_decoration(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '-' | '.' | '_' | ':' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200b}'..='\u{200d}')
}

/// The letter that a person meant. Digits and letters outside the alphabet map where only one letter
/// looks like them; Cyrillic, Greek and full-width capitals arrive from other keyboards.
fn look_alike(character: char) -> Option<char> {
    let upper = match character {
        // Full-width forms sit at a fixed distance from ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0)?.to_ascii_uppercase(),
        other => other.to_uppercase().next()?,
    };
    let letter = match upper {
        '8' | 'В' | 'Β' => 'B',
        'С' => 'C',
        '6' => 'G',
        'Н' | 'Η' => 'H',
        'Ј' => 'J',
        'К' | 'Κ' => 'K',
        '1' | 'I' => 'L',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'Р' | 'Ρ' => 'P',
        '5' | 'Ѕ' => 'S',
        '7' | 'Т' | 'Τ' => 'T',
        'U' => 'V',
        'Х' | 'Χ' => 'X',
        '2' | 'Ζ' => 'Z',
        other => other,
    };
    let is_ours = letter.is_ascii() && ALPHABET.contains(&u8::try_from(letter).ok()?);
    is_ours.then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(typed: &str) -> Option<String> {
        UserCode::parse(typed).map(|code| code.canonical().to_owned())
    }

    #[test]
    fn d36_every_way_of_typing_one_code_is_that_code() {
        for typed in [
            "WDJB-MJHT",
            "wdjb mjht",
            "wdjbmjht",
            " w.d.j.b_m:j h t ",
            "WDJB\u{2013}MJHT",
            "ｗｄｊｂｍｊｈｔ",
        ] {
            assert_eq!(parsed(typed).as_deref(), Some("WDJBMJHT"), "{typed:?}");
        }
        assert_eq!(
            parsed("В5С2-6НКМ").as_deref(),
            Some("BSCZGHKM"),
            "digits and Cyrillic look-alikes"
        );
    }

    #[test]
    fn d36_what_cannot_be_a_code_is_not_one() {
        for typed in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTT",
            "WDJB-MJHA",
            "WDJB-MJH0",
            "\u{1F600}",
            "é",
            &"W".repeat(10_000),
        ] {
            assert!(parsed(typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        // Each byte value once: bytes under 240 hit each letter exactly twelve times.
        let mut counts = [0_u32; 20];
        for byte in 0..=255_u8 {
            if let Some(code) = UserCode::draw(&Entropy([byte; 32])) {
                let letter = code.canonical().as_bytes()[0];
                counts[ALPHABET.iter().position(|&a| a == letter).unwrap()] += 1;
            }
        }
        assert_eq!(counts, [12; 20]);
    }

    #[test]
    fn a_draw_that_holds_too_few_fair_bytes_is_drawn_again() {
        assert!(UserCode::draw(&Entropy([255; 32])).is_none());
        let mut bytes = [255; 32];
        bytes[24..].fill(0);
        assert_eq!(
            UserCode::draw(&Entropy(bytes)).map(|code| code.reveal()).as_deref(),
            Some("BBBB-BBBB")
        );
    }
}
