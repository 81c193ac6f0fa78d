//! An enrolled machine asks its owner with the built command line: no code, and the answer as soon as there is one.
//! And the same across three processes on one PostgreSQL.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::approver::Approver;
use crate::chance::{unique, until};
use crate::database;
use crate::document::{members, members_of};
use crate::http::Answer;
use crate::keys::Key;
use crate::process::{run, waypass};
use crate::server::{Folder, Server, Setup};
use crate::world::{CIBA, RUNTIME, SCOPES, World};

on_both!(
    x32_an_enrolled_machine_asks_its_owner_and_shows_no_code,
    a_declined_request_of_the_inbox_is_exit_5,
    a_user_code_is_shown_where_it_is_asked_for,
    what_is_printed_of_requests_is_documented_member_by_member,
    of_what_one_machine_asks_often_the_terminal_lists_five_and_counts_the_rest,
);

/// A machine that was registered for an owner, at home in a folder of its own.
pub struct Machine<'a> {
    pub world: &'a World,
    pub client: String,
    pub home: Folder,
    pub owner: Approver,
}

/// `waypass login` at work.
pub struct Login {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Its first line.
    pub asked: Value,
}

impl<'a> Machine<'a> {
    pub async fn enrolled(world: &'a World) -> Self {
        let owner = world.new_approver().await;
        let name = owner.name.clone();
        Self::of(world, owner, &name).await
    }

    /// Owned by the approver of this name.
    pub async fn of(world: &'a World, owner: Approver, name: &str) -> Self {
        Self::with(world, (owner, name), &[]).await
    }

    /// Of a client with more flags than the name of its profile and its scopes.
    pub async fn with(world: &'a World, (owner, name): (Approver, &str), flags: &[&str]) -> Self {
        let usual = ["--public", "--profile", "standard", "--scope", SCOPES];
        let client = world.client(&[&usual, flags].concat()).await;
        let machine = Self {
            world,
            client: client.clone(),
            home: Folder::new(),
            owner,
        };
        let target = ["--server", &*world.server.issuer, "--client-id", &*client];
        let key = run(&mut machine.command(&[&["instance", "key"], &target[..]].concat())).await;
        let jwk = world.file(&key.expect_code(0).stdout);
        let named = ["--owner", name, "--name", "runner", "--expires", "90d"];
        let add = ["instance", "add", &client, "--jwk-file", &jwk];
        world.local(&[&add[..], &named].concat()).await.expect_code(0);
        run(&mut machine.command(&[&["enroll", "--name", "runner"], &target[..]].concat()))
            .await
            .expect_code(0);
        machine
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = waypass();
        command.env("HOME", self.home.path()).args(arguments);
        command
    }

    pub async fn login(&self, more: &[&str]) -> Login {
        let mut command = self.command(&[&["login", "--json", "--scope", SCOPES], more].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).await.unwrap();
        let asked = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Login { child, output, asked }
    }

    pub async fn waiting(&self) -> Vec<Value> {
        let answer = self.owner.call(&self.world.server, "waiting", &json!({})).await;
        answer.expect(200).json()["requests"].as_array().unwrap().clone()
    }

    pub async fn view(&self, request: &Value) -> Answer {
        let body = json!({ "request_id": request["request_id"] });
        self.owner.call(&self.world.server, "view", &body).await
    }
}

impl Login {
    pub async fn ends(mut self) -> (Option<i32>, String) {
        let mut printed = String::new();
        self.output.read_to_string(&mut printed).await.unwrap();
        (self.child.wait().await.unwrap().code(), printed)
    }
}

async fn x32_an_enrolled_machine_asks_its_owner_and_shows_no_code(world: &World) {
    let machine = Machine::enrolled(world).await;
    let login = machine.login(&[]).await;
    assert!(login.asked.get("user_code").is_none(), "{}", login.asked);
    assert_eq!(login.asked["inbox_uri"], world.htu("/inbox"));
    let waiting = machine.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["binding_message"], login.asked["binding_message"]);
    let view = machine.view(&waiting[0]).await.expect(200).json();
    assert_eq!(view["key_words"], login.asked["key_words"]);
    let began = Instant::now();
    machine.owner.approve_view(&world.server, &view).await.expect(200);
    let (code, printed) = login.ends().await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "held, and not polled for: {:?}",
        began.elapsed()
    );
    let token = run(&mut machine.command(&["token"])).await.expect_code(0).stdout;
    world.remember(token.trim());
    assert!(world.is_active(&json!(token.trim())).await);
}

async fn a_declined_request_of_the_inbox_is_exit_5(world: &World) {
    let machine = Machine::enrolled(world).await;
    let login = machine.login(&[]).await;
    let waiting = machine.waiting().await;
    machine.view(&waiting[0]).await.expect(200);
    let body = json!({ "request_id": waiting[0]["request_id"] });
    machine.owner.call(&world.server, "deny", &body).await.expect(200);
    let (code, printed) = login.ends().await;
    assert_eq!(code, Some(5), "{printed}");
    assert!(printed.contains("access_denied"), "{printed}");
}

async fn a_user_code_is_shown_where_it_is_asked_for(world: &World) {
    let machine = Machine::enrolled(world).await;
    let login = machine.login(&["--user-code"]).await;
    machine
        .owner
        .approve(&world.server, login.asked["user_code"].as_str().unwrap())
        .await;
    assert_eq!(login.ends().await.0, Some(0));
}

/// The file of the key of an approver with a terminal, and a machine of theirs.
async fn typist(world: &World) -> (String, Machine<'_>) {
    let (name, key) = (
        unique("typist"),
        world.server.folder.join(&unique("key")).display().to_string(),
    );
    let link = world.enrollment_link(&name).await;
    run(waypass().args(["approver", "enroll", &link, "--key-file", &key]))
        .await
        .expect_code(0);
    (key, Machine::of(world, Approver::new("unused"), &name).await)
}

async fn of_what_one_machine_asks_often_the_terminal_lists_five_and_counts_the_rest(world: &World) {
    let (key, machine) = typist(world).await;
    let mut logins = Vec::new();
    for expected in ["", "", "", "", "", "1 more waits", "2 more wait"] {
        logins.push(machine.login(&[]).await);
        let inbox = world.remote(&["inbox", "--key-file", &key]).await.expect_code(0).stdout;
        assert!(inbox.contains(expected), "{inbox}");
        assert_eq!(inbox.contains(" more wait"), !expected.is_empty(), "{inbox}");
        assert_eq!(inbox.matches("It shows: ").count(), logins.len().min(5), "{inbox}");
    }
}

async fn what_is_printed_of_requests_is_documented_member_by_member(world: &World) {
    let (key, machine) = typist(world).await;
    let login = machine.login(&[]).await;
    let inbox = world
        .remote(&["inbox", "--key-file", &key, "--json"])
        .await
        .expect_code(0)
        .json();
    let waiting = &inbox["requests"][0];
    assert_eq!(waiting["binding_message"], login.asked["binding_message"]);
    let printed = &members_of(waiting) | &members_of(&inbox);
    let documented = members("cli.md", "inbox");
    assert!(printed.is_subset(&documented), "{waiting}");
    let absent: Vec<_> = documented.difference(&printed).map(String::as_str).collect();
    assert!(
        absent.iter().all(|name| ["client_kind", "quorum"].contains(name)),
        "{absent:?}"
    );

    let listed = world.local(&["request", "list", "--json"]).await.expect_code(0).json();
    let is_it = |request: &&Value| request["request_id"] == waiting["request_id"];
    let request = listed.as_array().unwrap().iter().find(is_it).unwrap();
    assert_eq!(request["state"], "pending");
    assert_eq!(members_of(request), members("cli.md", "request list"));
    let id = waiting["request_id"].as_str().unwrap();
    let shown = world
        .remote(&["show", id, "--key-file", &key])
        .await
        .expect_code(0)
        .stdout;
    let words = format!("{} [claimed]", waiting["binding_message"].as_str().unwrap());
    assert!(shown.contains("It shows") && shown.contains(&words), "{shown}");
    let cancel = ["request", "cancel", id, "--json"];
    let cancelled = world.local(&cancel).await.expect_code(0).json();
    assert_eq!(members_of(&cancelled), members("cli.md", "request cancel"));
    let (code, printed) = login.ends().await;
    assert_eq!(code, Some(5), "{printed}");
    let report = ["request", "report-code", "BCDF-GHJK", "--seen-in", "mail", "--json"];
    let reported = world.local(&report).await.expect_code(0).json();
    assert_eq!(members_of(&reported), members("cli.md", "request report-code"));
}

/// Asked of one process, decided at another, redeemed at the third, which was waiting all the while.
#[test]
fn three_processes_on_one_postgresql_are_one_server() {
    let Some(database) = database::postgres() else { return };
    RUNTIME.block_on(async {
        let one = Server::start(database.clone(), &Setup::default()).await;
        let setup = Setup {
            issuer: Some(one.issuer.clone()),
            ..Setup::default()
        };
        let [two, three] = [
            Server::start(database.clone(), &setup).await,
            Server::start(database, &setup).await,
        ];
        let [one, two, three] = [one, two, three].map(World::on);
        let owner = one.new_approver().await;
        let (client, key) = (
            one.client(&["--public", "--profile", "standard", "--scope", SCOPES])
                .await,
            Key::new(),
        );
        let jwk = one.file(&key.jwk().to_string());
        let named = ["--owner", &owner.name, "--name", "runner", "--expires", "1d"];
        let add = ["instance", "add", &client, "--jwk-file", &jwk];
        one.local(&[&add[..], &named].concat()).await.expect_code(0);
        for world in [&two, &three] {
            knows(world, &client).await;
        }
        for _ in 0..3 {
            let asked = sends(
                &one,
                "/backchannel_authentication",
                &[("client_id", &client), ("scope", "read")],
                &key,
            )
            .await;
            let auth_req_id = asked.expect(200).json()["auth_req_id"].as_str().unwrap().to_owned();
            let form = [
                ("grant_type", CIBA),
                ("client_id", &*client),
                ("auth_req_id", &*auth_req_id),
            ];
            let (redeemed, decided_at) = tokio::join!(sends(&three, "/token", &form, &key), decides(&two, &owner));
            redeemed.expect(200);
            assert!(
                decided_at.elapsed() < Duration::from_secs(4),
                "{:?}",
                decided_at.elapsed()
            );
        }
    });
}

async fn decides(world: &World, owner: &Approver) -> Instant {
    let listed = owner
        .call(&world.server, "waiting", &json!({}))
        .await
        .expect(200)
        .json();
    let body = json!({ "request_id": listed["requests"][0]["request_id"] });
    let view = owner.call(&world.server, "view", &body).await.expect(200).json();
    owner.approve_view(&world.server, &view).await.expect(200);
    Instant::now()
}

/// What one process registers another learns in a while.
async fn knows(world: &World, client: &str) {
    until(
        "the other process knows the client",
        Duration::from_secs(30),
        async || {
            let answer = world
                .post("/backchannel_authentication", &[("client_id", client)])
                .await;
            (answer.error() == "invalid_dpop_proof").then_some(())
        },
    )
    .await;
}

/// A form with a proof by `key`, its nonce asked for first; the token endpoint may wait with its answer.
pub async fn sends(world: &World, path: &str, pairs: &[(&str, &str)], key: &Key) -> Answer {
    let mut claims = Value::Null;
    loop {
        let proof = key.proof("POST", &world.htu(path), &claims);
        let headers = [("DPoP", &*proof), ("Prefer", "wait=20")];
        let answer = world.post_with(path, pairs, &headers).await;
        match answer.header("dpop-nonce") {
            Some(nonce) if answer.error() == "use_dpop_nonce" => claims = json!({ "nonce": nonce }),
            _ => return answer,
        }
    }
}
