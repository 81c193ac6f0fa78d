//! RFC 6749 §2.3, §3.2, §5, §6, §10; RFC 8414; RFC 7009; RFC 7662.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::database::Database;
use crate::http::{Answer, CLIENT, basic};
use crate::keys::claims;
use crate::server::Setup;
use crate::world::{DEVICE_CODE, SCOPES, World, alone_with};

on_both!(
    b01_the_token_endpoint_takes_posted_forms_without_repeats,
    b02_two_ways_of_client_authentication_are_refused,
    b03_tokens_are_uncached_and_say_their_scope_and_lifetime,
    b04_every_error_has_its_code_and_status,
    b05_what_is_sent_never_comes_back_in_an_error,
    b06_refresh_is_bound_to_the_client_and_never_widens,
    b07_refresh_tokens_are_long_recognisable_and_never_repeat,
    b09_metadata_has_what_rfc_8414_requires,
    b11_metadata_is_what_the_endpoints_do,
    b12_revocation_ends_the_grant_whatever_the_hint,
    b13_an_unknown_token_is_revoked_already,
    b14_introspection_is_for_registered_resource_servers,
    b15_what_is_not_active_says_nothing_else,
    b16_introspection_says_what_the_token_says,
);

async fn b01_the_token_endpoint_takes_posted_forms_without_repeats(world: &World) {
    for path in ["/token", "/revoke", "/introspect", "/device_authorization"] {
        let answer = Answer::to(CLIENT.get(world.url(path))).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{path}");
        let json = [("Content-Type", "application/json")];
        let answer = world.post_raw(path, "{}".to_owned(), &json).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        let repeated = [("client_id", "a"), ("client_id", "a")];
        world.post(path, &repeated).await.refused("invalid_request");
    }
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", &client),
        ("scope", ""),
        ("resource", ""),
        ("unknown", "1"),
    ];
    world.post("/token", &pairs).await.expect(200);
}

async fn b02_two_ways_of_client_authentication_are_refused(world: &World) {
    let (client, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    let authorization = basic(&client, &secret);
    let headers = [("Authorization", authorization.as_str())];
    let assertion = (
        "client_assertion_type",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    );
    for pairs in [
        &[("client_id", client.as_str()), ("client_secret", &secret)][..],
        &[assertion, ("client_assertion", "a.b.c")][..],
    ] {
        world
            .post_with("/device_authorization", pairs, &headers)
            .await
            .refused("invalid_request");
    }
    let both = [
        ("client_id", client.as_str()),
        ("client_secret", &secret),
        assertion,
        ("client_assertion", "a.b.c"),
    ];
    world
        .post("/device_authorization", &both)
        .await
        .refused("invalid_request");
}

async fn b03_tokens_are_uncached_and_say_their_scope_and_lifetime(world: &World) {
    let client = world.stock_client().await;
    let started = world.start(&client, &[("scope", "read offline_access")]).await;
    world.approve(&started.user_code).await;
    let answer = world.poll(&started).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let tokens = answer.json();
    assert_eq!(
        (tokens["expires_in"].as_i64(), tokens["token_type"].as_str()),
        (Some(600), Some("Bearer"))
    );
    let scopes: HashSet<&str> = tokens["scope"].as_str().unwrap().split(' ').collect();
    assert_eq!(scopes, HashSet::from(["read", "offline_access"]));
    assert!(tokens["id_token"].is_null(), "no openid, no ID token");
    let plain = world.tokens(&client, &[("scope", "read")]).await;
    assert!(plain["refresh_token"].is_null(), "no offline_access, no refresh token");
}

async fn b04_every_error_has_its_code_and_status(world: &World) {
    let client = world.stock_client().await;
    let id = ("client_id", client.as_str());
    for (path, pairs, error, status) in [
        (
            "/device_authorization",
            vec![("client_id", "nobody")],
            "invalid_client",
            401,
        ),
        (
            "/device_authorization",
            vec![id, ("scope", "admin")],
            "invalid_scope",
            400,
        ),
        (
            "/device_authorization",
            vec![id, ("scope", "re\"ad")],
            "invalid_scope",
            400,
        ),
        (
            "/device_authorization",
            vec![id, ("resource", "nowhere")],
            "invalid_target",
            400,
        ),
        ("/token", vec![id], "invalid_request", 400),
        (
            "/token",
            vec![id, ("grant_type", "refresh_token")],
            "invalid_request",
            400,
        ),
        (
            "/token",
            vec![id, ("grant_type", "refresh_token"), ("refresh_token", "x")],
            "invalid_grant",
            400,
        ),
        (
            "/token",
            vec![id, ("grant_type", "authorization_code"), ("code", "x")],
            "unsupported_grant_type",
            400,
        ),
        ("/revoke", vec![id], "invalid_request", 400),
    ] {
        let answer = world.post(path, &pairs).await;
        assert_eq!(
            (answer.error().as_str(), answer.status),
            (error, status),
            "{path} {pairs:?}"
        );
        answer.refused(error);
    }
    let authorization = basic("nobody", "some-secret");
    let headers = [("Authorization", authorization.as_str())];
    let answer = world
        .post_with("/token", &[("grant_type", DEVICE_CODE), ("device_code", "x")], &headers)
        .await;
    assert!(answer.challenges().starts_with("Basic"), "{answer:?}");
    answer.refused("invalid_client");
}

async fn b05_what_is_sent_never_comes_back_in_an_error(world: &World) {
    let client = world.stock_client().await;
    for hostile in [
        "\"quoted\"",
        "back\\slash",
        "n\u{e4}ch",
        "line\r\nX-Evil: 1",
        "<script>",
        "\u{202e}",
        "\0",
        "\u{1b}[31m",
    ] {
        for pairs in [
            [("client_id", hostile), ("scope", "read")],
            [("client_id", client.as_str()), ("scope", hostile)],
            [("client_id", client.as_str()), ("resource", hostile)],
        ] {
            let answer = world.post("/device_authorization", &pairs).await;
            answer.refused(&answer.error());
            assert!(!answer.body.contains(hostile), "{answer:?}");
            assert!(answer.header("x-evil").is_none());
        }
        let pairs = [
            ("grant_type", hostile),
            ("client_id", &client),
            ("device_code", hostile),
        ];
        let answer = world.post("/token", &pairs).await;
        answer.refused(&answer.error());
        assert!(!answer.body.contains(hostile), "{answer:?}");
    }
}

async fn b06_refresh_is_bound_to_the_client_and_never_widens(world: &World) {
    let (client, other) = (world.stock_client().await, world.stock_client().await);
    let tokens = world.tokens(&client, &[("scope", "offline_access read")]).await;
    world.refresh(&other, &tokens).await.refused("invalid_grant");
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let wider = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", client.as_str()),
        ("scope", "offline_access read profile"),
    ];
    world.post("/token", &wider).await.refused("invalid_scope");
    let refreshed = world.refresh(&client, &tokens).await.expect(200).json();
    assert_ne!(refreshed["refresh_token"], tokens["refresh_token"]);
    assert_eq!(claims(refreshed["access_token"].as_str().unwrap())["client_id"], client);
}

async fn b07_refresh_tokens_are_long_recognisable_and_never_repeat(world: &World) {
    let client = world.stock_client().await;
    let mut seen = HashSet::new();
    let mut tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    for _ in 0..8 {
        let token = tokens["refresh_token"].as_str().unwrap().to_owned();
        assert!(token.starts_with("wpr_") && token.len() >= 4 + 27, "{token}");
        assert!(seen.insert(token));
        let jti = claims(tokens["access_token"].as_str().unwrap())["jti"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(seen.insert(jti));
        tokens = world.refresh(&client, &tokens).await.expect(200).json();
    }
}

async fn b09_metadata_has_what_rfc_8414_requires(world: &World) {
    let answer = world.get("/.well-known/oauth-authorization-server").await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    let metadata = answer.json();
    assert_eq!(
        metadata["issuer"].as_str(),
        Some(world.server.issuer.as_str()),
        "exactly as configured"
    );
    assert_eq!(metadata["response_types_supported"], json!(["none"]));
    for (name, value) in metadata.as_object().unwrap() {
        assert_ne!(*value, json!([]), "RFC 8414 §3.2: {name} must be left out when empty");
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            assert!(
                value.as_str().unwrap().starts_with(&world.server.issuer),
                "{name}: {value}"
            );
        }
    }
}

#[test]
fn b10_the_well_known_part_is_inserted_before_an_issuers_path() {
    alone_with(Database::Sqlite, &Setup::behind_proxy(), async |world: &World| {
        let origin = format!("http://localhost:{}", world.server.port);
        for path in [
            "/.well-known/oauth-authorization-server/as",
            "/.well-known/openid-configuration/as",
            "/as/.well-known/openid-configuration",
            "/as/.well-known/oauth-authorization-server",
        ] {
            let metadata = Answer::to(CLIENT.get(format!("{origin}{path}")))
                .await
                .expect(200)
                .json();
            assert_eq!(metadata["issuer"], "https://localhost:8443/as", "{path}");
            assert_eq!(metadata["token_endpoint"], "https://localhost:8443/as/token", "{path}");
        }
        for path in [
            "/token",
            "/device_authorization",
            "/.well-known/oauth-authorization-server",
        ] {
            assert_eq!(
                Answer::to(CLIENT.get(format!("{origin}{path}"))).await.status,
                404,
                "{path}"
            );
        }
        let tokens = world.tokens(&world.stock_client().await, &[("scope", SCOPES)]).await;
        assert_eq!(
            claims(tokens["access_token"].as_str().unwrap())["iss"],
            "https://localhost:8443/as"
        );
    });
}

async fn b11_metadata_is_what_the_endpoints_do(world: &World) {
    let oauth = world
        .get("/.well-known/oauth-authorization-server")
        .await
        .expect(200)
        .json();
    let openid = world.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(oauth["issuer"], openid["issuer"]);
    for (name, path) in [
        ("token_endpoint", "/token"),
        ("revocation_endpoint", "/revoke"),
        ("introspection_endpoint", "/introspect"),
        ("jwks_uri", "/jwks.json"),
    ] {
        assert_eq!(oauth[name], world.htu(path));
        assert_eq!(openid[name], world.htu(path));
    }
    for name in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        let methods = oauth[format!("{name}_auth_methods_supported")].as_array().unwrap();
        for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
            assert!(methods.contains(&json!(method)), "{name}: {methods:?}");
        }
        assert_eq!(
            methods.contains(&json!("none")),
            name != "introspection_endpoint",
            "{name}: {methods:?}"
        );
    }
    assert!(
        openid["id_token_signing_alg_values_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("RS256"))
    );
    for name in ["authorization_endpoint", "userinfo_endpoint", "subject_types_supported"] {
        assert!(!openid[name].is_null(), "OpenID clients insist on {name}");
    }
    let page = world.get("/authorize").await;
    assert!(
        page.header("content-type").unwrap().starts_with("text/html"),
        "{page:?}"
    );
    assert!(oauth["waypass_device_authorization_parameters_supported"].is_array());
}

async fn b12_revocation_ends_the_grant_whatever_the_hint(world: &World) {
    let (client, other) = (world.stock_client().await, world.stock_client().await);
    for (which, hint) in [
        ("refresh_token", "access_token"),
        ("refresh_token", "refresh_token"),
        ("refresh_token", "nonsense"),
        ("refresh_token", ""),
    ] {
        let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
        let token = tokens[which].as_str().unwrap();
        let foreign = [("token", token), ("client_id", other.as_str())];
        let answer = world.post("/revoke", &foreign).await;
        assert!(
            world.is_active(&tokens["access_token"]).await,
            "another client's revocation worked: {answer:?}"
        );
        let pairs = [
            ("token", token),
            ("token_type_hint", hint),
            ("client_id", client.as_str()),
        ];
        world.post("/revoke", &pairs).await.expect(200);
        assert!(
            !world.is_active(&tokens["access_token"]).await,
            "{which} with hint {hint:?}"
        );
        world.refresh(&client, &tokens).await.refused("invalid_grant");
    }
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let pairs = [
        ("token", tokens["access_token"].as_str().unwrap()),
        ("client_id", client.as_str()),
    ];
    world.post("/revoke", &pairs).await.expect(200);
    assert!(!world.is_active(&tokens["access_token"]).await);
}

async fn b13_an_unknown_token_is_revoked_already(world: &World) {
    let client = world.stock_client().await;
    for token in ["unknown", "wpr_short", "a.b.c", "\u{1F511}", &"x".repeat(5000)] {
        world
            .post("/revoke", &[("token", token), ("client_id", client.as_str())])
            .await
            .expect(200);
    }
}

async fn b14_introspection_is_for_registered_resource_servers(world: &World) {
    let tokens = world.tokens(&world.stock_client().await, &[("scope", SCOPES)]).await;
    let token = ("token", tokens["access_token"].as_str().unwrap());
    let none = world.post("/introspect", &[token]).await;
    assert_eq!(none.status, 401, "{none:?}");
    let public = world.stock_client().await;
    let answer = world.post("/introspect", &[token, ("client_id", &public)]).await;
    assert!(
        (400..500).contains(&answer.status) && !answer.body.contains("active"),
        "{answer:?}"
    );
    let (id, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    let authorization = basic(&id, &secret);
    let headers = [("Authorization", authorization.as_str())];
    let answer = world.post_with("/introspect", &[token], &headers).await;
    answer.refused("unauthorized_client");
}

async fn b15_what_is_not_active_says_nothing_else(world: &World) {
    let only = json!({"active": false});
    let tokens = world.tokens(&world.stock_client().await, &[("scope", SCOPES)]).await;
    let access_token = tokens["access_token"].as_str().unwrap();
    let cut = access_token.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    for token in [
        "unknown",
        "a.b.c",
        &cut,
        &"x".repeat(5000),
        tokens["id_token"].as_str().unwrap(),
    ] {
        assert_eq!(world.introspect(token).await, only);
    }
    let elsewhere = world
        .secret_client(&[
            "--introspect",
            "--resource",
            "https://elsewhere.example/api",
            "--scope",
            "elsewhere",
        ])
        .await;
    let authorization = basic(&elsewhere.0, &elsewhere.1);
    let headers = [("Authorization", authorization.as_str())];
    let answer = world
        .post_with("/introspect", &[("token", access_token)], &headers)
        .await
        .expect(200);
    assert_eq!(answer.json(), only, "a token for somebody else");
}

async fn b16_introspection_says_what_the_token_says(world: &World) {
    let tokens = world.tokens(&world.stock_client().await, &[("scope", SCOPES)]).await;
    let token = tokens["access_token"].as_str().unwrap();
    let mut introspected = world.introspect(token).await;
    assert_eq!(introspected["active"], true);
    assert_eq!(introspected["token_type"], "Bearer");
    let claims = claims(token);
    for name in [
        "iss",
        "sub",
        "aud",
        "client_id",
        "iat",
        "exp",
        "jti",
        "scope",
        "acr",
        "auth_time",
    ] {
        assert!(!claims[name].is_null(), "{name} is missing: {claims}");
        assert_eq!(introspected[name], claims[name], "{name}");
        introspected[name] = Value::Null;
    }
}
