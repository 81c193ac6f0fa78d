//! Tokens in the eyes of a resource server: npm `jose` and PyPI `PyJWT`, keys from the JWKS document.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::run;
use crate::tools;
use crate::world::{SCOPES, World};

on_both!(jose_verifies_every_algorithm, pyjwt_verifies_every_algorithm);

async fn jose_verifies_every_algorithm(world: &World) {
    let Some(node) = tools::node() else { return };
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        for setting in settings(world, algorithm).await {
            let program = tools::foreign().join("jose_verify.mjs");
            let ran = run(Command::new(&node).arg(program).arg(setting.to_string())).await;
            check(&ran.expect_code(0).json(), algorithm, &setting);
        }
    }
}

async fn pyjwt_verifies_every_algorithm(world: &World) {
    let Some(python) = tools::python() else { return };
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let [access_token, _] = settings(world, algorithm).await;
        let program = tools::foreign().join("pyjwt_verify.py");
        let ran = run(Command::new(&python).arg(program).arg(access_token.to_string())).await;
        check(&ran.expect_code(0).json(), algorithm, &access_token);
    }
}

/// What a verifier is told: for an access token, and for an ID token.
async fn settings(world: &World, algorithm: &str) -> [Value; 2] {
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        SCOPES,
        "--signing-alg",
        algorithm,
    ];
    let client = world.client(&flags).await;
    let tokens = world.tokens(&client, &[("scope", SCOPES)]).await;
    let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
    let issuer = &metadata["issuer"];
    let of = |token: &Value, audience: &Value, typ: &str| json!({"issuer": issuer, "jwks_uri": metadata["jwks_uri"], "audience": audience, "token": token, "typ": typ});
    [
        of(&tokens["access_token"], issuer, "at+jwt"),
        of(&tokens["id_token"], &json!(client), "JWT"),
    ]
}

fn check(verified: &Value, algorithm: &str, setting: &Value) {
    assert_eq!(verified["header"]["alg"], algorithm);
    assert_eq!(verified["claims"]["iss"], setting["issuer"]);
}
