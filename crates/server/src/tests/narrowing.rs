//! Giving less than is asked for: what is signed, what comes back, and what nobody can make wider again.

use http::StatusCode;
use serde_json::{Value, json};

use super::pages::browser::Browser;
use super::pages::passkey::Passkey;
use super::quorum::{TWO, endorsed, joined, look};
use super::world::{Answer, Key, World, claims, on_both, with_profiles};

const API: &str = "https://api.example";
const OTHER: &str = "https://other.example";

/// A client that may ask for two resources.
async fn client(world: &World) {
    let more = json!({ "profile": "open", "resource": [API, OTHER] });
    assert_eq!(world.client("cli", more).await.status, StatusCode::CREATED);
}

async fn ask(world: &World) -> Answer {
    let form = [
        ("client_id", "cli"),
        ("scope", "openid offline_access read"),
        ("resource", API),
        ("resource", OTHER),
    ];
    let asked = world.post("/device_authorization", &form).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    asked
}

/// What this approver signs, with these members of `granted` changed.
fn changed(view: &Answer, granted: &Value, key: &Key) -> Value {
    let mut view = view.body.clone();
    let members = granted.as_object().unwrap().clone();
    view["decision"]["granted"].as_object_mut().unwrap().extend(members);
    key.decision(&view)
}

async fn approve(world: &World, view: &Answer, granted: &Value, key: &Key) -> Answer {
    world.call("/approver/approve", &changed(view, granted, key), key).await
}

#[test]
fn the_narrower_grant_comes_back_in_the_standard_members_and_stands_on_the_record() {
    on_both(async |world| {
        client(world).await;
        let alice = world.approver("alice").await;
        let asked = ask(world).await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        let end = world.app.now().seconds() + 300;
        let less = json!({ "scope": "openid read", "resource": [API], "expires_at": end });
        let approved = approve(world, &view, &less, &alice).await;
        assert_eq!(approved.text("state"), "approved", "{}", approved.body);

        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        assert_eq!(
            (tokens.text("scope").as_str(), &tokens.body["expires_in"]),
            ("openid read", &json!(300))
        );
        assert_eq!(
            tokens.body["refresh_token"],
            Value::Null,
            "offline_access was taken away"
        );
        let claims = claims(&tokens.text("access_token"));
        assert_eq!((&claims["aud"], &claims["exp"]), (&json!(API), &json!(end)));

        let event = &world.events("device.approved").await[0]["detail"];
        for (name, value) in [
            ("scope", json!("offline_access openid read")),
            ("granted.scope", json!("openid read")),
            ("granted.resource", json!([API])),
            ("granted.expires_at", json!(end)),
            ("narrowed", json!(true)),
        ] {
            assert_eq!(event[name], value, "{name}");
        }
        let grants = world.administer("GET", "/local/grants", &Value::Null).await.body;
        let path = format!("/local/grants/{}", grants[0]["grant_id"].as_str().unwrap());
        let grant = world.administer("GET", &path, &Value::Null).await.body;
        assert_eq!(
            (&grant["scope"], &grant["resource"]),
            (&json!("openid read"), &json!([API]))
        );
        assert_eq!(grant["evidence"]["decision"]["granted"]["scope"], json!("openid read"));
    });
}

#[test]
fn all_of_it_is_not_called_narrowed() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        world.tokens(&alice).await;
        assert_eq!(
            world.events("device.approved").await[0]["detail"]["narrowed"],
            json!(false)
        );
    });
}

#[test]
fn nothing_wider_than_asked_can_be_signed_and_nothing_at_all_is_to_be_declined() {
    on_both(async |world| {
        client(world).await;
        let alice = world.approver("alice").await;
        let asked = ask(world).await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        let end = view.body["decision"]["granted"]["expires_at"].as_i64().unwrap();
        for (granted, sentence) in [
            (json!({ "scope": "openid profile" }), "more than was asked for"),
            (
                json!({ "resource": ["https://elsewhere.example"] }),
                "more than was asked for",
            ),
            (
                json!({ "authorization_details": [{ "type": "api" }] }),
                "more than was asked for",
            ),
            (json!({ "expires_at": end + 1 }), "more than was asked for"),
            (json!({ "scope": "" }), "Decline instead"),
            (json!({ "resource": [] }), "Decline instead"),
            (json!({ "expires_at": world.app.now().seconds() }), "Decline instead"),
        ] {
            let refused = approve(world, &view, &granted, &alice).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{granted} {}", refused.body);
            assert!(
                refused.text("error_description").contains(sentence),
                "{granted} {}",
                refused.body
            );
        }
        // The same set in another order was not what this server prepared, and is no other decision either.
        let odd = approve(world, &view, &json!({ "resource": [OTHER, API] }), &alice).await;
        assert_eq!(odd.error(), "refused");
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
    });
}

#[test]
fn a_choice_that_was_not_signed_is_none() {
    on_both(async |world| {
        client(world).await;
        let alice = world.approver("alice").await;
        let asked = ask(world).await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        let less = changed(&view, &json!({ "scope": "read" }), &alice);
        let all = changed(&view, &json!({}), &alice);
        for (sent, signed) in [(&less, &all), (&all, &less)] {
            let mut mixed = sent.clone();
            mixed["signature"] = signed["signature"].clone();
            let refused = world.call("/approver/approve", &mixed, &alice).await;
            assert_eq!(refused.error(), "refused", "{}", refused.body);
        }
        // What was signed first and wider is worth nothing once the narrower one was taken.
        assert_eq!(
            world.call("/approver/approve", &less, &alice).await.status,
            StatusCode::OK
        );
        let replayed = world.call("/approver/approve", &all, &alice).await;
        assert_eq!(replayed.status, StatusCode::NOT_FOUND, "{}", replayed.body);
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(tokens.text("scope"), "read");
    });
}

async fn opened(browser: &Browser<'_>) -> (Answer, String) {
    let asked = ask(browser.world).await;
    let page = browser.type_code(&asked.text("user_code")).await;
    (asked, page)
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

#[test]
fn on_the_page_the_form_shows_what_is_left_and_the_passkey_signs_that() {
    on_both(async |world| {
        client(world).await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (asked, page) = opened(&browser).await;
        let all = browser.get(&page).await;
        assert!(all.html.contains("Give less"), "{}", all.html);
        let end = (world.app.now().seconds() + 600).to_string();
        let chosen = query(&[
            ("scope", "openid"),
            ("scope", "read"),
            ("resource", OTHER),
            ("until", &end),
        ]);
        let less = format!("{page}?{chosen}");
        let shown = browser.get(&less).await;
        for words in [
            "Less than was asked for.",
            "Give all of it",
            "For <strong>10 minutes</strong>",
        ] {
            assert!(shown.html.contains(words), "{words}: {}", shown.html);
        }
        assert!(shown.html.contains("<bdi>offline_access</bdi>") && !shown.html.contains("renew its access"));
        assert_ne!(
            all.decision_options()["challenge"],
            shown.decision_options()["challenge"],
            "another decision"
        );
        assert!(world.events("device.approved").await.is_empty(), "no GET writes");
        assert_eq!(browser.approve(&less, &passkey).await.location(), page);
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(
            (tokens.text("scope").as_str(), &tokens.body["expires_in"]),
            ("openid read", &json!(600))
        );
        assert_eq!(claims(&tokens.text("access_token"))["aud"], json!(OTHER));
    });
}

/// The attacker is whoever can change a field on the way, or an address.
#[test]
fn a_tampered_form_field_or_address_gives_nothing() {
    on_both(async |world| {
        client(world).await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let (asked, page) = opened(&browser).await;
        let less = format!("{page}?{}", query(&[("scope", "read"), ("resource", API)]));
        let (all, narrow) = (browser.get(&page).await, browser.get(&less).await);
        let post = async |shown: &Answer, granted: Option<&str>, passkey: &Passkey| {
            let credential = passkey.get(&shown.decision_options()).to_string();
            let mut form = vec![("credential", credential.as_str())];
            form.extend(granted.map(|granted| ("granted", granted)));
            browser.post(&format!("{page}/approve"), &form).await
        };
        let (everything, little) = (all.field("granted"), narrow.field("granted"));
        let wider = little.replace("\"read\"", "\"profile read\"");
        for (shown, granted) in [
            (&narrow, Some(everything.as_str())),
            (&narrow, None),
            (&all, Some(little.as_str())),
            (&narrow, Some(wider.as_str())),
            (&narrow, Some("{}")),
        ] {
            let refused = post(shown, granted, &passkey).await;
            assert!(refused.status.is_client_error(), "{granted:?}: {}", refused.html);
        }
        for (name, value) in [
            ("scope", "profile"),
            ("resource", "https://elsewhere.example"),
            ("until", "9999999999"),
        ] {
            let refused = browser
                .get(&format!("{page}?{}", query(&[("scope", "read"), (name, value)])))
                .await;
            assert!(refused.status.is_client_error(), "{name}: {}", refused.html);
        }
        for wrong in ["?", "?scope=", "?scope=read"] {
            let nothing = browser.get(&format!("{page}{wrong}")).await;
            assert_eq!(nothing.status, StatusCode::FORBIDDEN, "no resource is left");
            assert!(nothing.html.contains("Decline instead"), "{}", nothing.html);
        }
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        assert_eq!(post(&narrow, Some(&little), &passkey).await.location(), page);
        assert_eq!(world.poll(&asked.text("device_code")).await.text("scope"), "read");
    });
}

/// A client of two, both of the group.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn of_two(test: impl AsyncFn(&World, &Key, &Key)) {
    with_profiles(&[TWO], async |world| {
        world.client("cli", json!({ "profile": "two" })).await;
        let (alice, bob) = (joined(world, "alice").await, joined(world, "bob").await);
        test(world, &alice, &bob).await;
    });
}

#[test]
fn of_a_quorum_the_later_sees_what_the_earlier_left_and_widens_nothing() {
    of_two(async |world, alice, bob| {
        let asked = world.ask("cli").await;
        let view = world.view(&asked.text("user_code"), alice).await;
        let whole = changed(&view, &json!({}), bob);
        let less = json!({ "scope": "openid read" });
        assert_eq!(approve(world, &view, &less, alice).await.text("state"), "endorsed");

        let id = view.text("request_id");
        let left = look(world, &id, bob).await;
        assert_eq!(left.body["decision"]["granted"]["scope"], json!("openid read"));
        assert!(!left.html.contains("offline_access"), "{}", left.body);
        let back = approve(world, &left, &json!({ "scope": "offline_access openid read" }), bob).await;
        assert!(
            back.text("error_description").contains("others have left"),
            "{}",
            back.body
        );
        assert_ne!(
            world.call("/approver/approve", &whole, bob).await.status,
            StatusCode::OK
        );
        let end = world.app.now().seconds() + 120;
        let even_less = json!({ "scope": "read", "expires_at": end });
        assert_eq!(approve(world, &left, &even_less, bob).await.text("state"), "approved");
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(
            (tokens.text("scope").as_str(), &tokens.body["expires_in"]),
            ("read", &json!(120))
        );
    });
}

#[test]
fn each_of_a_quorum_takes_away_another_thing_and_the_grant_is_what_both_gave() {
    of_two(async |world, alice, bob| {
        let (code, id) = endorsed(world, alice).await;
        let view = look(world, &id, bob).await;
        assert_eq!(
            view.body["decision"]["granted"]["scope"],
            json!("offline_access openid read")
        );
        approve(world, &view, &json!({ "scope": "offline_access read" }), bob).await;
        let tokens = world.poll(&code).await;
        assert_eq!(tokens.text("scope"), "offline_access read");
        assert_eq!(tokens.body["id_token"], Value::Null);
        let refreshed = world.refresh(&tokens.text("refresh_token")).await;
        assert_eq!(refreshed.text("scope"), "offline_access read");
    });
}

/// Details stand in the form one by one: what is not ticked is taken away, and what is, stays to the letter.
#[test]
fn each_detail_is_given_whole_or_taken_away() {
    on_both(async |world| {
        let ceiling = json!([{ "type": "api" }, { "type": "tool_call" }]);
        let more = json!({ "profile": "open", "authorization_details": ceiling });
        assert_eq!(world.client("cli", more).await.status, StatusCode::CREATED);
        let (one, other) = (super::details::example("api"), super::details::example("tool_call"));
        let details = json!([one, other]).to_string();
        let form = [
            ("client_id", "cli"),
            ("scope", "read"),
            ("authorization_details", &*details),
        ];
        let asked = world.post("/device_authorization", &form).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let shown = browser.get(&page).await;
        // They stand in one order, whichever they were sent in.
        let all: Value = serde_json::from_str(&shown.field("granted")).unwrap();
        let kept = json!([all["authorization_details"][1]]);
        let shown = shown.html;
        for place in ["0", "1"] {
            assert!(
                shown.contains(&format!("name=\"detail\" value=\"{place}\" checked")),
                "{shown}"
            );
        }
        let resource = [("resource", super::world::ISSUER)];
        let less = [&resource[..], &[("scope", "read"), ("detail", "1")]].concat();
        let less = format!("{page}?{}", query(&less));
        assert_eq!(browser.approve(&less, &passkey).await.location(), page);
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(tokens.body["authorization_details"], kept, "{}", tokens.body);
        let event = &world.events("device.approved").await[0]["detail"];
        assert_eq!(event["granted.authorization_details"], kept);
    });
}
