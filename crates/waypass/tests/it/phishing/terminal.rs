//! A person's own command line, with keys and tokens in a home of its own.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::process::{Ran, run, waypass};
use crate::server::Folder;
use crate::world::{SCOPES, World};

pub struct Home(Folder);

/// A command that waits for somebody's decision.
pub struct Asking {
    /// Where there is none, it waits in an inbox.
    pub user_code: String,
    /// What stands in the inbox beside it.
    pub words: String,
    pub key_words: String,
    child: Child,
    output: BufReader<ChildStdout>,
    printed: String,
}

impl Home {
    pub fn new() -> Self {
        Self(Folder::new())
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = waypass();
        command.env("HOME", self.0.path()).args(arguments);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments)).await
    }

    /// `waypass login` with a user code, waiting.
    pub async fn login(&self, world: &World, client: &str) -> Asking {
        self.logs_in(world, client, &["--user-code"]).await
    }

    /// The same of an enrolled machine: it asks its owner by itself.
    pub async fn asks_owner(&self, world: &World, client: &str) -> Asking {
        self.logs_in(world, client, &[]).await
    }

    /// What comes back from the page goes into the file `digits`.
    async fn logs_in(&self, world: &World, client: &str, more: &[&str]) -> Asking {
        let issuer = &world.server.issuer;
        let digits = self.path("digits");
        let arguments = [
            "login",
            "--json",
            "--server",
            issuer,
            "--client-id",
            client,
            "--scope",
            SCOPES,
            "--confirmation-file",
            &digits,
        ];
        Asking::begin(self.command(&[&arguments, more].concat())).await
    }

    /// `waypass enroll`, waiting for a person.
    pub async fn enroll(&self, world: &World, client: &str, name: &str) -> Asking {
        let issuer = &world.server.issuer;
        let arguments = [
            "enroll",
            "--json",
            "--server",
            issuer,
            "--client-id",
            client,
            "--name",
            name,
        ];
        Asking::begin(self.command(&arguments)).await
    }

    /// This machine's public key, for an administrator.
    pub async fn key(&self, world: &World, client: &str) -> String {
        let issuer = &world.server.issuer;
        let key = self
            .run(&["instance", "key", "--server", issuer, "--client-id", client])
            .await;
        world.file(&key.expect_code(0).stdout)
    }

    /// The identifier that this machine is known by.
    pub async fn instance(&self) -> String {
        let status = self.run(&["instance", "status", "--json"]).await.expect_code(0);
        status.json()["instance"]["instance_id"].as_str().unwrap().to_owned()
    }

    /// The administrator registers this machine's key for its owner, and the machine learns of it.
    pub async fn is_registered(&self, world: &World, client: &str, owner: &str) {
        let file = self.key(world, client).await;
        register(world, client, owner, &file).await;
        self.run(&["enroll", "--name", "laptop"]).await.expect_code(0);
    }
}

/// `waypass instance add`, with the public key in a file.
pub async fn register(world: &World, client: &str, owner: &str, key: &str) {
    let arguments = [
        "instance",
        "add",
        client,
        "--owner",
        owner,
        "--name",
        "laptop",
        "--jwk-file",
        key,
        "--expires",
        "30d",
    ];
    world.local(&arguments).await.expect_code(0);
}

impl Asking {
    pub async fn begin(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        output.read_line(&mut printed).await.unwrap();
        let asked: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(asked["event"], "authorization_request", "{printed}");
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        Self {
            user_code: text("user_code"),
            words: text("binding_message"),
            key_words: text("key_words"),
            child,
            output,
            printed,
        }
    }

    /// The exit code, and everything it printed.
    pub async fn ends(mut self) -> (Option<i32>, String) {
        self.output.read_to_string(&mut self.printed).await.unwrap();
        (self.child.wait().await.unwrap().code(), self.printed)
    }
}
