//! Signing in through an upstream provider: what it opens, what it never opens, and what does not sign in.

mod provider;

use http::StatusCode;
use serde_json::{Value, json};

use super::browser::Browser;
use super::passkey::Passkey;
use crate::tests::world::{Answer, World};
use provider::{Provider, Sent, Signed, with_provider};

const START: &str = "/sign-in/upstream/start";
const FINISH: &str = "/sign-in/upstream/finish";

/// Where the provider gets the browser.
fn depart(provider: &Provider, started: &Answer) -> Sent {
    assert_eq!(started.status, StatusCode::OK, "{}", started.html);
    provider.sent(&started.text("next"))
}

async fn sign_in(browser: &Browser<'_>, provider: &Provider) -> Answer {
    let started = browser.call(START, &json!({ "next": "/account" })).await;
    let back = depart(provider, &started).signed_in();
    browser.call(FINISH, &back).await
}

async fn link(browser: &Browser<'_>, provider: &Provider) -> Answer {
    let csrf = browser.csrf().await;
    let started = browser.call("/account/upstream/start", &json!({ "csrf": csrf })).await;
    if started.status != StatusCode::OK {
        return started;
    }
    let sent = depart(provider, &started);
    assert_eq!(
        sent.parameter("prompt"),
        Some("login"),
        "whoever links shows who they are"
    );
    browser.call(FINISH, &sent.signed_in()).await
}

/// Somebody with a passkey and an account there, linked, on a browser of each.
async fn linked<'a>(world: &'a World, provider: &Provider) -> (Browser<'a>, Browser<'a>, Passkey) {
    let (browser, passkey) = Browser::enrolled(world, "alice").await;
    assert_eq!(
        link(&browser, provider).await.body["next"],
        "/account?done=upstream-linked"
    );
    let upstream = Browser::new(world);
    assert_eq!(sign_in(&upstream, provider).await.body["next"], "/account");
    (browser, upstream, passkey)
}

async fn groups(world: &World) -> Vec<String> {
    let alice = world.app.store.approver_named("alice").await.unwrap().unwrap();
    world.app.every_group_of(&alice.id).await.unwrap()
}

/// The attacker who has Alice's account there, and nothing else of hers.
#[test]
fn an_upstream_sign_in_looks_and_declines_and_never_approves_or_changes_keys() {
    with_provider("thief", async |world, provider| {
        world.cli().await;
        let (alice, thief, passkey) = linked(world, provider).await;
        let page = thief.type_code(&world.ask("cli").await.text("user_code")).await;
        let options = thief.get(&page).await.decision_options();
        let own = Passkey::new();
        own.user.replace(passkey.user.borrow().clone());
        let forged = own.get(&options).to_string();
        let refused = thief.post(&format!("{page}/approve"), &[("credential", &forged)]).await;
        assert!(
            refused.html.contains("The passkey was not accepted"),
            "{}",
            refused.html
        );

        let csrf = thief.csrf().await;
        let start = json!({ "csrf": csrf });
        let says = "Sign in again to do this.";
        for path in ["/account/passkeys/start", "/account/upstream/start"] {
            assert_eq!(thief.call(path, &start).await.text("error_description"), says, "{path}");
        }
        let remove = format!("/account/passkeys/{}/remove", passkey.id);
        let forms = [(remove.as_str(), "x"), ("/account/upstream/unlink", "alice-upstream")];
        for (path, subject) in forms {
            let refused = thief.post(path, &[("subject", subject)]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        }
        // Begun by herself a moment ago, finished by the thief.
        let theirs = alice.csrf().await;
        let begun = alice
            .call("/account/passkeys/start", &json!({ "csrf": theirs }))
            .await
            .body;
        let credential = own.create(&begun["options"]);
        let finish = json!({ "csrf": csrf, "ceremony": begun["ceremony"], "credential": credential });
        assert_eq!(thief.call("/account/passkeys/finish", &finish).await.error(), "refused");

        assert!(
            thief
                .post(&format!("{page}/deny"), &[])
                .await
                .location()
                .starts_with("/device/")
        );
        assert_eq!(world.events("device.denied").await.len(), 1);
        let signed_in = world.events("approver.signed_in").await;
        let is_upstream = |event: &&Value| event["detail"]["auth.acr"] == "urn:waypass:acr:upstream";
        let event = signed_in.iter().find(is_upstream).unwrap();
        assert_eq!(event["detail"]["upstream.groups"], json!(["their operators"]));
    });
}

#[test]
fn with_the_passkey_whoever_signed_in_upstream_approves() {
    with_provider("approves", async |world, provider| {
        world.cli().await;
        let (_, browser, passkey) = linked(world, provider).await;
        let asked = world.ask("cli").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        browser.approve(&page, &passkey).await.location();
        assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);
        assert_eq!(world.events("device.approved").await[0]["detail"]["auth.acr"], "phr");
    });
}

#[test]
fn an_account_that_nobody_linked_is_nobody_here() {
    with_provider("nobody", async |world, provider| {
        // The same name, the same mail address: neither makes two people one.
        let (_, _) = Browser::enrolled(world, "alice@example.org").await;
        let mail =
            json!({ "email": "alice@example.org", "email_verified": true, "preferred_username": "alice@example.org" });
        provider.told().claims = mail;
        let stranger = Browser::new(world);
        let refused = sign_in(&stranger, provider).await;
        assert_eq!(refused.error(), "refused");
        assert!(
            refused
                .text("error_description")
                .starts_with("This account is linked to no approver here.")
        );
        assert_eq!(stranger.cookie(), None);
    });
}

#[test]
fn the_enrollment_link_and_a_sign_in_there_link_the_account_and_let_one_passkey_in() {
    with_provider("invited", async |world, provider| {
        let browser = Browser::new(world);
        let token = browser.link("alice").await;
        let start = json!({ "enrollment_token": token });
        let started = browser.call("/enroll/upstream/start", &start).await;
        let sent = depart(provider, &started);
        assert_eq!(sent.parameter("prompt"), Some("login"));
        let back = browser.call(FINISH, &sent.signed_in()).await;
        assert_eq!(back.body["next"], "/account?done=upstream-linked");
        let account = browser.get("/account").await.html;
        assert!(
            account.contains("You have no passkey") && account.contains("Add one now"),
            "{account}"
        );
        for path in ["/enroll/start", "/enroll/upstream/start"] {
            assert_eq!(
                browser.call(path, &start).await.error(),
                "refused",
                "the link serves once: {path}"
            );
        }

        let csrf = browser.csrf().await;
        let begun = browser
            .call("/account/passkeys/start", &json!({ "csrf": csrf }))
            .await
            .body;
        let passkey = Passkey::new();
        let credential = passkey.create(&begun["options"]);
        let finish = json!({ "csrf": csrf, "ceremony": begun["ceremony"], "credential": credential });
        assert_eq!(
            browser.call("/account/passkeys/finish", &finish).await.status,
            StatusCode::OK
        );
        assert_eq!(browser.sign_in(&passkey).await.status, StatusCode::OK);
    });
}

#[test]
fn without_a_passkey_the_page_says_how_to_get_one_and_offers_no_approval() {
    with_provider("keyless", async |world, provider| {
        world.cli().await;
        let browser = Browser::new(world);
        let token = browser.link("alice").await;
        let started = browser
            .call("/enroll/upstream/start", &json!({ "enrollment_token": token }))
            .await;
        browser.call(FINISH, &depart(provider, &started).signed_in()).await;
        world.advance(600);
        let csrf = browser.csrf().await;
        let late = browser.call("/account/passkeys/start", &json!({ "csrf": csrf })).await;
        assert_eq!(late.error(), "refused", "the invitation is long over");
        let page = browser.type_code(&world.ask("cli").await.text("user_code")).await;
        let shown = browser.get(&page).await.html;
        assert!(
            shown.contains("Approving takes a passkey") && !shown.contains("data-options"),
            "{shown}"
        );
        assert!(shown.contains("/deny"));
    });
}

#[test]
fn an_account_belongs_to_one_approver_until_it_is_unlinked() {
    with_provider("taken", async |world, provider| {
        let (alice, upstream, _) = linked(world, provider).await;
        let (bob, _) = Browser::enrolled(world, "bob").await;
        assert_eq!(
            link(&bob, provider).await.text("error_description"),
            "This account is linked to another approver here."
        );
        assert_eq!(link(&alice, provider).await.status, StatusCode::OK, "again is no harm");
        let unlink = [("subject", "alice-upstream")];
        for _ in 0..2 {
            assert_eq!(
                alice.post("/account/upstream/unlink", &unlink).await.location(),
                "/account?done=upstream-unlinked"
            );
        }
        assert_eq!(world.events("approver.upstream_unlinked").await.len(), 1);
        upstream.get("/account").await.location();
        assert_eq!(
            alice.get("/account").await.status,
            StatusCode::OK,
            "the passkey's session stays"
        );
        assert_eq!(sign_in(&upstream, provider).await.error(), "refused");
        assert_eq!(link(&bob, provider).await.status, StatusCode::OK);
    });
}

#[test]
fn linking_is_over_when_the_session_it_began_in_is() {
    with_provider("ended", async |world, provider| {
        let (alice, passkey) = Browser::enrolled(world, "alice").await;
        let csrf = alice.csrf().await;
        let started = alice.call("/account/upstream/start", &json!({ "csrf": csrf })).await;
        let back = depart(provider, &started).signed_in();
        alice.sign_in(&passkey).await;
        assert_eq!(alice.call(FINISH, &back).await.error(), "refused");
        assert_eq!(world.events("approver.upstream_linked").await.len(), 0);
        world.advance(600);
        assert_eq!(
            link(&alice, provider).await.text("error_description"),
            "Sign in again to do this."
        );
    });
}

#[test]
fn locking_and_a_new_link_end_what_stands_upstream_too() {
    with_provider("locked", async |world, provider| {
        let (_, browser, _) = linked(world, provider).await;
        let administer = async |act: &str| {
            let path = format!("/local/approvers/alice/{act}");
            world.administer("POST", &path, &json!({})).await;
        };
        administer("disable").await;
        browser.get("/account").await.location();
        assert_eq!(sign_in(&browser, provider).await.error(), "refused");
        administer("enable").await;
        assert_eq!(sign_in(&browser, provider).await.status, StatusCode::OK);
        administer("relink").await;
        browser.get("/account").await.location();
        assert_eq!(sign_in(&browser, provider).await.error(), "refused");
    });
}

#[test]
fn groups_count_as_mapped_as_last_said_and_for_a_day() {
    with_provider("groups", async |world, provider| {
        let (_, browser, _) = linked(world, provider).await;
        assert_eq!(groups(world).await, ["ops"], "what is not mapped does not count");
        let listed = world.administer("GET", "/local/groups", &Value::Null).await.body;
        let since = world.app.now().millis();
        let member =
            json!({ "approver": "alice", "source": "upstream", "since": since, "until": since + 24 * 3_600_000 });
        assert_eq!(listed, json!([{ "name": "ops", "members": [member] }]));

        for (said, expected) in [
            (json!(["their builders"]), vec!["build"]),
            (json!(["ops", "build"]), vec![]),
            (json!("their operators"), vec![]),
            (json!(null), vec![]),
            (json!(["their builders", 7, "their operators"]), vec!["build", "ops"]),
        ] {
            provider.told().claims = json!({ "groups": said });
            assert_eq!(sign_in(&browser, provider).await.status, StatusCode::OK);
            assert_eq!(groups(world).await, expected, "{said}");
        }
        world
            .administer("POST", "/local/groups/ops/members", &json!({ "approver": "alice" }))
            .await;
        world.advance(24 * 3600 - 1);
        assert_eq!(groups(world).await, ["build", "ops"]);
        world.advance(1);
        assert_eq!(groups(world).await, ["ops"], "the local one stays");
    });
}

/// The claims open the page to her; her passkey decides.
#[test]
fn a_group_of_the_claims_lets_decide_what_is_the_group_s_until_it_is_old() {
    with_provider("eligible", async |world, provider| {
        world.client("cli", json!({ "profile": "operators" })).await;
        let (alice, passkey) = Browser::enrolled(world, "alice").await;
        let asked = world.ask("cli").await;
        let refused = alice.post("/device", &[("user_code", &asked.text("user_code"))]).await;
        assert!(refused.html.contains("not yours to decide"), "{}", refused.html);
        link(&alice, provider).await;
        let page = alice.type_code(&asked.text("user_code")).await;
        alice.approve(&page, &passkey).await.location();
        assert_eq!(world.events("device.approved").await.len(), 1);

        let asked = world.ask("cli").await;
        let page = alice.type_code(&asked.text("user_code")).await;
        let signed = passkey.get(&alice.get(&page).await.decision_options()).to_string();
        provider.told().claims = json!({ "groups": [] });
        sign_in(&Browser::new(world), provider).await;
        let refused = alice.post(&format!("{page}/approve"), &[("credential", &signed)]).await;
        assert_eq!(
            refused.status,
            StatusCode::NOT_FOUND,
            "no member any more: {}",
            refused.html
        );
    });
}

/// Two tabs, or a browser that sends it again.
#[test]
fn of_two_that_come_back_at_once_one_signs_in() {
    with_provider("race", async |world, provider| {
        let (_, browser, _) = linked(world, provider).await;
        let started = browser.call(START, &json!({})).await;
        let back = depart(provider, &started).signed_in();
        let exchanged = provider.told().codes_exchanged;
        let (one, other) = tokio::join!(browser.call(FINISH, &back), browser.call(FINISH, &back));
        let mut statuses = [one.status, other.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
        assert_eq!(provider.told().codes_exchanged, exchanged + 1);
    });
}

#[test]
fn nothing_of_a_sign_in_under_way_is_in_any_table() {
    with_provider("stored", async |world, provider| {
        let browser = Browser::new(world);
        let started = browser.call(START, &json!({})).await;
        let sent = depart(provider, &started);
        let cookie = browser.journey.borrow().clone().unwrap();
        let cookie = cookie.split_once('=').unwrap().1;
        let rows = world
            .app
            .store
            .rows("SELECT id || content FROM ceremony", [])
            .await
            .unwrap();
        assert_eq!(rows.len(), 1);
        let stored = rows[0].text(0).unwrap();
        let needles = ["state", "nonce", "code_challenge"].map(|name| sent.parameter(name).unwrap());
        for needle in needles.into_iter().chain([cookie]) {
            assert!(!stored.contains(needle), "{stored}");
        }
    });
}

/// Each is wrong in one way, and no more is told than that it is.
#[test]
fn an_id_token_that_is_wrong_in_any_way_signs_nobody_in() {
    with_provider("tokens", async |world, provider| {
        let (_, browser, _) = linked(world, provider).await;
        let now = world.app.now().seconds();
        for (claims, header, signed) in [
            (json!({ "iss": "http://localhost:1" }), json!({}), Signed::ByItsKey),
            (
                json!({ "iss": format!("{}/", provider.issuer) }),
                json!({}),
                Signed::ByItsKey,
            ),
            (json!({ "aud": "another client" }), json!({}), Signed::ByItsKey),
            (
                json!({ "aud": [provider::CLIENT_ID, "another client"] }),
                json!({}),
                Signed::ByItsKey,
            ),
            (json!({ "azp": "another client" }), json!({}), Signed::ByItsKey),
            (json!({ "nonce": "another" }), json!({}), Signed::ByItsKey),
            (json!({ "nonce": null }), json!({}), Signed::ByItsKey),
            (json!({ "exp": now }), json!({}), Signed::ByItsKey),
            (json!({ "sub": "" }), json!({}), Signed::ByItsKey),
            (json!({ "sub": "a".repeat(256) }), json!({}), Signed::ByItsKey),
            (json!({ "sub": null }), json!({}), Signed::ByItsKey),
            (json!({}), json!({ "alg": "none" }), Signed::Not),
            (json!({}), json!({}), Signed::Not),
            (json!({}), json!({ "alg": "HS256" }), Signed::WithOurSecret),
            (json!({}), json!({}), Signed::ByAnotherKey),
            (json!({}), json!({ "kid": "unknown" }), Signed::ByItsKey),
            (json!({}), json!({ "crit": ["b64"] }), Signed::ByItsKey),
        ] {
            let what = format!("{claims} {header}");
            provider.told().misbehave(claims, header, signed);
            let stranger = Browser::new(world);
            let refused = sign_in(&stranger, provider).await;
            assert_eq!(refused.error(), "refused", "{what}: {}", refused.html);
            assert_eq!(
                refused.text("error_description"),
                "The sign-in did not come back as it began here. Start again.",
                "{what}"
            );
            assert_eq!(stranger.cookie(), None, "{what}");
        }
        provider.told().behave();
        assert_eq!(
            sign_in(&browser, provider).await.status,
            StatusCode::OK,
            "and right it does"
        );
    });
}

#[test]
fn what_comes_back_serves_once_in_the_browser_that_went() {
    with_provider("callback", async |world, provider| {
        let (_, browser, _) = linked(world, provider).await;
        let begin = async |browser: &Browser<'_>| {
            let started = browser.call(START, &json!({})).await;
            depart(provider, &started).signed_in()
        };
        let refused = async |browser: &Browser<'_>, back: &Value, why: &str| {
            let exchanged = provider.told().codes_exchanged;
            assert_eq!(browser.call(FINISH, back).await.error(), "refused", "{why}");
            assert_eq!(provider.told().codes_exchanged, exchanged, "{why}");
        };

        let back = begin(&browser).await;
        let journey = browser.journey.borrow().clone();
        let thief = Browser::new(world);
        refused(&thief, &back, "a browser that went nowhere").await;
        begin(&thief).await;
        refused(&thief, &back, "another browser's").await;
        let mut forged = back.clone();
        forged["state"] = json!("forged");
        refused(&browser, &forged, "another state").await;
        assert_eq!(
            browser.call(FINISH, &back).await.status,
            StatusCode::OK,
            "which end nobody's way"
        );
        browser.journey.replace(journey);
        refused(&browser, &back, "a second time").await;

        let mut mixed_up = begin(&browser).await;
        mixed_up["iss"] = json!("http://localhost:1");
        refused(&browser, &mixed_up, "RFC 9207: of another provider").await;
        let mut unnamed = begin(&browser).await;
        unnamed.as_object_mut().unwrap().remove("iss");
        refused(&browser, &unnamed, "RFC 9207: it promised to name itself").await;
        let mut stolen = begin(&browser).await;
        stolen["code"] = begin(&Browser::new(world)).await["code"].clone();
        refused(&browser, &stolen, "a code of another way: its verifier is another").await;
        let late = begin(&browser).await;
        world.advance(600);
        refused(&browser, &late, "after ten minutes").await;
    });
}

#[test]
fn the_page_to_come_back_to_says_no_in_words_and_begins_nothing_from_elsewhere() {
    with_provider("page", async |world, _provider| {
        let browser = Browser::new(world);
        let page = browser.get("/sign-in/upstream/callback?code=c&state=s").await;
        assert!(
            page.html.contains("You come back from <bdi>Example</bdi>"),
            "{}",
            page.html
        );
        for query in ["?error=access_denied&error_description=%3Cscript%3E&state=s", ""] {
            let cancelled = browser.get(&format!("/sign-in/upstream/callback{query}")).await;
            assert_eq!(cancelled.status, StatusCode::FORBIDDEN);
            assert!(cancelled.html.contains("Not signed in") && !cancelled.html.contains("script>"));
        }
        let button = browser.get("/sign-in?next=/account").await.html;
        assert!(button.contains("Sign in with <bdi>Example</bdi>"), "{button}");
        browser.pretend(&[("origin", "https://evil.example")]);
        assert_eq!(browser.call(START, &json!({})).await.error(), "refused");
    });
}

#[test]
fn a_provider_that_is_away_or_not_itself_is_asked_again_a_little_later() {
    with_provider("away", async |world, provider| {
        let browser = Browser::new(world);
        let asked = || provider.told().metadata_asked;
        let wrong = [
            json!({ "issuer": "http://localhost:1" }),
            json!({ "issuer": format!("{}/", provider.issuer) }),
            json!({ "authorization_endpoint": "javascript:alert(1)" }),
            json!({ "authorization_endpoint": "http://evil.example/" }),
            json!({ "jwks_uri": "http://evil.example/jwks" }),
            json!({ "token_endpoint": null }),
            json!({ "filling": "x".repeat(300_000) }),
        ];
        for metadata in wrong {
            provider.told().metadata = metadata.clone();
            let before = asked();
            let answer = browser.call(START, &json!({})).await;
            assert!(answer.status.is_server_error(), "{} {}", answer.status, answer.html);
            let again = browser.call(START, &json!({})).await;
            assert_eq!(again.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(asked(), before + 1, "strangers do not make this server hammer it");
            world.advance(10);
        }
        provider.told().metadata = json!({});
        provider.told().redirects = true;
        assert_eq!(
            browser.call(START, &json!({})).await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
        world.advance(10);
        provider.told().redirects = false;
        assert_eq!(browser.call(START, &json!({})).await.status, StatusCode::OK);
    });
}

#[test]
fn a_key_that_is_new_there_is_looked_up_and_otherwise_nothing_is_asked_for_an_hour() {
    with_provider("rotation", async |world, provider| {
        let (_, browser, _) = linked(world, provider).await;
        assert_eq!(provider.told().metadata_asked, 1);
        world.advance(60);
        provider.told().rotate();
        assert_eq!(sign_in(&browser, provider).await.status, StatusCode::OK);
        assert_eq!(provider.told().metadata_asked, 2);
        sign_in(&browser, provider).await;
        assert_eq!(provider.told().metadata_asked, 2);
        world.advance(3600);
        sign_in(&browser, provider).await;
        assert_eq!(provider.told().metadata_asked, 3);
    });
}
