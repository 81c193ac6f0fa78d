//! What comes with a request that goes to its approver by itself. OpenID CIBA Core §7.1, with two extensions: no
//! hint means the owner of the instance that asks, and without the scope `openid` there is no ID token.

use crate::refusal::Refusal;
use crate::time::Lifetime;

pub const LOGIN_HINT: &str = "login_hint";
pub const BINDING_MESSAGE: &str = "binding_message";
pub const REQUESTED_EXPIRY: &str = "requested_expiry";
/// Hints and secrets of CIBA that are not taken here: each is refused by its name, never ignored.
pub const NOT_TAKEN: [&str; 4] = ["login_hint_token", "id_token_hint", "user_code", "request"];

/// What fits on a small screen, and is read before it is believed.
const LONGEST_MESSAGE: usize = 100;
/// As a group is named in a hint: `group:on-call`.
const GROUP: &str = "group:";

/// Who is asked, in the words of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint<'a> {
    Approver(&'a str),
    Group(&'a str),
}

impl<'a> Hint<'a> {
    pub fn parse(text: &'a str) -> Self {
        match text.strip_prefix(GROUP) {
            Some(group) => Self::Group(group),
            None => Self::Approver(text),
        }
    }
}

/// I04: in visible characters, so that what is compared by eye is the same on both sides.
pub fn binding_message(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let is_plain = |letter: char| letter.is_alphanumeric() || letter.is_ascii_punctuation() || letter == ' ';
    if text.trim().is_empty() || text.chars().count() > LONGEST_MESSAGE || !text.chars().all(is_plain) {
        return Err(Refusal::BindingMessageInvalid);
    }
    Ok(Some(text.to_owned()))
}

/// A positive number of seconds, which shortens the server's own time and never lengthens it.
pub fn requested_expiry(text: Option<&str>) -> Result<Option<Lifetime>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse::<i64>().ok().filter(|&seconds| is_number && seconds > 0);
    let seconds = seconds.ok_or(Refusal::BackchannelParameterInvalid)?;
    Ok(Some(Lifetime::from_seconds(seconds.min(86_400))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i01_a_hint_names_an_approver_or_a_group() {
        assert_eq!(Hint::parse("alice"), Hint::Approver("alice"));
        assert_eq!(Hint::parse("group:on call"), Hint::Group("on call"));
        assert_eq!(Hint::parse("Group:x"), Hint::Approver("Group:x"));
    }

    #[test]
    fn i04_a_binding_message_is_short_and_visible() {
        for good in ["bright harbour", "W4SCT", "déploiement 12", "a".repeat(100).as_str()] {
            assert_eq!(binding_message(Some(good)), Ok(Some(good.to_owned())));
        }
        for bad in [
            "",
            "  ",
            "two\nlines",
            "\u{202e}evil",
            "\u{1b}[2J",
            "zero\u{200b}width",
            &"a".repeat(101),
        ] {
            assert_eq!(
                binding_message(Some(bad)),
                Err(Refusal::BindingMessageInvalid),
                "{bad:?}"
            );
        }
        assert_eq!(binding_message(None), Ok(None));
    }

    #[test]
    fn i01_a_requested_expiry_is_a_positive_number() {
        assert_eq!(requested_expiry(Some("120")), Ok(Some(Lifetime::from_seconds(120))));
        assert_eq!(requested_expiry(None), Ok(None));
        for bad in ["0", "-1", "+5", "1.5", "", "99999999999999999999", "ten"] {
            assert_eq!(
                requested_expiry(Some(bad)),
                Err(Refusal::BackchannelParameterInvalid),
                "{bad:?}"
            );
        }
    }
}
