//! The form in which two `htu` are compared: "Syntax-Based Normalization and Scheme-Based Normalization"
//! (RFC 9449 §4.3, RFC 3986 §6.2.2 and §6.2.3), without query and fragment.

use url::Url;

const LONGEST: usize = 2048;

/// `None` for anything but a plain absolute `http` or `https` URI.
pub(super) fn normal(text: &str) -> Option<String> {
    // The parser is a browser's: it drops line breaks and turns backslashes around. A URI has neither.
    let is_uri_text = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if text.len() > LONGEST || !is_uri_text {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if !is_plain {
        return None;
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str()?;
    Some(format!("{}://{host}{port}{}", url.scheme(), normal_path(url.path())))
}

/// Percent-encoded unreserved characters are decoded, the other encodings written in capitals.
fn normal_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        normal.push_str(plain);
        rest = encoded;
        match hex_byte(encoded) {
            Some((byte, after)) if is_unreserved(byte) => {
                normal.push(char::from(byte));
                rest = after;
            }
            Some((_, after)) => {
                normal.push('%');
                normal.extend(encoded.chars().take(2).map(|digit| digit.to_ascii_uppercase()));
                rest = after;
            }
            None => normal.push('%'),
        }
    }
    normal + rest
}

/// The byte that the first two hexadecimal digits stand for, and what follows them.
fn hex_byte(text: &str) -> Option<(u8, &str)> {
    let (digits, after) = text.split_at_checked(2)?;
    // `from_str_radix` would also take a sign.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some((byte, after))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn p03_every_spelling_of_one_uri_is_that_uri() {
        for spelling in [
            "https://server.example/a/~b/token",
            "HTTPS://SERVER.Example/a/~b/token",
            "https://server.example:443/a/~b/token",
            "https://server.example/a/%7Eb/token",
            "https://server.example/a/%7eb/%74oken",
            "https://server.example/a/./x/../~b/token",
            "https://server.example/a/%2E/x/%2e%2e/~b/token",
            "https://server.example/a/~b/token?x=1",
            "https://server.example/a/~b/token#f",
        ] {
            assert_eq!(
                normal(spelling).as_deref(),
                Some("https://server.example/a/~b/token"),
                "{spelling}"
            );
        }
        assert_eq!(normal("http://h:80").as_deref(), Some("http://h/"));
        assert_eq!(
            normal("http://h/%c3%a4%2f%zz%+f%").as_deref(),
            Some("http://h/%C3%A4%2F%zz%+f%")
        );
    }

    #[test]
    fn p03_another_uri_stays_another() {
        for other in [
            "http://server.example/a/~b/token",
            "https://server.example:8443/a/~b/token",
            "https://server.example/a/~b/token/",
            "https://server.example/A/~b/token",
            "https://server.example/a/~b//token",
            "https://server.example/a%2F~b/token",
            "https://server.example.evil.example/a/~b/token",
        ] {
            assert_ne!(
                normal(other).as_deref(),
                Some("https://server.example/a/~b/token"),
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_no_plain_uri_has_no_normal_form() {
        for text in [
            "",
            "/token",
            "token",
            "ftp://h/",
            "data:,x",
            "https://user@h/",
            "https://:pw@h/",
            "https:\\\\h\\",
            "https://h/\n",
            " https://h/",
            "https://h/ä",
            "https://",
            &format!("https://h/{}", "a".repeat(LONGEST)),
        ] {
            assert_eq!(normal(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(text in "https?://[a-zA-Z0-9.:%]{1,12}/[a-zA-Z0-9%./~?#é-]{0,30}|.{0,40}") {
            if let Some(once) = normal(&text) {
                let twice = normal(&once);
                prop_assert_eq!(twice, Some(once));
            }
        }
    }
}
