//! Posts that no page of ours sent. RFC 6749 §10.12.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use super::browser::Browser;
use crate::tests::world::on_both;

/// Each form that a page of ours has.
fn forms(page: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/device",
        "/sign-out",
        "/account/grants/1/revoke",
        "/account/sessions/1/end",
        "/account/upstream/unlink",
        "/account/devices/1/rename",
        "/account/devices/1/suspend",
        "/account/devices/1/resume",
        "/account/devices/1/remove",
        "/account/devices/1/offer",
        "/account/devices/1/withdraw",
        "/account/devices/1/take",
        "/account/devices/1/decline",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend([
        "/account/passkeys/1/remove".to_owned(),
        format!("{page}/approve"),
        format!("{page}/deny"),
    ]);
    paths
}

#[test]
fn b08_a_form_without_the_token_of_its_own_session_does_nothing() {
    on_both(async |world| {
        world.cli().await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let of_another = bob.csrf().await;
        let before = super::frame::everything(world).await;
        for path in forms(&page) {
            for csrf in ["", "forged", &of_another] {
                let answer = browser
                    .post_raw(&path, &[("csrf", csrf), ("user_code", "BBBB-BBBB")])
                    .await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {csrf}");
                assert!(answer.html.contains("This page is out of date"), "{}", answer.html);
            }
        }
        let start = json!({ "csrf": of_another });
        assert_eq!(
            browser.call("/account/passkeys/start", &start).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(super::frame::everything(world).await, before, "nothing was written");
    });
}

#[test]
fn b08_what_a_browser_says_comes_from_elsewhere_does_nothing() {
    on_both(async |world| {
        world.cli().await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let csrf = browser.csrf().await;
        let before = super::frame::everything(world).await;
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "http://localhost:8628.evil.example")],
            &[("origin", "http://localhost:9999")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        ] {
            browser.pretend(headers);
            for path in forms(&page) {
                let answer = browser
                    .post_raw(&path, &[("csrf", &csrf), ("user_code", "BBBB-BBBB")])
                    .await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
            }
            for path in ["/sign-in/start", "/enroll/start", "/account/passkeys/start"] {
                let body = json!({ "csrf": csrf, "enrollment_token": "t" });
                assert_eq!(
                    browser.call(path, &body).await.status,
                    StatusCode::FORBIDDEN,
                    "{path} {headers:?}"
                );
            }
        }
        assert_eq!(super::frame::everything(world).await, before, "nothing was written");
    });
}

/// A page without Referer has its forms sent with the origin `null`: browsers say so of ours.
#[test]
fn a_form_of_ours_is_taken_as_browsers_send_it() {
    on_both(async |world| {
        world.cli().await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        for headers in [
            &[("origin", "null"), ("sec-fetch-site", "same-origin")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost:8628"), ("sec-fetch-site", "same-origin")],
            &[],
        ] {
            browser.pretend(headers);
            let code = world.ask("cli").await.text("user_code");
            browser.type_code(&code).await;
        }
    });
}

/// What a form or an image on another site can send without asking this server first.
#[test]
fn a_script_s_call_is_json_and_nothing_that_looks_like_it() {
    on_both(async |world| {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "",
        ] {
            let request = Request::post("/sign-in/start")
                .header("content-type", kind)
                .body(Body::from("{}"));
            assert_eq!(
                world.send(request.unwrap()).await.status,
                StatusCode::BAD_REQUEST,
                "{kind}"
            );
        }
        let browser = Browser::new(world);
        browser.pretend(&[("origin", "null")]);
        assert_eq!(
            browser.call("/sign-in/start", &json!({})).await.status,
            StatusCode::FORBIDDEN
        );
    });
}
