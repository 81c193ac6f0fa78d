//! Every page with sample values, for the tests and for eyes.

use protocol::details::{self, Types};
use protocol::time::Timestamp;
use protocol::wire::approver::{EnrollmentAsked, Permission, Quorum, RequestView, ShownDetail, ShownFact};

use super::Frame;
use super::account::{AccountPage, GrantLine, PasskeyLine, SessionLine, SoftwareKeyLine};
use super::authorize::AuthorizePage;
use super::decide::{Approving, DecidePage};
use super::decided::{DecidedPage, Outcome};
use super::enroll::EnrollPage;
use super::failure::{Back, FailurePage};
use super::moment::Moment;
use super::sign_in::SignInPage;
use super::upstream::{IdentityLine, UpstreamPage, UpstreamSection};
use super::verify::VerifyPage;
use super::waiting::WaitingList;

mod devices;
mod inbox;
mod narrowing;
mod notices;

pub const NOW: Timestamp = Timestamp::from_seconds(1_795_411_500);

pub fn signed_in() -> Frame {
    Frame {
        base: "/as".to_owned(),
        host: "id.example.org".to_owned(),
        approver: Some("alice".to_owned()),
        csrf: "c5rF-t0ken".to_owned(),
    }
}

pub fn stranger() -> Frame {
    Frame {
        approver: None,
        csrf: String::new(),
        ..signed_in()
    }
}

fn at(seconds_from_now: i64) -> Moment {
    Moment::at(Timestamp::from_seconds(NOW.seconds() + seconds_from_now))
}

fn fact(name: &str, label: &str, value: &str, source: &str) -> ShownFact {
    ShownFact {
        name: name.to_owned(),
        label: label.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
    }
}

fn permission(name: &str, sentence: &str) -> Permission {
    Permission {
        kind: "scope".to_owned(),
        name: name.to_owned(),
        sentence: sentence.to_owned(),
    }
}

/// Asks for each example of each type of ours.
pub fn details_view() -> RequestView {
    RequestView {
        authorization_details: details(),
        ..view()
    }
}

fn details() -> Vec<ShownDetail> {
    let types = Types::built_in();
    let metadata = types.metadata();
    let examples = metadata.as_object().unwrap().values();
    let examples = examples.flat_map(|known| known["schema"]["examples"].as_array().unwrap());
    let shown = examples.map(|detail| ShownDetail {
        sentence: types.sentence(detail),
        canonical: details::canonical(detail),
    });
    shown.collect()
}

pub fn view() -> RequestView {
    RequestView {
        request_id: "req_7Q2m".to_owned(),
        request_digest: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU".to_owned(),
        client_id: "build-cli".to_owned(),
        client_name: "Build command line".to_owned(),
        client_kind: "cli".to_owned(),
        client_owner: Some("Platform team".to_owned()),
        client_verified: true,
        purpose: Some("Publish release builds".to_owned()),
        profile: "standard".to_owned(),
        education: None,
        enrollment: None,
        binding_message: None,
        asks_binding_data: false,
        quorum: None,
        warnings: Vec::new(),
        permissions: vec![
            permission("read", "Read what you can read."),
            permission("profile", "See your name."),
            permission("offline_access", "Keep access without asking again, until it ends."),
        ],
        authorization_details: Vec::new(),
        network_match: protocol::network::NetworkMatch::Different,
        facts: vec![
            fact("requester.address", "Address", "203.0.113.24", "proven"),
            fact(
                "key.thumbprint",
                "Key",
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
                "proven",
            ),
            fact("network.match", "Network", "Not the network you are on", "derived"),
            fact(
                "requester.user_agent",
                "Program",
                "waypass/0.1 (linux x86_64)",
                "claimed",
            ),
        ],
        key_words: Some("amber canoe harbor lemon orbit velvet".to_owned()),
        requested_at: NOW.millis() - 75_000,
        expires_at: NOW.millis() + 525_000,
        grant_expires_at: NOW.millis() + 28_725_000,
        consequences: vec![
            "It can act as you, within these permissions, without asking again until the end.".to_owned(),
            "You can take it back at any time under your account.".to_owned(),
            "Your decision is signed by your passkey and kept.".to_owned(),
        ],
        decision: serde_json::Value::Null,
    }
}

pub fn hostile_view() -> RequestView {
    RequestView {
        client_name: "\u{440}\u{430}\u{443}\u{440}\u{430}\u{4cf} <script>alert(1)</script>".to_owned(),
        client_id: "stock\u{202e}ilc\u{1b}[2J".to_owned(),
        client_owner: None,
        client_verified: false,
        purpose: Some("\"><img src=x onerror=alert(1)> ".repeat(20)),
        profile: "open".to_owned(),
        warnings: vec![
            "Any program that can reach this server may ask like this, and nothing ties what you approve to the device in front of you. Approve only what you started yourself.".to_owned(),
        ],
        key_words: None,
        facts: vec![
            fact("requester.address", "Address", "unknown: a proxy that is not trusted stands between", "claimed"),
            fact("requester.user_agent", "Program", "Mozilla/5.0' onload='alert(1)\u{200b}", "who knows"),
        ],
        ..view()
    }
}

pub fn decide(view: &RequestView) -> DecidePage {
    let options = r#"{"challenge":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","rpId":"id.example.org","userVerification":"required","allowCredentials":[{"type":"public-key","id":"AAEC"}]}"#;
    DecidePage::new(signed_in(), view, options.to_owned(), NOW)
}

pub fn verify(first_half: Option<&str>, problem: Option<&'static str>) -> VerifyPage {
    VerifyPage {
        frame: signed_in(),
        first_half: first_half.map(str::to_owned),
        problem,
        is_throttled: false,
    }
}

pub fn account() -> AccountPage {
    AccountPage {
        frame: signed_in(),
        notice: Some("The passkey was added."),
        is_fresh: true,
        waiting: WaitingList::default(),
        grants: vec![
            grant(
                "gr_1",
                "Build command line",
                Some("amber canoe harbor lemon orbit velvet"),
            ),
            grant("gr_2", "Nightly report", None),
        ],
        passkeys: vec![
            PasskeyLine {
                id: "pk_1".to_owned(),
                name: "This phone".to_owned(),
                added_at: at(-900_000),
                last_used_at: Some(at(-60)),
            },
            PasskeyLine {
                id: "pk_2".to_owned(),
                name: "Work laptop".to_owned(),
                added_at: at(-86_400),
                last_used_at: None,
            },
        ],
        sessions: vec![
            session("bs_1", "Chrome on Android", true),
            session("bs_2", "Firefox on Linux", false),
        ],
        software_keys: vec![SoftwareKeyLine {
            thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned(),
            key_words: "basil copper falcon meadow quartz timber".to_owned(),
            added_at: at(-500_000),
        }],
        upstream: None,
        notices: notices::told(),
        groups: Vec::new(),
    }
}

fn signed_in_long_ago() -> AccountPage {
    AccountPage {
        notice: None,
        is_fresh: false,
        ..account()
    }
}

/// What the upstream provider is called.
const ELSEWHERE: &str = "Example";

fn linked(subject: Option<&str>) -> UpstreamSection {
    let identity = |subject: &str| IdentityLine {
        subject: subject.to_owned(),
        shown: subject.to_owned(),
        seen_at: at(-60),
    };
    UpstreamSection {
        label: ELSEWHERE.to_owned(),
        identities: subject.map(identity).into_iter().collect(),
    }
}

fn grant(id: &str, client_name: &str, key_words: Option<&str>) -> GrantLine {
    GrantLine {
        id: id.to_owned(),
        client_name: client_name.to_owned(),
        client_id: "build-cli".to_owned(),
        is_agent: id == "gr_2",
        scopes: vec!["read".to_owned(), "offline_access".to_owned()],
        since: at(-3_600),
        until: at(25_200),
        key_words: key_words.map(str::to_owned),
        is_machines: false,
        runs_left: None,
    }
}

fn session(id: &str, browser: &str, is_this: bool) -> SessionLine {
    SessionLine {
        id: id.to_owned(),
        browser: browser.to_owned(),
        address: Some("198.51.100.7".to_owned()),
        signed_in_at: at(-7_200),
        is_this,
    }
}

/// For the second of a quorum, and with binding data to be typed.
pub fn quorum_view() -> RequestView {
    RequestView {
        quorum: Some(Quorum {
            needed: 2,
            have: 1,
            approved_by: vec!["bob".to_owned()],
        }),
        ..view()
    }
}

pub fn binding_view() -> RequestView {
    RequestView {
        asks_binding_data: true,
        quorum: Some(Quorum {
            needed: 2,
            have: 0,
            approved_by: Vec::new(),
        }),
        ..view()
    }
}

fn failure(title: &'static str, sentence: &str, reference: Option<&str>) -> FailurePage {
    FailurePage {
        frame: signed_in(),
        title,
        sentence: sentence.to_owned(),
        reference: reference.map(str::to_owned),
        back: Some(Back {
            href: "/as/device".to_owned(),
            text: "Enter a code",
        }),
    }
}

/// A device that asks to be known, in words of its own.
pub fn enrollment() -> RequestView {
    let asked = EnrollmentAsked {
        name: "Build host 7".to_owned(),
        environment: Some("production".to_owned()),
        expires_at: NOW.millis() + 90 * 86_400_000,
    };
    RequestView {
        grant_expires_at: asked.expires_at,
        enrollment: Some(asked),
        permissions: Vec::new(),
        consequences: vec!["The device becomes known as yours, and you answer for it.".to_owned()],
        ..view()
    }
}

fn decided(outcome: Outcome) -> DecidedPage {
    DecidedPage {
        frame: signed_in(),
        client_name: "Build command line".to_owned(),
        outcome,
    }
}

const UNUSABLE: &str = "This code is unknown, expired, used, open in another browser, or not yours to decide.";

/// Every page and variant: a file name and its HTML.
type Page = (&'static str, String);

pub fn all() -> Vec<Page> {
    [without_upstream(), with_upstream()].concat()
}

fn html(page: &dyn askama::DynTemplate) -> String {
    page.dyn_render().unwrap()
}

fn with_upstream() -> Vec<Page> {
    let no_passkey = AccountPage {
        passkeys: Vec::new(),
        upstream: Some(linked(Some("a1b2-c3d4"))),
        groups: vec!["builders".to_owned(), "operators".to_owned()],
        ..signed_in_long_ago()
    };
    let linking = AccountPage {
        notice: None,
        upstream: Some(linked(None)),
        ..account()
    };
    let arriving = UpstreamPage {
        frame: stranger(),
        label: ELSEWHERE.to_owned(),
    };
    let undecidable = DecidePage {
        approving: Approving::NoPasskey,
        ..decide(&view())
    };
    vec![
        (
            "sign-in-upstream",
            html(&SignInPage {
                frame: stranger(),
                next: "/as/device".to_owned(),
                upstream: Some(ELSEWHERE.to_owned()),
            }),
        ),
        ("upstream", html(&arriving)),
        (
            "enroll-upstream",
            html(&EnrollPage {
                frame: stranger(),
                upstream: Some(ELSEWHERE.to_owned()),
            }),
        ),
        ("decide-no-passkey", html(&undecidable)),
        ("account-no-passkey", html(&no_passkey)),
        ("account-linking", html(&linking)),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list, one entry a page")]
fn without_upstream() -> Vec<Page> {
    let one_passkey = AccountPage {
        notice: None,
        grants: Vec::new(),
        passkeys: account().passkeys.into_iter().take(1).collect(),
        software_keys: Vec::new(),
        ..account()
    };
    let authorize = AuthorizePage {
        frame: stranger(),
        device_authorization_endpoint: "https://id.example.org/as/device_authorization".to_owned(),
    };
    let throttled = VerifyPage {
        is_throttled: true,
        ..verify(None, Some("Too many codes were tried. Wait a few minutes."))
    };
    let all = vec![
        ("home", html(&inbox::home(stranger(), WaitingList::default()))),
        (
            "home-signed-in",
            html(&inbox::home(signed_in(), WaitingList::default())),
        ),
        ("inbox-empty", html(&inbox::page(WaitingList::default()))),
        (
            "inbox",
            html(&inbox::page(inbox::list(vec![inbox::asked(), inbox::endorsed()], 3))),
        ),
        (
            "home-waiting",
            html(&inbox::home(signed_in(), inbox::list(vec![inbox::endorsed()], 0))),
        ),
        (
            "sign-in",
            html(&SignInPage {
                frame: stranger(),
                next: "/as/device".to_owned(),
                upstream: None,
            }),
        ),
        (
            "enroll",
            html(&EnrollPage {
                frame: stranger(),
                upstream: None,
            }),
        ),
        ("verify", html(&verify(None, None))),
        ("verify-wrong", html(&verify(None, Some(UNUSABLE)))),
        ("verify-link", html(&verify(Some("WDJB"), None))),
        ("verify-link-wrong", html(&verify(Some("WDJB"), Some(UNUSABLE)))),
        ("verify-throttled", html(&throttled)),
        ("decide", html(&decide(&view()))),
        ("decide-quorum", html(&decide(&quorum_view()))),
        ("decide-binding", html(&decide(&binding_view()))),
        ("decide-hostile", html(&decide(&hostile_view()))),
        (
            "approved",
            html(&decided(Outcome::Approved {
                grant_ends_at: at(28_800),
            })),
        ),
        (
            "approved-for",
            html(&decided(Outcome::ApprovedFor {
                name: "bob".to_owned(),
                grant_ends_at: at(28_800),
            })),
        ),
        (
            "confirm",
            html(&decided(Outcome::Confirm {
                digits: "042 717".to_owned(),
                until: at(525),
            })),
        ),
        (
            "approved-waiting",
            html(&decided(Outcome::Waiting {
                request_id: "req_7Q2m".to_owned(),
                missing: 1,
                until: at(525),
            })),
        ),
        ("overruled", html(&decided(Outcome::Overruled))),
        ("declined", html(&decided(Outcome::Declined))),
        ("reported", html(&decided(Outcome::Reported))),
        ("account", html(&account())),
        ("account-signed-in-long-ago", html(&signed_in_long_ago())),
        ("account-one-passkey", html(&one_passkey)),
        (
            "failure",
            html(&failure(
                "Something broke on our side",
                "Nothing was changed. Try again in a moment.",
                Some("8F2C-11A0"),
            )),
        ),
        (
            "failure-not-found",
            html(&failure(
                "There is nothing here",
                "The address is wrong, or what stood here has ended.",
                None,
            )),
        ),
        ("authorize", html(&authorize)),
    ];
    [all, devices::all(), narrowing::all()].concat()
}
