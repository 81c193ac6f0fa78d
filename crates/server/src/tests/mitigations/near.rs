//! Where the two ends are: X01, X08's listed networks, X25, and what is seen for the first time.

use expect_test::expect;
use http::StatusCode;
use serde_json::Value;

use super::{HOME, LINUX, profile, told, under};

const WARN: &str = "X01 = { at_least = \"same_country\", otherwise = \"warn\" }";
const REFUSE: &str = "X01 = { at_least = \"same_country\", otherwise = \"refuse\" }";
const ANY_NETWORK: &str =
    "trusted_networks = [\"192.0.2.0/24\", \"198.51.100.0/24\", \"203.0.113.0/24\", \"233.252.0.0/24\"]";
/// Of the same country as home; of another.
const ON_MOBILE_DATA: &str = "198.51.100.7";
const ABROAD: &str = "203.0.113.7";

fn facts(view: &Value) -> String {
    let facts = view["facts"].as_array().unwrap().iter();
    let told = facts.fold(String::new(), |told, fact| {
        let (name, source, label, value) = (&fact["name"], &fact["source"], &fact["label"], &fact["value"]);
        format!("{told}{name} [{source}] {label}: {value}\n")
    });
    told.replace('"', "")
}

#[test]
fn x01_both_ends_and_their_comparison_are_shown_and_recorded_each_with_its_source() {
    under(
        "ends",
        &profile("\"listed_network\"", WARN),
        ANY_NETWORK,
        async |world, alice| {
            let asked = world.at(HOME, LINUX).ask().await;
            let phone = world.at(ON_MOBILE_DATA, "waypass (macos)");
            let view = phone.view(&asked, alice).await.body;
            assert_eq!(view["network_match"], "same_country");
            expect![[r#"
                requester.address [proven] Asked from the address: 192.0.2.7
                requester.ip_source [proven] Known by: the connection itself
                requester.operator [derived] Its network operator: Example Fibre (AS64496)
                requester.country [derived] Its country: DE
                requester.user_agent [claimed] Calls itself: waypass (linux)
                approver.address [proven] Your address: 198.51.100.7
                approver.operator [derived] Your network operator: Example Mobile (AS64497)
                approver.country [derived] Your country: DE
                network.match [derived] Compared with you: Your country, another network
                first_seen.client [derived] For the first time: This client: nobody has approved it before
                first_seen.owner [derived] For the first time: You: this would be your first approval here
                first_seen.operator [derived] For the first time: This network operator: nothing was approved from it before
                first_seen.pair [derived] For the first time: This network operator for you: you have not approved from it before
            "#]].assert_eq(&facts(&view));
            assert_eq!(phone.approve(&asked, alice).await.status, StatusCode::OK);
            let fields = [
                "requester.ip",
                "requester.ip_source",
                "requester.asn",
                "requester.as_org",
                "requester.geo",
                "requester.ua",
                "approver.ip",
                "approver.ip_source",
                "approver.asn",
                "approver.as_org",
                "approver.geo",
                "approver.ua",
                "network.match",
                "starter.proofs",
                "key.registered",
                "key.attested",
                "code.entry",
            ];
            expect![[r#"
                requester.ip: "192.0.2.7"
                requester.ip_source: "direct"
                requester.asn: 64496
                requester.as_org: "Example Fibre"
                requester.geo: "DE"
                requester.ua: "waypass (linux)"
                approver.ip: "198.51.100.7"
                approver.ip_source: "direct"
                approver.asn: 64497
                approver.as_org: "Example Mobile"
                approver.geo: "DE"
                approver.ua: "waypass (macos)"
                network.match: "same_country"
                starter.proofs: ["listed_network"]
                key.registered: false
                key.attested: false
                code.entry: "typed"
            "#]]
            .assert_eq(&told(world, "device.approved", &fields).await);
        },
    );
}

#[test]
fn x01_what_is_too_far_away_is_warned_of_or_refused_by_profile() {
    let far = |view: &Value| view["warnings"].to_string().contains("far away");
    under(
        "far-warn",
        &profile("\"listed_network\"", WARN),
        ANY_NETWORK,
        async |world, alice| {
            let asked = world.at(HOME, LINUX).ask().await;
            let near = world.at(ON_MOBILE_DATA, "").view(&asked, alice).await.body;
            let abroad = world.at(ABROAD, "").view(&asked, alice).await.body;
            assert!(!far(&near) && far(&abroad), "{near} {abroad}");
            assert_eq!(abroad["network_match"], "different");
        },
    );
    under(
        "far-refuse",
        &profile("\"listed_network\"", REFUSE),
        ANY_NETWORK,
        async |world, alice| {
            let asked = world.at(HOME, LINUX).ask().await;
            let refused = world.at(ABROAD, "").view(&asked, alice).await;
            assert_eq!((refused.status, refused.error()), (StatusCode::FORBIDDEN, "refused"));
            let event = told(
                world,
                "device.refused",
                &["reason", "network.match", "requester.geo", "approver.geo"],
            )
            .await;
            expect![[r#"
                reason: "too_far_away"
                network.match: "different"
                requester.geo: "DE"
                approver.geo: "FR"
            "#]]
            .assert_eq(&event);
            assert_eq!(
                world.at(ON_MOBILE_DATA, "").approve(&asked, alice).await.status,
                StatusCode::OK
            );
        },
    );
}

#[test]
fn x01_an_address_that_strangers_share_proves_nothing() {
    under(
        "shared",
        &profile("\"same_address\"", ""),
        "shared_networks = [\"203.0.113.0/25\"]",
        async |world, alice| {
            let own = world.at(HOME, LINUX);
            assert_eq!(own.approve(&own.ask().await, alice).await.status, StatusCode::OK);
            for shared in [ABROAD, "100.64.0.9"] {
                let shared = world.at(shared, LINUX);
                let asked = shared.ask().await;
                assert_eq!(shared.view(&asked, alice).await.status, StatusCode::FORBIDDEN);
                assert_eq!(
                    told(world, "device.refused", &["reason"]).await,
                    "reason: \"starter_unproven\"\n"
                );
            }
        },
    );
}

#[test]
fn x08_two_listed_networks_belong_together_and_one_does_not_suffice() {
    let networks = "trusted_networks = [\"192.0.2.0/24\", \"2001:db8:1::/48\"]";
    under(
        "listed",
        &profile("\"listed_network\"", ""),
        networks,
        async |world, alice| {
            let asked = world.at(HOME, LINUX).ask().await;
            assert_eq!(
                world.at(ABROAD, "").view(&asked, alice).await.status,
                StatusCode::FORBIDDEN
            );
            assert_eq!(
                world.at("2001:db8:1::7", "").approve(&asked, alice).await.status,
                StatusCode::OK
            );
        },
    );
}

#[test]
fn x25_both_ends_that_look_like_one_device_are_warned_of_or_refused_and_an_address_alone_never() {
    let warned = |view: &Value| view["warnings"].to_string().contains("looks like the one");
    under(
        "device-warn",
        &profile("\"same_address\"", "X25 = \"warn\""),
        "",
        async |world, alice| {
            let asked = world.at(HOME, LINUX).ask().await;
            for (user_agent, expected) in [
                ("Mozilla/5.0 (X11; Linux x86_64)", true),
                ("Mozilla/5.0 (Linux; Android 10; K)", false),
                ("", false),
            ] {
                let view = world.at(HOME, user_agent).view(&asked, alice).await.body;
                assert_eq!(warned(&view), expected, "{user_agent}: {view}");
            }
        },
    );
    under(
        "device-refuse",
        &profile("\"same_address\"", "X25 = \"refuse\""),
        "",
        async |world, alice| {
            let asked = world.at(HOME, LINUX).ask().await;
            let refused = world.at(HOME, LINUX).view(&asked, alice).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
            assert_eq!(
                told(world, "device.refused", &["reason"]).await,
                "reason: \"same_device\"\n"
            );
            let phone = world.at(HOME, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)");
            assert_eq!(phone.approve(&asked, alice).await.status, StatusCode::OK);
        },
    );
}

#[test]
fn what_takes_part_for_the_first_time_is_told_once() {
    let flags = ["client", "instance", "owner", "operator", "pair"].map(|name| format!("first_seen.{name}"));
    let flags = flags.each_ref().map(String::as_str);
    under(
        "first",
        &profile("\"listed_network\"", ""),
        ANY_NETWORK,
        async |world, alice| {
            let bob = world.approver("bob").await;
            let mut table = String::new();
            for (who, key, from) in [
                ("alice at home", alice, HOME),
                ("alice again", alice, HOME),
                ("bob at alice's", &bob, HOME),
                ("alice abroad", alice, ABROAD),
                ("alice from nobody knows where", alice, "233.252.0.7"),
            ] {
                // Events of one millisecond have no order.
                world.advance(1);
                let asked = world.at(from, LINUX).ask().await;
                let home = world.at(HOME, LINUX);
                let view = home.view(&asked, key).await;
                if view.status == StatusCode::OK {
                    let news = facts(&view.body);
                    let news: Vec<&str> = news.lines().filter(|line| line.starts_with("first_seen.")).collect();
                    table += &format!("{who}\n{}\n", news.join("\n"));
                    home.approve(&asked, key).await;
                    table += &told(world, "device.approved", &flags).await;
                }
            }
            expect![[r#"
                alice at home
                first_seen.client [derived] For the first time: This client: nobody has approved it before
                first_seen.owner [derived] For the first time: You: this would be your first approval here
                first_seen.operator [derived] For the first time: This network operator: nothing was approved from it before
                first_seen.pair [derived] For the first time: This network operator for you: you have not approved from it before
                first_seen.client: true
                first_seen.instance: null
                first_seen.owner: true
                first_seen.operator: true
                first_seen.pair: true
                alice again

                first_seen.client: false
                first_seen.instance: null
                first_seen.owner: false
                first_seen.operator: false
                first_seen.pair: false
                bob at alice's
                first_seen.owner [derived] For the first time: You: this would be your first approval here
                first_seen.pair [derived] For the first time: This network operator for you: you have not approved from it before
                first_seen.client: false
                first_seen.instance: null
                first_seen.owner: true
                first_seen.operator: false
                first_seen.pair: true
                alice abroad
                first_seen.operator [derived] For the first time: This network operator: nothing was approved from it before
                first_seen.pair [derived] For the first time: This network operator for you: you have not approved from it before
                first_seen.client: false
                first_seen.instance: null
                first_seen.owner: false
                first_seen.operator: true
                first_seen.pair: true
                alice from nobody knows where

                first_seen.client: false
                first_seen.instance: null
                first_seen.owner: false
                first_seen.operator: null
                first_seen.pair: null
            "#]].assert_eq(&table);
        },
    );
}

#[test]
fn hostile_text_of_a_requester_or_a_database_is_bounded_and_escaped_where_it_is_shown() {
    under("hostile", &profile("\"same_address\"", ""), "", async |world, alice| {
        let agent = format!("<b>\t{}", "x".repeat(2_000));
        let somebody = world.at("203.0.113.200", &agent);
        let asked = somebody.ask().await;
        let view = somebody.view(&asked, alice).await.body;
        for fact in view["facts"].as_array().unwrap() {
            assert!(fact["value"].as_str().unwrap().chars().count() <= 256, "{fact}");
        }
        somebody.approve(&asked, alice).await;
        let event = told(
            world,
            "device.approved",
            &["requester.as_org", "requester.ua", "requester.geo"],
        )
        .await;
        expect![[r#"
            requester.as_org: "\u001b]0;owned\u0007<b><U+202E>x*60 xxxxxx"
            requester.ua: "<b>\tx*60 x*60 x*60 x*60 xxxxxxxxxxxx"
            requester.geo: null
        "#]]
        .assert_eq(&event.replace(&"x".repeat(60), "x*60 ").replace('\u{202e}', "<U+202E>"));
    });
}
