//! Attested clients at the endpoints: both modes of proof, the errors of the draft, the instance that comes of a
//! first request, and to whom codes and refresh tokens are bound. (C20 to C24.)

use axum::body::Body;
use expect_test::expect;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::policies::{HARMLESS, with_policies};
use super::signed::token;
use super::world::{Answer, DEVICE_CODE, ISSUER, Key, World, on_both, poll_form, refresh_form};

const ATTESTER: &str = "https://attester.example";

/// What an attested request carries beside its form.
#[derive(Default)]
struct Headers {
    attestation: Option<String>,
    pop: Option<String>,
    dpop: Option<String>,
}

/// An attester of the client `cli`, and the owner of what it attests.
struct Vouched {
    attester: Key,
    alice: Key,
}

impl Vouched {
    async fn new(world: &World) -> Self {
        let attester = Key::new();
        let alice = world.approver("alice").await;
        let more = json!({ "attested": true, "profile": "open" });
        assert_eq!(world.client("cli", more).await.status, StatusCode::CREATED);
        let admission = json!({
            "client_id": "cli", "owner": "alice", "environment": "prod", "lifetime": 3600,
            "attester": ATTESTER, "jwks": { "keys": [attester.jwk()] }
        });
        let added = world.administer("POST", "/local/admissions", &admission).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        Self { attester, alice }
    }

    fn attestation(&self, world: &World, instance: &Key) -> String {
        let now = world.app.now().seconds();
        let claims = json!({
            "iss": ATTESTER, "sub": "cli", "iat": now, "exp": now + 600,
            "cnf": { "jwk": instance.jwk() }, "key_storage": "tpm"
        });
        self.signed(&claims)
    }

    fn signed(&self, claims: &Value) -> String {
        token(
            &self.attester,
            &json!({ "alg": "ES256", "typ": "oauth-client-attestation+jwt" }),
            claims,
        )
    }

    /// Everything as it should be: with a proof of its own, and the DPoP proof beside it.
    fn normal(&self, world: &World, instance: &Key, path: &str) -> Headers {
        Headers {
            attestation: Some(self.attestation(world, instance)),
            pop: Some(pop(world, instance, &json!({}))),
            dpop: Some(dpop(world, instance, path)),
        }
    }

    fn combined(&self, world: &World, instance: &Key, path: &str) -> Headers {
        Headers {
            pop: None,
            ..self.normal(world, instance, path)
        }
    }

    async fn ask(&self, world: &World, headers: Headers) -> Answer {
        let form = [("client_id", "cli"), ("scope", "openid offline_access read")];
        post(world, "/device_authorization", &form, headers).await
    }
}

fn pop(world: &World, instance: &Key, change: &Value) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut claims = json!({
        "aud": ISSUER, "jti": format!("pop {}", COUNT.fetch_add(1, Ordering::Relaxed)),
        "iat": world.app.now().seconds(), "challenge": world.app.derived.nonces.issue(world.app.now())
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    token(
        instance,
        &json!({ "alg": "ES256", "typ": "oauth-client-attestation-pop+jwt" }),
        &claims,
    )
}

fn dpop(world: &World, instance: &Key, path: &str) -> String {
    let nonce = world.app.derived.nonces.issue(world.app.now());
    instance.proof(path, world.app.now(), Some(&nonce))
}

async fn post(world: &World, path: &str, form: &[(&str, &str)], headers: Headers) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in [
        ("OAuth-Client-Attestation", headers.attestation),
        ("OAuth-Client-Attestation-PoP", headers.pop),
        ("DPoP", headers.dpop),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    world.send(request.body(Body::from(body)).unwrap()).await
}

#[test]
fn c22_a_challenge_is_posted_for_and_never_cached() {
    on_both(async |world| {
        let answer = world.post("/challenge", &[]).await;
        assert_eq!(
            (answer.status, answer.headers["cache-control"].as_bytes()),
            (StatusCode::OK, &b"no-store"[..])
        );
        let nonces = &world.app.derived.nonces;
        assert!(nonces.check(&answer.text("attestation_challenge"), world.app.now()));
        let read = world
            .send(Request::get("/challenge").body(Body::empty()).unwrap())
            .await;
        assert_eq!(read.status, StatusCode::METHOD_NOT_ALLOWED);
    });
}

#[test]
fn c24_the_metadata_say_how_attestations_are_taken() {
    on_both(async |world| {
        let path = "/.well-known/oauth-authorization-server";
        let document = world.send(Request::get(path).body(Body::empty()).unwrap()).await.body;
        let told: Vec<String> = [
            "challenge_endpoint",
            "client_attestation_pop_methods_supported",
            "client_attestation_pop_signing_alg_values_supported",
            "client_attestation_signing_alg_values_supported",
            "token_endpoint_auth_methods_supported",
        ]
        .map(|name| format!("{name} {}\n", document[name]))
        .into();
        expect![[r#"
            challenge_endpoint "http://localhost:8628/challenge"
            client_attestation_pop_methods_supported ["attestation_pop_jwt","dpop_combined","none"]
            client_attestation_pop_signing_alg_values_supported ["ES256","RS256","PS256","EdDSA"]
            client_attestation_signing_alg_values_supported ["ES256","RS256","PS256","EdDSA"]
            token_endpoint_auth_methods_supported ["none","client_secret_basic","client_secret_post","private_key_jwt","attest_jwt_client_auth","attest_jwt_client_auth_dpop"]
        "#]].assert_eq(&told.concat());
    });
}

#[test]
fn c20_c21_in_either_mode_a_first_request_makes_the_key_an_instance() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let (one, two) = (Key::new(), Key::new());
        let path = "/device_authorization";
        for headers in [vouched.normal(world, &one, path), vouched.combined(world, &two, path)] {
            let asked = vouched.ask(world, headers).await;
            assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        }
        let again = vouched.ask(world, vouched.combined(world, &one, path)).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.body);

        let instances = world.app.store.instances().await.unwrap();
        assert_eq!(instances.len(), 2, "one an attested key");
        let alice = world.app.store.approver_named("alice").await.unwrap().unwrap();
        for instance in &instances {
            assert_eq!((&*instance.client_id, &instance.owner), ("cli", &alice.id));
            assert_eq!(instance.about.environment.as_deref(), Some("prod"));
            assert_eq!((instance.expires_at - instance.created_at).seconds(), 3600);
            assert_eq!(instance.about.way_in.kind(), "attested");
        }
        let events = world.events("instance.enrolled").await;
        assert_eq!(events.len(), 2);
        let detail = &events[0]["detail"];
        assert_eq!(detail["instance.way_in"]["attester"], ATTESTER);
        let stated = json!([{ "name": "device.key_storage", "value": "tpm", "source": "proven" }]);
        assert_eq!(detail["facts"], stated);
    });
}

/// With its first request it becomes an instance, and that is asked about as what it is.
#[test]
fn an_attested_keys_first_request_is_asked_about_as_an_enrollment_too() {
    let text = r#"@id("no-new-ones") forbid (principal, action == Action::"redeem", resource)
        when { resource.purpose == "enrollment" && context has instance && context.instance.way_in == "attested" };"#;
    with_policies(HARMLESS, async |world, folder| {
        let vouched = Vouched::new(world).await;
        let grants = json!({ "grants": ["device_code", "client_credentials"] });
        let changed = world.administer("POST", "/local/clients/cli/change", &grants).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        let (known, new) = (Key::new(), Key::new());
        let path = "/device_authorization";
        let ask = async |key: &Key| vouched.ask(world, vouched.combined(world, key, path)).await;
        let token = async |key: &Key| {
            let form = [("client_id", "cli"), ("grant_type", "client_credentials")];
            post(world, "/token", &form, vouched.combined(world, key, "/token")).await
        };
        assert_eq!(ask(&known).await.status, StatusCode::OK);
        let detail = &world.events("instance.enrolled").await[0]["detail"];
        let input = &detail["policy.input"];
        assert_eq!(
            (&detail["policy.step"], &input["access"]["enrolls"]),
            (&json!("redeem"), &json!(true))
        );
        assert_eq!(input["approver"]["name"], "alice");
        let proven = json!({ "name": "device.key_storage", "value": "tpm", "source": "proven" });
        assert!(input["facts"].as_array().unwrap().contains(&proven), "{input}");

        folder.write(text);
        world.reload().await;
        for refused in [ask(&new).await, token(&new).await] {
            assert_eq!(refused.error(), "access_denied", "{}", refused.body);
        }
        let event = world.refused("device.refused", "redeem").await;
        assert_eq!(event["detail"]["policy.ids"], json!(["no-new-ones"]));
        assert_eq!(world.events("instance.enrolled").await.len(), 1);
        assert_eq!(world.events("device.requested").await.len(), 1);
        for given in [ask(&known).await, token(&known).await] {
            assert_eq!(given.status, StatusCode::OK, "it is one already: {}", given.body);
        }

        folder.write(HARMLESS);
        world.reload().await;
        assert_eq!(token(&new).await.status, StatusCode::OK);
        assert_eq!(world.events("instance.enrolled").await.len(), 2);
    });
}

#[test]
fn an_attested_first_request_is_enough_where_only_enrolled_keys_may_ask() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let more = json!({ "attested": true, "profile": "standard" });
        assert_eq!(world.client("strict", more).await.status, StatusCode::CREATED);
        let admission = json!({
            "client_id": "strict", "owner": "alice", "lifetime": 3600,
            "attester": ATTESTER, "jwks": { "keys": [vouched.attester.jwk()] }
        });
        world.administer("POST", "/local/admissions", &admission).await;
        let instance = Key::new();
        let now = world.app.now().seconds();
        let claims = json!({ "sub": "strict", "exp": now + 60, "cnf": { "jwk": instance.jwk() } });
        let headers = Headers {
            attestation: Some(vouched.signed(&claims)),
            pop: None,
            dpop: Some(dpop(world, &instance, "/device_authorization")),
        };
        let asked = post(world, "/device_authorization", &[("scope", "read")], headers).await;
        assert_eq!(
            asked.status,
            StatusCode::OK,
            "its client_id is in the attestation: {}",
            asked.body
        );
    });
}

#[test]
fn c23_codes_and_refresh_tokens_are_the_instances_and_no_other_ones() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let (own, other) = (Key::new(), Key::new());
        let asked = vouched
            .ask(world, vouched.normal(world, &own, "/device_authorization"))
            .await;
        let code = asked.text("device_code");
        world.approve(&asked.text("user_code"), &vouched.alice).await;

        let redeem = async |headers: Headers| post(world, "/token", &poll_form(&code), headers).await;
        let stolen = redeem(vouched.normal(world, &other, "/token")).await;
        assert_eq!(
            stolen.error(),
            "invalid_grant",
            "another attested instance of the same client"
        );
        let unproven = redeem(Headers {
            dpop: None,
            ..vouched.normal(world, &own, "/token")
        });
        assert_eq!(unproven.await.error(), "invalid_dpop_proof");
        let unattested = redeem(Headers {
            dpop: Some(dpop(world, &own, "/token")),
            ..Headers::default()
        });
        assert_eq!(unattested.await.error(), "invalid_client");
        let mixed = redeem(Headers {
            dpop: Some(dpop(world, &other, "/token")),
            ..vouched.normal(world, &own, "/token")
        });
        assert_eq!(
            mixed.await.error(),
            "invalid_client_attestation",
            "one instance, one key"
        );
        let redeemed = redeem(vouched.normal(world, &own, "/token")).await;
        assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.body);

        let refresh_token = redeemed.text("refresh_token");
        let refresh = async |headers: Headers| post(world, "/token", &refresh_form(&refresh_token), headers).await;
        let stolen = refresh(vouched.combined(world, &other, "/token")).await;
        assert_eq!(stolen.error(), "invalid_grant");
        let refreshed = refresh(vouched.combined(world, &own, "/token")).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
    });
}

/// A request that is as it should be, spoilt in one way each.
fn spoilt(world: &World, vouched: &Vouched) -> Vec<(&'static str, Headers)> {
    let (instance, stranger) = (Key::new(), Key::new());
    let path = "/device_authorization";
    let normal = || vouched.normal(world, &instance, path);
    let claims =
        json!({ "iss": ATTESTER, "sub": "cli", "exp": world.app.now().seconds(), "cnf": { "jwk": instance.jwk() } });
    let header = json!({ "alg": "ES256", "typ": "oauth-client-attestation+jwt" });
    let with_attestation = |text: String| Headers {
        attestation: Some(text),
        ..normal()
    };
    let with_pop = |text: String| Headers {
        pop: Some(text),
        ..normal()
    };
    let with_dpop = |dpop: Option<String>| Headers {
        pop: None,
        dpop,
        ..normal()
    };
    let unattested = Headers {
        attestation: None,
        ..normal()
    };
    vec![
        (
            "no challenge",
            with_pop(pop(world, &instance, &json!({ "challenge": "made up" }))),
        ),
        (
            "a DPoP proof without a nonce",
            with_dpop(Some(instance.proof(path, world.app.now(), None))),
        ),
        ("an expired attestation", with_attestation(vouched.signed(&claims))),
        (
            "an attestation of its own",
            with_attestation(token(&instance, &header, &claims)),
        ),
        ("no JWT", with_attestation("x".to_owned())),
        ("a proof by another key", with_pop(pop(world, &stranger, &json!({})))),
        (
            "a proof for another server",
            with_pop(pop(world, &instance, &json!({ "aud": "https://other.example" }))),
        ),
        ("no proof at all", with_dpop(None)),
        ("a proof without an attestation", unattested),
    ]
}

#[test]
fn c22_each_failure_has_the_error_of_the_draft() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let mut told = String::new();
        for (name, headers) in spoilt(world, &vouched) {
            let answer = vouched.ask(world, headers).await;
            let challenge = if answer.headers.contains_key("oauth-client-attestation-challenge") {
                "and a challenge"
            } else {
                ""
            };
            told.push_str(&format!(
                "{name:31} {} {} {challenge}\n",
                answer.status.as_u16(),
                answer.error()
            ));
        }
        let told = told.replace(" \n", "\n");
        expect![[r#"
            no challenge                    400 use_attestation_challenge and a challenge
            a DPoP proof without a nonce    400 use_dpop_nonce and a challenge
            an expired attestation          400 use_fresh_attestation and a challenge
            an attestation of its own       401 invalid_client_attestation and a challenge
            no JWT                          401 invalid_client_attestation and a challenge
            a proof by another key          401 invalid_client_attestation and a challenge
            a proof for another server      401 invalid_client_attestation and a challenge
            no proof at all                 401 invalid_client_attestation and a challenge
            a proof without an attestation  401 invalid_client
        "#]]
        .assert_eq(&told);
    });
}

#[test]
fn c20_headers_come_once_and_proofs_serve_once() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let instance = Key::new();
        let path = "/device_authorization";
        let used = pop(world, &instance, &json!({}));
        let with_pop = || Headers {
            pop: Some(used.clone()),
            ..vouched.normal(world, &instance, path)
        };
        assert_eq!(vouched.ask(world, with_pop()).await.status, StatusCode::OK);
        assert_eq!(
            vouched.ask(world, with_pop()).await.error(),
            "invalid_client_attestation"
        );
        let twice = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("oauth-client-attestation", vouched.attestation(world, &instance))
            .header("oauth-client-attestation", vouched.attestation(world, &instance))
            .header("dpop", dpop(world, &instance, path));
        let twice = world.send(twice.body(Body::from("client_id=cli")).unwrap()).await;
        assert_eq!(twice.error(), "invalid_client_attestation");
    });
}

#[test]
fn c20_who_is_not_attested_for_learns_nothing_of_who_is() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let instance = Key::new();
        let mut told = Vec::new();
        for client_id in ["cli", "nobody"] {
            let now = world.app.now().seconds();
            let claims = json!({ "sub": client_id, "exp": now + 60, "cnf": { "jwk": instance.jwk() } });
            let forged = token(
                &instance,
                &json!({ "alg": "ES256", "typ": "oauth-client-attestation+jwt" }),
                &claims,
            );
            let headers = Headers {
                attestation: Some(forged),
                ..vouched.normal(world, &instance, "/token")
            };
            let form = [
                ("client_id", client_id),
                ("grant_type", DEVICE_CODE),
                ("device_code", "x"),
            ];
            let answer = post(world, "/token", &form, headers).await;
            told.push((answer.status, answer.body));
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0].1["error"], "invalid_client_attestation");
    });
}

#[test]
fn an_attester_that_was_removed_vouches_for_nobody() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let instance = Key::new();
        let path = "/device_authorization";
        let list = world.administer("GET", "/local/admissions", &Value::Null).await.body;
        let id = list[0]["id"].as_str().unwrap().to_owned();
        let removed = world
            .administer("DELETE", &format!("/local/admissions/{id}"), &Value::Null)
            .await;
        assert_eq!(removed.status, StatusCode::OK);
        let again = world
            .administer("DELETE", &format!("/local/admissions/{id}"), &Value::Null)
            .await;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
        let asked = vouched.ask(world, vouched.normal(world, &instance, path)).await;
        assert_eq!(asked.error(), "invalid_client_attestation");
        assert_eq!(world.events("admission.added").await.len(), 1);
        assert_eq!(
            world.events("admission.removed").await[0]["detail"]["admission"]["by"],
            ATTESTER
        );
    });
}

#[test]
fn a_locked_owner_lets_nobody_in() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let instance = Key::new();
        world
            .administer("POST", "/local/approvers/alice/disable", &Value::Null)
            .await;
        let asked = vouched
            .ask(world, vouched.normal(world, &instance, "/device_authorization"))
            .await;
        assert_eq!(asked.error(), "invalid_grant");
        assert!(world.app.store.instances().await.unwrap().is_empty());
    });
}

/// Two of one name would lend each other their owner and their terms.
#[test]
fn c20_an_attesters_name_stands_for_one_admission_of_a_client() {
    on_both(async |world| {
        Vouched::new(world).await;
        let admission = json!({
            "client_id": "cli", "owner": "alice", "environment": "staging", "lifetime": 3600,
            "attester": ATTESTER, "jwks": { "keys": [Key::new().jwk()] }
        });
        let second = world.administer("POST", "/local/admissions", &admission).await;
        assert_eq!(second.status, StatusCode::BAD_REQUEST);
        assert!(
            second.text("error_description").contains("of this name"),
            "{}",
            second.body
        );
    });
}

/// The nightly build: nobody knew its key before, and nobody is asked.
#[test]
fn c20_c23_an_attested_machine_gets_a_token_with_its_first_request() {
    on_both(async |world| {
        let vouched = Vouched::new(world).await;
        let body = json!({ "grants": ["client_credentials"] });
        let given = world.administer("POST", "/local/clients/cli/change", &body).await;
        assert_eq!(given.status, StatusCode::OK, "{}", given.body);
        let (key, stranger) = (Key::new(), Key::new());
        let form = [
            ("client_id", "cli"),
            ("grant_type", "client_credentials"),
            ("scope", "read"),
        ];
        let unattested = Headers {
            dpop: Some(dpop(world, &stranger, "/token")),
            ..Headers::default()
        };
        let refused = post(world, "/token", &form, unattested).await;
        assert_eq!(refused.error(), "invalid_client", "{}", refused.body);
        for headers in [
            vouched.normal(world, &key, "/token"),
            vouched.combined(world, &key, "/token"),
        ] {
            let token = post(world, "/token", &form, headers).await;
            assert_eq!(token.status, StatusCode::OK, "{}", token.body);
            assert!(world.is_active(&token.text("access_token")).await);
        }
        let instance = world.instance_of(&key).await;
        assert_eq!(instance["way_in"]["kind"], "attested", "{instance}");
        let issued = world.events("token.issued").await;
        let told: Vec<_> = issued.iter().map(|event| &event["detail"]["instance.id"]).collect();
        assert_eq!(
            told,
            [&instance["instance_id"], &instance["instance_id"]],
            "one instance, one grant"
        );
        assert_eq!(issued[0]["grant_id"], issued[1]["grant_id"]);
        assert_eq!(world.instance_of(&stranger).await, Value::Null);
    });
}
