//! Workloads: admissions as an administrator writes them, tokens and SVIDs as evidence at enrollment, and SVIDs
//! as client authentication. (NHI6, C30.)

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use expect_test::expect;
use http::{Request, StatusCode};
use protocol::refusal::Refusal;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use super::policies::{HARMLESS, with_policies};
use super::signed::token;
use super::world::{ISSUER, Key, World, on_both};
use crate::admitting;
use crate::extract::client::{ClientRequest, Endpoint};
use crate::failure::Failure;
use crate::peer::Certificates;

const SUBJECT: &str = "repo:org/app:ref:refs/heads/main";
const WORKLOAD: &str = "spiffe://example.org/app";
const PATH: &str = "/enrollment";

async fn admit(world: &World, admission: &Value) -> Value {
    let added = world.administer("POST", "/local/admissions", admission).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    added.body
}

/// An issuer on loopback.
async fn issuer(key: &Key) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let document = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string();
    let keys = json!({ "keys": [key.jwk()] }).to_string();
    let router = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(move || async move { document }),
        )
        .route("/keys", get(move || async move { keys }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn workload_token(world: &World, key: &Key, issuer: &str, subject: &str) -> String {
    let now = world.app.now().seconds();
    let claims = json!({ "iss": issuer, "aud": ISSUER, "sub": subject, "iat": now, "exp": now + 300 });
    token(key, &json!({ "alg": "ES256", "typ": "JWT" }), &claims)
}

/// What an enrollment request with that evidence comes to: how the instance came in, or the refusal.
async fn enrolled(world: &World, form: &[(&str, &str)], key: &Key, shown: Option<Certificates>) -> String {
    match try_enroll(world, form, key, shown).await {
        Ok(way_in) => way_in,
        Err(Failure::Refusal(refusal)) => format!("{refusal:?}"),
        Err(other) => panic!("{other:?}"),
    }
}

async fn try_enroll(
    world: &World,
    form: &[(&str, &str)],
    key: &Key,
    shown: Option<Certificates>,
) -> Result<String, Failure> {
    let app = &world.app;
    let nonce = app.derived.nonces.issue(app.now());
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let mut request = Request::post(PATH)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("dpop", key.proof(PATH, app.now(), Some(&nonce)))
        .body(Body::from(body))
        .unwrap();
    if let Some(shown) = shown {
        request.extensions_mut().insert(shown);
    }
    let asked = ClientRequest::read(app, request, Endpoint::Enrollment).await?;
    let Some(admitted) = admitting::by_evidence(app, &asked).await? else {
        return Ok("no evidence".to_owned());
    };
    let proof = asked.proof.as_ref().ok_or(Refusal::DpopProofMissing)?;
    let (instance, batch) = admitted.instance(app, &asked, proof, ("build", Vec::new())).await?;
    app.commit(asked.used_up().then(batch)).await?;
    let stored = app.store.instance_by_key(proof.thumbprint(), app.now()).await?;
    assert_eq!(stored.as_ref().map(|stored| &stored.about), Some(&instance.about));
    Ok(serde_json::to_value(&instance.about.way_in).unwrap()["kind"]
        .as_str()
        .unwrap()
        .to_owned())
}

#[test]
fn nhi6_an_administrator_is_told_every_mistake_of_an_admission() {
    on_both(async |world| {
        world.cli().await;
        world.approver("alice").await;
        let jwks = json!({ "keys": [Key::new().jwk()] });
        let oidc = |more: Value| {
            let mut body = json!({ "client_id": "cli", "owner": "alice", "lifetime": 3600,
                "issuer": "https://issuer.example", "subject": SUBJECT });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let mut told = String::new();
        for (name, body) in [
            ("a pattern", oidc(json!({ "subject": "repo:org/*" }))),
            (
                "everything",
                oidc(json!({ "client_id": "x", "owner": "bob", "lifetime": 1, "subject": "?", "issuer": "http://a" })),
            ),
            ("two kinds", oidc(json!({ "attester": "a", "jwks": jwks }))),
            ("no subject", oidc(json!({ "subject": null }))),
            (
                "no keys",
                oidc(json!({ "issuer": null, "subject": null, "attester": "a" })),
            ),
            (
                "a private key",
                oidc(json!({ "jwks": { "keys": [{ "kty": "oct", "k": "AA" }] } })),
            ),
            (
                "no SPIFFE ID",
                oidc(
                    json!({ "issuer": null, "subject": null, "spiffe_id": "https://a/b", "bundle": bundle(&Key::new()) }),
                ),
            ),
            (
                "an empty bundle",
                oidc(json!({ "issuer": null, "subject": null, "spiffe_id": WORKLOAD, "bundle": { "keys": [] } })),
            ),
            ("a member too many", oidc(json!({ "subjects": [] }))),
        ] {
            let answer = world.administer("POST", "/local/admissions", &body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
            let description = answer.text("error_description");
            told.push_str(&format!("{name}\n    {}\n", description.replace("; ", "\n    ")));
        }
        assert_eq!(
            world.administer("GET", "/local/admissions", &Value::Null).await.body,
            json!([])
        );
        expect![[r#"
            a pattern
                the subject has a wildcard: admit each subject by its whole name
            everything
                there is no client of this name
                the owner is no approver of this server, or is disabled
                an issuer is an https URL without query and fragment, or http on loopback
                the subject has a wildcard: admit each subject by its whole name
                an instance lives one minute to 366 days
            two kinds
                give an attester and a key set, or an issuer and a subject (and an audience, and a key set where the issuer cannot be asked), or a SPIFFE ID and a trust bundle, and nothing beside it
            no subject
                give an attester and a key set, or an issuer and a subject (and an audience, and a key set where the issuer cannot be asked), or a SPIFFE ID and a trust bundle, and nothing beside it
            no keys
                give an attester and a key set, or an issuer and a subject (and an audience, and a key set where the issuer cannot be asked), or a SPIFFE ID and a trust bundle, and nothing beside it
            a private key
                the key set is not usable: the key carries private members
            no SPIFFE ID
                a SPIFFE ID begins with spiffe://
            an empty bundle
                the trust bundle is not usable: the trust bundle has no key with the use jwt-svid or x509-svid
            a member too many
                the body does not fit: unknown field `subjects`, expected one of `client_id`, `owner`, `environment`, `lifetime`, `attester`, `issuer`, `audience`, `subject`, `spiffe_id`, `jwks`, `bundle` at line 1 column 140
        "#]].assert_eq(&told);
    });
}

#[test]
fn nhi6_a_workload_comes_in_by_its_issuers_token_for_one_key_only() {
    on_both(async |world| {
        world.cli().await;
        world.client("other", json!({ "profile": "open" })).await;
        world.approver("alice").await;
        let (signer, stranger) = (Key::new(), Key::new());
        let url = issuer(&signer).await;
        admit(
            world,
            &json!({ "client_id": "cli", "owner": "alice", "environment": "ci", "lifetime": 3600,
                "issuer": url, "subject": SUBJECT }),
        )
        .await;
        let good = workload_token(world, &signer, &url, SUBJECT);
        let by = async |token: &str, client_id: &str, key: &Key| {
            enrolled(world, &[("client_id", client_id), ("workload_token", token)], key, None).await
        };
        assert_eq!(
            by(&good, "other", &Key::new()).await,
            "WorkloadTokenInvalid",
            "it is admitted to another client"
        );
        let forged = workload_token(world, &stranger, &url, SUBJECT);
        assert_eq!(by(&forged, "cli", &Key::new()).await, "WorkloadTokenInvalid");
        let branch = workload_token(world, &signer, &url, "repo:org/app:ref:refs/heads/other");
        assert_eq!(by(&branch, "cli", &Key::new()).await, "WorkloadTokenInvalid");
        assert_eq!(by("no token", "cli", &Key::new()).await, "WorkloadTokenInvalid");

        let own = Key::new();
        assert_eq!(by(&good, "cli", &own).await, "workload_token");
        assert_eq!(
            by(&good, "cli", &Key::new()).await,
            "WorkloadTokenReplayed",
            "a stolen one brings in nobody else"
        );
        world.advance(1);
        let next = workload_token(world, &signer, &url, SUBJECT);
        assert_eq!(by(&next, "cli", &own).await, "InstanceKeyTaken");
        let events = world.events("instance.enrolled").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["detail"]["instance.way_in"]["issuer"], url);
        assert_eq!(events[0]["detail"]["instance.environment"], "ci");
        let fact = json!([{ "name": "workload.subject", "value": SUBJECT, "source": "proven" }]);
        assert_eq!(events[0]["detail"]["facts"], fact);
    });
}

/// What proves it is known then; nobody approves it, and its owner answers for it.
#[test]
fn a_workload_that_comes_in_by_its_token_is_asked_about_as_an_enrollment() {
    for step in ["request", "redeem"] {
        let text = format!(
            r#"@id("another-branch") forbid (principal, action == Action::"{step}", resource)
            when {{ resource.purpose == "enrollment" }}
            unless {{ context.proven.hasTag("workload.subject") && context.proven.getTag("workload.subject") == "another" }};"#
        );
        with_policies(&text, async |world, folder| {
            world.standard_client("cli").await;
            world.approver("alice").await;
            let (signer, key) = (Key::new(), Key::new());
            let url = issuer(&signer).await;
            let admission =
                json!({ "client_id": "cli", "owner": "alice", "lifetime": 3600, "issuer": url, "subject": SUBJECT });
            admit(world, &admission).await;
            let workload_token = workload_token(world, &signer, &url, SUBJECT);
            let form = [
                ("client_id", "cli"),
                ("name", "build"),
                ("workload_token", &*workload_token),
            ];
            let refused = world.post_by(PATH, &form, &key).await;
            assert_eq!(refused.error(), "access_denied", "{}", refused.body);
            let event = world.refused("device.refused", step).await;
            assert_eq!(event["id"], refused.body["reference"]);
            assert_eq!(event["detail"]["instance.way_in"]["subject"], SUBJECT);
            assert!(world.events("instance.enrolled").await.is_empty());
            assert_eq!(world.instance_of(&key).await, Value::Null);

            // Neither the key nor the token was used up.
            folder.write(HARMLESS);
            world.reload().await;
            let enrolled = world.post_by(PATH, &form, &key).await;
            assert_eq!(enrolled.status, StatusCode::OK, "{}", enrolled.body);
            let detail = &world.events("instance.enrolled").await[0]["detail"];
            let input = &detail["policy.input"];
            assert_eq!(
                (&detail["policy.step"], &input["access"]["enrolls"]),
                (&json!("redeem"), &json!(true))
            );
            assert_eq!(
                (&input["approver"]["name"], &input["approvals"]),
                (&json!("alice"), &json!(0))
            );
            assert_eq!(input["instance"]["way_in"], "workload_token");
            let proven = json!({ "name": "workload.subject", "value": SUBJECT, "source": "proven" });
            assert!(input["facts"].as_array().unwrap().contains(&proven), "{input}");
        });
    }
}

#[test]
fn evidence_is_of_one_kind_and_none_leaves_the_ceremony() {
    on_both(async |world| {
        world.cli().await;
        let none = enrolled(world, &[("client_id", "cli")], &Key::new(), None).await;
        assert_eq!(none, "no evidence");
        let both = [("client_id", "cli"), ("workload_token", "a"), ("jwt_svid", "b")];
        assert_eq!(enrolled(world, &both, &Key::new(), None).await, "TooManyMethods");
    });
}

/// A SPIFFE bundle with that key for JWT-SVIDs and the testdata's authority for X.509-SVIDs.
fn bundle(key: &Key) -> Value {
    let mut jwt = key.jwk();
    jwt["use"] = json!("jwt-svid");
    let mut x509 = Key::new().jwk();
    x509["use"] = json!("x509-svid");
    x509["x5c"] = json!([certificate("authority")]);
    json!({ "keys": [jwt, x509] })
}

fn certificate(name: &str) -> String {
    let all = include_str!("../../../protocol/src/spiffe/testdata/certificates.txt");
    let mut named = all.lines().filter_map(|line| line.split_once(' '));
    named.find(|(own, _)| *own == name).unwrap().1.to_owned()
}

fn shown(name: &str) -> Certificates {
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD
        .decode(certificate(name))
        .unwrap();
    Certificates([CertificateDer::from(der)].into())
}

fn jwt_svid(world: &World, key: &Key, subject: &str) -> String {
    let claims = json!({ "sub": subject, "aud": [ISSUER], "exp": world.app.now().seconds() + 300 });
    token(key, &json!({ "alg": "ES256" }), &claims)
}

/// The attested client `svc`, whose workload is admitted by its trust domain's key.
async fn service(world: &World) -> Key {
    let more = json!({ "attested": true, "profile": "open" });
    assert_eq!(world.client("svc", more).await.status, StatusCode::CREATED);
    world.approver("alice").await;
    let key = Key::new();
    let admission = json!({ "client_id": "svc", "owner": "alice", "lifetime": 3600,
        "spiffe_id": WORKLOAD, "bundle": bundle(&key) });
    admit(world, &admission).await;
    key
}

#[test]
fn c30_a_workload_authenticates_and_enrolls_by_its_jwt_svid() {
    on_both(async |world| {
        let trust_domain = service(world).await;
        let assertion = async |svid: &str, client_id: Option<&str>| {
            let mut form = vec![
                ("client_assertion_type", protocol::spiffe::ASSERTION_TYPE),
                ("client_assertion", svid),
            ];
            form.extend(client_id.map(|client_id| ("client_id", client_id)));
            world.post("/device_authorization", &form).await
        };
        let svid = jwt_svid(world, &trust_domain, WORKLOAD);
        for client_id in [None, Some("svc")] {
            let asked = assertion(&svid, client_id).await;
            assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        }
        let of_another_domain = jwt_svid(world, &Key::new(), WORKLOAD);
        let another = jwt_svid(world, &trust_domain, "spiffe://example.org/other");
        for svid in [&of_another_domain, &another] {
            let refused = assertion(svid, Some("svc")).await;
            assert_eq!(
                (refused.status, refused.error()),
                (StatusCode::UNAUTHORIZED, "invalid_client")
            );
        }
        assert_eq!(assertion(&svid, Some("cli")).await.error(), "invalid_client");
        assert_eq!(
            world
                .post("/device_authorization", &[("client_id", "svc")])
                .await
                .error(),
            "invalid_client"
        );

        world.cli().await;
        let form = [("client_id", "cli"), ("jwt_svid", &*svid)];
        assert_eq!(
            enrolled(world, &form, &Key::new(), None).await,
            "WorkloadTokenInvalid",
            "not of this client"
        );
    });
}

#[test]
fn c30_a_jwt_svid_brings_in_one_key() {
    on_both(async |world| {
        let trust_domain = service(world).await;
        let svid = jwt_svid(world, &trust_domain, WORKLOAD);
        let form = [
            ("client_assertion_type", protocol::spiffe::ASSERTION_TYPE),
            ("client_assertion", &*svid),
            ("jwt_svid", &*svid),
        ];
        assert_eq!(enrolled(world, &form, &Key::new(), None).await, "svid");
        assert_eq!(enrolled(world, &form, &Key::new(), None).await, "WorkloadTokenReplayed");
        let events = world.events("instance.enrolled").await;
        assert_eq!(events[0]["detail"]["instance.way_in"]["spiffe_id"], WORKLOAD);
    });
}

#[test]
fn c30_an_x509_svid_counts_by_its_trust_domains_authority_alone() {
    on_both(async |world| {
        service(world).await;
        let form = [("client_id", "svc")];
        let by = async |name: &str| enrolled(world, &form, &Key::new(), Some(shown(name))).await;
        assert_eq!(by("leaf").await, "svid");
        for name in ["another", "two_uris", "no_uri", "signing", "short", "other_authority"] {
            assert_eq!(by(name).await, "ClientAuthenticationMissing", "{name}");
        }
        assert_eq!(
            enrolled(world, &form, &Key::new(), None).await,
            "ClientAuthenticationMissing"
        );
    });
}

#[test]
fn connections_are_asked_for_certificates_only_while_somebody_is_admitted_by_one() {
    on_both(async |world| {
        let asks = world.app.clients.asks_for_certificates();
        let asks = || asks.load(std::sync::atomic::Ordering::Relaxed);
        assert!(!asks());
        service(world).await;
        assert!(asks());
        let list = world.administer("GET", "/local/admissions", &Value::Null).await.body;
        let path = format!("/local/admissions/{}", list[0]["id"].as_str().unwrap());
        world.administer("DELETE", &path, &Value::Null).await;
        assert!(!asks());
    });
}
