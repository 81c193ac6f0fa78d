//! What a token is worth at a resource server that trusts nobody: one command, some requests, one key, one
//! certificate, an approval that is strong enough.

use protocol::digest::hexadecimal;
use serde_json::{Value, json};

use super::certificates::{post, program};
use crate::certificates::pem;
use crate::database::Database;
use crate::http::{Answer, CLIENT};
use crate::keys::{Key, sha256};
use crate::resource_server::ResourceServer;
use crate::server::{Setup, tls_authority, tls_key};
use crate::world::{DEVICE_CODE, World, alone_with};

const CRM: &str = "https://crm.example.com";

on_both!(
    a06_a_token_for_one_command_is_refused_for_another,
    a06_an_api_token_reaches_its_own_methods_paths_and_bodies,
    p10_a_stolen_token_is_of_no_use_at_the_resource_server,
    a20_a_weak_approval_is_challenged_and_no_token_for_something_else_helps,
);

/// A program with a key of its own, and the tokens it was granted for these details.
struct Holder {
    key: Key,
    token: String,
}

impl Holder {
    async fn granted(world: &World, details: &Value) -> Self {
        let types = ["--details-type", "command", "--details-type", "api"];
        let flags = [
            "--public",
            "--profile",
            "open",
            "--require-dpop",
            "--scope",
            "read",
            "--resource",
            CRM,
        ];
        let client = world.client(&[&flags[..], &types[..]].concat()).await;
        let key = Key::new();
        let details = details.to_string();
        let proof = key.proof("POST", &world.htu("/device_authorization"), &json!({}));
        let asking = [
            ("client_id", &*client),
            ("scope", "read"),
            ("authorization_details", &*details),
        ];
        let asked = world
            .post_with("/device_authorization", &asking, &[("DPoP", &proof)])
            .await;
        let nonce = asked.header("dpop-nonce").unwrap().to_owned();
        let asked = asked.expect(200).json();
        world.approve(asked["user_code"].as_str().unwrap()).await;
        let proof = key.proof("POST", &world.htu("/token"), &json!({ "nonce": nonce }));
        let redeeming = [
            ("client_id", &*client),
            ("grant_type", DEVICE_CODE),
            ("device_code", asked["device_code"].as_str().unwrap()),
        ];
        let tokens = world
            .post_with("/token", &redeeming, &[("DPoP", &proof)])
            .await
            .expect(200)
            .json();
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        Self { key, token }
    }

    /// With a proof, again with the nonce that is asked for.
    async fn call(&self, at: &ResourceServer, method: &str, path: &str, body: &str) -> Answer {
        let challenged = self.try_call(at, (method, path, body), &json!({})).await;
        let nonce = challenged.header("dpop-nonce").map(str::to_owned);
        self.try_call(at, (method, path, body), &json!({ "nonce": nonce }))
            .await
    }

    async fn try_call(&self, at: &ResourceServer, (method, path, body): (&str, &str, &str), extra: &Value) -> Answer {
        let url = format!("{}{path}", at.url);
        let mut claims = json!({ "ath": sha256(&self.token) });
        claims
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let proof = self.key.proof(method, &url, &claims);
        send(
            &url,
            method,
            body,
            &[("authorization", &format!("DPoP {}", self.token)), ("dpop", &proof)],
        )
        .await
    }
}

async fn send(url: &str, method: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = CLIENT.request(method.parse().unwrap(), url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::to(request).await
}

fn told(answer: &Answer) -> String {
    match answer.status {
        200 => "200".to_owned(),
        status => format!("{status} {}", answer.error()),
    }
}

const FORBIDDEN: &str = "403 insufficient_authorization_details";

async fn a06_a_token_for_one_command_is_refused_for_another(world: &World) {
    let crm = ResourceServer::start(&world.server.issuer, CRM).await;
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let act = json!({ "argv": ["deploy", "--site", "berlin-2"], "executable_sha256": digest });
    let mut detail = act.clone();
    detail["type"] = json!("command");
    let holder = Holder::granted(world, &json!([detail])).await;
    let run = async |act: &Value| told(&holder.call(&crm, "POST", "/run", &act.to_string()).await);
    assert_eq!(run(&act).await, "200");
    for (what, value) in [
        ("argv", json!(["deploy", "--site", "berlin-3"])),
        ("argv", json!(["deploy", "--site", "berlin-2", "--force"])),
        ("argv", json!(["deploy --site berlin-2"])),
        ("executable_sha256", json!(digest.replace('9', "8"))),
        ("executable_sha256", Value::Null),
        ("unheard_of", json!(true)),
    ] {
        let mut other = act.clone();
        other[what] = value;
        assert_eq!(run(&other).await, FORBIDDEN, "{other}");
    }
    assert_eq!(told(&holder.call(&crm, "GET", "/v2/contacts/7", "").await), FORBIDDEN);
    assert_eq!(told(&holder.call(&crm, "POST", "/run", "deploy").await), FORBIDDEN);
}

async fn a06_an_api_token_reaches_its_own_methods_paths_and_bodies(world: &World) {
    let crm = ResourceServer::start(&world.server.issuer, CRM).await;
    let hex = |text: &str| hexadecimal(&<sha2::Sha256 as sha2::Digest>::digest(text));
    let body = r#"{"phone":"+41 31 000 00 00"}"#;
    let details = json!([
        { "type": "api", "resource": CRM, "methods": ["GET"], "paths": ["/v2/contacts/*"] },
        { "type": "api", "resource": CRM, "methods": ["PATCH"], "paths": ["/v2/contacts/7"], "body_sha256": hex(body) },
    ]);
    let holder = Holder::granted(world, &details).await;
    for (method, path, body, expected) in [
        ("GET", "/v2/contacts/7", "", "200"),
        ("GET", "/v2/contacts/8", "", "200"),
        ("PATCH", "/v2/contacts/7", body, "200"),
        ("PATCH", "/v2/contacts/7", "{}", FORBIDDEN),
        ("PATCH", "/v2/contacts/8", body, FORBIDDEN),
        ("DELETE", "/v2/contacts/7", "", FORBIDDEN),
        ("GET", "/v2/contacts/7/notes", "", FORBIDDEN),
        ("GET", "/v2/contacts/7%2fnotes", "", FORBIDDEN),
        ("GET", "/v2/users", "", FORBIDDEN),
    ] {
        let answer = holder.call(&crm, method, path, body).await;
        assert_eq!(told(&answer), expected, "{method} {path} {body}");
    }
    // Another resource, and a token for nothing in particular.
    let other = ResourceServer::start(&world.server.issuer, "https://other.example.com").await;
    assert_eq!(
        told(&holder.call(&other, "GET", "/v2/contacts/7", "").await),
        "401 invalid_token"
    );
    let holder = Holder::granted(world, &json!([])).await;
    assert_eq!(told(&holder.call(&crm, "GET", "/v2/contacts/7", "").await), FORBIDDEN);
}

/// RFC 9449 §7 and §9.
async fn p10_a_stolen_token_is_of_no_use_at_the_resource_server(world: &World) {
    let crm = ResourceServer::start(&world.server.issuer, CRM).await;
    let detail = json!([{ "type": "api", "resource": CRM, "methods": ["GET"], "paths": ["/**"] }]);
    let holder = Holder::granted(world, &detail).await;
    let url = format!("{}/v2", crm.url);
    let bare = send(&url, "GET", "", &[]).await;
    assert_eq!(told(&bare), "401 invalid_token");
    let as_bearer = send(
        &url,
        "GET",
        "",
        &[("authorization", &format!("Bearer {}", holder.token))],
    )
    .await;
    assert_eq!(told(&as_bearer), "401 invalid_token");

    let challenged = holder.try_call(&crm, ("GET", "/v2", ""), &json!({})).await;
    assert_eq!(told(&challenged), "401 use_dpop_nonce");
    let nonce = challenged.header("dpop-nonce").unwrap();
    let thief = Key::new();
    let good = json!({ "nonce": nonce, "ath": sha256(&holder.token) });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let credentials = format!("DPoP {}", holder.token);
    for (key, htm, htu, claims) in [
        (&thief, "GET", &*url, &good),
        (&holder.key, "POST", &url, &good),
        (&holder.key, "GET", &crm.url, &good),
        (&holder.key, "GET", &url, &with("ath", json!(sha256("another token")))),
        (
            &holder.key,
            "GET",
            &url,
            &with("iat", json!(crate::chance::now() - 3600)),
        ),
    ] {
        let proof = key.proof(htm, htu, claims);
        let refused = send(&url, "GET", "", &[("authorization", &credentials), ("dpop", &proof)]).await;
        assert_eq!(told(&refused), "401 invalid_dpop_proof", "{htm} {htu} {claims}");
    }
    let proof = holder.key.proof("GET", &url, &good);
    for expected in ["200", "401 invalid_dpop_proof"] {
        let answer = send(&url, "GET", "", &[("authorization", &credentials), ("dpop", &proof)]).await;
        assert_eq!(told(&answer), expected, "each proof once");
    }
    // Of another issuer, or with a signature that is not the issuer's.
    let (signed, _) = holder.token.rsplit_once('.').unwrap();
    let forged = format!("DPoP {signed}.{}", thief.sign(signed.as_bytes()));
    let proof = thief.proof("GET", &url, &good);
    let refused = send(&url, "GET", "", &[("authorization", &forged), ("dpop", &proof)]).await;
    assert_eq!(told(&refused), "401 invalid_token");
}

/// RFC 9470 §3. A software key is not resistant to phishing, and nobody says it is.
async fn a20_a_weak_approval_is_challenged_and_no_token_for_something_else_helps(world: &World) {
    let crm = ResourceServer::start(&world.server.issuer, CRM).await;
    let holder = Holder::granted(world, &json!([])).await;
    let answer = holder.call(&crm, "GET", "/vault", "").await;
    assert_eq!(told(&answer), "401 insufficient_user_authentication");
    let challenge = answer.challenges();
    for part in [r#"acr_values="phr""#, r#"max_age="300""#] {
        assert!(challenge.contains(part), "{challenge}");
    }
}

/// RFC 8705 §3, at somebody else's TLS.
#[test]
fn p31_a_bound_token_over_another_connection_is_invalid() {
    alone_with(Database::Sqlite, &Setup::with_certificates(), async |world| {
        let ca = world.file(&pem("authority"));
        let own = ["--tls-client-auth", "--ca-file", &ca, "--san-dns", "svc.example.org"];
        let flags = [
            "--certificate-bound",
            "--profile",
            "open",
            "--scope",
            "read",
            "--resource",
            CRM,
            "--details-type",
            "api",
        ];
        let client = world.client(&[&own[..], &flags[..]].concat()).await;
        let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
        let alias = |name: &str| metadata["mtls_endpoint_aliases"][name].as_str().unwrap().to_owned();
        let details = json!([{ "type": "api", "resource": CRM, "methods": ["GET"], "paths": ["/**"] }]).to_string();
        let asking = [
            ("client_id", &*client),
            ("scope", "read"),
            ("authorization_details", &*details),
        ];
        let holder = program(Some("svc"));
        let asked = post(&holder, &alias("device_authorization_endpoint"), &asking)
            .await
            .expect(200)
            .json();
        world.approve(asked["user_code"].as_str().unwrap()).await;
        let redeeming = [
            ("client_id", &*client),
            ("grant_type", DEVICE_CODE),
            ("device_code", asked["device_code"].as_str().unwrap()),
        ];
        let tokens = post(&holder, &alias("token_endpoint"), &redeeming)
            .await
            .expect(200)
            .json();
        let token = tokens["access_token"].as_str().unwrap();

        let identity = [&*tls_authority(), &*tls_key()];
        let crm = ResourceServer::with_tls(&world.server.issuer, CRM, identity, &pem("authority")).await;
        let url = format!("{}/v2/contacts", crm.url);
        for (shows, expected) in [
            (Some("svc"), "200"),
            (Some("other"), "401 invalid_token"),
            (Some("renewed"), "401 invalid_token"),
            (None, "401 invalid_token"),
        ] {
            let answer = Answer::to(program(shows).get(&url).bearer_auth(token)).await;
            assert_eq!(told(&answer), expected, "{shows:?}");
        }
    });
}
