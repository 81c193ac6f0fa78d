//! `openid-client` over mutual TLS: a library that knows RFC 8705 finds the aliases by itself.

use serde_json::{Value, json};

use super::javascript::run;
use crate::certificates::{key, pem, x5t};
use crate::database::Database;
use crate::keys::claims;
use crate::server::{Setup, tls_authority};
use crate::tools;
use crate::world::{SCOPES, alone_with};

#[test]
fn p30_p31_p33_openid_client_with_a_certificate() {
    let Some(node) = tools::node() else { return };
    alone_with(Database::Sqlite, &Setup::with_certificates(), async |world| {
        let ca = world.file(&pem("authority"));
        let flags = [
            "--tls-client-auth",
            "--ca-file",
            &ca,
            "--subject-dn",
            "CN=svc,O=Acme,C=CH",
        ];
        let more = ["--certificate-bound", "--profile", "open", "--scope", SCOPES];
        let client = world.client(&[&flags[..], &more[..]].concat()).await;
        let identity = |name: &str| json!({ "cert": pem(name), "key": key(name) });
        let setting = json!({
            "issuer": world.server.issuer, "client_id": client, "scope": SCOPES, "ca": tls_authority(),
            "own": identity("svc"), "other": identity("other"), "renewed": identity("renewed"),
        });
        let outcome: Value = run(&node, "mtls.mjs", &setting, async |started: &Value| {
            world.approve(started["user_code"].as_str().unwrap()).await;
        })
        .await;
        let cnf = |name: &str| claims(outcome[name].as_str().unwrap())["cnf"]["x5t#S256"].clone();
        assert_eq!(
            (cnf("access_token"), cnf("refreshed")),
            (x5t("svc").into(), x5t("renewed").into())
        );
        assert_eq!(
            (&outcome["stolen"], &outcome["impostor"]),
            (&json!("invalid_token"), &json!(401))
        );
        assert_eq!(outcome["person"]["sub"], outcome["again"]["sub"]);
    });
}
