//! `[mail]`: the server through which notices leave by e-mail. Not here: asking it anything; a server starts without it.

use std::path::PathBuf;

use super::sources::Sources;

const SECTION: &str = "mail";

#[derive(Clone, Debug)]
pub struct MailConfig {
    pub server: String,
    pub port: u16,
    pub encryption: Encryption,
    /// An address, or a name with one.
    pub from: String,
    pub login: Option<Login>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Demanded: a server that does not offer it gets nothing.
    Starttls,
    Tls,
    /// On loopback only.
    Off,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub password_file: PathBuf,
}

/// None without the section, or where a problem was noted.
pub fn read(sources: &mut Sources) -> Option<MailConfig> {
    if !sources.has_section(SECTION) {
        return None;
    }
    let server = required(sources, "server");
    let from = required(sources, "from");
    let encryption = encryption(sources, server.as_deref());
    let port = sources.number([SECTION, "port"], encryption.map_or(587, Encryption::port), 1..=65_535);
    let username = sources.text_in_section([SECTION, "username"]);
    let password_file = sources.text_in_section([SECTION, "password_file"]);
    if let Some(from) = &from
        && from.parse::<lettre::message::Mailbox>().is_err()
    {
        sources.problem(
            sources.in_file("mail.from"),
            "must be an address, such as `Waypass <waypass@example.com>`",
        );
    }
    let login = match (username, password_file) {
        (Some(username), Some(file)) => Some(Login {
            username: username.value,
            password_file: file.value.into(),
        }),
        (None, None) => None,
        _ => {
            sources.problem(
                sources.in_file("mail.username"),
                "needs mail.password_file beside it, and the other way round",
            );
            None
        }
    };
    Some(MailConfig {
        server: server?,
        port: u16::try_from(port).ok()?,
        encryption: encryption?,
        from: from?,
        login,
    })
}

fn required(sources: &mut Sources, key: &str) -> Option<String> {
    let is_given = sources.has_in_section([SECTION, key]);
    let given = sources.text_in_section([SECTION, key]);
    if !is_given {
        sources.problem(sources.in_file(&format!("{SECTION}.{key}")), "required in this section");
    }
    given.map(|given| given.value)
}

/// None only where a problem was noted.
fn encryption(sources: &mut Sources, server: Option<&str>) -> Option<Encryption> {
    let given = sources.text_in_section([SECTION, "encryption"]);
    let Some(given) = given else {
        return Some(Encryption::Starttls);
    };
    let is_loopback = matches!(server, Some("localhost" | "127.0.0.1" | "::1"));
    match given.value.as_str() {
        "starttls" => Some(Encryption::Starttls),
        "tls" => Some(Encryption::Tls),
        "none" if is_loopback => Some(Encryption::Off),
        "none" => {
            sources.problem(given.place, "may be none on loopback only");
            None
        }
        _ => {
            sources.problem(given.place, "must be starttls, tls or none");
            None
        }
    }
}

impl Encryption {
    fn port(self) -> u32 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::Off => 25,
        }
    }
}
