//! Waiting is not polling: `Prefer: wait=N` at the token endpoint (design.md §5).

use axum::body::Body;
use http::{Request, StatusCode};
use protocol::refusal::Refusal;
use serde_json::json;

use super::pages::browser::Browser;
use super::world::{Answer, World, on_both, poll_form};

async fn poll_and_wait(world: &World, code: &str, seconds: u32) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(poll_form(code))
        .finish();
    let request = Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("prefer", format!("wait={seconds}"));
    world.send(request.body(Body::from(body)).unwrap()).await
}

#[test]
fn a_held_poll_is_answered_when_somebody_decides() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        let (code, user_code) = (asked.text("device_code"), asked.text("user_code"));
        let (answer, approved) = tokio::join!(poll_and_wait(world, &code, 25), world.approve(&user_code, &alice));
        assert_eq!(approved.status, StatusCode::OK);
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.headers["preference-applied"], "wait=25");

        let asked = world.ask("cli").await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        let (code, denied) = (
            asked.text("device_code"),
            json!({ "request_id": view.text("request_id") }),
        );
        let (answer, _) = tokio::join!(
            poll_and_wait(world, &code, 25),
            world.call("/approver/deny", &denied, &alice)
        );
        assert_eq!(answer.error(), Refusal::AccessDenied.code().as_str());
    });
}

#[test]
fn what_is_decided_is_answered_at_once_and_what_comes_too_early_is_not_held() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        let code = asked.text("device_code");
        assert_eq!(world.poll(&code).await.error(), "authorization_pending");
        let early = poll_and_wait(world, &code, 25).await;
        assert_eq!(early.error(), "slow_down");
        assert!(!early.headers.contains_key("preference-applied"));
        world.approve(&asked.text("user_code"), &alice).await;
        let answer = poll_and_wait(world, &code, 25).await;
        assert_eq!(answer.status, StatusCode::OK);
    });
}

#[test]
fn when_the_server_goes_down_whoever_waits_is_told_to_come_again() {
    on_both(async |world| {
        world.cli().await;
        let code = world.ask("cli").await.text("device_code");
        let (answer, ()) = tokio::join!(poll_and_wait(world, &code, 25), async { world.app.holds.let_go() });
        assert_eq!(answer.error(), "authorization_pending");
    });
}

#[test]
fn eight_windows_of_one_approver_hear_at_once_and_the_next_looks_now_and_then() {
    on_both(async |world| {
        let (alice, _) = Browser::enrolled(world, "alice").await;
        let found = world.app.store.approver_named("alice").await.unwrap().unwrap();
        let place = || world.app.inboxes.place(&found.id);
        let places: Vec<_> = (0..8).map_while(|_| place()).collect();
        assert_eq!((places.len(), place().is_none()), (8, true));
        assert!(world.app.inboxes.place("somebody else").is_some());

        // Told what there is, and when to come again; the stream is over.
        let ninth = alice.get("/inbox/events").await;
        assert_eq!(ninth.status, StatusCode::OK);
        assert!(
            ninth.html.contains("event: inbox") && ninth.html.contains("retry: 30000"),
            "{}",
            ninth.html
        );
        let version = ninth.html.split("data: ").nth(1).unwrap().lines().next().unwrap();
        assert!(
            alice
                .get("/inbox")
                .await
                .html
                .contains(&format!("data-version=\"{version}\""))
        );

        drop(places);
        let (eighth, ()) = tokio::join!(alice.get("/inbox/events"), async { world.app.holds.let_go() });
        assert!(eighth.html.contains("retry: 1000"), "{}", eighth.html);
    });
}
