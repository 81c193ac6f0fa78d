//! Web push, to a push service of our own that reads what only the browser can. RFC 8030, 8188, 8291, 8292.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED};
use axum::body::Bytes;
use http::{HeaderMap, StatusCode};
use protocol::base64url;
use serde_json::{Value, json};

use super::super::backchannel::asked;
use super::super::pages::browser::Browser;
use super::super::pages::passkey::Passkey;
use super::super::world::{Answer, Key, World, claims, on_both};
use super::{Receiver, hmac, told};

/// What a browser keeps of one subscription.
pub struct Subscription {
    private: PrivateKey,
    auth: [u8; 16],
    pub service: Receiver,
}

impl Subscription {
    pub async fn new() -> Self {
        Self {
            private: PrivateKey::generate(&ECDH_P256).unwrap(),
            auth: *b"sixteen octets!!",
            service: Receiver::start().await,
        }
    }

    fn public(&self) -> Vec<u8> {
        self.private.compute_public_key().unwrap().as_ref().to_vec()
    }

    /// `PushSubscription.toJSON()`, as the page sends it.
    fn sent(&self, csrf: &str) -> Value {
        json!({
            "csrf": csrf,
            "endpoint": self.service.url,
            "p256dh": base64url::encode(&self.public()),
            "auth": base64url::encode(&self.auth),
        })
    }

    pub async fn turned_on(&self, browser: &Browser<'_>) -> Answer {
        let csrf = browser.csrf().await;
        browser.call("/account/notices/browser", &self.sent(&csrf)).await
    }

    /// RFC 8291 §4, from its text.
    pub fn read(&self, body: &[u8]) -> Value {
        let (salt, rest) = body.split_at(16);
        let (size, rest) = rest.split_at(4);
        let (length, rest) = rest.split_first().unwrap();
        let (theirs, sealed) = rest.split_at(usize::from(*length));
        assert!(
            u32::from_be_bytes(size.try_into().unwrap()) as usize >= sealed.len(),
            "one record"
        );
        let peer = UnparsedPublicKey::new(&ECDH_P256, theirs);
        let shared = agree(&self.private, peer, (), |shared| Ok(shared.to_vec())).unwrap();
        let info = [b"WebPush: info\0", self.public().as_slice(), theirs, &[1]].concat();
        let ikm = hmac(&hmac(&self.auth, &shared), &info);
        let prk = hmac(salt, &ikm);
        let key = hmac(&prk, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = hmac(&prk, b"Content-Encoding: nonce\0\x01");
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).unwrap();
        let mut text = sealed.to_vec();
        let text = key.open_in_place(nonce, Aad::empty(), &mut text).unwrap();
        let (last, text) = text.split_last().unwrap();
        assert_eq!(*last, 2, "the last record");
        serde_json::from_slice(text).unwrap()
    }
}

/// RFC 8292 §2 and §3: who sent it, for which push service, until when; and the key that vouches.
fn vouched(headers: &HeaderMap) -> (Value, String) {
    let header = headers["authorization"].to_str().unwrap();
    let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    let (input, signed) = token.rsplit_once('.').unwrap();
    let public = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, base64url::decode(key).unwrap());
    public
        .verify(input.as_bytes(), &base64url::decode(signed).unwrap())
        .unwrap();
    (claims(token), key.to_owned())
}

/// Alice, signed in, and an instance of hers.
async fn alice(world: &World) -> (Browser<'_>, Passkey, Key) {
    let (browser, passkey) = Browser::enrolled(world, "alice").await;
    world
        .client("cli", json!({ "profile": "standard", "name": "Deploy tool" }))
        .await;
    let key = world.enrolled("cli", "alice").await;
    (browser, passkey, key)
}

#[test]
fn a_browser_that_was_asked_to_is_told_and_nobody_between_reads_it() {
    on_both(async |world| {
        let (browser, _, key) = alice(world).await;
        let subscription = Subscription::new().await;
        let on = subscription.turned_on(&browser).await;
        assert_eq!(on.status, StatusCode::OK, "{}", on.html);
        asked(world, &key, &[("binding_message", "bright harbour")]).await;
        told(world).await;
        let got: Vec<(HeaderMap, Bytes)> = subscription.service.got();
        assert_eq!(got.len(), 1);
        let (headers, body) = &got[0];
        assert_eq!(
            subscription.read(body),
            json!({ "title": "Waypass at localhost", "body": "1 request waits for alice. Deploy tool asks." })
        );
        for (name, value) in [
            ("content-encoding", "aes128gcm"),
            ("ttl", "600"),
            ("urgency", "high"),
            ("topic", "inbox"),
        ] {
            assert_eq!(headers[name], value);
        }
        let (claims, public) = vouched(headers);
        let origin = subscription.service.url.strip_suffix("/hook").unwrap();
        assert_eq!(
            (&claims["aud"], &claims["sub"]),
            (&json!(origin), &json!("http://localhost:8628"))
        );
        assert!(claims["exp"].as_i64().unwrap() - world.app.now().seconds() <= 24 * 3600);
        let inbox = browser.get("/inbox").await.html;
        assert!(inbox.contains(&format!("data-key=\"{public}\"")));
        let known = &world.app.store.push_subscriptions().await.unwrap()[0];
        assert!(inbox.contains(&format!("data-known=\"{}\"", known.id)));
        assert!(!known.sealed.contains("hook"));
    });
}

#[test]
fn a_browser_that_is_gone_is_told_no_more() {
    on_both(async |world| {
        let (browser, _, key) = alice(world).await;
        let subscription = Subscription::new().await;
        subscription.turned_on(&browser).await;
        for status in [429, 410] {
            subscription.service.answers(status);
            assert_eq!(world.app.store.push_subscriptions().await.unwrap().len(), 1);
            asked(world, &key, &[]).await;
            world.advance(31);
            told(world).await;
            assert_eq!(subscription.service.got().len(), 1, "{status}");
        }
        assert!(world.app.store.push_subscriptions().await.unwrap().is_empty());
        assert_eq!(world.events("notice.channel_removed").await.len(), 1);
        let codes: Vec<_> = world
            .events("notice.sent")
            .await
            .into_iter()
            .map(|event| event["detail"]["error.code"].clone())
            .collect();
        assert_eq!(codes, ["refused", "gone"]);
        asked(world, &key, &[]).await;
        world.advance(31);
        told(world).await;
        assert!(subscription.service.got().is_empty());
    });
}

#[test]
fn whoever_is_told_sees_how_and_turns_it_off() {
    on_both(async |world| {
        let (browser, _, key) = alice(world).await;
        let (mallory, _) = Browser::enrolled(world, "mallory").await;
        let subscription = Subscription::new().await;
        subscription.turned_on(&browser).await;
        let receiver = Receiver::start().await;
        super::hook(world, json!({ "approver": "alice" }), &receiver).await;
        super::hook(world, json!({}), &receiver).await;
        let page = browser.get("/account").await.html;
        for text in ["Browser: ", "Webhook: ", "for everybody"] {
            assert!(page.contains(text), "{text}");
        }
        let others = mallory.get("/account").await.html;
        assert!(!others.contains("Browser: ") && others.contains("for everybody"));

        let push = format!("push {}", world.app.store.push_subscriptions().await.unwrap()[0].id);
        let hooks = world.app.store.webhooks().await.unwrap();
        let own = hooks.iter().find(|hook| hook.recipient.is_some()).unwrap();
        let all = hooks.iter().find(|hook| hook.recipient.is_none()).unwrap();
        let (own, all) = (format!("webhook {}", own.id), format!("webhook {}", all.id));
        for (who, act, channel) in [
            (&mallory, "remove", &push),
            (&mallory, "off", &own),
            (&browser, "off", &all),
            (&browser, "remove", &own),
            (&browser, "off", &"mail nobody".to_owned()),
        ] {
            let refused = who
                .post(&format!("/account/notices/{act}"), &[("channel", channel)])
                .await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{act} {channel}");
        }
        assert!(
            browser
                .post("/account/notices/remove", &[("channel", &push)])
                .await
                .location()
                .ends_with("notice-removed")
        );
        assert!(
            browser
                .post("/account/notices/off", &[("channel", &own)])
                .await
                .location()
                .ends_with("notice-off")
        );
        assert!(browser.get("/account").await.html.contains(">Off<"));
        asked(world, &key, &[]).await;
        told(world).await;
        assert_eq!(
            (subscription.service.got().len(), receiver.got().len()),
            (0, 1),
            "the one for all"
        );
        browser.post("/account/notices/on", &[("channel", &own)]).await;
        world.advance(31);
        asked(world, &key, &[]).await;
        told(world).await;
        assert_eq!(receiver.got().len(), 2);
        assert_eq!(world.events("notice.channel_off").await.len(), 1);
    });
}

#[test]
fn a_lost_passkey_ends_what_its_browser_is_told() {
    on_both(async |world| {
        let (browser, _, key) = alice(world).await;
        let subscription = Subscription::new().await;
        subscription.turned_on(&browser).await;
        world
            .administer("POST", "/local/approvers/alice/relink", &Value::Null)
            .await;
        asked(world, &key, &[]).await;
        told(world).await;
        assert!(subscription.service.got().is_empty());
    });
}

#[test]
fn only_pages_of_ours_add_a_browser_and_only_at_a_push_service() {
    on_both(async |world| {
        let (browser, ..) = alice(world).await;
        let subscription = Subscription::new().await;
        let stranger = Browser::new(world);
        let sent = subscription.sent(&browser.csrf().await);
        assert_eq!(
            stranger.call("/account/notices/browser", &sent).await.status,
            StatusCode::FORBIDDEN
        );
        let forged = browser
            .call("/account/notices/browser", &subscription.sent("another"))
            .await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN, "{}", forged.html);
        for (name, value) in [
            ("endpoint", "http://push.example.com/x"),
            ("p256dh", "AAAA"),
            ("auth", "AAAA"),
        ] {
            let mut wrong = sent.clone();
            wrong[name] = json!(value);
            assert_eq!(
                browser.call("/account/notices/browser", &wrong).await.error(),
                "invalid_request",
                "{name}"
            );
        }
        for number in 0..11 {
            let mut another = sent.clone();
            another["endpoint"] = json!(format!("http://localhost/{number}"));
            let added = browser.call("/account/notices/browser", &another).await;
            assert_eq!(added.status.is_success(), number < 10, "{}", added.html);
        }
    });
}
