//! What waits without a code.

use super::super::Frame;
use super::super::home::HomePage;
use super::super::notices::PushOffer;
use super::super::waiting::{InboxPage, WaitingLine, WaitingList};
use super::{at, signed_in};

pub fn list(lines: Vec<WaitingLine>, more: usize) -> WaitingList {
    WaitingList { lines, more }
}

pub fn home(frame: Frame, waiting: WaitingList) -> HomePage {
    HomePage { frame, waiting }
}

pub fn endorsed() -> WaitingLine {
    WaitingLine {
        request_id: "req_7Q2m".to_owned(),
        client_name: "Build command line".to_owned(),
        client_id: "build-cli".to_owned(),
        is_agent: false,
        instance_name: None,
        binding_message: None,
        asks: vec!["Act with the permission \u{201c}deploy\u{201d}".to_owned()],
        people: Some((vec!["bob".to_owned(), "carol".to_owned()], 3)),
        since: at(15),
        until: at(525),
    }
}

/// What an instance asks its owner, in every part of a line.
pub fn asked() -> WaitingLine {
    WaitingLine {
        request_id: "req_9X4k".to_owned(),
        is_agent: true,
        instance_name: Some("build7".to_owned()),
        binding_message: Some("bright harbour".to_owned()),
        asks: vec!["Run \"deploy\" in \"/srv/shop\"".to_owned()],
        people: None,
        ..endorsed()
    }
}

pub fn page(waiting: WaitingList) -> InboxPage {
    InboxPage {
        frame: signed_in(),
        waiting,
        version: "kX2fJq81bTnYp0aW".to_owned(),
        push: PushOffer {
            key: "BPublicKey".to_owned(),
            known: String::new(),
        },
    }
}
