//! How an approver is told that something waits.

use super::{at, signed_in};
use crate::pages::notices::{NoticeLine, NoticesSection};

pub fn told() -> NoticesSection {
    let line = |kind, name: &str, act| NoticeLine {
        channel: format!("{kind} 1"),
        kind,
        name: name.to_owned(),
        whose: None,
        since: at(-900_000),
        is_on: true,
        act,
    };
    NoticesSection {
        frame: signed_in(),
        lines: vec![
            line("Browser", "Firefox on Linux", Some(("remove", "Remove"))),
            NoticeLine {
                is_on: false,
                ..line("E-mail", "alice@example.org", Some(("on", "Turn on")))
            },
            NoticeLine {
                whose: Some("for the group ops".to_owned()),
                ..line("Webhook", "chat.example.org", None)
            },
        ],
        has_mail: true,
    }
}
