//! What holds for every address that a browser can open.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::browser::Browser;
use crate::pages::assets;
use crate::tests::world::{World, on_both, with_issuer};

/// What a page can have changed, as text: every row's state and version.
const EVERYTHING: [&str; 14] = [
    "SELECT name FROM setting ORDER BY 1",
    "SELECT client_id || ' ' || version FROM client ORDER BY 1",
    "SELECT id || ' ' || version FROM approver ORDER BY 1",
    "SELECT token_digest || ' ' || COALESCE(used_at, 0) FROM enrollment ORDER BY 1",
    "SELECT credential_id || ' ' || sign_count || ' ' || COALESCE(last_used_at, 0) || credential FROM passkey ORDER BY 1",
    "SELECT thumbprint || ' ' || COALESCE(last_used_at, 0) FROM software_key ORDER BY 1",
    "SELECT id FROM ceremony ORDER BY 1",
    "SELECT id || ' ' || token_digest || ' ' || expires_at FROM browser_session ORDER BY 1",
    "SELECT id || ' ' || state || ' ' || state_detail || ' ' || version FROM authorization_request ORDER BY 1",
    "SELECT id || ' ' || version || ' ' || COALESCE(ended_at, 0) FROM access_grant ORDER BY 1",
    "SELECT subject || ' ' || window_start || ' ' || guesses FROM guess_counter ORDER BY 1",
    "SELECT id FROM event ORDER BY 1",
    "SELECT group_name || ' ' || approver_id FROM group_member ORDER BY 1",
    "SELECT subject || ' ' || approver_id || ' ' || groups || ' ' || seen_at FROM upstream_identity ORDER BY 1",
];

pub async fn everything(world: &World) -> Vec<String> {
    let mut texts = Vec::new();
    for sql in EVERYTHING {
        let rows = world.app.store.rows(sql, []).await.unwrap();
        texts.extend(rows.iter().map(|row| row.text(0).unwrap()));
    }
    texts
}

/// An approver with a request open, one approved, and a grant; and the addresses of both requests.
async fn busy(world: &World) -> (Browser<'_>, String, String) {
    world.cli().await;
    let (browser, passkey) = Browser::enrolled(world, "alice").await;
    let asked = world.ask("cli").await;
    let approved = browser.type_code(&asked.text("user_code")).await;
    browser.approve(&approved, &passkey).await.location();
    assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);
    let open = browser.type_code(&world.ask("cli").await.text("user_code")).await;
    (browser, open, approved)
}

fn addresses(open: &str, approved: &str, code: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/",
        "/authorize?response_type=code&client_id=cli",
        "/sign-in",
        "/sign-in?next=//evil.example",
        "/enroll",
        "/device",
        "/device/unknown",
        "/account",
        "/account?done=revoked",
        "/assets/style.css",
        "/assets/nothing",
        "/nothing/here",
        "/sign-out",
        "/sign-in/start",
        "/sign-in/upstream/start",
        "/sign-in/upstream/callback",
        "/sign-in/upstream/callback?code=1&state=1",
        "/sign-in/upstream/finish",
        "/account/upstream/unlink",
        "/enroll/finish",
        "/account/passkeys/start",
        "/account/passkeys/1/remove",
        "/account/devices",
        "/account/devices?done=removed",
        "/account/devices/1",
        "/account/devices/1/take",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend([
        open.to_owned(),
        approved.to_owned(),
        format!("{open}/approve"),
        format!("{open}/deny?report=true"),
    ]);
    paths.push(format!("/device?user_code={code}"));
    paths.push("/device/%FF".to_owned());
    paths
}

/// Rule 1 of the design.
#[test]
fn no_get_writes_anything() {
    on_both(async |world| {
        let (browser, open, approved) = busy(world).await;
        let code = world.ask("cli").await.text("user_code");
        let before = everything(world).await;
        for path in addresses(&open, &approved, &code) {
            for who in [&browser, &Browser::new(world)] {
                for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                    let request = Request::builder().method(method).uri(&path).body(Body::empty());
                    who.send(request.unwrap()).await;
                }
            }
            assert_eq!(everything(world).await, before, "{path}");
        }
    });
}

#[test]
fn s08_every_answer_to_a_browser_is_locked_down_errors_included() {
    on_both(async |world| {
        let (browser, open, approved) = busy(world).await;
        for path in addresses(&open, &approved, "BBBB-BBBB") {
            for (who, method) in [
                (&browser, Method::GET),
                (&Browser::new(world), Method::GET),
                (&browser, Method::POST),
            ] {
                let request = Request::builder().method(method.clone()).uri(&path).body(Body::empty());
                let answer = who.send(request.unwrap()).await;
                let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
                let policy = header("content-security-policy").unwrap_or_else(|| panic!("{method} {path}"));
                for needed in [
                    "default-src 'none'",
                    "frame-ancestors 'none'",
                    "form-action 'self'",
                    "base-uri 'none'",
                ] {
                    assert!(policy.contains(needed), "{path}: {policy}");
                }
                assert!(!policy.contains("unsafe"), "{policy}");
                assert_eq!(header("x-frame-options"), Some("DENY"), "{path}");
                assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
                assert_eq!(header("referrer-policy"), Some("no-referrer"), "{path}");
                assert_eq!(header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
                assert!(
                    header("permissions-policy")
                        .unwrap()
                        .contains("publickey-credentials-get=(self)"),
                    "{path}"
                );
                assert_eq!(
                    header("strict-transport-security"),
                    None,
                    "plain http cannot promise https"
                );
                let kept = if path.starts_with("/assets/style") && method == Method::GET {
                    "no-cache"
                } else {
                    "no-store"
                };
                assert_eq!(header("cache-control"), Some(kept), "{method} {path}");
                if answer.status.is_client_error() && answer.body == Value::Null {
                    assert_eq!(
                        header("content-type"),
                        Some("text/html; charset=utf-8"),
                        "{method} {path}"
                    );
                    assert!(answer.html.contains("<h1>"), "{method} {path}: {}", answer.html);
                }
            }
        }
    });
}

#[test]
fn an_address_says_which_methods_it_takes() {
    on_both(async |world| {
        for (method, path, allow) in [
            (Method::GET, "/sign-out", "POST"),
            (Method::DELETE, "/device", "GET,HEAD,POST"),
            (Method::POST, "/account", "GET,HEAD"),
        ] {
            let request = Request::builder().method(method).uri(path).body(Body::empty());
            let answer = world.send(request.unwrap()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(answer.headers["allow"], allow, "{path}");
            assert!(answer.html.contains("<h1>This is not a page</h1>"), "{}", answer.html);
        }
    });
}

#[test]
fn files_are_kept_by_their_content_and_never_sent_twice() {
    on_both(async |world| {
        let style = assets::find("style.css").unwrap();
        let browser = Browser::new(world);
        let fresh = browser.get(&assets::address("", "style.css")).await;
        assert_eq!(fresh.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(
            (&fresh.headers["etag"], fresh.html.as_bytes()),
            (&style.etag().parse().unwrap(), style.bytes)
        );
        let request = Request::get("/assets/style.css").header("if-none-match", format!("\"x\", W/{}", style.etag()));
        let known = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((known.status, known.html.as_str()), (StatusCode::NOT_MODIFIED, ""));
        for other in ["/assets/", "/assets/%2e%2e/lib.rs", "/assets/decide.html"] {
            assert_eq!(browser.get(other).await.status, StatusCode::NOT_FOUND, "{other}");
        }
    });
}

#[test]
fn a_body_too_large_is_told_on_a_page_and_in_json() {
    on_both(async |world| {
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let long = "x".repeat(65 * 1024);
        let answer = browser.post("/device", &[("user_code", &long)]).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(answer.html.contains("<h1>That was too much</h1>"));
        let answer = browser
            .call("/enroll/start", &json!({ "enrollment_token": long }))
            .await;
        assert_eq!(
            (answer.status, answer.error()),
            (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request")
        );
    });
}

#[test]
fn the_authorization_endpoint_is_a_page_that_issues_nothing() {
    on_both(async |world| {
        for method in [Method::GET, Method::POST] {
            let request = Request::builder()
                .method(method)
                .uri("/authorize?response_type=code&redirect_uri=https://evil.example");
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!((answer.status, answer.headers.get("location")), (StatusCode::OK, None));
            assert!(answer.html.contains("by device grant only") && !answer.html.contains("evil"));
        }
    });
}

/// Limits are off for a loopback issuer; here they are on.
#[test]
fn those_who_are_not_signed_in_are_counted() {
    with_issuer("https://id.example.org", async |world| {
        let browser = Browser::new(world);
        let mut statuses = Vec::new();
        for _ in 0..2000 {
            let status = browser.call("/sign-in/start", &json!({})).await.status;
            statuses.push(status);
            if status == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
        }
        assert_eq!(
            (statuses.first(), statuses.last()),
            (Some(&StatusCode::OK), Some(&StatusCode::TOO_MANY_REQUESTS))
        );
    });
}
