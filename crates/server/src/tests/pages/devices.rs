//! The devices that an approver answers for, on their pages.

use http::StatusCode;
use serde_json::json;

use super::browser::Browser;
use crate::tests::instances::{ask, refresh, standard, tokens};
use crate::tests::world::{Answer, Key, World, on_both};

async fn page_of(world: &World, key: &Key) -> String {
    let instance = world.instance_of(key).await;
    format!("/account/devices/{}", instance["instance_id"].as_str().unwrap())
}

async fn press(browser: &Browser<'_>, page: &str, act: &str) -> Answer {
    browser.post(&format!("{page}/{act}"), &[]).await
}

#[test]
fn an_owner_renames_stops_starts_and_removes_a_device() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let granted = tokens(&alice, &passkey, &key).await;
        let page = page_of(world, &key).await;
        let list = alice.get("/account/devices").await.html;
        assert!(list.contains("Laptop of alice") && list.contains("Last seen"), "{list}");
        let shown = alice.get(&page).await.html;
        assert!(shown.contains("An administrator registered its key"), "{shown}");

        let renamed = alice
            .post(&format!("{page}/rename"), &[("name", "<b>Desk\u{202e}")])
            .await;
        assert_eq!(renamed.location(), format!("{page}?done=renamed"));
        let shown = alice.get(renamed.location()).await.html;
        assert!(shown.contains("&#60;b&#62;Desk&#60;U+202E&#62;"), "{shown}");
        assert!(shown.contains("It has its new name."));
        let empty = alice.post(&format!("{page}/rename"), &[("name", " ")]).await;
        assert_eq!(empty.status, StatusCode::BAD_REQUEST);

        for _ in 0..2 {
            assert_eq!(
                press(&alice, &page, "suspend").await.location(),
                format!("{page}?done=suspended")
            );
        }
        assert_eq!(refresh(world, &granted, &key).await.error(), "invalid_grant");
        assert_eq!(ask(world, "cli", &key).await.error(), "unauthorized_client");
        press(&alice, &page, "resume").await.location();
        assert_eq!(ask(world, "cli", &key).await.status, StatusCode::OK);

        let question = alice.get(&format!("{page}/remove")).await.html;
        assert!(question.contains("may never ask again"), "{question}");
        assert_eq!(
            ask(world, "cli", &key).await.status,
            StatusCode::OK,
            "a question removes nothing"
        );
        assert_eq!(
            press(&alice, &page, "remove").await.location(),
            "/account/devices?done=removed"
        );
        assert_eq!(ask(world, "cli", &key).await.error(), "unauthorized_client");
        assert!(
            alice
                .get("/account/devices")
                .await
                .html
                .contains("No device is known as yours.")
        );
        let acts: Vec<_> = ["renamed", "suspended", "resumed", "removed"].to_vec();
        for act in acts {
            let events = world.events(&format!("instance.{act}")).await;
            assert_eq!(events.len(), 1, "{act}");
            assert!(
                events[0]["detail"]["session.id"]
                    .as_str()
                    .unwrap()
                    .starts_with("session:")
            );
        }
    });
}

#[test]
fn a_session_left_open_starts_nothing_again_gives_nothing_away_and_takes_nothing() {
    on_both(async |world| {
        let (alice, _) = standard(world, "alice").await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        let key = world.enrolled("cli", "alice").await;
        let page = page_of(world, &key).await;
        alice.post(&format!("{page}/offer"), &[("to", "bob")]).await.location();
        world.advance(600);
        let offered = bob.get("/account/devices").await.html;
        assert!(offered.contains("Sign in again</a> to take one"), "{offered}");
        press(&alice, &page, "suspend").await.location();
        for (who, act) in [(&alice, "resume"), (&alice, "remove"), (&bob, "take")] {
            let refused = press(who, &page, act).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{act}");
            assert!(refused.html.contains("Sign in again first"), "{act}");
        }
        let refused = alice.post(&format!("{page}/offer"), &[("to", "bob")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let renamed = alice.post(&format!("{page}/rename"), &[("name", "Mine")]).await;
        assert_eq!(renamed.status, StatusCode::FORBIDDEN);
        let instance = world.instance_of(&key).await;
        assert_eq!(
            (&instance["owner"], &instance["standing"]),
            (&json!("alice"), &json!("suspended"))
        );
    });
}

#[test]
fn another_s_device_is_not_there() {
    on_both(async |world| {
        let (_alice, _) = standard(world, "alice").await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        let key = world.enrolled("cli", "alice").await;
        let page = page_of(world, &key).await;
        let before = world.instance_of(&key).await;
        assert!(!bob.get("/account/devices").await.html.contains("Laptop of alice"));
        assert_eq!(bob.get(&page).await.status, StatusCode::NOT_FOUND);
        assert_eq!(bob.get(&format!("{page}/remove")).await.status, StatusCode::NOT_FOUND);
        for act in ["rename", "suspend", "resume", "remove", "offer", "withdraw", "take"] {
            let form = [("name", "Mine"), ("to", "bob")];
            let answer = bob.post(&format!("{page}/{act}"), &form).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{act}");
        }
        assert_eq!(
            press(&bob, &page, "decline").await.location(),
            "/account/devices?done=declined"
        );
        assert_eq!(world.instance_of(&key).await, before);
    });
}

#[test]
fn a_device_goes_to_whom_it_was_offered_once_they_take_it() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let (bob, bobs) = Browser::enrolled(world, "bob").await;
        let (carol, _) = Browser::enrolled(world, "carol").await;
        let key = world.enrolled("cli", "alice").await;
        let granted = tokens(&alice, &passkey, &key).await;
        let page = page_of(world, &key).await;

        alice
            .post(&format!("{page}/offer"), &[("to", "carol")])
            .await
            .location();
        alice.post(&format!("{page}/offer"), &[("to", "bob")]).await.location();
        assert_eq!(
            press(&carol, &page, "take").await.status,
            StatusCode::NOT_FOUND,
            "another took its place"
        );
        press(&bob, &page, "decline").await.location();
        assert_eq!(
            press(&bob, &page, "take").await.status,
            StatusCode::NOT_FOUND,
            "declined"
        );
        alice.post(&format!("{page}/offer"), &[("to", "bob")]).await.location();
        press(&alice, &page, "withdraw").await.location();
        assert_eq!(
            press(&bob, &page, "take").await.status,
            StatusCode::NOT_FOUND,
            "withdrawn"
        );

        alice.post(&format!("{page}/offer"), &[("to", "bob")]).await.location();
        let list = bob.get("/account/devices").await.html;
        assert!(
            list.contains("Laptop of alice") && list.contains("offered by <bdi>alice</bdi>"),
            "{list}"
        );
        assert_eq!(
            refresh(world, &granted, &key).await.status,
            StatusCode::OK,
            "an offer ends nothing"
        );
        assert_eq!(
            press(&bob, &page, "take").await.location(),
            format!("{page}?done=taken")
        );
        assert_eq!(world.instance_of(&key).await["owner"], "bob");
        assert_eq!(alice.get(&page).await.status, StatusCode::NOT_FOUND);
        assert_eq!(refresh(world, &granted, &key).await.error(), "invalid_grant");
        assert_eq!(tokens(&bob, &bobs, &key).await.status, StatusCode::OK);
    });
}

#[test]
fn an_offer_lives_for_seven_days() {
    on_both(async |world| {
        let (alice, _) = standard(world, "alice").await;
        let (bob, passkey) = Browser::enrolled(world, "bob").await;
        let key = world.enrolled("cli", "alice").await;
        let page = page_of(world, &key).await;
        alice.post(&format!("{page}/offer"), &[("to", "bob")]).await.location();
        world.advance(7 * 86_400);
        bob.sign_in(&passkey).await;
        assert!(!bob.get("/account/devices").await.html.contains("Offered to you"));
        assert_eq!(press(&bob, &page, "take").await.status, StatusCode::NOT_FOUND);
    });
}

/// Names of approvers are worth something to whoever wants to send them codes.
#[test]
fn an_offer_tells_nobody_who_is_an_approver_here() {
    on_both(async |world| {
        let (alice, _) = standard(world, "alice").await;
        let (_bob, _) = Browser::enrolled(world, "bob").await;
        let key = world.enrolled("cli", "alice").await;
        let page = page_of(world, &key).await;
        let mut seen = Vec::new();
        for name in ["bob", "nobody", "alice", "\u{202e}"] {
            let answer = alice.post(&format!("{page}/offer"), &[("to", name)]).await;
            let landed = alice.get(answer.location()).await;
            let list = alice.get("/account/devices").await;
            seen.push((answer.location().to_owned(), landed.html, list.html));
        }
        assert!(seen.iter().all(|answer| *answer == seen[0]), "told apart");
    });
}

/// An insider who holds the key and offers its device to a victim who takes whatever is offered.
#[test]
fn x40_a_device_is_taken_only_beside_whoever_offers_it() {
    on_both(async |world| {
        let (alice, _) = standard(world, "alice").await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        let key = world.enrolled("cli", "alice").await;
        let page = page_of(world, &key).await;
        alice.post(&format!("{page}/offer"), &[("to", "bob")]).await.location();
        // Behind a proxy that nobody trusts: the address is not known, and matches nothing.
        bob.pretend(&[("x-forwarded-for", "127.0.0.1")]);
        let refused = press(&bob, &page, "take").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.html);
        assert_eq!(world.instance_of(&key).await["owner"], "alice");
        bob.pretend(&[]);
        assert_eq!(
            press(&bob, &page, "take").await.location(),
            format!("{page}?done=taken")
        );
    });
}
