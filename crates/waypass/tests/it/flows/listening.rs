//! Starting, stopping and what the socket bears: limits, time-outs, methods, health.

use std::time::{Duration, Instant};

use crate::database::Database;
use crate::http::{Answer, CLIENT, raw};
use crate::process::{run, waypass};
use crate::server::{Folder, free_port};
use crate::world::{SCOPES, World, alone_with};

on_both!(
    a_body_over_64_kib_is_413,
    every_wrong_method_is_405_with_allow,
    malformed_http_gets_an_answer_or_a_closed_door,
    health_is_at_the_root,
);
alone_on_both!(
    sigterm_drains_and_exits_0,
    restart_keeps_codes_grants_and_tokens,
    metrics_stand_apart
);

#[test]
fn a_stalled_request_is_cut_well_under_a_minute() {
    alone_with(
        Database::Sqlite,
        &crate::server::Setup::default(),
        async |world: &World| {
            let stalled = b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant";
            for request in [
                &b"POST /token HT"[..],
                &b"GET / HTTP/1.1\r\nHost: x\r\nX: "[..],
                &stalled[..],
            ] {
                let begun = Instant::now();
                let ended = raw(world.server.port, request, Duration::from_secs(45)).await;
                assert!(
                    ended.is_some(),
                    "still open after {:?}: {}",
                    begun.elapsed(),
                    String::from_utf8_lossy(request)
                );
            }
        },
    );
}

#[test]
fn check_says_what_serve_would() {
    crate::world::RUNTIME.block_on(async {
        let folder = Folder::new();
        let check = async |arguments: &[&str]| {
            run(waypass()
                .arg("check")
                .arg("--data")
                .arg(folder.join("data"))
                .args(arguments))
            .await
        };
        let listen = format!("127.0.0.1:{}", free_port());
        check(&["--listen", &listen]).await.expect_code(0);
        for bad in [
            &["--issuer", "http://as.example"][..],
            &["--issuer", "https://as.example/#x"],
            &["--issuer", "ftp://localhost"],
            &["--listen", "nowhere"],
            &["--config", "/no/such/file"],
        ] {
            let ran = check(bad).await;
            assert_ne!(ran.code, 0, "{bad:?}");
            assert!(!ran.stderr.is_empty(), "{bad:?}");
        }
    });
}

async fn a_body_over_64_kib_is_413(world: &World) {
    let body = format!("client_id={}", "x".repeat(70_000));
    for path in ["/device_authorization", "/token", "/revoke", "/introspect"] {
        let answer = world.post_raw(path, body.clone(), &[]).await;
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
    }
}

async fn every_wrong_method_is_405_with_allow(world: &World) {
    for (method, path, allow) in [
        ("GET", "/token", "POST"),
        ("PUT", "/token", "POST"),
        ("DELETE", "/device_authorization", "POST"),
        ("GET", "/revoke", "POST"),
        ("GET", "/introspect", "POST"),
        ("POST", "/jwks.json", "GET"),
        ("POST", "/.well-known/oauth-authorization-server", "GET"),
    ] {
        let request = CLIENT.request(method.parse().unwrap(), world.url(path));
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(
            answer.header("allow").is_some_and(|value| value.contains(allow)),
            "{method} {path}: {answer:?}"
        );
    }
}

async fn malformed_http_gets_an_answer_or_a_closed_door(world: &World) {
    for bytes in [
        &b"\r\n\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /token HTTP/9.9\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\nConnection: close\r\n\r\n%ff%fe=\xff\xfe%",
        b"GET /%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        let answer = raw(world.server.port, bytes, Duration::from_secs(45)).await;
        let answer = answer.unwrap_or_else(|| panic!("held open: {}", String::from_utf8_lossy(bytes)));
        assert!(!answer.contains(" 500 ") && !answer.contains("panicked"), "{answer}");
    }
    world.get("/jwks.json").await.expect(200);
}

async fn health_is_at_the_root(world: &World) {
    for path in ["healthz", "readyz"] {
        Answer::to(CLIENT.get(format!("http://127.0.0.1:{}/{path}", world.server.port)))
            .await
            .expect(200);
    }
}

async fn metrics_stand_apart(world: &World) {
    world.tokens(&world.stock_client().await, &[]).await;
    assert_eq!(world.get("/metrics").await.status, 404);
    let metrics = world.server.metrics().await;
    assert!(metrics.contains("# TYPE") && metrics.contains("waypass"), "{metrics}");
}

async fn sigterm_drains_and_exits_0(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    world.approve(&started.user_code).await;
    assert_eq!(world.server.terminate().await, Some(0));
    assert!(world.server.launch().await);
    world.poll(&started).await.expect(200);
}

async fn restart_keeps_codes_grants_and_tokens(world: &World) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let (pending, approved) = (world.start(&client, &[]).await, world.start(&client, &[]).await);
    world.approve(&approved.user_code).await;
    world.poll(&pending).await.refused("authorization_pending");
    world.poll(&pending).await.refused("slow_down");
    world.server.kill().await;
    assert!(world.server.launch().await);
    // The raised interval is stored; poll marks are not, and start lenient.
    world.poll(&pending).await.refused("authorization_pending");
    let again = world.poll(&pending).await;
    again.refused("slow_down");
    assert_eq!(again.json()["interval"], 15, "{again:?}");
    world.poll(&approved).await.expect(200);
    assert!(world.is_active(&tokens["access_token"]).await);
    world.refresh(&client, &tokens).await.expect(200);
}
