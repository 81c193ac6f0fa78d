//! The pages of an owner's devices.

use super::{Outcome, Page, at, decide, decided, enrollment, signed_in};
use crate::pages::instances::{DeviceFact, DeviceLine, InstancePage, InstancesPage, OfferLine, RemovePage};

fn devices() -> InstancesPage {
    let device = |id: &str, name: &str, standing| DeviceLine {
        id: id.to_owned(),
        name: name.to_owned(),
        client_name: "Build command line".to_owned(),
        standing,
        last_seen_at: Some(at(-600)),
        until: at(7_000_000),
    };
    InstancesPage {
        frame: signed_in(),
        notice: Some("It is removed, and what it had has ended."),
        is_fresh: true,
        offers: vec![OfferLine {
            id: "in_3".to_owned(),
            name: "Nightly runner".to_owned(),
            client_name: "Nightly report".to_owned(),
            from: "bob".to_owned(),
        }],
        devices: vec![
            device("in_1", "Build host 7", "active"),
            DeviceLine {
                last_seen_at: None,
                ..device("in_2", "Old laptop", "suspended")
            },
        ],
    }
}

fn device() -> InstancePage {
    InstancePage {
        frame: signed_in(),
        notice: Some("It has its new name."),
        is_fresh: true,
        id: "in_1".to_owned(),
        name: "Build host 7".to_owned(),
        client_name: "Build command line".to_owned(),
        client_id: "build-cli".to_owned(),
        environment: Some("production".to_owned()),
        standing: "active",
        way_in: "Approved with a passkey, from the same address".to_owned(),
        facts: vec![DeviceFact {
            label: "Keeps its key in".to_owned(),
            value: "tpm".to_owned(),
            source: "claimed".to_owned(),
        }],
        key_words: "amber canoe harbor lemon orbit velvet".to_owned(),
        first_seen_at: at(-900_000),
        last_seen_at: Some(at(-600)),
        until: at(7_000_000),
    }
}

/// Those of one's own devices.
pub fn all() -> Vec<Page> {
    let html = |page: &dyn askama::DynTemplate| page.dyn_render().unwrap();
    let none = InstancesPage {
        notice: None,
        offers: Vec::new(),
        devices: Vec::new(),
        ..devices()
    };
    let long_ago = InstancesPage {
        notice: None,
        is_fresh: false,
        ..devices()
    };
    let suspended = InstancePage {
        notice: None,
        is_fresh: false,
        standing: "suspended",
        ..device()
    };
    let remove = RemovePage {
        frame: signed_in(),
        id: "in_1".to_owned(),
        name: "Build host 7".to_owned(),
    };
    let known = Outcome::Known {
        name: "Build host 7".to_owned(),
        ends_at: at(7_000_000),
    };
    vec![
        ("decide-enrollment", html(&decide(&enrollment()))),
        ("known", html(&decided(known))),
        ("devices", html(&devices())),
        ("devices-none", html(&none)),
        ("devices-signed-in-long-ago", html(&long_ago)),
        ("device", html(&device())),
        ("device-suspended", html(&suspended)),
        ("device-remove", html(&remove)),
    ]
}
