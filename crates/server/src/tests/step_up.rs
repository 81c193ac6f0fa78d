//! `acr_values` and `max_age` on the device authorization request: RFC 9470, for a grant that it does not mention.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use http::StatusCode;
use serde_json::json;

use super::pages::browser::Browser;
use super::pages::passkey::Passkey;
use super::world::{Answer, World, claims, directory, on_both, on_both_as, with_profiles, with_settings};
use crate::config::ServeArgs;

const SOFTWARE: &str = "urn:waypass:acr:software-key";

async fn ask(world: &World, more: &[(&str, &str)]) -> Answer {
    let form = [&[("client_id", "cli"), ("scope", "openid offline_access read")], more].concat();
    world.post("/device_authorization", &form).await
}

async fn asked(world: &World, more: &[(&str, &str)]) -> Answer {
    let asked = ask(world, more).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    asked
}

#[test]
fn a23_what_is_honoured_is_published_and_echoed() {
    on_both(async |world| {
        world.cli().await;
        let request = http::Request::get("/.well-known/oauth-authorization-server");
        let metadata = world.send(request.body(axum::body::Body::empty()).unwrap()).await.body;
        assert_eq!(metadata["acr_values_supported"], json!(["phr", SOFTWARE]));
        let honoured = metadata["waypass_device_authorization_parameters_supported"].to_string();
        assert!(
            honoured.contains("acr_values") && honoured.contains("max_age"),
            "{honoured}"
        );
        let asked = asked(world, &[("acr_values", "phr"), ("max_age", "300")]).await;
        let understood = asked.body["waypass_parameters_understood"].to_string();
        assert!(
            understood.contains("acr_values") && understood.contains("max_age"),
            "{understood}"
        );
        let event = &world.events("device.requested").await[0]["detail"];
        assert_eq!(
            (&event["acr_values"], &event["max_age"]),
            (&json!(["phr"]), &json!(300))
        );
    });
}

#[test]
fn a22_what_nobody_here_could_meet_is_refused_before_anybody_is_asked() {
    on_both(async |world| {
        world.cli().await;
        for (parameter, value, error) in [
            ("acr_values", "urn:example:gold", "unmet_authentication_requirements"),
            // No authority of hardware is configured.
            ("acr_values", "phrh", "unmet_authentication_requirements"),
            ("acr_values", "a b c d e f g h i j k", "invalid_request"),
            ("max_age", "-1", "invalid_request"),
            ("max_age", "soon", "invalid_request"),
        ] {
            let refused = ask(world, &[(parameter, value)]).await;
            assert_eq!(
                (refused.status, refused.error()),
                (StatusCode::BAD_REQUEST, error),
                "{value}"
            );
        }
        assert!(world.events("device.requested").await.is_empty());
    });
}

#[test]
fn a22_an_approver_with_a_weaker_key_is_told_before_and_refused_at_the_click() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = asked(world, &[("acr_values", "phrh phr")]).await;
        let view = world.view(&asked.text("user_code"), &alice).await;
        assert!(
            view.body["warnings"].to_string().contains("stronger key"),
            "{}",
            view.body
        );
        let refused = world
            .call("/approver/approve", &alice.decision(&view.body), &alice)
            .await;
        assert_eq!(refused.error(), "refused", "{}", refused.body);
        assert_eq!(
            world.poll(&asked.text("device_code")).await.error(),
            "authorization_pending"
        );
        assert!(world.events("device.approved").await.is_empty(), "nothing was lowered");
    });
}

#[test]
fn a22_a_passkey_where_a_software_key_is_asked_for_is_refused_too() {
    on_both(async |world| {
        world.cli().await;
        let (browser, _) = Browser::enrolled(world, "alice").await;
        let asked = asked(world, &[("acr_values", SOFTWARE)]).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let shown = browser.get(&page).await;
        assert!(
            shown.html.contains("stronger") && !shown.html.contains("data-passkey"),
            "{}",
            shown.html
        );
    });
}

#[test]
fn a22_acr_and_auth_time_are_in_the_token_and_in_introspection() {
    on_both(async |world| {
        world.cli().await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let asked = asked(world, &[("acr_values", "other phr"), ("max_age", "300")]).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        assert!(browser.get(&page).await.html.contains("counts as fresh for 5 minutes"));
        world.advance(30);
        let decided_at = world.app.now().seconds();
        assert_eq!(browser.approve(&page, &passkey).await.location(), page);
        world.advance(10);
        let tokens = world.poll(&asked.text("device_code")).await;
        assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
        let token = tokens.text("access_token");
        assert!(world.is_active(&token).await);
        let form = [
            ("client_id", "rs"),
            ("client_secret", "resource server secret"),
            ("token", &token),
        ];
        for told in [claims(&token), world.post("/introspect", &form).await.body] {
            assert_eq!(
                (&told["acr"], &told["auth_time"]),
                (&json!("phr"), &json!(decided_at)),
                "the click, not the sign-in"
            );
        }
    });
}

/// The decision was fresh when it was made; what is fetched later than allowed is not.
#[test]
fn a22_an_approval_older_than_max_age_gives_no_token() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        for (max_age, late, outcome) in [
            ("0", 60, "none"),
            ("0", 61, "unmet"),
            ("120", 120, "none"),
            ("120", 121, "unmet"),
        ] {
            let asked = asked(world, &[("max_age", max_age)]).await;
            world.approve(&asked.text("user_code"), &alice).await;
            world.advance(late);
            let polled = world.poll(&asked.text("device_code")).await;
            assert!(
                polled.error().starts_with(outcome),
                "{max_age} after {late}: {}",
                polled.body
            );
        }
        assert_eq!(world.events("device.redeemed").await.len(), 2);
    });
}

/// RFC 9068 §2.2.1: `auth_time` and `acr` stay those of the decision, so a resource that wants a fresher one says
/// so, and a new request is made.
#[test]
fn a22_a_refresh_never_makes_an_authentication_younger() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let asked = asked(world, &[("max_age", "60")]).await;
        let decided_at = world.app.now().seconds();
        world.approve(&asked.text("user_code"), &alice).await;
        let tokens = world.poll(&asked.text("device_code")).await;
        world.advance(500);
        let refreshed = world.refresh(&tokens.text("refresh_token")).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
        assert_eq!(claims(&refreshed.text("access_token"))["auth_time"], json!(decided_at));
    });
}

fn profile(approval: &str) -> String {
    format!(
        "name = \"mine\"\npurpose = \"a test\"\n[assessment]\nrisk = \"phishing\"\nresidual = \"little\"\n\
         [approval]\nby = \"anyone\"\nsoftware_keys = true\nstarter = [\"same_address\"]\n{approval}\n\
         [mitigations]\nX02 = 600\n"
    )
}

#[test]
fn a21_a_profile_demands_the_same_of_every_request_and_a_request_can_only_ask_for_more() {
    with_profiles(&[&profile("acr = \"phr\"\nmax_age = 120")], async |world| {
        world.client("cli", json!({ "profile": "mine" })).await;
        let (browser, passkey) = Browser::enrolled(world, "alice").await;
        let only_software = ask(world, &[("acr_values", SOFTWARE)]).await;
        assert_eq!(only_software.error(), "unmet_authentication_requirements");
        for max_age in ["900", "60", ""] {
            let asked = asked(world, &[("max_age", max_age)]).await;
            let page = browser.type_code(&asked.text("user_code")).await;
            browser.approve(&page, &passkey).await;
            world.advance(121);
            let polled = world.poll(&asked.text("device_code")).await;
            assert_eq!(polled.error(), "unmet_authentication_requirements", "{max_age}");
        }
        let asked = asked(world, &[]).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        browser.approve(&page, &passkey).await;
        assert_eq!(world.poll(&asked.text("device_code")).await.status, StatusCode::OK);
    });
}

/// No approver is asked for what the profile's own demand makes impossible.
#[test]
fn a22_a_profile_that_asks_for_hardware_where_none_can_be_proven_lets_nobody_ask() {
    with_profiles(&[&profile("acr = \"phrh\"")], async |world| {
        world.client("cli", json!({ "profile": "mine" })).await;
        let refused = ask(world, &[]).await;
        assert_eq!(refused.error(), "unmet_authentication_requirements");
    });
}

/// The profile was changed after the approval: what is too weak by now gives no further token, and says so once.
#[test]
fn a_refresh_needs_an_approval_as_strong_as_the_profile_demands_now() {
    let folder = directory("strength");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = folder.with_extension("toml");
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/attestation/authority.pem");
    std::fs::write(
        &settings,
        format!("[passkeys]\nattestation_authorities = \"{authority}\"\n"),
    )
    .unwrap();
    for acr in ["phr", "phrh"] {
        let text = profile(&format!("acr = \"{acr}\"")).replace("mine", acr);
        std::fs::write(folder.join(acr).with_extension("toml"), text).unwrap();
    }
    let args = ServeArgs {
        config: Some(settings.to_str().unwrap().to_owned()),
        profiles: Some(folder.to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    on_both_as(&args, async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let by_software = world.tokens(&alice).await.text("refresh_token");
        let by_passkey = by(world, "bob", &Passkey::new()).await;
        // Recorded as `phr`, which was all that was asked for.
        let by_hardware = by(world, "carol", &Passkey::made()).await;
        let mut of = [by_software, by_passkey, by_hardware];
        for (acr, is_enough) in [("phr", [false, true, true]), ("phrh", [false, false, true])] {
            let changed = world
                .administer("POST", "/local/clients/cli/change", &json!({ "profile": acr }))
                .await;
            assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
            for (refresh_token, is_enough) in of.iter_mut().zip(is_enough) {
                let answer = world.refresh(refresh_token).await;
                if is_enough {
                    assert_eq!(answer.status, StatusCode::OK, "{acr}: {}", answer.body);
                    *refresh_token = answer.text("refresh_token");
                } else {
                    assert_eq!(answer.error(), "invalid_grant", "{acr}: {}", answer.body);
                    assert_eq!(world.refresh(refresh_token).await.error(), "invalid_grant");
                }
            }
            world.advance(61);
        }
        let events = world.events("token.refused").await;
        let told: BTreeSet<_> = events
            .iter()
            .map(|event| {
                let detail = &event["detail"];
                assert_eq!(detail["reason"], "approval_too_weak");
                (detail["acr_values"].to_string(), detail["auth.acr"].to_string())
            })
            .collect();
        let expected = [("phr", SOFTWARE), ("phrh", SOFTWARE), ("phrh", "phr")];
        let expected = expected.map(|(acr, was)| (json!([acr]).to_string(), json!(was).to_string()));
        assert_eq!((events.len(), told), (3, expected.into()));
    });
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::remove_file(&settings).unwrap();
}

/// The refresh token of what this approver approved by this passkey.
async fn by(world: &World, name: &str, passkey: &Passkey) -> String {
    let browser = enrolled(world, name, passkey).await;
    let asked = asked(world, &[("acr_values", "phr")]).await;
    let page = browser.type_code(&asked.text("user_code")).await;
    browser.approve(&page, passkey).await;
    world.poll(&asked.text("device_code")).await.text("refresh_token")
}

fn with_authorities(name: &str, settings: &str, test: impl AsyncFn(&World)) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/attestation/").to_owned() + name;
    with_settings(
        &format!("passkeys-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
        &format!("[passkeys]\nattestation_authorities = \"{file}.pem\"\n{settings}\n"),
        test,
    );
}

async fn enrolled<'a>(world: &'a World, name: &str, passkey: &Passkey) -> Browser<'a> {
    let browser = Browser::new(world);
    let token = browser.link(name).await;
    let answer = browser.enroll(&token, passkey).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
    browser
}

#[test]
fn a24_a_key_whose_maker_vouches_for_it_is_phrh_and_meets_phr() {
    with_authorities("authority", "", async |world| {
        world.cli().await;
        let passkey = Passkey::made();
        let browser = enrolled(world, "alice", &passkey).await;
        for (acr_values, acr) in [("phrh", "phrh"), ("", "phrh"), ("phr", "phr")] {
            let asked = asked(world, &[("acr_values", acr_values)]).await;
            let page = browser.type_code(&asked.text("user_code")).await;
            assert_eq!(browser.approve(&page, &passkey).await.location(), page);
            let claims = claims(&world.poll(&asked.text("device_code")).await.text("access_token"));
            assert_eq!(
                (&claims["acr"], &claims["amr"]),
                (&json!(acr), &json!(["hwk", "pop", "user"]))
            );
        }
        let request = http::Request::get("/.well-known/oauth-authorization-server");
        let metadata = world.send(request.body(axum::body::Body::empty()).unwrap()).await.body;
        assert_eq!(metadata["acr_values_supported"], json!(["phr", "phrh", SOFTWARE]));
    });
}

/// Each is a passkey and works as one; none of them is proven hardware.
#[test]
fn a24_without_a_trusted_makers_word_or_where_it_can_be_copied_a_passkey_is_phr_only() {
    let copied = Passkey::made();
    copied.is_synchronised();
    for (authority, settings, passkey) in [
        ("authority", "", Passkey::new()),
        ("authority", "", copied),
        ("other_authority", "", Passkey::made()),
        (
            "authority",
            "aaguids = [\"ee882879-721c-4913-9775-3dfcce97072a\"]",
            Passkey::made(),
        ),
    ] {
        with_authorities(authority, settings, async |world| {
            world.cli().await;
            passkey.counter.set(0);
            let browser = enrolled(world, "alice", &passkey).await;
            let strong = asked(world, &[("acr_values", "phrh")]).await;
            let page = browser.type_code(&strong.text("user_code")).await;
            let shown = browser.get(&page).await;
            assert!(
                shown.html.contains("stronger passkey than you have"),
                "{authority} {settings}: {}",
                shown.html
            );
            let asked = asked(world, &[("acr_values", "phrh phr")]).await;
            let page = browser.type_code(&asked.text("user_code")).await;
            browser.approve(&page, &passkey).await;
            let claims = claims(&world.poll(&asked.text("device_code")).await.text("access_token"));
            assert_eq!(claims["acr"], json!("phr"), "{authority} {settings}");
        });
    }
}

/// What the page does not offer is refused when it is sent all the same.
#[test]
fn a24_a_weaker_passkeys_signature_over_the_decision_is_refused() {
    with_authorities("authority", "", async |world| {
        world.cli().await;
        let (strong, weak) = (Passkey::made(), Passkey::new());
        let browser = enrolled(world, "alice", &strong).await;
        let started = browser
            .call("/account/passkeys/start", &json!({ "csrf": browser.csrf().await }))
            .await;
        let credential = weak.create(&started.body["options"]);
        let finish = json!({
            "csrf": browser.csrf().await, "ceremony": started.body["ceremony"], "label": "weak", "credential": credential,
        });
        assert_eq!(
            browser.call("/account/passkeys/finish", &finish).await.status,
            StatusCode::OK
        );
        let asked = asked(world, &[("acr_values", "phrh")]).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let options = browser.get(&page).await.decision_options();
        assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1, "{options}");
        let refused = browser.approve(&page, &weak).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.html);
        assert_eq!(browser.approve(&page, &strong).await.location(), page);
    });
}
