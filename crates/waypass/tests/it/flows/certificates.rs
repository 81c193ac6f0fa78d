//! Mutual TLS with the built binary: real handshakes, real certificates, a second listener, and a proxy's header.
//! RFC 8705, RFC 9440. What each certificate comes to is in `server/src/tests/certificates.rs`.

use serde_json::json;

use crate::certificates::{header, key, pem, x5t};
use crate::database::Database;
use crate::http::{Answer, form};
use crate::keys::claims;
use crate::server::{Setup, tls_roots};
use crate::world::{DEVICE_CODE, SCOPES, World, alone_with};

/// A program whose connections show this certificate when they are asked.
pub fn program(name: Option<&str>) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only(tls_roots());
    let builder = match name {
        Some(name) => builder.identity(reqwest::Identity::from_pem((pem(name) + &key(name)).as_bytes()).unwrap()),
        None => builder,
    };
    builder.build().unwrap()
}

pub async fn post(program: &reqwest::Client, url: &str, pairs: &[(&str, &str)]) -> Answer {
    let request = program
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded");
    Answer::to(request.body(form(pairs))).await
}

async fn userinfo(program: &reqwest::Client, url: &str, token: &str) -> Answer {
    Answer::to(program.get(url).bearer_auth(token)).await
}

#[test]
fn p30_to_p33_a_job_with_a_certificate_from_asking_to_renewal() {
    alone_with(Database::Sqlite, &Setup::with_certificates(), async |world| {
        let ca = world.file(&pem("authority"));
        let flags = ["--tls-client-auth", "--ca-file", &ca, "--san-dns", "svc.example.org"];
        let more = ["--certificate-bound", "--profile", "open", "--scope", SCOPES];
        let client = world.client(&[&flags[..], &more[..]].concat()).await;
        let metadata = world.get("/.well-known/oauth-authorization-server").await.json();
        let alias = |name: &str| metadata["mtls_endpoint_aliases"][name].as_str().unwrap().to_owned();
        let [device, token, person] =
            ["device_authorization_endpoint", "token_endpoint", "userinfo_endpoint"].map(alias);

        let own = program(Some("svc"));
        let asking = [("client_id", &*client), ("scope", SCOPES)];
        for impostor in [program(None), program(Some("other")), program(Some("self"))] {
            post(&impostor, &device, &asking).await.refused("invalid_client");
        }
        // The first listener asks nobody for a certificate, and so sees none.
        let plain = metadata["device_authorization_endpoint"].as_str().unwrap();
        post(&own, plain, &asking).await.refused("invalid_client");

        let asked = post(&own, &device, &asking).await.expect(200).json();
        world.approve(asked["user_code"].as_str().unwrap()).await;
        let redeeming = [
            ("grant_type", DEVICE_CODE),
            ("device_code", asked["device_code"].as_str().unwrap()),
            ("client_id", &client),
        ];
        post(&program(Some("renewed")), &token, &redeeming)
            .await
            .refused("invalid_grant");
        let tokens = post(&own, &token, &redeeming).await.expect(200).json();
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(claims(access)["cnf"], json!({ "x5t#S256": x5t("svc") }));
        assert_eq!(world.introspect(access).await["cnf"], json!({ "x5t#S256": x5t("svc") }));
        userinfo(&own, &person, access).await.expect(200);
        userinfo(&program(Some("other")), &person, access)
            .await
            .refused("invalid_token");
        userinfo(&program(None), &person, access).await.refused("invalid_token");

        let renewed = program(Some("renewed"));
        let refreshing = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
            ("client_id", &client),
        ];
        let refreshed = post(&renewed, &token, &refreshing).await.expect(200).json();
        userinfo(&renewed, &person, access).await.refused("invalid_token");
        userinfo(&renewed, &person, refreshed["access_token"].as_str().unwrap())
            .await
            .expect(200);
        // There are no pages: people come to the first listener.
        let page = alias("token_endpoint").replace("/token", "/device");
        assert_eq!(Answer::to(own.get(page)).await.status, 404);
    });
}

#[test]
fn p30_a_certificate_told_by_a_proxy_counts_where_the_proxy_is_named_for_it() {
    const FORM: &str = "client_id=job&scope=read";
    for (named, status) in [(true, 200), (false, 401)] {
        let mut setup = Setup::behind_proxy();
        if named {
            setup.arguments.push("--mtls-proxy=127.0.0.1".to_owned());
        }
        alone_with(Database::Sqlite, &setup, async |world: &World| {
            let file = world.file(&pem("self"));
            let flags = ["--self-signed-cert", &file, "--profile", "open", "--scope", SCOPES];
            let mut arguments = vec!["client", "add", "job"];
            arguments.extend(flags);
            world.local(&arguments).await.expect_code(0);
            let headers = [("Client-Cert", &*header("self"))];
            let answer = world.post_raw("/device_authorization", FORM.to_owned(), &headers).await;
            assert_eq!(answer.status, status, "{answer:?}");
            let bare = world.post_raw("/device_authorization", FORM.to_owned(), &[]).await;
            bare.refused("invalid_client");
        });
    }
}
