//! The machine, printed: every state meets every act and every poll at every interesting moment.

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::approval::ConfirmedApproval;
use crate::fact::{Fact, Source};

const START: Timestamp = Timestamp::from_seconds(1_000_000);

fn viewer(name: &str) -> Viewer {
    Viewer {
        approver_id: format!("approver_{name}"),
        through: format!("session:{name}"),
    }
}

fn request(state: State) -> AuthorizationRequest {
    let content = Content {
        id: "request".into(),
        client_id: "cli".into(),
        purpose: Purpose::Access,
        profile: "open".into(),
        profile_version: "version".into(),
        scope: "read".into(),
        resource: vec!["https://as.example".into()],
        authorization_details: crate::details::Details::default(),
        acr_values: Vec::new(),
        max_age: None,
        jkt: None,
        x5t: None,
        instance: None,
        owner: None,
        route: None,
        binding_message: None,
        initiator: None,
        binding: None,
        facts: Vec::new(),
        requested_at: START,
        expires_at: START + Lifetime::from_seconds(600),
        grant_expires_at: START + Lifetime::from_seconds(28_800),
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

fn states() -> Vec<State> {
    let at = START + Lifetime::from_seconds(1);
    vec![
        State::Pending,
        State::Viewed {
            viewer: viewer("alice"),
            at,
            entry: CodeEntry::Typed,
            wrong_bindings: 0,
        },
        State::Endorsed {
            viewer: viewer("alice"),
            at,
            by: vec![viewer("alice").approver_id],
            proofs: Vec::new(),
        },
        State::Approved {
            viewer: viewer("alice"),
            at,
            by: vec![viewer("alice").approver_id],
            confirmation_tries: None,
            proofs: Vec::new(),
        },
        State::Approved {
            viewer: viewer("alice"),
            at,
            by: vec![viewer("alice").approver_id],
            confirmation_tries: Some(3),
            proofs: Vec::new(),
        },
        State::Denied {
            viewer: viewer("alice"),
            at,
            reported: false,
        },
        State::Redeemed {
            grant_id: "grant".into(),
            jkt: None,
            at,
        },
        State::Enrolled {
            instance_id: "instance".into(),
            at,
        },
        State::Cancelled {
            at,
            because: "client disabled".into(),
        },
    ]
}

fn approve(approval: &ConfirmedApproval) -> Act<'_> {
    Act::Approve {
        approval,
        quorum: 1,
        confirm_back: false,
        proofs: &["same_address"],
    }
}

fn row(state: &str, what: &str, outcome: Result<String, Refusal>) -> String {
    let outcome = outcome.unwrap_or_else(|refusal| format!("refused: {refusal:?}"));
    format!("{state:9} {what:18} -> {outcome}\n")
}

/// Every state, every act, by the viewer and by another.
fn acts_of_people() -> String {
    let mut table = String::new();
    let (alice, bob) = (viewer("alice"), viewer("bob"));
    let digest = request(State::Pending).digest;
    let by_alice = ConfirmedApproval::for_tests(alice.clone(), digest.clone());
    let by_bob = ConfirmedApproval::for_tests(bob.clone(), digest);
    let of_another = ConfirmedApproval::for_tests(alice.clone(), Digest::of(b"another request"));
    for state in states() {
        let request = request(state);
        let acts = [
            (
                "alice views",
                Act::View {
                    viewer: &alice,
                    entry: CodeEntry::Typed,
                },
            ),
            (
                "bob views",
                Act::View {
                    viewer: &bob,
                    entry: CodeEntry::Typed,
                },
            ),
            ("alice approves", approve(&by_alice)),
            ("  another digest", approve(&of_another)),
            ("bob approves", approve(&by_bob)),
            (
                "alice denies",
                Act::Deny {
                    viewer: &alice,
                    reported: true,
                },
            ),
            (
                "bob denies",
                Act::Deny {
                    viewer: &bob,
                    reported: false,
                },
            ),
            ("cancel", Act::Cancel { because: "contained" }),
        ];
        for (what, act) in acts {
            let outcome = request.act(&act, START + Lifetime::from_seconds(10));
            table += &row(request.state.name(), what, outcome.map(|state| state.name().to_owned()));
        }
    }
    table
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_acts_of_people() {
    expect![[r#"
        pending   alice views        -> viewed
        pending   bob views          -> viewed
        pending   alice approves     -> refused: NotTheViewer
        pending     another digest   -> refused: NotTheViewer
        pending   bob approves       -> refused: NotTheViewer
        pending   alice denies       -> refused: NotTheViewer
        pending   bob denies         -> refused: NotTheViewer
        pending   cancel             -> cancelled
        viewed    alice views        -> viewed
        viewed    bob views          -> refused: NotTheViewer
        viewed    alice approves     -> approved
        viewed      another digest   -> refused: DecisionInvalid
        viewed    bob approves       -> refused: NotTheViewer
        viewed    alice denies       -> denied
        viewed    bob denies         -> refused: NotTheViewer
        viewed    cancel             -> cancelled
        endorsed  alice views        -> refused: AlreadyDecided
        endorsed  bob views          -> refused: AlreadyDecided
        endorsed  alice approves     -> refused: AlreadyDecided
        endorsed    another digest   -> refused: AlreadyDecided
        endorsed  bob approves       -> approved
        endorsed  alice denies       -> refused: AlreadyDecided
        endorsed  bob denies         -> denied
        endorsed  cancel             -> cancelled
        approved  alice views        -> refused: AlreadyDecided
        approved  bob views          -> refused: AlreadyDecided
        approved  alice approves     -> refused: AlreadyDecided
        approved    another digest   -> refused: AlreadyDecided
        approved  bob approves       -> refused: AlreadyDecided
        approved  alice denies       -> refused: AlreadyDecided
        approved  bob denies         -> refused: AlreadyDecided
        approved  cancel             -> cancelled
        approved  alice views        -> refused: AlreadyDecided
        approved  bob views          -> refused: AlreadyDecided
        approved  alice approves     -> refused: AlreadyDecided
        approved    another digest   -> refused: AlreadyDecided
        approved  bob approves       -> refused: AlreadyDecided
        approved  alice denies       -> refused: AlreadyDecided
        approved  bob denies         -> refused: AlreadyDecided
        approved  cancel             -> cancelled
        denied    alice views        -> refused: AlreadyDecided
        denied    bob views          -> refused: AlreadyDecided
        denied    alice approves     -> refused: AlreadyDecided
        denied      another digest   -> refused: AlreadyDecided
        denied    bob approves       -> refused: AlreadyDecided
        denied    alice denies       -> refused: AlreadyDecided
        denied    bob denies         -> refused: AlreadyDecided
        denied    cancel             -> refused: AlreadyDecided
        redeemed  alice views        -> refused: AlreadyDecided
        redeemed  bob views          -> refused: AlreadyDecided
        redeemed  alice approves     -> refused: AlreadyDecided
        redeemed    another digest   -> refused: AlreadyDecided
        redeemed  bob approves       -> refused: AlreadyDecided
        redeemed  alice denies       -> refused: AlreadyDecided
        redeemed  bob denies         -> refused: AlreadyDecided
        redeemed  cancel             -> refused: AlreadyDecided
        enrolled  alice views        -> refused: AlreadyDecided
        enrolled  bob views          -> refused: AlreadyDecided
        enrolled  alice approves     -> refused: AlreadyDecided
        enrolled    another digest   -> refused: AlreadyDecided
        enrolled  bob approves       -> refused: AlreadyDecided
        enrolled  alice denies       -> refused: AlreadyDecided
        enrolled  bob denies         -> refused: AlreadyDecided
        enrolled  cancel             -> refused: AlreadyDecided
        cancelled alice views        -> refused: AlreadyDecided
        cancelled bob views          -> refused: AlreadyDecided
        cancelled alice approves     -> refused: AlreadyDecided
        cancelled   another digest   -> refused: AlreadyDecided
        cancelled bob approves       -> refused: AlreadyDecided
        cancelled alice denies       -> refused: AlreadyDecided
        cancelled bob denies         -> refused: AlreadyDecided
        cancelled cancel             -> refused: AlreadyDecided
    "#]]
    .assert_eq(&acts_of_people());
}

#[test]
fn after_expiry_no_person_can_do_anything() {
    let (alice, late) = (viewer("alice"), START + Lifetime::from_seconds(600));
    let approval = ConfirmedApproval::for_tests(alice.clone(), request(State::Pending).digest);
    for state in states() {
        for act in [
            Act::View {
                viewer: &alice,
                entry: CodeEntry::Typed,
            },
            approve(&approval),
            Act::Deny {
                viewer: &alice,
                reported: false,
            },
        ] {
            assert_eq!(
                request(state.clone()).act(&act, late),
                Err(Refusal::UserCodeUnusable),
                "{} {act:?}",
                state.name()
            );
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_answers_to_polls() {
    let mut table = String::new();
    let interval = Lifetime::from_seconds(5);
    let moments = [
        ("first", None, 20),
        ("on time", Some(15), 20),
        ("early", Some(17), 20),
        ("expired", Some(0), 600),
    ];
    for state in states() {
        let request = request(state);
        for (when, last, now) in moments {
            let mark = PollMark {
                last: last.map(|seconds| START + Lifetime::from_seconds(seconds)),
                interval,
            };
            let by = Poller {
                client_id: "cli",
                jkt: None,
                x5t: None,
                kind: CodeKind::Device,
            };
            let outcome = request
                .poll(by, mark, START + Lifetime::from_seconds(now))
                .map(|poll| match poll {
                    Poll::Redeem => "Redeem".to_owned(),
                    Poll::Confirm { tries } => format!("Confirm, {tries} tries"),
                    Poll::Enrolled { .. } => "Enrolled".to_owned(),
                    Poll::SlowDown { interval, .. } => format!("SlowDown, interval {}", interval.seconds()),
                    Poll::Replayed { revoke, .. } => format!("Replayed, revoke {revoke}"),
                    Poll::Pending => "Pending".to_owned(),
                });
            table += &row(request.state.name(), when, outcome);
        }
    }
    expect![[r#"
        pending   first              -> Pending
        pending   on time            -> Pending
        pending   early              -> SlowDown, interval 10
        pending   expired            -> refused: CodeExpired
        viewed    first              -> Pending
        viewed    on time            -> Pending
        viewed    early              -> SlowDown, interval 10
        viewed    expired            -> refused: CodeExpired
        endorsed  first              -> Pending
        endorsed  on time            -> Pending
        endorsed  early              -> SlowDown, interval 10
        endorsed  expired            -> refused: CodeExpired
        approved  first              -> Redeem
        approved  on time            -> Redeem
        approved  early              -> Redeem
        approved  expired            -> refused: CodeExpired
        approved  first              -> Confirm, 3 tries
        approved  on time            -> Confirm, 3 tries
        approved  early              -> Confirm, 3 tries
        approved  expired            -> refused: CodeExpired
        denied    first              -> refused: AccessDenied
        denied    on time            -> refused: AccessDenied
        denied    early              -> refused: AccessDenied
        denied    expired            -> refused: AccessDenied
        redeemed  first              -> Replayed, revoke false
        redeemed  on time            -> Replayed, revoke false
        redeemed  early              -> Replayed, revoke false
        redeemed  expired            -> Replayed, revoke true
        enrolled  first              -> Enrolled
        enrolled  on time            -> Enrolled
        enrolled  early              -> Enrolled
        enrolled  expired            -> Enrolled
        cancelled first              -> refused: AccessDenied
        cancelled on time            -> refused: AccessDenied
        cancelled early              -> refused: AccessDenied
        cancelled expired            -> refused: CodeExpired
    "#]]
    .assert_eq(&table);
}

/// Who presents a code: its client and key, or another.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn d38_p22_only_its_own_client_and_key_get_on_with_a_code() {
    let mut table = String::new();
    let mark = PollMark {
        last: None,
        interval: Lifetime::from_seconds(5),
    };
    let now = START + Lifetime::from_seconds(20);
    for state in states() {
        let mut request = request(state);
        request.content.jkt = Some("key".into());
        if let State::Redeemed { jkt, .. } = &mut request.state {
            *jkt = Some("key".into());
        }
        for (who, client_id, jkt) in [
            ("own key", "cli", Some("key")),
            ("other key", "cli", Some("other")),
            ("no proof", "cli", None),
            ("other client", "x", Some("key")),
        ] {
            let outcome = request
                .poll(
                    Poller {
                        client_id,
                        jkt,
                        x5t: None,
                        kind: CodeKind::Device,
                    },
                    mark,
                    now,
                )
                .map(|poll| match poll {
                    Poll::Replayed { revoke, .. } => format!("Replayed, revoke {revoke}"),
                    Poll::Redeem => "Redeem".to_owned(),
                    other => format!("{other:?}"),
                });
            table += &row(request.state.name(), who, outcome);
        }
    }
    expect![[r#"
        pending   own key            -> Pending
        pending   other key          -> refused: DpopKeyMismatch
        pending   no proof           -> refused: DpopKeyMismatch
        pending   other client       -> refused: DeviceCodeUnknown
        viewed    own key            -> Pending
        viewed    other key          -> refused: DpopKeyMismatch
        viewed    no proof           -> refused: DpopKeyMismatch
        viewed    other client       -> refused: DeviceCodeUnknown
        endorsed  own key            -> Pending
        endorsed  other key          -> refused: DpopKeyMismatch
        endorsed  no proof           -> refused: DpopKeyMismatch
        endorsed  other client       -> refused: DeviceCodeUnknown
        approved  own key            -> Redeem
        approved  other key          -> refused: DpopKeyMismatch
        approved  no proof           -> refused: DpopKeyMismatch
        approved  other client       -> refused: DeviceCodeUnknown
        approved  own key            -> Confirm { tries: 3 }
        approved  other key          -> refused: DpopKeyMismatch
        approved  no proof           -> refused: DpopKeyMismatch
        approved  other client       -> refused: DeviceCodeUnknown
        denied    own key            -> refused: AccessDenied
        denied    other key          -> refused: DpopKeyMismatch
        denied    no proof           -> refused: DpopKeyMismatch
        denied    other client       -> refused: DeviceCodeUnknown
        redeemed  own key            -> Replayed, revoke false
        redeemed  other key          -> Replayed, revoke true
        redeemed  no proof           -> Replayed, revoke true
        redeemed  other client       -> Replayed, revoke true
        enrolled  own key            -> Enrolled { instance_id: "instance" }
        enrolled  other key          -> refused: DpopKeyMismatch
        enrolled  no proof           -> refused: DpopKeyMismatch
        enrolled  other client       -> refused: DeviceCodeUnknown
        cancelled own key            -> refused: AccessDenied
        cancelled other key          -> refused: DpopKeyMismatch
        cancelled no proof           -> refused: DpopKeyMismatch
        cancelled other client       -> refused: DeviceCodeUnknown
    "#]]
    .assert_eq(&table);
}

#[test]
fn d21_slow_down_adds_five_seconds_for_good_up_to_a_minute() {
    let mut mark = PollMark {
        last: None,
        interval: Lifetime::from_seconds(5),
    };
    let mut intervals = Vec::new();
    for second in 0..15 {
        let now = START + Lifetime::from_seconds(second);
        if let Poll::SlowDown { interval, raised } = AuthorizationRequest::pending(None, mark, now) {
            assert_eq!(raised, interval > mark.interval);
            mark.interval = interval;
            intervals.push(interval.seconds());
        }
        mark.last = Some(now);
    }
    assert_eq!(intervals, [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60, 60, 60]);
}

/// H2CK #716, Abblix #281: raising the interval and moving the mark must not trap an honest client.
#[test]
fn an_honest_client_with_jitter_is_never_slowed() {
    for jitter in [0, 100, 250, 400] {
        let mut mark = PollMark {
            last: None,
            interval: Lifetime::from_seconds(5),
        };
        let mut now = START;
        for poll in 0..100 {
            assert_eq!(
                AuthorizationRequest::pending(None, mark, now),
                Poll::Pending,
                "jitter {jitter} ms, poll {poll}"
            );
            mark.last = Some(now);
            let early = if poll % 2 == 0 { jitter } else { -jitter };
            now = now + Lifetime::from_millis(5_000 - early);
        }
    }
}

#[test]
fn a_retry_within_half_a_minute_is_no_theft_and_later_it_is() {
    let at = START + Lifetime::from_seconds(5);
    let request = request(State::Redeemed {
        grant_id: "grant".into(),
        jkt: None,
        at,
    });
    let mark = PollMark {
        last: None,
        interval: Lifetime::from_seconds(5),
    };
    for (seconds, revoke) in [(30, false), (31, true)] {
        let by = Poller {
            client_id: "cli",
            jkt: None,
            x5t: None,
            kind: CodeKind::Device,
        };
        let poll = request.poll(by, mark, at + Lifetime::from_seconds(seconds));
        assert_eq!(
            poll,
            Ok(Poll::Replayed {
                grant_id: "grant".into(),
                revoke
            }),
            "{seconds} s"
        );
    }
}

#[test]
fn the_digest_covers_every_member() {
    let original = request(State::Pending).content;
    let mut changed: Vec<Content> = (0..21).map(|_| original.clone()).collect();
    changed[0].scope = "read write".into();
    changed[1].client_id = "other".into();
    changed[2].jkt = Some("key".into());
    changed[3].resource = vec![];
    changed[4].expires_at = START;
    changed[5].grant_expires_at = START;
    changed[6].facts = vec![Fact::new("requester.address", "192.0.2.1", Source::Proven)];
    changed[7].id = "other".into();
    changed[8].profile_version = "other".into();
    changed[9].instance = Some("instance".into());
    changed[10].owner = Some("alice".into());
    changed[11].initiator = Some("alice".into());
    changed[12].binding = Some("digest".into());
    changed[13].purpose = Purpose::Enrollment(Enrollment {
        name: "laptop".into(),
        environment: None,
        expires_at: START,
        key: json!({}),
    });
    changed[14].profile = "other".into();
    changed[15].authorization_details = serde_json::from_value(json!([{"type": "api"}])).unwrap();
    changed[16].acr_values = vec!["phr".into()];
    changed[17].max_age = Some(Lifetime::from_seconds(60));
    changed[18].x5t = Some("certificate".into());
    changed[19].route = Some(Route::Owner);
    changed[20].binding_message = Some("bright harbour".into());
    for content in changed {
        assert_ne!(content.digest(), original.digest(), "{content:?}");
    }
}

/// RFC 10027 §6.1.16 and §6.1.17: three guesses, then nothing comes of it.
#[test]
fn x16_x17_what_is_typed_wrong_three_times_cancels() {
    let now = START + Lifetime::from_seconds(10);
    let mut asked = request(states()[4].clone());
    for left in [2, 1] {
        asked.state = asked.wrongly_confirmed(now).unwrap();
        assert!(matches!(asked.state, State::Approved { confirmation_tries: Some(tries), .. } if tries == left));
    }
    asked.state = asked.wrongly_confirmed(now).unwrap();
    assert!(matches!(&asked.state, State::Cancelled { because, .. } if because == "confirmation_failed"));

    let mut asked = request(states()[1].clone());
    for wrong in [1, 2] {
        asked.state = asked.wrongly_bound(now).unwrap();
        assert!(matches!(asked.state, State::Viewed { wrong_bindings, .. } if wrong_bindings == wrong));
        let again = Act::View {
            viewer: &viewer("alice"),
            entry: CodeEntry::Typed,
        };
        assert_eq!(
            asked.act(&again, now),
            Ok(asked.state.clone()),
            "no new tries by a reload"
        );
    }
    asked.state = asked.wrongly_bound(now).unwrap();
    assert!(matches!(&asked.state, State::Cancelled { because, .. } if because == "binding_failed"));
}

#[test]
fn x16_x17_nothing_is_typed_where_nothing_is_asked() {
    for (position, state) in states().into_iter().enumerate() {
        let asked = request(state);
        assert_eq!(asked.wrongly_confirmed(START).is_ok(), position == 4, "{position}");
        assert_eq!(asked.wrongly_bound(START).is_ok(), position == 1, "{position}");
    }
}

/// A quorum is distinct people: the same one again, through whatever session, is none more.
#[test]
fn a_quorum_of_three_takes_three_people_and_any_of_them_may_decline() {
    let now = START + Lifetime::from_seconds(10);
    let by = |name: &str, request: &AuthorizationRequest| {
        let approval = ConfirmedApproval::for_tests(viewer(name), request.digest.clone());
        let act = Act::Approve {
            approval: &approval,
            quorum: 3,
            confirm_back: true,
            proofs: &[],
        };
        request.act(&act, now)
    };
    let mut asked = request(states()[1].clone());
    for name in ["alice", "bob"] {
        asked.state = by(name, &asked).unwrap();
        assert_eq!(asked.state.name(), "endorsed", "{name}");
        assert_eq!(by(name, &asked), Err(Refusal::AlreadyDecided), "{name} again");
        let elsewhere = Viewer {
            through: "key:another".to_owned(),
            ..viewer(name)
        };
        assert_eq!(
            asked.act(&Act::Look { viewer: &elsewhere }, now),
            Err(Refusal::AlreadyDecided)
        );
    }
    let carol = viewer("carol");
    let look = asked.act(&Act::Look { viewer: &carol }, now).unwrap();
    assert_eq!(look, asked.state, "a look locks nobody");
    let deny = Act::Deny {
        viewer: &carol,
        reported: false,
    };
    assert_eq!(asked.act(&deny, now).unwrap().name(), "denied");
    asked.state = by("carol", &asked).unwrap();
    let State::Approved {
        viewer: opener,
        by,
        confirmation_tries,
        ..
    } = &asked.state
    else {
        panic!("{:?}", asked.state);
    };
    assert_eq!((opener, by.len(), *confirmation_tries), (&viewer("alice"), 3, Some(3)));
}
