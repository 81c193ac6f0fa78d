//! Secrets: shown once, stored as a digest, never printed. None of these types has `Display`, `Debug`
//! or `Serialize`; the one way to the text is `reveal`, so that every place that shows a secret can be
//! found by that word.

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::base64url;
use crate::digest::Digest;

/// 256 bits of chance, drawn by the caller (`server/entropy.rs`, `cli/entropy.rs`).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy(pub [u8; 32]);

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that was presented. Any text is taken: an unknown one is found out by its digest.
            pub fn presented(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The secret itself, for the one answer or file that carries it.
            pub fn reveal(&self) -> &str {
                &self.0
            }

            /// What is stored and looked up.
            pub fn digest(&self) -> Digest {
                Digest::of(self.0.as_bytes())
            }
        }
    };
}

secret! {
    /// RFC 8628 §3.2. 256 bits, base64url (§5.2 asks for very high entropy).
    DeviceCode
}
secret! {
    /// RFC 6749 §1.5. `wpr_`, 43 characters of chance, six of checksum.
    RefreshToken
}
secret! {
    /// Opens the page (or the terminal call) on which an approver's first key is registered. One use.
    EnrollmentToken
}
secret! {
    /// The cookie of a signed-in approver's browser session.
    SessionToken
}
secret! {
    /// RFC 6749 §2.3.1. Chosen by whoever registered the client.
    ClientSecret
}

secret! {
    /// RFC 10027 §6.1.16: six digits that go from the page to the device that asks.
    ConfirmationDigits
}

impl DeviceCode {
    pub fn new(entropy: &Entropy) -> Self {
        Self(base64url::encode(&entropy.0))
    }
}

impl EnrollmentToken {
    pub fn new(entropy: &Entropy) -> Self {
        Self(base64url::encode(&entropy.0))
    }
}

impl ConfirmationDigits {
    const VALUES: u32 = 1_000_000;
    /// Numbers from here on would make some digits likelier than others.
    const FAIR: u32 = u32::MAX - u32::MAX % Self::VALUES;

    /// From 32 bits, all digits equally likely; None for the few numbers that would spoil it: draw again.
    pub fn from_number(number: u32) -> Option<Self> {
        (number < Self::FAIR).then(|| Self(format!("{:06}", number % Self::VALUES)))
    }

    /// As a person typed them: spaces and dashes do not count.
    pub fn typed(text: &str) -> Self {
        Self(text.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect())
    }
}

impl SessionToken {
    pub fn new(entropy: &Entropy) -> Self {
        Self(base64url::encode(&entropy.0))
    }
}

impl RefreshToken {
    /// The prefix by which secret scanners and people know one of ours.
    pub const PREFIX: &'static str = "wpr_";
    const CHECKSUM_LENGTH: usize = 6;

    pub fn new(entropy: &Entropy) -> Self {
        let body = format!("{}{}", Self::PREFIX, base64url::encode(&entropy.0));
        let checksum = Self::checksum(&body);
        Self(body + &checksum)
    }

    /// Whether the text can be one of ours at all. A scanner needs no server for this, and the server
    /// needs no database to refuse a mistyped token.
    pub fn is_well_formed(&self) -> bool {
        let Some(end) = self.0.len().checked_sub(Self::CHECKSUM_LENGTH) else {
            return false;
        };
        match (self.0.get(..end), self.0.get(end..)) {
            (Some(body), Some(checksum)) => body.starts_with(Self::PREFIX) && Self::checksum(body) == checksum,
            _ => false,
        }
    }

    fn checksum(body: &str) -> String {
        let mut text = base64url::encode(&Sha256::digest(body));
        text.truncate(Self::CHECKSUM_LENGTH);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_knows_its_own_typing_errors() {
        let token = RefreshToken::new(&Entropy([7; 32]));
        assert!(token.is_well_formed());
        assert!(token.reveal().starts_with("wpr_"));
        for position in 0..token.reveal().len() {
            let mut text = token.reveal().to_owned().into_bytes();
            text[position] = if text[position] == b'x' { b'y' } else { b'x' };
            let text = String::from_utf8(text).unwrap();
            assert!(!RefreshToken::presented(text).is_well_formed(), "position {position}");
        }
    }

    #[test]
    fn x16_digits_are_six_all_equally_likely_and_typed_as_people_do() {
        let digits = |number| ConfirmationDigits::from_number(number).map(|digits| digits.reveal().to_owned());
        assert_eq!(digits(7).as_deref(), Some("000007"));
        assert_eq!(digits(4_293_999_999).as_deref(), Some("999999"));
        assert_eq!(digits(4_294_000_000), None, "4294 of each, and no more");
        assert_eq!(digits(u32::MAX), None);
        assert_eq!(ConfirmationDigits::typed(" 123-4 56").reveal(), "123456");
        assert_eq!(
            ConfirmationDigits::typed("12345\u{0666}").reveal(),
            "12345\u{0666}",
            "no other digits"
        );
    }

    #[test]
    fn short_and_multi_byte_texts_are_not_refresh_tokens() {
        for text in ["", "wpr_", "é", "ééé", "wpr_ééééééééé", "\u{1F511}\u{1F511}"] {
            assert!(!RefreshToken::presented(text).is_well_formed(), "{text:?}");
        }
    }
}
