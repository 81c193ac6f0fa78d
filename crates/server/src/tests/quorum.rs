//! Where more than one person has to approve: who they are, what each sees, and what the last one brings about.

use http::StatusCode;
use serde_json::{Value, json};
use store::Batch;

use super::pages::browser::Browser;
use super::world::{Answer, Key, World, with_profiles};

pub const TWO: &str = r#"
name = "two"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "two who obey"
[approval]
by = "group"
group = "ops"
quorum = 2
software_keys = true
starter = ["same_address"]
[mitigations]
X04 = { presenters = 1, then = "report" }
"#;

const TWO_AND_DIGITS: &str = r#"
name = "digits"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "two who obey"
[approval]
by = "group"
group = "ops"
quorum = 2
software_keys = true
starter = ["same_address"]
[mitigations]
X16 = true
"#;

const JOIN: &str = "INSERT INTO group_member (group_name, approver_id, added_at) VALUES ($1, $2, 0)";
const LEAVE: &str = "DELETE FROM group_member WHERE group_name = $1 AND approver_id = $2";

async fn member(world: &World, sql: &'static str, name: &str) {
    let approver = world.app.store.approver_named(name).await.unwrap().unwrap();
    let batch = Batch::default().any(sql, vec!["ops".into(), approver.id.into()]);
    world.app.store.commit(batch).await.unwrap();
}

pub async fn joined(world: &World, name: &str) -> Key {
    let key = world.approver(name).await;
    member(world, JOIN, name).await;
    key
}

/// On both databases: a client `cli` of the profile, alice, bob and carol of the group, dave not.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn of_two(profile: &'static str, test: impl AsyncFn(&World, [&Key; 4])) {
    with_profiles(&[TWO, TWO_AND_DIGITS], async |world| {
        world.client("cli", json!({ "profile": profile })).await;
        let alice = joined(world, "alice").await;
        let bob = joined(world, "bob").await;
        let carol = joined(world, "carol").await;
        let dave = world.approver("dave").await;
        test(world, [&alice, &bob, &carol, &dave]).await;
    });
}

async fn waiting(world: &World, key: &Key) -> Vec<Value> {
    let answer = world.call("/approver/waiting", &json!({}), key).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["requests"].as_array().unwrap().clone()
}

pub async fn look(world: &World, request_id: &str, key: &Key) -> Answer {
    world
        .call("/approver/view", &json!({ "request_id": request_id }), key)
        .await
}

async fn second(world: &World, request_id: &str, key: &Key) -> Answer {
    let view = look(world, request_id, key).await;
    assert_eq!(view.status, StatusCode::OK, "{}", view.body);
    world.call("/approver/approve", &key.decision(&view.body), key).await
}

/// Asked, opened by code and approved by the first: the device code and the request's id.
pub async fn endorsed(world: &World, first: &Key) -> (String, String) {
    let asked = world.ask("cli").await;
    let decided = world.approve(&asked.text("user_code"), first).await;
    world.advance(1);
    assert_eq!(
        (decided.text("state"), &decided.body["waiting_for"]),
        ("endorsed".to_owned(), &json!(1))
    );
    (asked.text("device_code"), decided.text("request_id"))
}

#[test]
fn the_second_of_two_finds_it_without_a_code_and_access_is_in_the_first_ones_name() {
    of_two("two", async |world, [alice, bob, _, dave]| {
        let (code, id) = endorsed(world, alice).await;
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
        let listed = waiting(world, bob).await;
        assert_eq!(listed[0]["request_id"], json!(id));
        assert_eq!(
            listed[0]["quorum"],
            json!({ "needed": 2, "have": 1, "approved_by": ["alice"] })
        );
        assert!(waiting(world, alice).await.is_empty(), "who has approved");
        assert!(waiting(world, dave).await.is_empty(), "who is not of the group");

        let view = look(world, &id, bob).await;
        assert!(view.text("request_digest").len() == 43);
        let consequence = view.body["consequences"][0].as_str().unwrap();
        assert!(consequence.contains("in the name of alice at once"), "{consequence}");
        let viewed = world.events("device.viewed").await;
        assert_eq!((viewed.len(), &viewed[1]["detail"]["code.entry"]), (2, &json!("push")));
        let decided = world.call("/approver/approve", &bob.decision(&view.body), bob).await;
        assert_eq!(decided.text("state"), "approved");

        world.advance(5);
        let tokens = world.poll(&code).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        let grants = world.administer("GET", "/local/grants", &Value::Null).await.body;
        assert_eq!(grants[0]["approver"], "alice");
        assert_eq!(world.events("device.endorsed").await.len(), 1);
        assert_eq!(world.events("device.approved").await.len(), 1);
    });
}

/// Each signs the same request digest, and what is granted is what both granted.
#[test]
fn the_record_holds_both_signatures_over_one_digest() {
    of_two("two", async |world, [alice, bob, ..]| {
        let (code, id) = endorsed(world, bob).await;
        second(world, &id, alice).await;
        assert_eq!(world.poll(&code).await.status, StatusCode::OK);
        let grants = world.administer("GET", "/local/grants", &Value::Null).await.body;
        let path = format!("/local/grants/{}", grants[0]["grant_id"].as_str().unwrap());
        let evidence = world.administer("GET", &path, &Value::Null).await.body["evidence"].clone();
        let (first, other) = (&evidence["decision"], &evidence["others"][0]["decision"]);
        assert_eq!(grants[0]["approver"], "bob", "who opened it, whenever who was enrolled");
        for member in ["request_digest", "granted"] {
            assert_eq!(first[member], other[member], "{member}");
        }
        assert_ne!(first["approver"], other["approver"]);
    });
}

/// Nothing tells their instances apart: they are one asker.
#[test]
fn of_a_client_without_instances_five_wait_for_the_second_and_how_many_more() {
    of_two("two", async |world, [alice, bob, ..]| {
        for _ in 0..7 {
            endorsed(world, alice).await;
        }
        let answer = world.call("/approver/waiting", &json!({}), bob).await;
        let listed = answer.body["requests"].as_array().unwrap().len();
        assert_eq!((listed, &answer.body["more"]), (5, &json!(2)));
    });
}

#[test]
fn the_first_does_not_approve_twice_through_whatever_key_or_session() {
    of_two("two", async |world, [alice, ..]| {
        let (browser, passkey) = Browser::enrolled(world, "erin").await;
        member(world, JOIN, "erin").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        browser.approve(&page, &passkey).await;
        let shown = browser.get(&page).await.html;
        assert!(shown.contains("waiting for 1 more person"), "{shown}");

        // Another session of the same person, and the same request again.
        let other = Browser::new(world);
        other.sign_in(&passkey).await;
        assert!(!other.get("/account").await.html.contains("Waiting for you"));
        let again = other.post(&format!("{page}/open"), &[]).await;
        assert_eq!(again.status, StatusCode::NOT_FOUND, "{}", again.html);
        let (code, id) = endorsed(world, alice).await;
        assert_eq!(look(world, &id, alice).await.error(), "unknown_code");
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
    });
}

#[test]
fn only_members_look_approve_or_decline_and_membership_is_asked_again() {
    of_two("two", async |world, [alice, bob, _, dave]| {
        let (code, id) = endorsed(world, alice).await;
        assert_eq!(look(world, &id, dave).await.error(), "unknown_code");
        let deny = json!({ "request_id": id });
        assert_eq!(world.call("/approver/deny", &deny, dave).await.error(), "unknown_code");
        let view = look(world, &id, bob).await;
        member(world, LEAVE, "bob").await;
        let late = world.call("/approver/approve", &bob.decision(&view.body), bob).await;
        assert_eq!(late.error(), "unknown_code");
        assert_eq!(world.call("/approver/deny", &deny, bob).await.error(), "unknown_code");
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
    });
}

#[test]
fn any_of_them_may_decline_or_report_and_that_is_the_end() {
    of_two("two", async |world, [alice, bob, carol, _]| {
        for report in [false, true] {
            let (code, id) = endorsed(world, alice).await;
            let deny = json!({ "request_id": id, "report": report });
            assert_eq!(world.call("/approver/deny", &deny, carol).await.text("state"), "denied");
            assert_eq!(world.poll(&code).await.error(), "access_denied");
            assert_eq!(look(world, &id, bob).await.error(), "unknown_code");
        }
        assert_eq!(world.events("device.reported").await.len(), 1);
    });
}

#[test]
fn of_two_last_approvers_at_once_one_completes_and_the_other_learns_that_it_is_decided() {
    of_two("two", async |world, [alice, bob, carol, _]| {
        for _ in 0..3 {
            let (code, id) = endorsed(world, alice).await;
            let (one, other) = (look(world, &id, bob).await, look(world, &id, carol).await);
            let (one, other) = (bob.decision(&one.body), carol.decision(&other.body));
            let (one, other) = tokio::join!(
                world.call("/approver/approve", &one, bob),
                world.call("/approver/approve", &other, carol),
            );
            let mut statuses = [one.status, other.status];
            statuses.sort();
            assert_eq!(statuses, [StatusCode::OK, StatusCode::NOT_FOUND]);
            assert_eq!(world.poll(&code).await.status, StatusCode::OK);
        }
        assert_eq!(world.events("device.approved").await.len(), 3);
    });
}

#[test]
fn it_expires_as_it_would_with_one() {
    of_two("two", async |world, [alice, bob, ..]| {
        let (code, id) = endorsed(world, alice).await;
        let view = look(world, &id, bob).await;
        world.advance(600);
        assert!(waiting(world, bob).await.is_empty());
        let late = world.call("/approver/approve", &bob.decision(&view.body), bob).await;
        assert_eq!(late.error(), "unknown_code");
        assert_eq!(world.poll(&code).await.error(), "expired_token");
    });
}

#[test]
fn an_approver_disabled_after_endorsing_makes_redemption_fail() {
    for name in ["alice", "bob"] {
        of_two("two", async |world, [alice, bob, ..]| {
            let (code, id) = endorsed(world, alice).await;
            assert_eq!(second(world, &id, bob).await.text("state"), "approved");
            let path = format!("/local/approvers/{name}/disable");
            world.administer("POST", &path, &Value::Null).await;
            assert_eq!(world.poll(&code).await.error(), "invalid_grant", "{name}");
        });
    }
}

#[test]
fn the_code_admits_the_first_viewer_only() {
    of_two("two", async |world, [alice, bob, ..]| {
        let asked = world.ask("cli").await;
        let code = asked.text("user_code");
        let view = world.view(&code, alice).await;
        let id = view.text("request_id");
        for answer in [world.view(&code, bob).await, look(world, &id, bob).await] {
            assert_eq!(answer.error(), "unknown_code", "before the first approval");
        }
        world
            .call("/approver/approve", &alice.decision(&view.body), alice)
            .await;
        assert_eq!(world.view(&code, bob).await.error(), "unknown_code", "and after it");
        assert_eq!(look(world, &id, bob).await.status, StatusCode::OK);
        let both = json!({ "request_id": id, "user_code": code });
        assert_eq!(
            world.call("/approver/view", &both, bob).await.error(),
            "invalid_request"
        );
    });
}

#[test]
fn x16_the_digits_are_for_who_opened_it_once_all_have_approved() {
    of_two("digits", async |world, [alice, bob, ..]| {
        let (code, id) = endorsed(world, alice).await;
        let digits = async |key| world.call("/approver/digits", &json!({ "request_id": id }), key).await;
        assert_eq!(digits(alice).await.body["confirmation"], Value::Null);
        let decided = second(world, &id, bob).await;
        assert_eq!(
            decided.body["confirmation"],
            Value::Null,
            "bob was not there: {}",
            decided.body
        );
        assert_eq!(digits(bob).await.body["confirmation"], Value::Null);
        let own = digits(alice).await.text("confirmation");
        let polled = world.poll(&code).await;
        assert_eq!(polled.body["confirmation_tries"], 3, "{}", polled.body);
        let form = [&super::world::poll_form(&code)[..], &[("confirmation", &own)]].concat();
        assert_eq!(world.post("/token", &form).await.status, StatusCode::OK);
    });
}

#[test]
fn the_pages_lead_the_second_from_the_start_page_to_the_decision() {
    of_two("two", async |world, [alice, ..]| {
        let (browser, passkey) = Browser::enrolled(world, "erin").await;
        member(world, JOIN, "erin").await;
        let (code, id) = endorsed(world, alice).await;
        let page = format!("/device/{id}");
        for path in ["/", "/account"] {
            let shown = browser.get(path).await.html;
            assert!(
                shown.contains("Waiting for you") && shown.contains(&format!("{page}/open")),
                "{shown}"
            );
        }
        assert_eq!(browser.post(&format!("{page}/open"), &[]).await.location(), page);
        let shown = browser.get(&page).await.html;
        for words in [
            "to act for <bdi>alice</bdi>?",
            "2 different people. So far 1:",
            "This looks wrong",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        browser.approve(&page, &passkey).await;
        let shown = browser.get(&page).await.html;
        assert!(shown.contains("may act for <bdi>alice</bdi> until"), "{shown}");
        assert_eq!(world.poll(&code).await.status, StatusCode::OK);
        assert_eq!(browser.get(&page).await.html, shown, "and after redemption");
        assert!(!browser.get("/").await.html.contains("Waiting for you"));
    });
}

#[test]
fn the_first_learns_on_the_page_that_another_declined() {
    of_two("two", async |world, [_, bob, ..]| {
        let (browser, passkey) = Browser::enrolled(world, "erin").await;
        member(world, JOIN, "erin").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        browser.approve(&page, &passkey).await;
        let id = page.trim_start_matches("/device/");
        world.call("/approver/deny", &json!({ "request_id": id }), bob).await;
        let shown = browser.get(&page).await.html;
        assert!(shown.contains("Declined by another"), "{shown}");
    });
}

#[test]
fn a_member_who_leaves_the_group_after_approving_counts_no_more() {
    of_two("two", async |world, [alice, bob, ..]| {
        let (code, id) = endorsed(world, alice).await;
        assert_eq!(second(world, &id, bob).await.text("state"), "approved");
        member(world, LEAVE, "bob").await;
        assert_eq!(world.poll(&code).await.error(), "invalid_grant");
        member(world, JOIN, "bob").await;
        assert_eq!(world.poll(&code).await.status, StatusCode::OK);
    });
}
