//! RFC 9700 and RFC 10070: rotation, audiences, client authentication by assertion; RFC 6749 §10.12, §10.13.

use serde_json::{Value, json};

use crate::chance;
use crate::http::Answer;
use crate::keys::{Key, claims};
use crate::world::{DEVICE_CODE, SCOPES, World, started};

on_both!(
    b08_no_page_can_be_framed_and_no_decision_can_come_from_elsewhere,
    s02_a_reused_refresh_token_ends_the_family,
    s03_a_refresh_stays_within_what_was_consented,
    s04_the_audience_is_one_resource,
    s05_password_and_implicit_grants_do_not_exist,
    s06_a_client_may_prove_itself_by_a_key,
    s07_a_subject_is_never_a_client,
    s08_every_page_forbids_framing_errors_included,
    s10_the_issuer_is_the_only_audience_of_an_assertion,
    s10_a_legacy_client_may_name_the_token_endpoint,
    s10_an_assertion_serves_once_on_either_endpoint,
);

const ASSERTION: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

async fn s02_a_reused_refresh_token_ends_the_family(world: &World) {
    let client = world.stock_client().await;
    let first = world.tokens(&client, &[("scope", SCOPES)]).await;
    let second = world.refresh(&client, &first).await.expect(200).json();
    let third = world.refresh(&client, &second).await.expect(200).json();
    world.refresh(&client, &first).await.refused("invalid_grant");
    world.refresh(&client, &third).await.refused("invalid_grant");
    for tokens in [&first, &second, &third] {
        assert!(!world.is_active(&tokens["access_token"]).await);
    }
}

async fn s03_a_refresh_stays_within_what_was_consented(world: &World) {
    let (here, there) = ("https://here.example/api", "https://there.example/api");
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        SCOPES,
        "--resource",
        here,
        "--resource",
        there,
    ];
    let client = world.client(&flags).await;
    let tokens = world
        .tokens(&client, &[("scope", "read offline_access"), ("resource", here)])
        .await;
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["aud"], here);
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let elsewhere = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", client.as_str()),
        ("resource", there),
    ];
    world.post("/token", &elsewhere).await.refused("invalid_target");
    let refreshed = world.refresh(&client, &tokens).await.expect(200).json();
    assert_eq!(claims(refreshed["access_token"].as_str().unwrap())["aud"], here);
}

async fn s04_the_audience_is_one_resource(world: &World) {
    let tokens = world.tokens(&world.stock_client().await, &[("scope", "read")]).await;
    assert_eq!(
        claims(tokens["access_token"].as_str().unwrap())["aud"],
        json!(world.server.issuer)
    );
}

async fn s05_password_and_implicit_grants_do_not_exist(world: &World) {
    let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(!grants.contains(&json!("password")) && !grants.contains(&json!("implicit")));
    let client = world.stock_client().await;
    let pairs = [
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", "correct-horse"),
        ("client_id", &client),
    ];
    world.post("/token", &pairs).await.refused("unsupported_grant_type");
}

async fn s06_a_client_may_prove_itself_by_a_key(world: &World) {
    let (client, key) = key_client(world, &[]).await;
    let begun = asserted(
        world,
        &client,
        &key.assertion(&client, &json!(world.server.issuer), &Value::Null),
    )
    .await;
    let begun = started(&client, &begun.expect(200));
    world.approve(&begun.user_code).await;
    world.poll(&begun).await.refused("invalid_client");
    let assertion = key.assertion(&client, &json!([world.server.issuer]), &Value::Null);
    let pairs = [
        ("grant_type", DEVICE_CODE),
        ("device_code", &begun.device_code),
        ASSERTION,
        ("client_assertion", &assertion),
    ];
    world.post("/token", &pairs).await.expect(200);
}

async fn s07_a_subject_is_never_a_client(world: &World) {
    let client = world.stock_client().await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let subject = claims(tokens["access_token"].as_str().unwrap())["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(subject, client);
    // Whoever registers clients cannot take a person's identifier.
    let taken = world
        .local(&["client", "add", &subject, "--public", "--scope", "read"])
        .await;
    assert_ne!(taken.code, 0, "a client took the identifier of a person");
}

async fn s08_every_page_forbids_framing_errors_included(world: &World) {
    for path in [
        "/device",
        "/sign-in",
        "/enroll",
        "/account",
        "/authorize",
        "/device/unknown",
        "/device?user_code=BBBB-BBBB",
    ] {
        let answer = world.get(path).await;
        let policy = answer
            .header("content-security-policy")
            .unwrap_or_else(|| panic!("{path}: {answer:?}"));
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

async fn b08_no_page_can_be_framed_and_no_decision_can_come_from_elsewhere(world: &World) {
    let begun = world.start(&world.stock_client().await, &[]).await;
    let view = world
        .approver()
        .await
        .view(&world.server, &begun.user_code)
        .await
        .expect(200)
        .json();
    let path = format!("/device/{}", view["request_id"].as_str().unwrap());
    for headers in [
        &[][..],
        &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")][..],
        &[("Origin", "null")][..],
    ] {
        for target in ["/device", &path] {
            let pairs = [
                ("user_code", begun.user_code.as_str()),
                ("decision", "approve"),
                ("csrf", "forged"),
            ];
            let answer = world.post_with(target, &pairs, headers).await;
            assert!((300..500).contains(&answer.status), "{target}: {answer:?}");
        }
    }
    world.poll(&begun).await.refused("authorization_pending");
}

async fn s10_the_issuer_is_the_only_audience_of_an_assertion(world: &World) {
    let (client, key) = key_client(world, &[]).await;
    let issuer = world.server.issuer.as_str();
    let now = chance::now();
    for (audience, extra, good) in [
        (json!(issuer), json!({}), true),
        (json!([issuer]), json!({}), true),
        (json!(world.htu("/token")), json!({}), false),
        (json!(world.htu("/device_authorization")), json!({}), false),
        (json!([issuer, "https://other.example"]), json!({}), false),
        (json!(format!("{issuer}/")), json!({}), false),
        (json!([]), json!({}), false),
        (json!(issuer), json!({"aud": null}), false),
        (json!(issuer), json!({"exp": now - 120}), false),
        (json!(issuer), json!({"exp": now + 3600}), false),
        (json!(issuer), json!({"exp": null}), false),
        (json!(issuer), json!({"jti": null}), false),
        (json!(issuer), json!({"sub": "somebody-else"}), false),
        (json!(issuer), json!({"iss": "somebody-else"}), false),
        (json!(issuer), json!({"nbf": now + 600}), false),
    ] {
        let answer = asserted(world, &client, &key.assertion(&client, &audience, &extra)).await;
        assert_eq!(answer.status == 200, good, "{audience} {extra}: {answer:?}");
        if !good {
            answer.refused("invalid_client");
        }
    }
    let stranger = Key::new().assertion(&client, &json!(issuer), &Value::Null);
    asserted(world, &client, &stranger).await.refused("invalid_client");
    let claims = json!({"iss": client, "sub": client, "aud": issuer, "jti": "1", "iat": now, "exp": now + 60});
    let unsigned = key.jwt(&json!({"alg": "none"}), &claims);
    let unsigned = unsigned.rsplit_once('.').unwrap().0.to_owned() + ".";
    asserted(world, &client, &unsigned).await.refused("invalid_client");
}

async fn s10_a_legacy_client_may_name_the_token_endpoint(world: &World) {
    let (client, key) = key_client(world, &["--assertion-audience", "legacy"]).await;
    for audience in [json!(world.server.issuer), json!(world.htu("/token"))] {
        asserted(world, &client, &key.assertion(&client, &audience, &Value::Null))
            .await
            .expect(200);
    }
    let elsewhere = key.assertion(&client, &json!("https://other.example/token"), &Value::Null);
    asserted(world, &client, &elsewhere).await.refused("invalid_client");
}

async fn s10_an_assertion_serves_once_on_either_endpoint(world: &World) {
    let (client, key) = key_client(world, &[]).await;
    let assertion = key.assertion(&client, &json!(world.server.issuer), &Value::Null);
    asserted(world, &client, &assertion).await.expect(200);
    asserted(world, &client, &assertion).await.refused("invalid_client");
    let pairs = [("token", "unknown"), ASSERTION, ("client_assertion", &assertion)];
    world.post("/revoke", &pairs).await.refused("invalid_client");
}

/// A client with a key, as `client add svc --jwks-file F` makes one.
async fn key_client(world: &World, flags: &[&str]) -> (String, Key) {
    let key = Key::new();
    let file = world.file(&key.jwks().to_string());
    let mut all = vec!["--jwks-file", &file, "--profile", "open", "--scope", SCOPES];
    all.extend(flags);
    (world.client(&all).await, key)
}

async fn asserted(world: &World, client: &str, assertion: &str) -> Answer {
    let pairs = [("client_id", client), ASSERTION, ("client_assertion", assertion)];
    world.post("/device_authorization", &pairs).await
}
