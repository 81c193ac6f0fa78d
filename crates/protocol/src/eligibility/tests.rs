//! The rules, printed: who decides under which profile, from where, and what is said to the others.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::authorization_request::{Content, Enrollment, Viewer};
use crate::digest::Digest;
use crate::time::Lifetime;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its values written in place"
)]
fn profile(approval: Value, mitigations: Value) -> Profile {
    let text = json!({
        "name": "mine",
        "purpose": "a test",
        "assessment": { "risk": "phishing", "residual": "little" },
        "approval": approval,
        "mitigations": mitigations,
    });
    Profile::read(&text).unwrap()
}

/// The owner's own, enrolled only near the owner.
fn standard() -> Profile {
    profile(
        json!({ "by": "owner", "starter": ["own_instance"] }),
        json!({ "X07": { "ceremony": "with_network" } }),
    )
}

/// The same, and one more of a group.
fn privileged() -> Profile {
    profile(
        json!({ "by": "owner", "group": "ops", "quorum": 2, "starter": ["own_instance"] }),
        json!({ "X07": { "ceremony": "off" }, "X01": { "at_least": "same_country", "otherwise": "refuse" } }),
    )
}

/// Any key, two of a group, and something beside the click.
fn emergency() -> Profile {
    profile(
        json!({ "by": "group", "group": "ops", "quorum": 2, "starter": ["same_address", "listed_network"] }),
        json!({ "X12": true }),
    )
}

fn request(instance: Option<&str>, state: State) -> AuthorizationRequest {
    let content = Content {
        id: "request".into(),
        client_id: "cli".into(),
        purpose: Purpose::Access,
        profile: "mine".into(),
        profile_version: String::new(),
        scope: "read".into(),
        resource: Vec::new(),
        authorization_details: crate::details::Details::default(),
        acr_values: Vec::new(),
        max_age: None,
        jkt: Some("key".into()),
        x5t: None,
        instance: instance.map(str::to_owned),
        owner: instance.map(|_| "alice".to_owned()),
        route: None,
        binding_message: None,
        initiator: None,
        binding: None,
        facts: Vec::new(),
        requested_at: NOW,
        expires_at: NOW + Lifetime::from_seconds(600),
        grant_expires_at: NOW + Lifetime::from_seconds(3_600),
    };
    AuthorizationRequest {
        digest: content.digest().unwrap(),
        device_code: Digest::of(b"device code"),
        content,
        state,
        interval: Lifetime::from_seconds(5),
        version: 1,
    }
}

fn enrollment() -> AuthorizationRequest {
    let mut request = request(None, State::Pending);
    request.content.purpose = Purpose::Enrollment(Enrollment {
        name: "laptop".into(),
        environment: None,
        expires_at: NOW + Lifetime::from_seconds(86_400),
        key: json!({}),
    });
    request
}

fn endorsed_by_alice() -> State {
    State::Endorsed {
        viewer: Viewer {
            approver_id: "alice".into(),
            through: "session:alice".into(),
        },
        at: NOW,
        by: vec!["alice".into()],
        proofs: Vec::new(),
    }
}

fn place(address: &str, country: &str) -> Place {
    Place {
        address: Some(address.parse().unwrap()),
        operator: None,
        country: Some(country.into()),
    }
}

/// alice owns the instance; bob and carol are in the group, mallory is a stranger.
fn asked(profile: &Profile, request: &AuthorizationRequest, who: &str, from: &Place) -> String {
    let groups = if who == "bob" || who == "carol" {
        vec!["ops".to_owned()]
    } else {
        Vec::new()
    };
    let decider = Decider {
        approver_id: who,
        groups: &groups,
        place: from,
        now: NOW,
    };
    let around = Circumstances {
        profile,
        requester: &place("203.0.113.7", "DE"),
        listed: &["192.0.2.0/24".parse().unwrap()],
        shared: &[],
        is_same_platform: false,
    };
    match eligible(request, &decider, &around) {
        Ok(eligible) => {
            let proofs: Vec<&str> = eligible.proofs().collect();
            format!("may, {}, {proofs:?}", eligible.network().as_str())
        }
        Err(refusal) => format!("refused: {refusal:?}"),
    }
}

fn table(profile: &Profile, requests: &[(&str, AuthorizationRequest)]) -> String {
    let places = [
        ("same address", place("203.0.113.7", "DE")),
        ("same country", place("198.51.100.1", "DE")),
        ("elsewhere", place("192.0.2.9", "JP")),
        ("unknown", Place::default()),
    ];
    let mut table = String::new();
    for (what, request) in requests {
        for who in ["alice", "bob", "mallory"] {
            for (from, place) in &places {
                let outcome = asked(profile, request, who, place);
                table += &format!("{what:10} {who:8} {from:13} {outcome}\n");
            }
        }
    }
    table
}

#[test]
fn x40_under_standard_the_owner_decides_from_anywhere_and_nobody_else_at_all() {
    let access = request(Some("instance"), State::Pending);
    expect![[r#"
        access     alice    same address  may, same_address, ["own_instance", "same_address"]
        access     alice    same country  may, same_country, ["own_instance"]
        access     alice    elsewhere     may, different, ["own_instance"]
        access     alice    unknown       may, unknown, ["own_instance"]
        access     bob      same address  refused: NotYoursToDecide
        access     bob      same country  refused: NotYoursToDecide
        access     bob      elsewhere     refused: NotYoursToDecide
        access     bob      unknown       refused: NotYoursToDecide
        access     mallory  same address  refused: NotYoursToDecide
        access     mallory  same country  refused: NotYoursToDecide
        access     mallory  elsewhere     refused: NotYoursToDecide
        access     mallory  unknown       refused: NotYoursToDecide
        enrollment alice    same address  may, same_address, ["same_address"]
        enrollment alice    same country  refused: StarterUnproven
        enrollment alice    elsewhere     refused: StarterUnproven
        enrollment alice    unknown       refused: StarterUnproven
        enrollment bob      same address  may, same_address, ["same_address"]
        enrollment bob      same country  refused: StarterUnproven
        enrollment bob      elsewhere     refused: StarterUnproven
        enrollment bob      unknown       refused: StarterUnproven
        enrollment mallory  same address  may, same_address, ["same_address"]
        enrollment mallory  same country  refused: StarterUnproven
        enrollment mallory  elsewhere     refused: StarterUnproven
        enrollment mallory  unknown       refused: StarterUnproven
    "#]]
    .assert_eq(&table(&standard(), &[("access", access), ("enrollment", enrollment())]));
}

#[test]
fn x01_under_privileged_the_owner_is_first_and_near_and_the_group_second() {
    let requests = [
        ("access", request(Some("instance"), State::Pending)),
        ("endorsed", request(Some("instance"), endorsed_by_alice())),
        ("enrollment", enrollment()),
    ];
    expect![[r#"
        access     alice    same address  may, same_address, ["own_instance", "same_address"]
        access     alice    same country  may, same_country, ["own_instance"]
        access     alice    elsewhere     refused: TooFarAway
        access     alice    unknown       refused: TooFarAway
        access     bob      same address  refused: NotYoursToDecide
        access     bob      same country  refused: NotYoursToDecide
        access     bob      elsewhere     refused: NotYoursToDecide
        access     bob      unknown       refused: NotYoursToDecide
        access     mallory  same address  refused: NotYoursToDecide
        access     mallory  same country  refused: NotYoursToDecide
        access     mallory  elsewhere     refused: NotYoursToDecide
        access     mallory  unknown       refused: NotYoursToDecide
        endorsed   alice    same address  may, same_address, ["own_instance", "same_address"]
        endorsed   alice    same country  may, same_country, ["own_instance"]
        endorsed   alice    elsewhere     refused: TooFarAway
        endorsed   alice    unknown       refused: TooFarAway
        endorsed   bob      same address  may, same_address, ["same_address"]
        endorsed   bob      same country  may, same_country, []
        endorsed   bob      elsewhere     refused: TooFarAway
        endorsed   bob      unknown       refused: TooFarAway
        endorsed   mallory  same address  refused: NotYoursToDecide
        endorsed   mallory  same country  refused: NotYoursToDecide
        endorsed   mallory  elsewhere     refused: NotYoursToDecide
        endorsed   mallory  unknown       refused: NotYoursToDecide
        enrollment alice    same address  refused: CeremonyNotAllowed
        enrollment alice    same country  refused: CeremonyNotAllowed
        enrollment alice    elsewhere     refused: CeremonyNotAllowed
        enrollment alice    unknown       refused: CeremonyNotAllowed
        enrollment bob      same address  refused: CeremonyNotAllowed
        enrollment bob      same country  refused: CeremonyNotAllowed
        enrollment bob      elsewhere     refused: CeremonyNotAllowed
        enrollment bob      unknown       refused: CeremonyNotAllowed
        enrollment mallory  same address  refused: CeremonyNotAllowed
        enrollment mallory  same country  refused: CeremonyNotAllowed
        enrollment mallory  elsewhere     refused: CeremonyNotAllowed
        enrollment mallory  unknown       refused: CeremonyNotAllowed
    "#]]
    .assert_eq(&table(&privileged(), &requests));
}

#[test]
fn x42_an_approve_click_alone_is_never_enough_where_a_proof_is_demanded() {
    expect![[r#"
        access     alice    same address  refused: NotYoursToDecide
        access     alice    same country  refused: NotYoursToDecide
        access     alice    elsewhere     refused: NotYoursToDecide
        access     alice    unknown       refused: NotYoursToDecide
        access     bob      same address  may, same_address, ["same_address"]
        access     bob      same country  refused: StarterUnproven
        access     bob      elsewhere     refused: StarterUnproven
        access     bob      unknown       refused: StarterUnproven
        access     mallory  same address  refused: NotYoursToDecide
        access     mallory  same country  refused: NotYoursToDecide
        access     mallory  elsewhere     refused: NotYoursToDecide
        access     mallory  unknown       refused: NotYoursToDecide
    "#]]
    .assert_eq(&table(&emergency(), &[("access", request(None, State::Pending))]));
}

#[test]
fn a_listed_network_counts_when_both_are_in_one() {
    let request = request(None, State::Pending);
    let decider = Decider {
        approver_id: "bob",
        groups: &["ops".to_owned()],
        place: &place("192.0.2.9", "DE"),
        now: NOW,
    };
    let listed = |networks: &[IpNet]| {
        let around = Circumstances {
            profile: &emergency(),
            requester: &place("192.0.2.200", "DE"),
            listed: networks,
            shared: &[],
            is_same_platform: false,
        };
        eligible(&request, &decider, &around).map(|eligible| eligible.proofs().collect::<Vec<_>>())
    };
    assert_eq!(listed(&["192.0.2.0/24".parse().unwrap()]), Ok(vec!["listed_network"]));
    assert_eq!(
        listed(&["192.0.2.0/25".parse().unwrap()]),
        Err(Refusal::StarterUnproven)
    );
    assert_eq!(listed(&[]), Err(Refusal::StarterUnproven));
}

#[test]
fn x25_what_an_instance_asks_by_inbox_is_not_warned_of_as_a_code_would_be() {
    let near = place("203.0.113.7", "DE");
    let is_warned_of = |route: Option<Route>| {
        let mut request = request(Some("instance"), State::Pending);
        request.content.route = route;
        let decider = Decider {
            approver_id: "alice",
            groups: &[],
            place: &near,
            now: NOW,
        };
        let around = Circumstances {
            profile: &standard(),
            requester: &near,
            listed: &[],
            shared: &[],
            is_same_platform: true,
        };
        eligible(&request, &decider, &around).map(|eligible| eligible.is_same_device())
    };
    assert_eq!(is_warned_of(None), Ok(true));
    assert_eq!(is_warned_of(Some(Route::Owner)), Ok(false));
}

#[test]
fn x15_who_started_it_decides_first() {
    let mut started = request(Some("instance"), State::Pending);
    started.content.initiator = Some("bob".into());
    let near = place("203.0.113.7", "DE");
    assert_eq!(
        asked(&standard(), &started, "alice", &near),
        "refused: NotYoursToDecide"
    );
    started.content.initiator = Some("alice".into());
    assert!(asked(&standard(), &started, "alice", &near).starts_with("may"));
}

#[test]
fn x37_in_quiet_hours_nobody_is_asked_not_even_the_owner() {
    let quiet = json!({ "from": "00:00", "to": "23:59", "offset": "+00:00" });
    let profile = profile(
        json!({ "by": "owner", "starter": ["own_instance"] }),
        json!({ "X07": {}, "X11": { "quiet_hours": quiet } }),
    );
    let request = request(Some("instance"), State::Pending);
    let outcome = asked(&profile, &request, "alice", &place("203.0.113.7", "DE"));
    assert_eq!(outcome, "refused: QuietHours");
}
