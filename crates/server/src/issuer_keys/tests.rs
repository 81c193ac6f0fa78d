use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use serde_json::json;

use super::*;
use crate::tests::world::Key;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// An issuer on loopback that counts how often its keys are asked for.
struct Issuer {
    url: String,
    asked: Arc<AtomicUsize>,
    keys: Arc<Mutex<Value>>,
}

impl Issuer {
    /// `change` spoils the discovery document.
    async fn new(change: impl Fn(&mut Value)) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let mut document = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        change(&mut document);
        let issuer = Self {
            url,
            asked: Arc::default(),
            keys: Arc::new(Mutex::new(keys(&["a"]))),
        };
        let (asked, keys) = (issuer.asked.clone(), issuer.keys.clone());
        let serve_keys = move || {
            asked.fetch_add(1, Ordering::SeqCst);
            let keys = keys.lock().unwrap().to_string();
            async move { keys }
        };
        let router = Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                get(move || async move { document.to_string() }),
            )
            .route("/realm/moved", get(|| async { Redirect::temporary("/realm/keys") }))
            .route("/realm/large", get(|| async { " ".repeat(LARGEST_ANSWER + 1) }))
            .route("/realm/keys", get(serve_keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn keys(kids: &[&str]) -> Value {
    let named = |kid: &&str| {
        let mut key = Key::new().jwk();
        key["kid"] = json!(kid);
        key
    };
    json!({ "keys": kids.iter().map(named).collect::<Vec<_>>() })
}

fn after(seconds: i64) -> Timestamp {
    NOW + Lifetime::from_seconds(seconds)
}

#[tokio::test]
async fn keys_are_asked_for_once_and_again_for_a_new_one_at_most_once_a_minute() {
    let issuer = Issuer::new(|_| {}).await;
    let known = IssuerKeys::default();
    assert!(known.of(&issuer.url, Some("a"), NOW).await.unwrap().has("a"));
    known.of(&issuer.url, Some("a"), after(30)).await.unwrap();
    known.of(&issuer.url, None, after(30)).await.unwrap();
    assert_eq!(issuer.asked(), 1);

    *issuer.keys.lock().unwrap() = keys(&["b"]);
    let too_soon = known.of(&issuer.url, Some("b"), after(59)).await.unwrap();
    assert!(!too_soon.has("b"), "strangers' tokens must not make us ask and ask");
    assert!(known.of(&issuer.url, Some("b"), after(60)).await.unwrap().has("b"));
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_that_were_read_an_hour_ago_are_read_again_or_count_no_more() {
    let issuer = Issuer::new(|_| {}).await;
    let known = IssuerKeys::default();
    known.of(&issuer.url, Some("a"), NOW).await.unwrap();
    *issuer.keys.lock().unwrap() = json!("gone");
    assert!(known.of(&issuer.url, Some("a"), after(3599)).await.is_ok());
    assert!(known.of(&issuer.url, Some("a"), after(3600)).await.is_err());
    assert!(known.of(&issuer.url, Some("a"), after(3601)).await.is_err());
    assert_eq!(issuer.asked(), 2, "silence is not answered by asking more");
}

#[tokio::test]
async fn one_asks_for_all_who_wait() {
    let issuer = Issuer::new(|_| {}).await;
    let known = IssuerKeys::default();
    let (one, two) = tokio::join!(
        known.of(&issuer.url, Some("a"), NOW),
        known.of(&issuer.url, Some("a"), NOW)
    );
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn an_issuer_speaks_for_itself_without_detours() {
    for (name, value) in [
        ("issuer", json!("https://other.example")),
        ("issuer", json!(null)),
        ("jwks_uri", json!(null)),
        ("jwks_uri", json!("http://issuer.example/keys")),
        ("jwks_uri", json!("https://issuer.example/keys")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("jwks_uri", json!("moved")),
        ("jwks_uri", json!("large")),
        ("jwks_uri", json!("absent")),
    ] {
        let issuer = Issuer::new(|document| {
            let base = document["issuer"].as_str().unwrap().to_owned();
            document[name] = match value.as_str() {
                Some(text) if !text.contains(':') => json!(format!("{base}/{text}")),
                _ => value.clone(),
            };
        })
        .await;
        assert!(
            IssuerKeys::default().of(&issuer.url, None, NOW).await.is_err(),
            "{name} {value}"
        );
        assert_eq!(issuer.asked(), 0);
    }
    let nobody = IssuerKeys::default().of("http://127.0.0.1:9/realm", None, NOW).await;
    assert!(nobody.is_err());
}
