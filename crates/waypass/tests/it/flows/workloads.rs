//! A machine that no person enrolls: its platform's own token brings its key in, by an issuer that is asked for
//! its keys (NHI6). The built binary on both sides.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::chance::now;
use crate::keys::Key;
use crate::process::{Ran, run, waypass};
use crate::server::Folder;
use crate::world::{SCOPES, World};

on_both!(nhi6_a_build_comes_in_by_its_platforms_token_and_by_no_other);

const SUBJECT: &str = "repo:org/app:ref:refs/heads/main";

/// An OpenID issuer, as far as anybody asks it.
pub async fn issuer(key: &Key) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string();
    let keys = key.jwks().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = answer(stream, &discovery, &keys).await;
        }
    });
    url
}

async fn answer(mut stream: TcpStream, discovery: &str, keys: &str) -> std::io::Result<()> {
    let mut head = [0; 4096];
    let read = stream.read(&mut head).await?;
    let is_keys = String::from_utf8_lossy(&head[..read]).starts_with("GET /keys");
    let body = if is_keys { keys } else { discovery };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await
}

pub fn token(world: &World, key: &Key, issuer: &str, subject: &str) -> String {
    let now = now();
    let claims = json!({ "iss": issuer, "aud": world.server.issuer, "sub": subject, "iat": now, "exp": now + 300 });
    key.jwt(
        &json!({ "alg": "ES256", "typ": "JWT", "kid": key.jwks()["keys"][0]["kid"] }),
        &claims,
    )
}

/// `waypass enroll` on a machine of its own.
async fn enroll(world: &World, client: &str, token: &str) -> Ran {
    let (home, file) = (Folder::new(), world.file(token));
    let mut command = waypass();
    command
        .env("HOME", home.path())
        .args(["enroll", "--json", "--name", "runner 4"]);
    command.args([
        "--server",
        &world.server.issuer,
        "--client-id",
        client,
        "--workload-token-file",
        &file,
    ]);
    run(&mut command).await
}

async fn nhi6_a_build_comes_in_by_its_platforms_token_and_by_no_other(world: &World) {
    let (platform, stranger) = (Key::new(), Key::new());
    let issuer = issuer(&platform).await;
    let client = world
        .client(&["--public", "--profile", "standard", "--scope", SCOPES])
        .await;
    let owner = world.new_approver().await;
    let admission = ["admission", "add", &client, "--owner", &owner.name, "--lifetime", "1h"];
    let of = ["--issuer", &issuer, "--subject", SUBJECT, "--environment", "ci"];
    world.local(&[&admission[..], &of].concat()).await.expect_code(0);

    for wrong in [
        token(world, &platform, &issuer, "repo:org/app:ref:refs/heads/feature"),
        token(world, &stranger, &issuer, SUBJECT),
        token(world, &platform, "http://127.0.0.1:9", SUBJECT),
    ] {
        let refused = enroll(world, &client, &wrong).await;
        assert_ne!(refused.code, 0, "{}", refused.stdout);
    }
    let token = token(world, &platform, &issuer, SUBJECT);
    let enrolled = enroll(world, &client, &token).await.expect_code(0).json();
    let instance = &enrolled["instance"];
    let told = [&instance["owner"], &instance["environment"], &instance["way_in"]];
    assert_eq!(told, [&json!(owner.name), &json!("ci"), &json!("workload_token")]);
    let again = enroll(world, &client, &token).await;
    assert_ne!(again.code, 0, "a token brings in one key: {}", again.stdout);

    let all = world.local(&["instance", "list", "--json"]).await.expect_code(0).json();
    let own = all
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["client_id"] == json!(client));
    assert_eq!(own.collect::<Vec<&Value>>().len(), 1);
}
