//! What a device grant gives opens no way to more (Storm-2372: tokens that were phished registered devices).

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use super::super::world::{Key, World, on_both};
use super::{ask, standard, tokens};

/// With a token where a credential could stand, and a proof by the key that the token is bound to.
async fn presented(world: &World, path: &str, body: (&str, String), (token, key): (&str, &Key)) -> StatusCode {
    let nonce = world.app.derived.nonces.issue(world.app.now());
    let (kind, body) = body;
    for scheme in ["DPoP", "Bearer"] {
        let request = Request::post(path)
            .header("content-type", kind)
            .header("authorization", format!("{scheme} {token}"))
            .header("cookie", format!("waypass-8628={token}"))
            .header("dpop", key.proof(path, world.app.now(), Some(&nonce)))
            .body(Body::from(body.clone()))
            .unwrap();
        let status = world.send(request).await.status;
        assert!(!status.is_success(), "{path} with {scheme}: {status}");
    }
    StatusCode::OK
}

#[test]
fn a_token_of_a_device_grant_enrolls_nothing_adds_nobody_and_administers_nothing() {
    on_both(async |world| {
        let (alice, passkey) = standard(world, "alice").await;
        let key = world.enrolled("cli", "alice").await;
        let granted = tokens(&alice, &passkey, &key).await;
        let waiting = ask(world, "cli", &key).await;
        let before = state(world).await;

        let form = "application/x-www-form-urlencoded";
        let json_type = "application/json";
        let stranger = Key::new();
        for token in [
            granted.text("access_token"),
            granted.text("refresh_token"),
            waiting.text("device_code"),
        ] {
            let enroll = json!({ "enrollment_token": token }).to_string();
            let user_code = json!({ "user_code": waiting.text("user_code") }).to_string();
            let grants = "/account/grants/x/revoke";
            for (path, body) in [
                ("/approver/enroll", (json_type, enroll.clone())),
                ("/approver/view", (json_type, user_code)),
                ("/enroll/start", (json_type, enroll)),
                (
                    "/account/passkeys/start",
                    (json_type, json!({ "csrf": token }).to_string()),
                ),
                (grants, (form, format!("csrf={token}"))),
                ("/device", (form, format!("csrf={token}&user_code={token}"))),
                (
                    "/local/approvers",
                    (json_type, json!({ "name": "mallory" }).to_string()),
                ),
                ("/local/instances", (json_type, "{}".to_owned())),
            ] {
                presented(world, path, body, (&token, &key)).await;
            }
            // The client's own door, with everything that a thief of the token has.
            let named =
                format!("client_id=cli&name=Mine&workload_token={token}&jwt_svid={token}&client_secret={token}");
            presented(world, "/enrollment", (form, named), (&token, &stranger)).await;
            let code = format!("client_id=cli&device_code={token}");
            presented(world, "/enrollment/finish", (form, code), (&token, &stranger)).await;
            let proof = format!("client_id=cli&new_key_proof={token}");
            presented(world, "/instance/rotate", (form, proof), (&token, &stranger)).await;
        }
        assert_eq!(state(world).await, before);
    });
}

/// Everything that could have been added.
async fn state(world: &World) -> String {
    let mut all = String::new();
    for path in [
        "/local/approvers",
        "/local/instances",
        "/local/clients",
        "/local/grants",
    ] {
        let answer = world.administer("GET", path, &json!({})).await;
        all += &answer.body.to_string();
    }
    all
}
