//! `authorization_details` through the whole server: asked, shown, signed, granted, carried by tokens, taken
//! back. RFC 9396. What each type takes and covers is tested with the types, in `protocol`.

use http::{Request, StatusCode};
use protocol::base64url;
use protocol::details::Types;
use serde_json::{Value, json};

use super::pages::browser::Browser;
use super::poisoned;
use super::world::{Answer, Key, World, on_both, on_both_as, poll_form};
use crate::config::ServeArgs;

/// The type's own example.
pub fn example(name: &str) -> Value {
    Types::built_in().metadata()[name]["schema"]["examples"][0].clone()
}

fn api(methods: &[&str], paths: &[&str]) -> Value {
    json!({ "type": "api", "resource": "https://crm.example.com", "methods": methods, "paths": paths })
}

/// The client `cli` with this ceiling, and an approver.
async fn prepared(world: &World, ceiling: &Value) -> Key {
    let added = world
        .client("cli", json!({ "profile": "open", "authorization_details": ceiling }))
        .await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    world.approver("alice").await
}

async fn all_types(world: &World) -> Key {
    let ceiling: Vec<_> = Types::built_in().names().map(|name| json!({ "type": name })).collect();
    prepared(world, &json!(ceiling)).await
}

async fn ask(world: &World, details: &Value) -> Answer {
    let details = details.to_string();
    let form = [
        ("client_id", "cli"),
        ("scope", "offline_access read"),
        ("authorization_details", &*details),
    ];
    world.post("/device_authorization", &form).await
}

/// Asked, approved, redeemed.
async fn tokens(world: &World, details: &Value, approver: &Key) -> Answer {
    let asked = ask(world, details).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let approved = world.approve(&asked.text("user_code"), approver).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    world.poll(&asked.text("device_code")).await
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

async fn introspected(world: &World, token: &str) -> Value {
    assert!(world.is_active(token).await);
    let form = [
        ("client_id", "rs"),
        ("client_secret", "resource server secret"),
        ("token", token),
    ];
    world.post("/introspect", &form).await.body
}

async fn refreshed(world: &World, token: &str, details: Option<&Value>) -> Answer {
    let details = details.map(Value::to_string);
    let mut form = vec![
        ("client_id", "cli"),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    form.extend(details.as_deref().map(|details| ("authorization_details", details)));
    world.post("/token", &form).await
}

#[test]
fn a01_a05_a06_every_type_is_asked_shown_granted_and_reaches_the_resource_server() {
    on_both(async |world| {
        let alice = all_types(world).await;
        for name in Types::built_in().names() {
            let details = json!([example(name)]);
            let asked = ask(world, &details).await;
            let view = world.view(&asked.text("user_code"), &alice).await.body;
            assert_eq!(view["decision"]["granted"]["authorization_details"], details);
            let canonical = view["authorization_details"][0]["canonical"].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(canonical).unwrap(), details[0]);

            world.call("/approver/approve", &alice.decision(&view), &alice).await;
            let redeemed = world.poll(&asked.text("device_code")).await;
            assert_eq!(redeemed.body["authorization_details"], details, "{}", redeemed.body);
            let token = redeemed.text("access_token");
            assert_eq!(claims(&token)["authorization_details"], details);
            assert_eq!(introspected(world, &token).await["authorization_details"], details);
            let again = refreshed(world, &redeemed.text("refresh_token"), None).await;
            assert_eq!(again.body["authorization_details"], details, "{}", again.body);
        }
    });
}

#[test]
fn a04_scope_resource_and_details_are_shown_together() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let asked = ask(world, &json!([example("ssh"), example("command")])).await;
        let view = world.view(&asked.text("user_code"), &alice).await.body;
        let scopes = view["permissions"].as_array().unwrap();
        assert!(scopes.iter().any(|permission| permission["name"] == "read"), "{view}");
        assert_eq!(view["authorization_details"].as_array().unwrap().len(), 2, "{view}");
    });
}

#[test]
fn a03_what_does_not_fit_is_refused_and_not_repeated() {
    on_both(async |world| {
        all_types(world).await;
        let with = |member: &str, value: Value| {
            let mut detail = example("command");
            detail[member] = value;
            json!([detail])
        };
        let missing = json!([{ "type": "command", "host": "sent-text" }]);
        for (details, words) in [
            (json!([{ "type": "sent-text" }]), "not known here"),
            (with("sent-text", json!("x")), "does not know"),
            (with("argv", json!("sent-text")), "wrong JSON type"),
            (with("executable_sha256", json!("sent-text")), "does not take"),
            (missing, "lacks a member"),
            (json!({ "type": "sent-text" }), "JSON array"),
        ] {
            let refused = ask(world, &details).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
            assert_eq!(refused.error(), "invalid_authorization_details", "{details}");
            let description = refused.text("error_description");
            assert!(
                description.contains(words) && !description.contains("sent-text"),
                "{description}"
            );
        }
    });
}

#[test]
fn a08_hostile_text_in_every_field_stands_on_the_record_as_it_was_sent_and_in_no_error() {
    on_both(async |world| {
        all_types(world).await;
        let examples: Vec<_> = Types::built_in().names().map(example).collect();
        let mut accepted = Vec::new();
        for (poison, example) in poisoned::HOSTILE
            .iter()
            .flat_map(|poison| examples.iter().map(move |e| (poison, e)))
        {
            // Of each kind the fields one after another, with this text or the next.
            for detail in poisoned::poisoned(example, poison)
                .into_iter()
                .skip(accepted.len() % 3)
                .step_by(3)
            {
                let asked = ask(world, &json!([detail])).await;
                match asked.error() {
                    "none" => accepted.push(detail),
                    _ => assert!(!asked.body.to_string().contains(poison), "{}", asked.body),
                }
            }
        }
        assert!(accepted.len() > 50, "{}", accepted.len());
        let recorded = world.events("device.requested").await;
        let recorded = recorded
            .iter()
            .map(|event| event["detail"]["authorization_details"][0].to_string());
        // Within one millisecond events have no order.
        let (mut recorded, mut sent): (Vec<_>, Vec<_>) =
            (recorded.collect(), accepted.iter().map(Value::to_string).collect());
        recorded.sort();
        sent.sort();
        assert_eq!(recorded, sent);
    });
}

#[test]
fn a07_types_and_their_schemas_are_published() {
    on_both(async |world| {
        for path in [
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
        ] {
            let document = get(world, path).await.body;
            let supported = document["authorization_details_types_supported"]
                .as_array()
                .unwrap()
                .clone();
            assert!(
                supported.iter().eq(["api", "command", "ssh", "tool_call", "workload"]),
                "{document}"
            );
            let endpoint = document["authorization_details_types_metadata_endpoint"]
                .as_str()
                .unwrap();
            let types = get(world, endpoint.strip_prefix("http://localhost:8628").unwrap())
                .await
                .body;
            for name in supported {
                assert_eq!(
                    types[name.as_str().unwrap()]["schema"]["properties"]["type"]["const"],
                    name
                );
            }
        }
    });
}

async fn get(world: &World, path: &str) -> Answer {
    world
        .send(Request::get(path).body(axum::body::Body::empty()).unwrap())
        .await
}

#[test]
fn a07_a_client_has_a_ceiling_and_without_one_it_may_ask_for_nothing() {
    on_both(async |world| {
        let ceiling = json!([api(&["GET", "PUT"], &["/v2/**"]), { "type": "ssh", "hosts": ["a.example.com"] }]);
        prepared(world, &ceiling).await;
        let ssh = |host: &str| json!({ "type": "ssh", "principals": ["me"], "hosts": [host] });
        for (detail, is_within) in [
            (api(&["GET"], &["/v2/contacts"]), true),
            (api(&["DELETE"], &["/v2/contacts"]), false),
            (api(&["GET"], &["/v3"]), false),
            (ssh("a.example.com"), true),
            (ssh("b.example.com"), false),
            (example("command"), false),
        ] {
            let asked = ask(world, &json!([detail])).await;
            let error = if is_within {
                "none"
            } else {
                "invalid_authorization_details"
            };
            assert_eq!(asked.error(), error, "{detail}");
        }
        let shown = world.administer("GET", "/local/clients/cli", &Value::Null).await.body;
        assert_eq!(shown["authorization_details_types"], json!(["api", "ssh"]));

        let none = world.client("bare", json!({ "profile": "open" })).await;
        assert_eq!(none.status, StatusCode::CREATED);
        let details = json!([example("ssh")]).to_string();
        let form = [("client_id", "bare"), ("authorization_details", &*details)];
        let refused = world.post("/device_authorization", &form).await;
        assert_eq!(refused.error(), "invalid_authorization_details");
    });
}

#[test]
fn a05_a_token_request_may_ask_for_less_and_never_for_more() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let granted = json!([api(&["GET", "PUT"], &["/v2/**"])]);
        let (less, more) = (json!([api(&["GET"], &["/v2/a"])]), json!([api(&["GET"], &["/v3"])]));

        let asked = ask(world, &granted).await;
        world.approve(&asked.text("user_code"), &alice).await;
        let device_code = asked.text("device_code");
        let (less_text, more_text) = (less.to_string(), more.to_string());
        let redeem = async |details| {
            let form = [&poll_form(&device_code)[..], &[("authorization_details", details)]].concat();
            world.post("/token", &form).await
        };
        assert_eq!(redeem(&*more_text).await.error(), "invalid_authorization_details");
        let redeemed = redeem(&less_text).await;
        assert_eq!(redeemed.body["authorization_details"], less, "refused, not used up");

        let token = redeemed.text("refresh_token");
        assert_eq!(
            refreshed(world, &token, Some(&more)).await.error(),
            "invalid_authorization_details"
        );
        let all = refreshed(world, &token, None).await;
        assert_eq!(
            all.body["authorization_details"], granted,
            "the refresh token keeps what was granted"
        );
        let again = refreshed(world, &all.text("refresh_token"), Some(&less)).await;
        assert_eq!(claims(&again.text("access_token"))["authorization_details"], less);
    });
}

#[test]
fn a_client_whose_ceiling_shrank_keeps_nothing_wider() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let wide = tokens(world, &json!([api(&["GET"], &["/v2/**"])]), &alice).await;
        let narrow = tokens(world, &json!([api(&["GET"], &["/v2/a"])]), &alice).await;
        let ceiling = json!({ "authorization_details": [api(&["GET"], &["/v2/a"])] });
        let changed = world.administer("POST", "/local/clients/cli/change", &ceiling).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);

        let refused = refreshed(world, &wide.text("refresh_token"), None).await;
        assert_eq!(refused.error(), "invalid_authorization_details");
        assert!(!world.is_active(&wide.text("access_token")).await);
        assert!(world.is_active(&narrow.text("access_token")).await);
        assert_eq!(
            refreshed(world, &narrow.text("refresh_token"), None).await.status,
            StatusCode::OK
        );
    });
}

#[test]
fn details_are_within_the_digest_and_another_decision_on_them_is_refused() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let asked = ask(world, &json!([example("command")])).await;
        let view = world.view(&asked.text("user_code"), &alice).await.body;
        let mut other = view.clone();
        other["decision"]["granted"]["authorization_details"][0]["argv"] = json!(["rm", "-rf", "/"]);
        let refused = world.call("/approver/approve", &alice.decision(&other), &alice).await;
        assert_ne!(refused.status, StatusCode::OK);
        let approved = world.call("/approver/approve", &alice.decision(&view), &alice).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    });
}

#[test]
fn without_details_nothing_says_anything_of_them() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let redeemed = tokens(world, &json!([]), &alice).await;
        assert!(redeemed.body.get("authorization_details").is_none());
        assert!(
            claims(&redeemed.text("access_token"))
                .get("authorization_details")
                .is_none()
        );
    });
}

#[test]
fn an_operators_own_type_is_as_good_as_ours() {
    let folder = super::world::directory("details-types");
    std::fs::create_dir_all(&folder).unwrap();
    let own = include_str!("../../../protocol/src/details/tests/deploy.json");
    std::fs::write(folder.join("deploy.json"), own).unwrap();
    let args = ServeArgs {
        details_types: Some(folder.to_str().unwrap().to_owned()),
        ..ServeArgs::default()
    };
    on_both_as(&args, async |world| {
        let alice = prepared(world, &json!([{ "type": "deploy", "stage": "test" }])).await;
        let deploy = |stage: &str| json!([{ "type": "deploy", "version": "v7", "stage": stage, "instances": 2 }]);
        assert_eq!(
            ask(world, &deploy("production")).await.error(),
            "invalid_authorization_details"
        );
        let asked = ask(world, &deploy("test")).await;
        let view = world.view(&asked.text("user_code"), &alice).await.body;
        assert_eq!(
            view["authorization_details"][0]["sentence"][1],
            json!({ "value": "v7" }),
            "{view}"
        );
    });
    std::fs::write(folder.join("broken.json"), "{}").unwrap();
    let problems = crate::details_types::load(Some(&folder)).unwrap_err();
    assert!(
        problems[0].to_string().contains("broken.json: properties.type.const"),
        "{problems:?}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_record_says_what_was_asked_and_granted() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let details = json!([example("tool_call")]);
        tokens(world, &details, &alice).await;
        for action in ["device.requested", "device.approved", "device.redeemed"] {
            let event = world.events(action).await.pop().unwrap();
            assert_eq!(event["detail"]["authorization_details"], details, "{event}");
        }
    });
}

#[test]
fn an_approver_takes_whole_details_away_in_a_terminal() {
    on_both(async |world| {
        let alice = all_types(world).await;
        let (one, other) = (api(&["GET"], &["/v2/a"]), example("ssh"));
        let asked = ask(world, &json!([one, other])).await;
        let mut view = world.view(&asked.text("user_code"), &alice).await.body;
        let approved = {
            view["decision"]["granted"]["authorization_details"] = json!([other]);
            world.call("/approver/approve", &alice.decision(&view), &alice).await
        };
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
        let redeemed = world.poll(&asked.text("device_code")).await;
        assert_eq!(redeemed.body["authorization_details"], json!([other]));
    });
}

#[test]
fn an_approver_takes_whole_details_away_on_the_page() {
    on_both(async |world| {
        all_types(world).await;
        let (browser, passkey) = Browser::enrolled(world, "bob").await;
        let (one, other) = (api(&["GET"], &["/v2/a"]), example("ssh"));
        let asked = ask(world, &json!([one, other])).await;
        let page = browser.type_code(&asked.text("user_code")).await;
        let whole = browser.get(&page).await.html;
        for place in ["0", "1"] {
            let line = format!(r#"name="detail" value="{place}" checked"#);
            assert!(whole.contains(&line), "{whole}");
        }
        let less = format!("{page}?scope=read&resource=http%3A%2F%2Flocalhost%3A8628&detail=1");
        let shown = browser.get(&less).await.html;
        assert!(
            shown.contains("You take away") && shown.contains("<bdi>api</bdi>"),
            "{shown}"
        );
        assert_eq!(browser.approve(&less, &passkey).await.location(), page);
        let redeemed = world.poll(&asked.text("device_code")).await;
        assert_eq!(
            redeemed.body["authorization_details"],
            json!([other]),
            "{}",
            redeemed.body
        );
    });
}
