//! Certificates: as client authentication, as what codes and tokens are bound to, and as a proxy tells of them.
//! RFC 8705, RFC 9440. TLS itself is in `listen/tls/tests.rs` and in `crates/waypass/tests`.

use axum::body::Body;
use expect_test::expect;
use http::{HeaderName, Request, StatusCode};
use protocol::base64url;
use protocol::client_certificate;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use super::world::{Answer, DEVICE_CODE, Key, World, on_both, with_settings};
use crate::check;
use crate::config::{Config, ServeArgs};
use crate::endpoints::metadata;
use crate::peer::{Certificates, Peer};

fn certificate(name: &str) -> String {
    let all = include_str!("../../../protocol/src/client_certificate/testdata/certificates.txt");
    let found = all.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    found.unwrap_or_else(|| panic!("no certificate {name}")).to_owned()
}

fn der(name: &str) -> CertificateDer<'static> {
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, certificate(name));
    der.unwrap().into()
}

fn thumbprint(name: &str) -> String {
    client_certificate::thumbprint(&[der(name)]).unwrap()
}

/// A connection that shows these certificates, and a key for proofs.
#[derive(Clone, Copy, Default)]
struct Caller<'a> {
    shows: &'a [&'a str],
    key: Option<&'a Key>,
}

impl<'a> Caller<'a> {
    fn showing(shows: &'a [&'a str]) -> Self {
        Self { shows, key: None }
    }

    async fn post(self, world: &World, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(key) = self.key {
            let nonce = world.app.derived.nonces.issue(world.app.now());
            request = request.header("dpop", key.proof(path, world.app.now(), Some(&nonce)));
        }
        self.send(world, request.body(Body::from(body)).unwrap()).await
    }

    async fn userinfo(self, world: &World, token: &str) -> Answer {
        let request = Request::get("/userinfo").header("authorization", format!("Bearer {token}"));
        self.send(world, request.body(Body::empty()).unwrap()).await
    }

    async fn send(self, world: &World, mut request: Request<Body>) -> Answer {
        if !self.shows.is_empty() {
            let chain: Vec<CertificateDer<'static>> = self.shows.iter().map(|name| der(name)).collect();
            request.extensions_mut().insert(Certificates(chain.into()));
        }
        world.send(request).await
    }
}

fn told(answer: &Answer) -> String {
    format!("{} {}", answer.status.as_u16(), answer.error())
}

async fn service(world: &World, client_id: &str, more: Value) {
    let mut members = json!({ "client_id": client_id, "scope": "openid offline_access read", "profile": "open" });
    members
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let added = world.administer("POST", "/local/clients", &members).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
}

fn by_name(kind: &str, name: &str) -> Value {
    json!({ "tls_client_auth": { "authorities": [certificate("authority")], "kind": kind, "name": name } })
}

/// `svc`, by its DNS name, with bound tokens.
async fn svc(world: &World) {
    let mut more = by_name("san_dns", "svc.example.org");
    more["certificate_bound"] = json!(true);
    service(world, "svc", more).await;
}

/// `app`, a public client with bound tokens.
async fn public(world: &World) {
    service(world, "app", json!({ "public": true, "certificate_bound": true })).await;
}

const SCOPE: (&str, &str) = ("scope", "openid offline_access read");

/// Asked by one and approved, to be redeemed.
async fn approved(world: &World, caller: Caller<'_>, client_id: &str, approver: &Key) -> String {
    let form = [("client_id", client_id), SCOPE];
    let asked = caller.post(world, "/device_authorization", &form).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let approved = world.approve(&asked.text("user_code"), approver).await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
    asked.text("device_code")
}

async fn redeem(world: &World, caller: Caller<'_>, client_id: &str, device_code: &str) -> Answer {
    let form = [
        ("client_id", client_id),
        ("grant_type", DEVICE_CODE),
        ("device_code", device_code),
    ];
    caller.post(world, "/token", &form).await
}

async fn refresh(world: &World, caller: Caller<'_>, client_id: &str, token: &str) -> Answer {
    let form = [
        ("client_id", client_id),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    caller.post(world, "/token", &form).await
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

#[test]
fn p30_a_client_is_who_its_certificate_says_on_each_request_anew() {
    on_both(async |world| {
        svc(world).await;
        service(world, "other", by_name("san_dns", "other.example.org")).await;
        service(world, "by-dn", by_name("subject_dn", "CN=svc,O=Acme,C=CH")).await;
        service(
            world,
            "own",
            json!({ "self_signed_certificates": [certificate("self")] }),
        )
        .await;
        let mut table = String::new();
        for (client_id, shows) in [
            ("svc", &["svc"][..]),
            ("svc", &["of_intermediate", "intermediate"]),
            ("by-dn", &["svc"]),
            ("own", &["self"]),
            // The same connection, for another client.
            ("other", &["svc"]),
            ("own", &["svc"]),
            ("svc", &[]),
            ("svc", &["other"]),
            ("svc", &["other", "svc"]),
            ("svc", &["foreign"]),
            ("svc", &["expired"]),
            ("svc", &["future"]),
            ("svc", &["server_only"]),
            ("svc", &["wildcard"]),
            ("svc", &["longer"]),
            ("svc", &["nul"]),
            ("by-dn", &["dn_longer"]),
            ("by-dn", &["dn_reversed"]),
            ("by-dn", &["dn_nul"]),
            ("own", &["self_renewed"]),
        ] {
            let form = [("client_id", client_id), ("scope", "read")];
            let answer = Caller::showing(shows).post(world, "/device_authorization", &form).await;
            table += &format!("{client_id:5} shows {:28} {}\n", shows.join(" "), told(&answer));
        }
        expect![[r#"
            svc   shows svc                          200 none
            svc   shows of_intermediate intermediate 200 none
            by-dn shows svc                          200 none
            own   shows self                         200 none
            other shows svc                          401 invalid_client
            own   shows svc                          401 invalid_client
            svc   shows                              401 invalid_client
            svc   shows other                        401 invalid_client
            svc   shows other svc                    401 invalid_client
            svc   shows foreign                      401 invalid_client
            svc   shows expired                      401 invalid_client
            svc   shows future                       401 invalid_client
            svc   shows server_only                  401 invalid_client
            svc   shows wildcard                     401 invalid_client
            svc   shows longer                       401 invalid_client
            svc   shows nul                          401 invalid_client
            by-dn shows dn_longer                    401 invalid_client
            by-dn shows dn_reversed                  401 invalid_client
            by-dn shows dn_nul                       401 invalid_client
            own   shows self_renewed                 401 invalid_client
        "#]]
        .assert_eq(&table);
    });
}

/// RFC 8705 §2: "the client MUST include the "client_id" parameter".
#[test]
fn p30_the_client_id_is_in_each_request_and_nothing_else_stands_beside_the_certificate() {
    on_both(async |world| {
        svc(world).await;
        service(world, "secret", json!({ "secret": "a secret of its own" })).await;
        let caller = Caller::showing(&["svc"]);
        let mut table = String::new();
        for path in ["/device_authorization", "/token", "/revoke", "/introspect"] {
            let named = caller
                .post(
                    world,
                    path,
                    &[("client_id", "svc"), ("token", "x"), ("grant_type", "x")],
                )
                .await;
            let unnamed = caller.post(world, path, &[("token", "x"), ("grant_type", "x")]).await;
            table += &format!("{path}: {}, without client_id {}\n", told(&named), told(&unnamed));
        }
        let with_secret = [("client_id", "svc"), ("client_secret", "a secret of its own")];
        let form = [("client_id", "secret"), ("scope", "read")];
        table += &format!(
            "with a secret: {}\nfor a client with a secret: {}\n",
            told(&caller.post(world, "/device_authorization", &with_secret).await),
            told(&caller.post(world, "/device_authorization", &form).await)
        );
        expect![[r#"
            /device_authorization: 200 none, without client_id 400 invalid_request
            /token: 400 unsupported_grant_type, without client_id 400 invalid_request
            /revoke: 200 none, without client_id 400 invalid_request
            /introspect: 403 unauthorized_client, without client_id 401 invalid_client
            with a secret: 401 invalid_client
            for a client with a secret: 401 invalid_client
        "#]]
        .assert_eq(&table);
    });
}

#[test]
fn p30_other_certificates_are_a_change_of_the_client_and_the_old_ones_end() {
    on_both(async |world| {
        service(
            world,
            "own",
            json!({ "self_signed_certificates": [certificate("self")] }),
        )
        .await;
        let body = json!({ "certificates": [certificate("self_renewed")] });
        let changed = world.administer("POST", "/local/clients/own/change", &body).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        assert_eq!(changed.text("certificate"), thumbprint("self_renewed"));
        let form = [("client_id", "own"), ("scope", "read")];
        for (shows, status) in [("self", 401), ("self_renewed", 200)] {
            let answer = Caller::showing(&[shows])
                .post(world, "/device_authorization", &form)
                .await;
            assert_eq!(answer.status.as_u16(), status, "{shows}");
        }
        world.cli().await;
        let changed = world.administer("POST", "/local/clients/cli/change", &body).await;
        assert_eq!(changed.status, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn p31_tokens_are_bound_to_the_certificate_and_are_dead_without_it() {
    on_both(async |world| {
        svc(world).await;
        let alice = world.approver("alice").await;
        let caller = Caller::showing(&["of_intermediate", "intermediate"]);
        let code = approved(world, caller, "svc", &alice).await;
        let tokens = redeem(world, caller, "svc", &code).await;
        assert_eq!(tokens.text("token_type"), "Bearer");
        let token = tokens.text("access_token");
        let cnf = json!({ "x5t#S256": thumbprint("of_intermediate") });
        assert_eq!(claims(&token)["cnf"], cnf);

        assert!(world.is_active(&token).await);
        let form = [
            ("client_id", "rs"),
            ("client_secret", "resource server secret"),
            ("token", &token),
        ];
        let introspected = world.post("/introspect", &form).await.body;
        assert_eq!(
            (&introspected["cnf"], &introspected["token_type"]),
            (&cnf, &json!("Bearer"))
        );

        assert_eq!(caller.userinfo(world, &token).await.status, StatusCode::OK);
        for shows in [
            &["svc"][..],
            &["intermediate"],
            &["intermediate", "of_intermediate"],
            &[],
        ] {
            let refused = Caller::showing(shows).userinfo(world, &token).await;
            assert_eq!(told(&refused), "401 invalid_token", "{shows:?}");
        }
    });
}

#[test]
fn p32_a_client_registered_for_bound_tokens_gets_no_others() {
    on_both(async |world| {
        public(world).await;
        world.cli().await;
        let alice = world.approver("alice").await;
        let bare = Caller::default();
        let refused = bare
            .post(world, "/device_authorization", &[("client_id", "app"), SCOPE])
            .await;
        assert_eq!(
            told(&refused),
            "400 invalid_request",
            "a code bound to nothing is anybody's"
        );
        let code = approved(world, Caller::showing(&["self"]), "app", &alice).await;
        let refused = redeem(world, bare, "app", &code).await;
        assert_eq!(told(&refused), "400 invalid_request");
        let tokens = redeem(world, Caller::showing(&["self"]), "app", &code).await;
        assert_eq!(
            claims(&tokens.text("access_token"))["cnf"]["x5t#S256"],
            thumbprint("self")
        );

        // Who is not registered so shows its certificate to no effect.
        let code = approved(world, Caller::showing(&["self"]), "cli", &alice).await;
        let tokens = redeem(world, bare, "cli", &code).await;
        assert_eq!(claims(&tokens.text("access_token")).get("cnf"), None);
    });
}

/// As P20 to P22 have it for keys.
#[test]
fn p31_a_code_is_bound_to_the_certificate_it_was_asked_with_and_another_consumes_nothing() {
    on_both(async |world| {
        public(world).await;
        let alice = world.approver("alice").await;
        let (own, thief) = (Caller::showing(&["self"]), Caller::showing(&["self_renewed"]));
        let asked = own
            .post(world, "/device_authorization", &[("client_id", "app"), SCOPE])
            .await;
        let code = asked.text("device_code");
        let before = redeem(world, thief, "app", &code).await;
        assert_eq!(told(&before), "400 invalid_grant");
        world.approve(&asked.text("user_code"), &alice).await;
        let after = redeem(world, thief, "app", &code).await;
        assert_eq!(told(&after), "400 invalid_grant");
        assert_eq!(redeem(world, own, "app", &code).await.status, StatusCode::OK);
    });
}

/// RFC 8705 §4, §7.1.
#[test]
fn p33_a_public_client_keeps_its_certificate_and_another_ends_nothing() {
    on_both(async |world| {
        public(world).await;
        let alice = world.approver("alice").await;
        let (own, thief) = (Caller::showing(&["self"]), Caller::showing(&["self_renewed"]));
        let code = approved(world, own, "app", &alice).await;
        let token = redeem(world, own, "app", &code).await.text("refresh_token");
        let stolen = refresh(world, thief, "app", &token).await;
        assert_eq!(told(&stolen), "400 invalid_grant");
        let bare = refresh(world, Caller::default(), "app", &token).await;
        assert_eq!(told(&bare), "400 invalid_request");
        let refreshed = refresh(world, own, "app", &token).await;
        assert_eq!(
            claims(&refreshed.text("access_token"))["cnf"]["x5t#S256"],
            thumbprint("self")
        );
        // An answer that was lost on the way is forgiven once, as with a key.
        let again = refresh(world, own, "app", &token).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    });
}

#[test]
fn p33_a_confidential_client_renews_its_certificate_and_old_access_tokens_die() {
    on_both(async |world| {
        svc(world).await;
        let alice = world.approver("alice").await;
        let (old, renewed) = (Caller::showing(&["svc"]), Caller::showing(&["renewed"]));
        let code = approved(world, old, "svc", &alice).await;
        let tokens = redeem(world, old, "svc", &code).await;
        let refreshed = refresh(world, renewed, "svc", &tokens.text("refresh_token")).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
        let (before, after) = (tokens.text("access_token"), refreshed.text("access_token"));
        assert_eq!(claims(&after)["cnf"]["x5t#S256"], thumbprint("renewed"));
        assert_eq!(renewed.userinfo(world, &after).await.status, StatusCode::OK);
        assert_eq!(told(&renewed.userinfo(world, &before).await), "401 invalid_token");
        assert_eq!(told(&old.userinfo(world, &after).await), "401 invalid_token");
        // Another client of the same authority is another client still.
        let refused = refresh(
            world,
            Caller::showing(&["other"]),
            "svc",
            &refreshed.text("refresh_token"),
        )
        .await;
        assert_eq!(told(&refused), "401 invalid_client");
    });
}

#[test]
fn p31_with_a_key_and_a_certificate_both_are_needed() {
    on_both(async |world| {
        public(world).await;
        let alice = world.approver("alice").await;
        let (key, other) = (Key::new(), Key::new());
        let with = |shows, key| Caller { shows, key: Some(key) };
        let both = with(&["self"], &key);
        let code = approved(world, both, "app", &alice).await;
        for caller in [with(&["self"], &other), with(&["self_renewed"], &key)] {
            assert_eq!(told(&redeem(world, caller, "app", &code).await), "400 invalid_grant");
        }
        let tokens = redeem(world, both, "app", &code).await;
        assert_eq!(tokens.text("token_type"), "DPoP");
        let cnf = json!({ "jkt": key.thumbprint(), "x5t#S256": thumbprint("self") });
        assert_eq!(claims(&tokens.text("access_token"))["cnf"], cnf);
        let as_bearer = both.userinfo(world, &tokens.text("access_token")).await;
        assert_eq!(told(&as_bearer), "401 invalid_token");
        let token = tokens.text("refresh_token");
        for caller in [with(&["self"], &other), with(&["self_renewed"], &key)] {
            assert_eq!(told(&refresh(world, caller, "app", &token).await), "400 invalid_grant");
        }
        assert_eq!(refresh(world, both, "app", &token).await.status, StatusCode::OK);
    });
}

/// What was bound stays so; what is asked for from then on is as the client is registered then.
#[test]
fn an_administrator_binds_a_client_to_its_certificate_and_takes_that_back() {
    on_both(async |world| {
        service(world, "app", json!({ "public": true })).await;
        let alice = world.approver("alice").await;
        let (showing, without) = (Caller::showing(&["self"]), Caller::default());
        let form = [("client_id", "app"), SCOPE];
        let ask = async |caller: Caller<'_>| caller.post(world, "/device_authorization", &form).await;
        let set = async |is_bound: bool| {
            let body = json!({ "certificate_bound": is_bound });
            let changed = world.administer("POST", "/local/clients/app/change", &body).await;
            assert_eq!(changed.body["certificate_bound"], is_bound, "{}", changed.body);
        };
        assert_eq!(ask(without).await.status, StatusCode::OK);
        set(true).await;
        assert_eq!(told(&ask(without).await), "400 invalid_request");
        let code = approved(world, showing, "app", &alice).await;
        let tokens = redeem(world, showing, "app", &code).await;
        let cnf = json!({ "x5t#S256": thumbprint("self") });
        assert_eq!(claims(&tokens.text("access_token"))["cnf"], cnf);
        let events = world.events("client.changed").await;
        assert_eq!(events[0]["detail"]["certificate_bound"], true);
        assert_eq!(events[0]["detail"]["requests.voided"], 1);

        set(false).await;
        assert_eq!(ask(without).await.status, StatusCode::OK);
        let token = tokens.text("refresh_token");
        assert_eq!(
            told(&refresh(world, without, "app", &token).await),
            "400 invalid_request"
        );
        assert_eq!(refresh(world, showing, "app", &token).await.status, StatusCode::OK);
    });
}

/// `waypass check`, of a server that can see no certificate, and of one that can.
#[test]
fn a_check_names_the_clients_that_cannot_show_their_certificate() {
    on_both(async |world| {
        svc(world).await;
        public(world).await;
        service(world, "other", json!({ "public": true })).await;
        let told = check::clients(&world.app.config)
            .await
            .into_iter()
            .map(|(_, text)| text);
        let told: Vec<String> = told.filter(|text| text.contains("certificate")).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter()
                .any(|text| text.starts_with("client svc has to show a certificate and cannot"))
        );
        let mut client = world.app.store.client("svc").await.unwrap().unwrap();
        let others = client
            .registration
            .authentication
            .with_certificates(&["bm90aGluZw==".to_owned()]);
        client.registration.authentication = others.unwrap();
        let told = check::certificate_warnings(&client, true).concat();
        assert!(told.starts_with("client svc cannot authenticate: "), "{told}");
    });
}

/// An instance is known by the thumbprint of its key, so a certificate stands for none.
#[test]
fn p31_a_certificate_is_no_key_where_a_profile_demands_one() {
    on_both(async |world| {
        let mut more = by_name("san_dns", "svc.example.org");
        more["profile"] = json!("standard");
        more["certificate_bound"] = json!(true);
        service(world, "svc", more).await;
        let form = [("client_id", "svc"), ("scope", "read")];
        let refused = Caller::showing(&["svc"])
            .post(world, "/device_authorization", &form)
            .await;
        assert_eq!(told(&refused), "400 invalid_dpop_proof");
    });
}

const PROXIES: &str = "trusted_proxy = [\"192.0.2.0/24\"]\nmtls_proxy = \"192.0.2.9\"\n";

/// RFC 9440 §4: a certificate is no secret, and a header is what anybody writes.
#[test]
fn p30_a_certificate_in_a_header_counts_from_the_proxy_that_is_trusted_with_it_alone() {
    with_settings("mtls-proxy", PROXIES, async |world| {
        svc(world).await;
        let leaf = format!(":{}:", certificate("of_intermediate"));
        let between = format!(":{}:", certificate("intermediate"));
        let whole = [("client-cert", &*leaf), ("client-cert-chain", &*between)];
        let mut table = String::new();
        for (who, from, shows, headers) in [
            ("the proxy", "192.0.2.9", &[][..], &whole[..]),
            ("the proxy, without the chain", "192.0.2.9", &[], &whole[..1]),
            ("the proxy, the chain alone", "192.0.2.9", &[], &whole[1..]),
            ("the proxy, two leaves", "192.0.2.9", &[], &[whole[0], whole[0]]),
            ("the proxy, no header, its own certificate", "192.0.2.9", &["svc"], &[]),
            ("another proxy, which passes it on", "192.0.2.1", &[], &whole),
            ("another proxy, its own certificate", "192.0.2.1", &["svc"], &[]),
            ("anybody", "198.51.100.1", &[], &whole),
            ("anybody, over a certificate", "198.51.100.1", &["svc"], &whole),
            ("anybody, under another's", "198.51.100.1", &["other"], &whole),
        ] {
            let mut request =
                Request::post("/device_authorization").header("content-type", "application/x-www-form-urlencoded");
            for (name, value) in headers {
                request = request.header(HeaderName::from_static(name), *value);
            }
            let mut request = request.body(Body::from("client_id=svc&scope=read")).unwrap();
            request
                .extensions_mut()
                .insert(Peer(format!("{from}:1").parse().unwrap()));
            let answer = Caller::showing(shows).send(world, request).await;
            table += &format!("{who}: {}\n", told(&answer));
        }
        expect![[r#"
            the proxy: 200 none
            the proxy, without the chain: 401 invalid_client
            the proxy, the chain alone: 400 invalid_request
            the proxy, two leaves: 400 invalid_request
            the proxy, no header, its own certificate: 401 invalid_client
            another proxy, which passes it on: 401 invalid_client
            another proxy, its own certificate: 401 invalid_client
            anybody: 401 invalid_client
            anybody, over a certificate: 200 none
            anybody, under another's: 401 invalid_client
        "#]]
        .assert_eq(&table);
    });
}

#[test]
fn p32_metadata_says_what_there_is_for_certificates_and_where() {
    let document = |more: ServeArgs| {
        let args = ServeArgs {
            data: Some("d".to_owned()),
            ..more
        };
        metadata::document(&Config::load(&args).ok().unwrap())
    };
    let plain = document(ServeArgs::default()).to_string();
    assert!(!plain.contains("tls_client"), "{plain}");
    let some = |text: &str| Some(text.to_owned());
    let tls = ServeArgs {
        issuer: some("https://as.example/base"),
        tls_certificate: some("c"),
        tls_key: some("k"),
        ..ServeArgs::default()
    };
    let one = document(tls.clone());
    assert_eq!(one["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(one.get("mtls_endpoint_aliases"), None);
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = one[format!("{endpoint}_endpoint_auth_methods_supported")].to_string();
        assert!(
            methods.contains(r#""tls_client_auth","self_signed_tls_client_auth""#),
            "{methods}"
        );
    }
    let two = document(ServeArgs {
        mtls_listen: some("0.0.0.0:8443"),
        ..tls.clone()
    });
    expect![[r#"
        {
          "backchannel_authentication_endpoint": "https://as.example:8443/base/backchannel_authentication",
          "token_endpoint": "https://as.example:8443/base/token",
          "device_authorization_endpoint": "https://as.example:8443/base/device_authorization",
          "revocation_endpoint": "https://as.example:8443/base/revoke",
          "introspection_endpoint": "https://as.example:8443/base/introspect",
          "userinfo_endpoint": "https://as.example:8443/base/userinfo",
          "waypass_enrollment_endpoint": "https://as.example:8443/base/enrollment"
        }"#]]
    .assert_eq(&format!("{:#}", two["mtls_endpoint_aliases"]));
    let named = document(ServeArgs {
        mtls_proxy: vec!["192.0.2.9".to_owned()],
        mtls_origin: some("https://mtls.example"),
        ..tls
    });
    assert_eq!(
        named["mtls_endpoint_aliases"]["device_authorization_endpoint"],
        "https://mtls.example/base/device_authorization"
    );
}

#[test]
fn p32_a_proof_may_name_an_endpoint_by_its_alias() {
    let settings = "mtls_proxy = \"192.0.2.9\"\nmtls_origin = \"https://mtls.example\"\n";
    with_settings("mtls-alias", settings, async |world| {
        world.cli().await;
        let key = Key::new();
        let now = world.app.now();
        let proof = |origin: &str| {
            let htu = format!("{origin}/device_authorization");
            key.proof_of(&json!({ "jti": origin, "htm": "POST", "htu": htu, "iat": now.seconds() }))
        };
        let form = [("client_id", "cli"), ("scope", "read")];
        for (origin, status) in [
            ("http://localhost:8628", 200),
            ("https://mtls.example", 200),
            ("https://evil.example", 400),
        ] {
            let answer = world
                .post_with("/device_authorization", &form, Some(&proof(origin)))
                .await;
            assert_eq!(answer.status.as_u16(), status, "{origin}");
        }
    });
}

#[test]
fn p32_connections_are_asked_for_certificates_while_a_client_shows_one() {
    on_both(async |world| {
        let asks = world.app.clients.asks_for_certificates();
        let asks = || asks.load(std::sync::atomic::Ordering::Relaxed);
        assert!(!asks());
        svc(world).await;
        assert!(asks());
        world
            .administer("POST", "/local/clients/svc/disable", &Value::Null)
            .await;
        assert!(!asks());
    });
}
