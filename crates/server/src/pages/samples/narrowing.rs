//! The page that asks, with less than was asked for, and for a stronger key than there is.

use protocol::decision::Granted;
use protocol::scope::Scope;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::approver::{Permission, RequestView};

use super::{NOW, Page, decide, html, view};
use crate::pages::decide::{Approving, DecidePage};
use crate::pages::narrowing::Narrowing;

pub fn all() -> Vec<Page> {
    let too_weak = DecidePage {
        approving: Approving::TooWeak,
        ..decide(&view())
    };
    vec![
        (
            "decide-whole",
            html(&with_choice("offline_access profile read", 28_725)),
        ),
        ("decide-narrowed", html(&with_choice("read", 600))),
        ("decide-too-weak", html(&too_weak)),
    ]
}

fn with_choice(scope: &str, seconds: i64) -> DecidePage {
    let left = granted("offline_access profile read", 28_725);
    let granted = granted(scope, seconds);
    let mut all = view();
    all.permissions.push(Permission {
        kind: "resource".to_owned(),
        name: "https://id.example.org/as".to_owned(),
        sentence: "Use it at this address".to_owned(),
    });
    let given = |name: &str| granted.scope.contains(name) || granted.resource.iter().any(|uri| uri == name);
    let view = RequestView {
        permissions: all
            .permissions
            .iter()
            .filter(|line| given(&line.name))
            .cloned()
            .collect(),
        grant_expires_at: Timestamp::from_seconds(granted.expires_at).millis(),
        ..all.clone()
    };
    DecidePage {
        narrowing: Some(Narrowing::new(&all.permissions, &granted, &left, NOW)),
        ..decide(&view)
    }
}

fn granted(scope: &str, seconds: i64) -> Granted {
    Granted {
        scope: Scope::parse(scope).unwrap(),
        resource: vec!["https://id.example.org/as".to_owned()],
        authorization_details: protocol::details::Details::default(),
        expires_at: (NOW + Lifetime::from_seconds(seconds)).seconds(),
    }
}
