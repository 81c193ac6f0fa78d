//! Policies at every step, in process and on both databases.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Key, World, directory, on_both_as};
use crate::config::ServeArgs;

/// In the place of others: it forbids nothing that these tests do.
pub const HARMLESS: &str = r#"@id("nobody") forbid (principal == Client::"nobody", action, resource);"#;

/// Runs one test with a folder of policies of its own, which the test can write into.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
pub fn with_policies(text: &str, test: impl AsyncFn(&World, &Folder)) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = Folder(directory(&format!(
        "policies-{}",
        COUNT.fetch_add(1, Ordering::Relaxed)
    )));
    std::fs::create_dir_all(&folder.0).unwrap();
    let args = ServeArgs {
        policies: Some(folder.0.to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    folder.write(text);
    on_both_as(&args, async |world| {
        test(world, &folder).await;
        folder.write(text);
    });
    std::fs::remove_dir_all(&folder.0).unwrap();
}

pub struct Folder(PathBuf);

impl Folder {
    pub fn write(&self, text: &str) {
        std::fs::write(self.0.join("a.cedar"), text).unwrap();
    }
}

impl World {
    pub async fn reload(&self) -> Value {
        let answer = self.administer("POST", "/local/policies/reload", &Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// A client under `open`, an approver, and both codes of a request.
    async fn asked(&self) -> (Key, String, String) {
        self.cli().await;
        let alice = self.approver("alice").await;
        let asked = self.ask("cli").await;
        (alice, asked.text("user_code"), asked.text("device_code"))
    }

    pub async fn refused(&self, action: &str, step: &str) -> Value {
        let events = self.events(action).await;
        let refused = events.into_iter().find(|event| event["detail"]["policy.step"] == *step);
        let event = refused.unwrap_or_else(|| panic!("no {action} at {step}"));
        assert_eq!(
            (&event["outcome"], &event["detail"]["policy.decision"]),
            (&json!("failure"), &json!("forbid"))
        );
        assert_eq!(event["detail"]["reason"], "policy_forbids");
        assert_eq!(event["detail"]["policy.input"]["step"], *step);
        event
    }
}

pub fn forbid(step: &str) -> String {
    format!(r#"@id("no-{step}") forbid (principal, action == Action::"{step}", resource);"#)
}

#[test]
fn a_forbidden_request_gets_no_code_and_is_recorded() {
    with_policies(&forbid("request"), async |world, _| {
        world.cli().await;
        let form = [("client_id", "cli"), ("scope", "read")];
        let refused = world.post("/device_authorization", &form).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::BAD_REQUEST, "access_denied")
        );
        assert!(!refused.body.to_string().contains("no-request"), "{}", refused.body);
        let event = world.refused("device.refused", "request").await;
        assert_eq!(event["id"], refused.body["reference"], "the answer leads to the record");
        assert_eq!(event["detail"]["policy.ids"], json!(["no-request"]));
        assert_eq!(event["detail"]["policy.input"]["access"]["scopes"], json!(["read"]));
        assert_eq!(event["client_id"], "cli");
        assert!(world.events("device.requested").await.is_empty());
        // Again and again it is refused, and recorded once a minute.
        assert_eq!(
            world.post("/device_authorization", &form).await.error(),
            "access_denied"
        );
        assert_eq!(world.events("device.refused").await.len(), 1);
        world.advance(61);
        assert_eq!(
            world.post("/device_authorization", &form).await.error(),
            "access_denied"
        );
        assert_eq!(world.events("device.refused").await.len(), 2);
    });
}

/// One loud machine hides no refusal of another network's.
#[test]
fn refusals_of_two_networks_are_two_on_the_record() {
    with_policies(&forbid("request"), async |world, _| {
        world.cli().await;
        let (form, key) = ([("client_id", "cli"), ("scope", "read")], Key::new());
        for address in [[192, 0, 2, 1], [198, 51, 100, 1], [192, 0, 2, 1], [198, 51, 100, 1]] {
            let refused = world.post_from(address, "/device_authorization", &form, &key).await;
            assert_eq!(refused.error(), "access_denied", "{}", refused.body);
        }
        let events = world.events("device.refused").await;
        let mut from: Vec<_> = events
            .iter()
            .map(|event| event["detail"]["requester.ip"].to_string())
            .collect();
        from.sort();
        assert_eq!(from, [r#""192.0.2.1""#, r#""198.51.100.1""#]);
    });
}

#[test]
fn a_forbidden_view_opens_nothing_and_names_the_policy_to_the_approver() {
    with_policies(&forbid("view"), async |world, folder| {
        let (alice, user_code, device_code) = world.asked().await;
        let refused = world.view(&user_code, &alice).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::BAD_REQUEST, "access_denied")
        );
        assert!(
            refused.text("error_description").contains("no-view"),
            "{}",
            refused.body
        );
        let event = world.refused("device.refused", "view").await;
        assert_eq!(event["detail"]["policy.input"]["entry"], "typed");
        assert_eq!(event["detail"]["policy.input"]["approver"]["name"], "alice");
        assert_eq!(world.events("device.refused").await.len(), 1, "recorded once");
        assert_eq!(world.poll(&device_code).await.error(), "authorization_pending");
        folder.write(HARMLESS);
        world.reload().await;
        assert_eq!(
            world.approve(&user_code, &alice).await.status,
            StatusCode::OK,
            "the code was not used up"
        );
    });
}

#[test]
fn a_forbidden_approval_leaves_the_request_as_it_was() {
    with_policies(&forbid("approve"), async |world, folder| {
        let (alice, user_code, device_code) = world.asked().await;
        let refused = world.approve(&user_code, &alice).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::BAD_REQUEST, "access_denied")
        );
        assert!(
            refused.text("error_description").contains("no-approve"),
            "{}",
            refused.body
        );
        let event = world.refused("device.refused", "approve").await;
        assert_eq!(event["detail"]["policy.input"]["acr"], "urn:waypass:acr:software-key");
        assert_eq!(event["detail"]["policy.input"]["approvals"], 1);
        assert_eq!(world.poll(&device_code).await.error(), "authorization_pending");
        folder.write(HARMLESS);
        world.reload().await;
        assert_eq!(world.approve(&user_code, &alice).await.status, StatusCode::OK);
    });
}

#[test]
fn a_policy_that_comes_between_approval_and_redemption_refuses() {
    with_policies("", async |world, folder| {
        let (alice, user_code, device_code) = world.asked().await;
        assert_eq!(world.approve(&user_code, &alice).await.status, StatusCode::OK);
        folder.write(
            r#"@id("no-read") forbid (principal, action == Action::"redeem", resource)
            when { resource.scopes.contains("read") };"#,
        );
        world.reload().await;
        let refused = world.poll(&device_code).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::BAD_REQUEST, "access_denied")
        );
        let event = world.refused("device.refused", "redeem").await;
        assert_eq!(event["detail"]["policy.input"]["approvals"], 1);
        assert!(
            event["grant_id"].is_null() && event["request_id"].is_string(),
            "{event}"
        );
        assert!(world.events("device.redeemed").await.is_empty());
        // The code was not used up: what was approved can be redeemed once it is permitted.
        folder.write(HARMLESS);
        world.reload().await;
        assert_eq!(world.poll(&device_code).await.status, StatusCode::OK);
    });
}

#[test]
fn a_forbidden_refresh_uses_up_no_refresh_token() {
    with_policies("", async |world, folder| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let tokens = world.tokens(&alice).await;
        folder.write(&forbid("refresh"));
        world.reload().await;
        let refused = world.refresh(&tokens.text("refresh_token")).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::BAD_REQUEST, "access_denied")
        );
        let event = world.refused("token.refused", "refresh").await;
        assert_eq!(event["detail"]["grant.origin"], "device_code");
        assert_eq!(event["detail"]["policy.input"]["acr"], "urn:waypass:acr:software-key");
        folder.write(HARMLESS);
        world.reload().await;
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.status,
            StatusCode::OK
        );
    });
}

#[test]
fn a_token_that_may_not_be_read_is_inactive_to_that_reader() {
    with_policies(
        r#"@id("not-rs") forbid (principal, action == Action::"introspect", resource) when { context.reader == "rs" };
        @id("not-us") forbid (principal, action == Action::"introspect", resource)
        when { context.reader == "http://localhost:8628" };"#,
        async |world, folder| {
            world.cli().await;
            let alice = world.approver("alice").await;
            let token = world.tokens(&alice).await.text("access_token");
            let userinfo = async || {
                let request = http::Request::get("/userinfo").header("authorization", format!("Bearer {token}"));
                world
                    .send(request.body(axum::body::Body::empty()).unwrap())
                    .await
                    .status
            };
            assert_eq!(userinfo().await, StatusCode::UNAUTHORIZED);
            assert!(world.events("token.refused").await.is_empty(), "no GET writes");
            assert!(!world.is_active(&token).await);
            let event = world.events("token.refused").await.pop().unwrap();
            assert_eq!(
                (&event["detail"]["reader"], &event["detail"]["policy.ids"]),
                (&json!("rs"), &json!(["not-rs"]))
            );
            folder.write(HARMLESS);
            world.reload().await;
            assert!(world.is_active(&token).await);
            assert_eq!(userinfo().await, StatusCode::OK);
        },
    );
}

#[test]
fn an_enrollment_is_asked_about_too() {
    with_policies(
        r#"@id("nobody-enrolls") forbid (principal, action == Action::"request", resource)
        when { resource.purpose == "enrollment" };"#,
        async |world, _| {
            world.standard_client("app").await;
            let form = [("client_id", "app"), ("name", "laptop"), ("environment", "")];
            let refused = world.post_by("/enrollment", &form, &Key::new()).await;
            assert_eq!(refused.error(), "access_denied", "{}", refused.body);
            let event = world.refused("device.refused", "request").await;
            assert_eq!(event["detail"]["policy.ids"], json!(["nobody-enrolls"]));
        },
    );
}

#[test]
fn a_report_lets_through_and_records_what_it_would_have_done() {
    let reports = ["request", "view", "approve", "redeem", "refresh"]
        .map(|step| forbid(step).replace("forbid (", "@mode(\"report\") forbid ("))
        .join("\n");
    with_policies(&reports, async |world, _| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let tokens = world.tokens(&alice).await;
        assert_eq!(
            world.refresh(&tokens.text("refresh_token")).await.status,
            StatusCode::OK
        );
        for (action, step) in [
            ("device.requested", "request"),
            ("device.viewed", "view"),
            ("device.approved", "approve"),
            ("device.redeemed", "redeem"),
            ("token.refreshed", "refresh"),
        ] {
            let detail = &world.events(action).await[0]["detail"];
            assert_eq!(
                (&detail["policy.step"], &detail["policy.decision"]),
                (&json!(step), &json!("permit"))
            );
            assert_eq!(
                (&detail["policy.ids"], &detail["policy.reported"]),
                (&json!([]), &json!([format!("no-{step}")]))
            );
            assert_eq!(detail["policy.version"], world.app.policies.now().version().as_str());
        }
        let metrics = world.app.metrics.exposition().unwrap();
        let counted = r#"waypass_policy_decisions_total{step="redeem",decision="reported"} 1"#;
        assert!(metrics.contains(counted), "{metrics}");
    });
}

#[test]
fn a_broken_file_changes_nothing_and_says_what_is_wrong() {
    with_policies(&forbid("refresh"), async |world, folder| {
        let version = world.app.policies.now().version().clone();
        folder.write("@id(\"x\")\nforbid (principal, action, resource) when { context.nonsense };");
        let view = world.reload().await;
        assert_eq!(view["version"], version.as_str(), "the old set stays in force");
        assert!(
            view["mistakes"][0].as_str().unwrap().starts_with("a.cedar:2: "),
            "{view}"
        );
        assert_eq!(world.app.policies.now().version(), &version);
        let posture = world.administer("GET", "/local/posture", &Value::Null).await.body;
        assert_eq!(posture["policies"]["mistakes"], view["mistakes"]);
        assert!(
            world
                .app
                .metrics
                .exposition()
                .unwrap()
                .contains("waypass_policies_refused 1")
        );
        let event = &world.events("policy.loaded").await[0];
        assert_eq!(event["outcome"], "failure");
        assert_eq!(
            event["detail"]["policy.mistakes"],
            view["mistakes"].as_array().unwrap().len()
        );
        folder.write(&forbid("view"));
        let view = world.reload().await;
        assert_eq!(
            (&view["mistakes"], &view["policies"][0]["id"]),
            (&json!([]), &json!("no-view"))
        );
        assert!(
            world
                .app
                .metrics
                .exposition()
                .unwrap()
                .contains("waypass_policies_refused 0")
        );
    });
}

#[test]
fn a_folder_that_is_emptied_or_half_there_opens_nothing() {
    with_policies(&forbid("refresh"), async |world, folder| {
        let version = world.app.policies.now().version().clone();
        folder.write("// being written\n");
        let view = world.reload().await;
        assert!(
            view["mistakes"][0].as_str().unwrap().contains("no policy is left"),
            "{view}"
        );
        std::fs::remove_file(folder.0.join("a.cedar")).unwrap();
        std::os::unix::fs::symlink(folder.0.join("gone"), folder.0.join("freeze.cedar")).unwrap();
        let view = world.reload().await;
        assert!(
            view["mistakes"][0]
                .as_str()
                .unwrap()
                .starts_with("freeze.cedar: cannot be read"),
            "{view}"
        );
        assert_eq!(world.app.policies.now().version(), &version);
        std::fs::remove_file(folder.0.join("freeze.cedar")).unwrap();
    });
}

#[test]
fn a_view_that_is_forbidden_meanwhile_is_forbidden_in_a_terminal_too() {
    with_policies(HARMLESS, async |world, folder| {
        let (alice, user_code, _) = world.asked().await;
        let seen = world.view(&user_code, &alice).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
        let again = json!({ "request_id": seen.body["request_id"] });
        assert_eq!(
            world.call("/approver/view", &again, &alice).await.status,
            StatusCode::OK
        );
        folder.write(&forbid("view"));
        world.reload().await;
        let refused = world.call("/approver/view", &again, &alice).await;
        assert_eq!(refused.error(), "access_denied", "{}", refused.body);
        assert!(refused.body.get("facts").is_none());
    });
}

#[test]
fn a_server_does_not_start_on_a_broken_file() {
    let folder = directory("broken-policies");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.cedar"), "forbid (principal, action, resource);").unwrap();
    std::fs::write(folder.join("b.cedar"), "\nnonsense").unwrap();
    let args = ServeArgs {
        data: Some("d".to_owned()),
        policies: Some(folder.to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    let problems = crate::config::Config::load(&args).err().unwrap();
    let told = crate::check::told(&problems);
    assert!(told.contains("a.cedar:1: a policy needs an @id"), "{told}");
    assert!(told.contains("b.cedar:2: "), "{told}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_server_without_policies_decides_nothing_and_keeps_the_inputs() {
    with_policies("", async |world, _| {
        world.cli().await;
        let alice = world.approver("alice").await;
        world.tokens(&alice).await;
        let detail = &world.events("device.redeemed").await[0]["detail"];
        assert_eq!(
            (&detail["policy.decision"], &detail["policy.version"]),
            (&json!("permit"), &Value::Null)
        );
        assert_eq!(detail["policy.input"]["client"]["id"], "cli");
    });
}

#[test]
fn a_replay_tells_what_another_set_would_have_decided() {
    with_policies("", async |world, folder| {
        world.cli().await;
        let alice = world.approver("alice").await;
        world.tokens(&alice).await;
        world.advance(2 * 86_400);
        world.tokens(&alice).await;
        let files = json!([{ "name": "new.cedar", "text": forbid("redeem") }]);
        let replay = async |body: Value| world.administer("POST", "/local/policies/replay", &body).await;
        let told = replay(json!({ "days": 1, "files": files })).await.body;
        assert_eq!(
            (&told["decided"], &told["changed"], &told["not_decided"]),
            (&json!(4), &json!(1), &json!(0))
        );
        let change = &told["changes"][0];
        assert_eq!(
            (
                &change["step"],
                &change["decision"],
                &change["would_be"],
                &change["would_be_ids"]
            ),
            (
                &json!("redeem"),
                &json!("permit"),
                &json!("forbid"),
                &json!(["no-redeem"])
            )
        );
        assert_eq!(replay(json!({ "days": 7, "files": files })).await.body["changed"], 2);
        assert_eq!(
            replay(json!({ "days": 7 })).await.body["changed"],
            0,
            "the set in force changes nothing"
        );
        // The other way round: what was refused would have been permitted.
        folder.write(&forbid("request"));
        world.reload().await;
        assert_eq!(
            world
                .post("/device_authorization", &[("client_id", "cli")])
                .await
                .error(),
            "access_denied"
        );
        let told = replay(json!({ "days": 1, "files": [] })).await.body;
        assert_eq!(
            (&told["changed"], &told["changes"][0]["would_be"]),
            (&json!(1), &json!("permit"))
        );
        let broken = replay(json!({ "days": 1, "files": [{ "name": "x.cedar", "text": "nonsense" }] })).await;
        assert_eq!(broken.status, StatusCode::BAD_REQUEST);
        assert!(
            broken.text("error_description").starts_with("x.cedar:1: "),
            "{}",
            broken.body
        );
        assert_eq!(replay(json!({ "days": 0 })).await.status, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn an_explanation_names_the_policies_of_every_step() {
    let text = r#"@id("ops-decide") @description("Only operators decide.")
        permit (principal, action in Action::"by_person", resource) when { context.approver in Group::"ops" };"#;
    with_policies(text, async |world, folder| {
        let (alice, user_code, device_code) = world.asked().await;
        world.advance(1);
        assert_eq!(
            world.view(&user_code, &alice).await.error(),
            "access_denied",
            "no permit matches"
        );
        let member = world
            .administer("POST", "/local/groups/ops/members", &json!({ "approver": "alice" }))
            .await;
        assert!(member.status.is_success(), "{}", member.body);
        world.advance(1);
        let view = world.view(&user_code, &alice).await;
        world.advance(1);
        let approved = world
            .call("/approver/approve", &alice.decision(&view.body), &alice)
            .await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
        world.advance(1);
        assert_eq!(world.poll(&device_code).await.status, StatusCode::OK);
        let id = world.events("device.redeemed").await[0]["request_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let explain = async || {
            let path = format!("/local/policies/explain/{id}");
            world.administer("GET", &path, &Value::Null).await.body
        };
        let told = explain().await;
        let steps: Vec<String> = told
            .as_array()
            .unwrap()
            .iter()
            .map(|step| format!("{} {} {}", step["step"], step["decision"], step["ids"]))
            .collect();
        assert_eq!(
            steps,
            [
                r#""request" "permit" []"#,
                r#""view" "forbid" []"#,
                r#""view" "permit" ["ops-decide"]"#,
                r#""approve" "permit" ["ops-decide"]"#,
                r#""redeem" "permit" []"#,
            ]
        );
        assert_eq!(told[2]["policies"][0]["description"], "Only operators decide.");
        assert_eq!(told[2]["policies"][0]["place"], "a.cedar:1");
        folder.write(HARMLESS);
        world.reload().await;
        assert_eq!(
            explain().await[2]["policies"],
            json!([]),
            "another set says nothing of these"
        );
        let unknown = world
            .administer("GET", "/local/policies/explain/nothing", &Value::Null)
            .await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn what_two_of_a_quorum_may_do_is_asked_of_each() {
    let text = r#"@id("two-for-read") forbid (principal, action == Action::"redeem", resource)
        when { resource.scopes.contains("read") } unless { context.approvals >= 2 };"#;
    with_policies(text, async |world, _| {
        let (alice, user_code, device_code) = world.asked().await;
        assert_eq!(world.approve(&user_code, &alice).await.status, StatusCode::OK);
        assert_eq!(world.poll(&device_code).await.error(), "access_denied");
        let event = world.refused("device.refused", "redeem").await;
        assert_eq!(event["detail"]["policy.ids"], json!(["two-for-read"]));
    });
}

/// What a requester writes about itself is data, in the question and on the record.
#[test]
fn hostile_text_in_a_request_is_no_policy() {
    let text = r#"@id("known-hosts") forbid (principal, action == Action::"request", resource)
        when { resource.purpose == "enrollment" }
        unless { context.proven.hasTag("device.host") && context.proven.getTag("device.host") == "build-1" };"#;
    with_policies(text, async |world, _| {
        world.standard_client("app").await;
        let hostile = "build-1\" || true; permit(principal, action, resource); //";
        for host in ["build-1", hostile, "\u{202e}1-dliub", "Facts::\"proven\""] {
            let form = [("client_id", "app"), ("name", hostile), ("host", host)];
            let refused = world.post_by("/enrollment", &form, &Key::new()).await;
            assert_eq!(refused.error(), "access_denied", "{host}: {}", refused.body);
            world.advance(61);
        }
        let events = world.events("device.refused").await;
        let facts = &events[1]["detail"]["policy.input"]["facts"];
        let host = facts
            .as_array()
            .unwrap()
            .iter()
            .find(|fact| fact["name"] == "device.host");
        assert_eq!(
            host.unwrap(),
            &json!({ "name": "device.host", "value": hostile, "source": "claimed" })
        );
    });
}
