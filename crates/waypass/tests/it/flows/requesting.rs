//! The requesting side with the real server: `login`, `token`, `whoami`, `status`, `logout`.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::http::{Answer, CLIENT};
use crate::keys::claims;
use crate::process::{Ran, run, waypass};
use crate::server::Folder;
use crate::world::{SCOPES, World};

on_both!(
    a_login_is_approved_used_and_taken_back,
    a_declined_login_is_exit_5,
    a_hundred_tokens_at_once_are_one_refresh,
);

/// The account of somebody who logs in: keys and tokens in files of its own.
struct Home(Folder);

impl Home {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = waypass();
        command.env("HOME", self.0.path()).args(arguments);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments)).await
    }

    /// `login --json`, decided by the approver in between. Its exit code and everything it printed.
    async fn login(&self, world: &World, client: &str, is_approved: bool) -> (Option<i32>, String) {
        let arguments = [
            "login",
            "--json",
            "--server",
            &world.server.issuer,
            "--client-id",
            client,
            "--scope",
            SCOPES,
        ];
        let mut command = self.command(&arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        output.read_line(&mut printed).await.unwrap();
        let asked: Value = serde_json::from_str(&printed).unwrap();
        let user_code = asked["user_code"].as_str().unwrap();
        let approver = world.approver().await;
        if is_approved {
            let view = approver.view(&world.server, user_code).await.expect(200).json();
            assert_eq!(view["key_words"], asked["key_words"], "both sides show the same words");
            approver.approve_view(&world.server, &view).await.expect(200);
        } else {
            approver.deny(&world.server, user_code).await;
        }
        output.read_to_string(&mut printed).await.unwrap();
        (child.wait().await.unwrap().code(), printed)
    }

    fn credentials(&self) -> std::path::PathBuf {
        self.0.join(".local/state/waypass/credentials/default.json")
    }
}

async fn a_login_is_approved_used_and_taken_back(world: &World) {
    let (home, client) = (Home(Folder::new()), world.bound_client().await);
    let (code, printed) = home.login(world, &client, true).await;
    assert_eq!(code, Some(0), "{printed}");
    let token = home.run(&["token"]).await.expect_code(0).stdout;
    let token = token.strip_suffix('\n').unwrap();
    world.remember(token);
    assert!(
        !printed.contains(token) && !printed.contains("device_code"),
        "D15: {printed}"
    );
    let introspected = world.introspect(token).await;
    assert_eq!(
        (&introspected["active"], &introspected["token_type"]),
        (&json!(true), &json!("DPoP"))
    );
    let url = world.htu("/userinfo");
    let proof = home.run(&["token", "--dpop", "GET", &url]).await.expect_code(0).stdout;
    let request = CLIENT
        .get(world.url("/userinfo"))
        .header("Authorization", format!("DPoP {token}"));
    let person = Answer::to(request.header("DPoP", proof.trim()))
        .await
        .expect(200)
        .json();
    assert_eq!(person["sub"], claims(token)["sub"]);
    let whoami = home.run(&["whoami", "--json"]).await.expect_code(0).stdout;
    assert!(whoami.contains(person["sub"].as_str().unwrap()), "{whoami}");
    home.run(&["status"]).await.expect_code(0);
    home.run(&["logout"]).await.expect_code(0);
    assert!(!world.is_active(&json!(token)).await);
    assert_ne!(home.run(&["token"]).await.code, 0);
}

async fn a_declined_login_is_exit_5(world: &World) {
    let (home, client) = (Home(Folder::new()), world.bound_client().await);
    let (code, printed) = home.login(world, &client, false).await;
    assert_eq!(code, Some(5), "{printed}");
    assert_ne!(home.run(&["token"]).await.code, 0);
}

/// One CLI was seen to fail 128,000 refreshes in a week: its processes raced each other for one token.
async fn a_hundred_tokens_at_once_are_one_refresh(world: &World) {
    let (home, client) = (Home(Folder::new()), world.bound_client().await);
    assert_eq!(home.login(world, &client, true).await.0, Some(0));
    let old = home.run(&["token"]).await.expect_code(0).stdout;
    // As if ten minutes had passed: the file says that the token ends now.
    let text = std::fs::read_to_string(home.credentials()).unwrap();
    let mut credentials: Value = serde_json::from_str(&text).unwrap();
    credentials["tokens"]["expires_at"] = crate::chance::now().into();
    std::fs::write(home.credentials(), credentials.to_string()).unwrap();
    let mut racers = JoinSet::new();
    for _ in 0..100 {
        let mut command = home.command(&["token"]);
        racers.spawn(async move { run(&mut command).await });
    }
    let tokens: Vec<String> = racers
        .join_all()
        .await
        .into_iter()
        .map(|ran| ran.expect_code(0).stdout)
        .collect();
    assert!(
        tokens.iter().all(|token| *token == tokens[0] && *token != old),
        "more than one refresh"
    );
    let refreshed = |event: &&Value| event["client_id"] == client.as_str() && event["action"] == "token.refreshed";
    assert_eq!(world.events().await.iter().filter(refreshed).count(), 1);
    assert!(
        world.is_active(&json!(tokens[0].trim())).await,
        "logged out by its own race"
    );
}
