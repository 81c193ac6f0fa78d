//! A machine that is not, or no longer, as its profile demands gets no token: at the request, at the redemption and at
//! every refresh; and it gets one again when it is mended.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::signed::token;
use super::world::{Answer, ISSUER, Key, World, directory, on_both_as, poll_form, refresh_form, with_profiles};
use crate::config::ServeArgs;

const MDM: &str = "https://mdm.example";

/// `standard` with a posture.
fn profile(posture: &str) -> String {
    let standard = include_str!("../../profiles/standard.toml").replace("name = \"standard\"", "name = \"fleet\"");
    format!("{standard}\n[posture]\n{posture}\n")
}

/// As the profile below demands it.
fn good() -> Value {
    json!({
        "os": "debian", "os_version": "12.4", "disk_encrypted": true, "screen_lock": true, "root": false,
        "uptime_s": 90, "binary_sha256": "a".repeat(64)
    })
}

const DEMAND: &str =
    "source = \"claimed\"\nmax_age = 120\nos = { debian = \"12\" }\ndisk_encrypted = true\nnot_root = true";

fn claims(world: &World, posture: &Value) -> Value {
    let now = world.app.now().seconds();
    json!({ "aud": ISSUER, "iat": now, "exp": now + 60, "posture": posture })
}

/// What a machine says of itself.
pub fn stated(world: &World, key: &Key, posture: &Value) -> String {
    let mut claims = claims(world, posture);
    claims["iss"] = json!(key.thumbprint());
    token(key, &json!({ "alg": "ES256", "typ": "waypass-posture+jwt" }), &claims)
}

/// What its management says of it.
fn attested(world: &World, mdm: &Key, machine: &Key, posture: &Value) -> String {
    let mut claims = claims(world, posture);
    claims["iss"] = json!(MDM);
    claims["exp"] = json!(world.app.now().seconds() + 3_600);
    claims["cnf"] = json!({ "jkt": machine.thumbprint() });
    token(mdm, &json!({ "alg": "ES256", "typ": "waypass-posture+jwt" }), &claims)
}

/// A client of the profile, its owner, and its machine.
struct Fleet {
    alice: Key,
    machine: Key,
}

impl Fleet {
    async fn new(world: &World) -> Self {
        let alice = world.approver("alice").await;
        let added = world.client("cli", json!({ "profile": "fleet" })).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        let machine = world.enrolled("cli", "alice").await;
        Self { alice, machine }
    }

    async fn send(&self, world: &World, path: &str, form: &[(&str, &str)], posture: Option<&str>) -> Answer {
        let mut form = form.to_vec();
        form.extend(posture.map(|posture| ("posture", posture)));
        world.post_by(path, &form, &self.machine).await
    }

    async fn ask(&self, world: &World, posture: Option<&str>) -> Answer {
        let form = [("client_id", "cli"), ("scope", "openid offline_access read")];
        self.send(world, "/device_authorization", &form, posture).await
    }

    async fn poll(&self, world: &World, device_code: &str, posture: Option<&str>) -> Answer {
        self.send(world, "/token", &poll_form(device_code), posture).await
    }

    async fn refresh(&self, world: &World, refresh_token: &str, posture: Option<&str>) -> Answer {
        self.send(world, "/token", &refresh_form(refresh_token), posture).await
    }

    /// Asked, approved and redeemed by a machine that is as it should be.
    async fn tokens(&self, world: &World) -> Answer {
        let asked = self.ask(world, Some(&stated(world, &self.machine, &good()))).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let approved = world.approve(&asked.text("user_code"), &self.alice).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
        let fresh = stated(world, &self.machine, &good());
        let redeemed = self.poll(world, &asked.text("device_code"), Some(&fresh)).await;
        assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.body);
        redeemed
    }
}

#[test]
fn a_machine_is_told_what_its_profile_wants_and_what_it_lacks() {
    with_profiles(&[&profile(DEMAND)], async |world| {
        let fleet = Fleet::new(world).await;
        let silent = fleet.ask(world, None).await;
        assert_eq!(
            (silent.error(), &silent.body["needs"]),
            ("invalid_request", &json!("posture"))
        );

        let lacking = json!({ "os": "debian", "os_version": "11.9", "root": true });
        let told = fleet.ask(world, Some(&stated(world, &fleet.machine, &lacking))).await;
        assert_eq!(told.error(), "unauthorized_client");
        assert_eq!(
            told.text("error_description"),
            "This machine is not as the profile of this client demands: its operating system is too old, or of no version \
             that can be compared; its disk has to be encrypted; the program has to run without the rights of root. \
             Mend that and try again."
        );
        let of_another = stated(world, &Key::new(), &good());
        assert_eq!(fleet.ask(world, Some(&of_another)).await.error(), "invalid_request");
        assert!(world.events("device.requested").await.is_empty());

        let events = world.events("device.refused").await;
        assert_eq!(reasons(&events), ["posture_invalid", "posture_unmet"]);
        assert_eq!(
            events.len(),
            2,
            "each is recorded once; to be asked for it is no refusal"
        );
        let found = |reason: &str| {
            events
                .iter()
                .find(|event| event["detail"]["reason"] == *reason)
                .unwrap()
        };
        assert_eq!(
            found("posture_invalid")["detail"]["posture.flaw"],
            "the iss is neither this key nor a known attester"
        );
        let event = found("posture_unmet");
        let detail = &event["detail"];
        assert_eq!(
            (&event["outcome"], &event["client_id"]),
            (&json!("failure"), &json!("cli"))
        );
        assert_eq!(detail["posture.lacks"], json!(["os_version", "disk_encrypted", "root"]));
        assert_eq!(
            detail["posture"][1],
            json!({ "name": "posture.os_version", "value": "11.9", "source": "claimed" })
        );
        let instance = world.instance_of(&fleet.machine).await;
        assert_eq!(detail["instance.id"], instance["instance_id"]);
        assert_eq!(
            (&detail["profile"], &detail["requester.ip"]),
            (&json!("fleet"), &json!("127.0.0.1"))
        );
    });
}

/// In alphabetical order: events of one moment have none.
fn reasons(events: &[Value]) -> Vec<&str> {
    let reasons = events.iter().map(|event| event["detail"]["reason"].as_str().unwrap());
    reasons.collect::<BTreeSet<_>>().into_iter().collect()
}

/// At every step: whoever is refused can ask again and again, with another posture each time.
#[test]
fn a_machine_that_asks_again_and_again_is_recorded_once_a_minute() {
    with_profiles(&[&profile(DEMAND)], async |world| {
        let fleet = Fleet::new(world).await;
        let tokens = fleet.tokens(world).await;
        // Of two approvals in one instant nobody could say which was the later.
        world.advance(1);
        let asked = fleet.ask(world, Some(&stated(world, &fleet.machine, &good()))).await;
        world.approve(&asked.text("user_code"), &fleet.alice).await;
        let asked_for = world.events("device.approved").await.pop().unwrap()["request_id"].clone();
        let (code, refresh_token) = (asked.text("device_code"), tokens.text("refresh_token"));
        for (minute, uptime) in [(1, 1), (1, 2), (1, 3), (2, 4)] {
            let lacking = json!({ "os": "debian", "os_version": "12.4", "uptime_s": uptime, "root": uptime > 1 });
            let posture = || Some(stated(world, &fleet.machine, &lacking));
            for refused in [
                fleet.ask(world, posture().as_deref()).await,
                fleet.poll(world, &code, posture().as_deref()).await,
                fleet.refresh(world, &refresh_token, posture().as_deref()).await,
            ] {
                assert_eq!(refused.error(), "unauthorized_client", "{}", refused.body);
            }
            let (devices, tokens) = (
                world.events("device.refused").await,
                world.events("token.refused").await,
            );
            assert_eq!(
                (devices.len(), tokens.len()),
                (2 * minute, minute),
                "a request, a redemption, a refresh"
            );
            world.advance(if uptime == 3 { 61 } else { 1 });
        }
        let devices = world.events("device.refused").await;
        assert!(devices.iter().any(|event| event["request_id"] == asked_for));
        let token = &world.events("token.refused").await[0];
        assert!(token["grant_id"].is_string(), "{token}");
        assert_eq!(token["detail"]["posture.lacks"], json!(["disk_encrypted"]));
        assert!(
            token["detail"]["posture"].to_string().contains("posture.uptime_s"),
            "{token}"
        );
    });
}

/// Who is nobody's machine writes nothing.
#[test]
fn an_unknown_machine_out_of_posture_is_told_to_enroll_and_leaves_no_record() {
    with_profiles(&[&profile(DEMAND)], async |world| {
        let fleet = Fleet {
            machine: Key::new(),
            ..Fleet::new(world).await
        };
        let lacking = stated(world, &fleet.machine, &json!({ "os": "plan9" }));
        assert_eq!(fleet.ask(world, Some(&lacking)).await.body["needs"], "enrollment");
        assert!(world.events("device.refused").await.is_empty());
    });
}

#[test]
fn what_a_machine_states_is_shown_and_recorded_as_its_claim() {
    with_profiles(&[&profile(DEMAND)], async |world| {
        let fleet = Fleet::new(world).await;
        let mut hostile = good();
        hostile["binary_sha256"] = json!("\u{1b}[2J<script>");
        let asked = fleet.ask(world, Some(&stated(world, &fleet.machine, &hostile))).await;
        let view = world.view(&asked.text("user_code"), &fleet.alice).await;
        let told: Vec<&Value> = view.body["facts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|fact| fact["name"].as_str().unwrap().starts_with("posture."))
            .collect();
        assert_eq!(told.len(), 7, "{}", view.body);
        assert!(told.iter().all(|fact| fact["source"] == "claimed"), "{told:?}");
        assert!(told.iter().all(|fact| fact["label"] != "Other"), "{told:?}");
        let recorded = &world.events("device.requested").await[0]["detail"]["facts"];
        assert!(recorded.to_string().contains("posture.disk_encrypted"), "{recorded}");
    });
}

#[test]
fn a_code_is_not_used_up_by_a_machine_that_fell_out_of_posture() {
    with_profiles(&[&profile(DEMAND)], async |world| {
        let fleet = Fleet::new(world).await;
        let before = stated(world, &fleet.machine, &good());
        let asked = fleet.ask(world, Some(&before)).await;
        world.approve(&asked.text("user_code"), &fleet.alice).await;
        world.advance(121);
        let code = asked.text("device_code");
        assert_eq!(fleet.poll(world, &code, None).await.body["needs"], "posture");
        let stale = fleet.poll(world, &code, Some(&before)).await;
        assert_eq!(
            (stale.error(), &stale.body["needs"]),
            ("invalid_request", &json!("posture"))
        );
        let mut open = good();
        open["disk_encrypted"] = json!(false);
        let refused = fleet
            .poll(world, &code, Some(&stated(world, &fleet.machine, &open)))
            .await;
        assert_eq!(refused.error(), "unauthorized_client");
        let events = world.events("device.refused").await;
        assert_eq!(reasons(&events), ["posture_stale", "posture_unmet"]);
        let mended = fleet
            .poll(world, &code, Some(&stated(world, &fleet.machine, &good())))
            .await;
        assert_eq!(mended.status, StatusCode::OK, "{}", mended.body);
        let redeemed = &world.events("device.redeemed").await[0]["detail"]["posture"];
        assert_eq!(
            redeemed[0],
            json!({ "name": "posture.os", "value": "debian", "source": "claimed" })
        );
    });
}

#[test]
fn z5_a_machine_out_of_posture_has_no_token_after_one_lifetime_and_gets_one_again_when_mended() {
    with_profiles(&[&profile(DEMAND)], async |world| {
        let fleet = Fleet::new(world).await;
        let first = fleet.tokens(world).await;
        world.advance(300);
        let fresh = stated(world, &fleet.machine, &good());
        let second = fleet.refresh(world, &first.text("refresh_token"), Some(&fresh)).await;
        assert_eq!(second.status, StatusCode::OK, "{}", second.body);

        // It falls out of posture now.
        let mut fallen = good();
        fallen["disk_encrypted"] = json!(false);
        let refresh_token = second.text("refresh_token");
        let lifetime = second.body["expires_in"].as_i64().unwrap();
        for seconds in [0, lifetime / 2, lifetime - lifetime / 2] {
            world.advance(seconds);
            for posture in [None, Some(stated(world, &fleet.machine, &fallen))] {
                let refused = fleet.refresh(world, &refresh_token, posture.as_deref()).await;
                assert!(
                    ["invalid_request", "unauthorized_client"].contains(&refused.error()),
                    "{}",
                    refused.body
                );
            }
        }
        assert!(
            !world.is_active(&second.text("access_token")).await,
            "one lifetime has passed"
        );

        let mended = stated(world, &fleet.machine, &good());
        let third = fleet.refresh(world, &refresh_token, Some(&mended)).await;
        assert_eq!(
            third.status,
            StatusCode::OK,
            "neither the token nor the grant was lost: {}",
            third.body
        );
        let events = world.events("token.refreshed").await;
        assert_eq!(events.len(), 2);
        assert_eq!(events[1]["detail"]["posture"].as_array().unwrap().len(), 7);
    });
}

#[test]
fn a_profile_that_asks_for_proof_takes_an_attesters_word_on_this_machine_alone() {
    let (mdm, folder) = (Key::new(), directory("attesters"));
    std::fs::create_dir_all(folder.join("profiles")).unwrap();
    let keys = folder.join("mdm.json");
    std::fs::write(&keys, json!({ "keys": [mdm.jwk()] }).to_string()).unwrap();
    let settings = format!(
        "[[posture.attesters]]\nissuer = \"{MDM}\"\njwks_file = \"{}\"\n",
        keys.display()
    );
    std::fs::write(folder.join("waypass.toml"), settings).unwrap();
    let demand = DEMAND.replace("claimed", "proven");
    std::fs::write(folder.join("profiles/fleet.toml"), profile(&demand)).unwrap();
    let args = ServeArgs {
        config: Some(folder.join("waypass.toml").to_str().unwrap().to_owned()),
        profiles: Some(folder.join("profiles").to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    on_both_as(&args, async |world| {
        let fleet = Fleet::new(world).await;
        let own = fleet.ask(world, Some(&stated(world, &fleet.machine, &good()))).await;
        assert_eq!(own.error(), "unauthorized_client");
        assert!(
            own.text("error_description")
                .contains("an attester that this server knows")
        );

        let of_another = attested(world, &mdm, &Key::new(), &good());
        assert_eq!(fleet.ask(world, Some(&of_another)).await.error(), "invalid_request");
        let by_another = attested(world, &Key::new(), &fleet.machine, &good());
        assert_eq!(fleet.ask(world, Some(&by_another)).await.error(), "invalid_request");

        let proven = attested(world, &mdm, &fleet.machine, &good());
        let asked = fleet.ask(world, Some(&proven)).await;
        let view = world.approve(&asked.text("user_code"), &fleet.alice).await;
        assert_eq!(view.status, StatusCode::OK, "{}", view.body);
        world.advance(60);
        let redeemed = fleet.poll(world, &asked.text("device_code"), Some(&proven)).await;
        assert_eq!(
            redeemed.status,
            StatusCode::OK,
            "it serves until it is stale: {}",
            redeemed.body
        );
        let recorded = &world.events("device.redeemed").await[0]["detail"]["posture"];
        assert_eq!(recorded[0]["source"], "proven");
        world.advance(61);
        let stale = fleet
            .refresh(world, &redeemed.text("refresh_token"), Some(&proven))
            .await;
        assert_eq!(stale.body["needs"], "posture");
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_posture_that_nobody_demands_is_a_fact_if_it_is_good_and_refused_if_it_is_not() {
    with_profiles(&[], async |world| {
        world.standard_client("cli").await;
        let alice = world.approver("alice").await;
        let machine = world.enrolled("cli", "alice").await;
        let fleet = Fleet { alice, machine };
        let asked = fleet
            .ask(world, Some(&stated(world, &fleet.machine, &json!({ "os": "plan9" }))))
            .await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        assert_eq!(fleet.ask(world, Some("nonsense")).await.error(), "invalid_request");
        assert_eq!(fleet.ask(world, None).await.status, StatusCode::OK);
    });
}
