//! The kind of system that a user agent claims to run on: half of the signal that both ends are one device
//! (RFC 10027 §5). A claim of each side, so it can warn and, with the same address, refuse; it proves nothing.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Android,
    ChromeOs,
    Ios,
    Linux,
    Mac,
    Windows,
}

/// Words of browsers and programs, in this order: an Android phone calls itself Linux too.
const WORDS: [(&str, Platform); 9] = [
    ("android", Platform::Android),
    ("iphone", Platform::Ios),
    ("ipad", Platform::Ios),
    ("cros", Platform::ChromeOs),
    ("windows", Platform::Windows),
    ("macintosh", Platform::Mac),
    ("macos", Platform::Mac),
    ("darwin", Platform::Mac),
    ("linux", Platform::Linux),
];

impl Platform {
    /// None where it is not said, or not in these words.
    pub fn of(user_agent: &str) -> Option<Self> {
        let is_said = |word: &str| {
            let mut said = user_agent.split(|c: char| !c.is_ascii_alphanumeric());
            said.any(|said| said.eq_ignore_ascii_case(word))
        };
        WORDS
            .into_iter()
            .find(|(word, _)| is_said(word))
            .map(|(_, platform)| platform)
    }
}

/// Whether both say the same. Who does not say is not the same as anybody.
pub fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let of = |user_agent: Option<&str>| user_agent.and_then(Platform::of);
    of(one).is_some_and(|platform| of(other) == Some(platform))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_platform_is_read_from_what_browsers_and_programs_write() {
        let agents = [
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36",
            "waypass (linux)",
            "waypass (macos)",
            "curl/8.5.0",
            "Microsoft Outlook across platforms",
            "",
        ];
        let table = agents.map(|agent| format!("{:<14} {agent}\n", format!("{:?}", Platform::of(agent))));
        expect![[r#"
            Some(Linux)    Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36
            Some(Android)  Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36
            Some(Ios)      Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1
            Some(Mac)      Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15
            Some(Windows)  Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0
            Some(ChromeOs) Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36
            Some(Linux)    waypass (linux)
            Some(Mac)      waypass (macos)
            None           curl/8.5.0
            None           Microsoft Outlook across platforms
            None           
        "#]].assert_eq(&table.concat());
    }

    #[test]
    fn x25_who_does_not_say_is_not_the_same() {
        let (linux, windows) = (Some("waypass (linux)"), Some("Windows NT 10.0"));
        assert!(is_same(linux, Some("X11; Linux x86_64")));
        assert!(!is_same(linux, windows) && !is_same(linux, None) && !is_same(None, None));
        assert!(!is_same(Some("curl/8.5.0"), Some("curl/8.5.0")));
    }
}
