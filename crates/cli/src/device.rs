//! What is said of this machine when its key is enrolled. All of it is a claim, which nothing proves, and
//! this is all of it: no serial numbers, no addresses, no list of what is installed.

use std::env::consts::{ARCH, OS};

use crate::files;
use crate::io::Io;

/// Longer names are cut: they are for people to recognise.
const LONGEST: usize = 100;

/// Parameter and text; what is not known is left out.
pub fn claims(io: &Io) -> Vec<(&'static str, String)> {
    let told = [
        ("host", text_of("/proc/sys/kernel/hostname")),
        ("system", Some(format!("{}, {ARCH}", system().as_deref().unwrap_or(OS)))),
        ("user", user(io)),
        ("version", Some(format!("waypass {}", env!("CARGO_PKG_VERSION")))),
    ];
    let told = told
        .into_iter()
        .map(|(name, text)| (name, bounded(&text.unwrap_or_default())));
    told.filter(|(_, text)| !text.is_empty()).collect()
}

/// As os-release(5) names itself for people: `Debian GNU/Linux 12 (bookworm)`.
fn system() -> Option<String> {
    let text = text_of("/etc/os-release").or_else(|| text_of("/usr/lib/os-release"))?;
    pretty_name(&text)
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

fn user(io: &Io) -> Option<String> {
    let name = (io.environment)("USER").or_else(|| (io.environment)("LOGNAME"))?;
    Some(name.to_string_lossy().into_owned())
}

fn text_of(path: &str) -> Option<String> {
    files::read(path.as_ref()).ok().flatten()
}

fn bounded(text: &str) -> String {
    let plain: String = text.chars().filter(|character| !character.is_control()).collect();
    plain.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_called_what_it_calls_itself() {
        for (text, name) in [
            (
                "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
                Some("Debian GNU/Linux 12 (bookworm)"),
            ),
            ("PRETTY_NAME=Void", Some("Void")),
            ("NAME=x", None),
        ] {
            assert_eq!(pretty_name(text).as_deref(), name);
        }
    }

    #[test]
    fn a_claim_is_short_and_one_line() {
        assert_eq!(bounded(" box\u{1b}[1m\n"), "box[1m");
        assert_eq!(bounded(&"é".repeat(500)).chars().count(), LONGEST);
    }
}
