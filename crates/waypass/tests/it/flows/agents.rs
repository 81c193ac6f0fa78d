//! A program of kind `agent`: it asks, is told everything as data, and that is all it can do. What is printed as JSON is
//! compared with docs/cli.md.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr};

use super::inbox::{Machine, sends};
use crate::approver::Approver;
use crate::document;
use crate::keys::Key;
use crate::resource_server::ResourceServer;
use crate::world::World;

on_both!(
    an_agent_neither_approves_nor_brings_in_another_nor_widens_what_it_may,
    an_agent_is_told_everything_as_data_and_its_events_name_it,
);

on_one!(an_agent_is_approved_for_one_command_and_runs_no_other);

const AGENT: [&str; 2] = ["--kind", "agent"];

/// An agent with a key in the test's hands, enrolled for an owner.
async fn registered(world: &World, owner: &str) -> (String, Key) {
    let flags = [
        "--public",
        "--profile",
        "standard",
        "--scope",
        "read",
        "--kind",
        "agent",
    ];
    let (client, key) = (world.client(&flags).await, Key::new());
    let jwk = world.file(&key.jwk().to_string());
    let named = ["--owner", owner, "--name", "runner", "--expires", "1d"];
    let add = ["instance", "add", &*client, "--jwk-file", &jwk];
    world.local(&[&add[..], &named].concat()).await.expect_code(0);
    (client, key)
}

async fn an_agent_neither_approves_nor_brings_in_another_nor_widens_what_it_may(world: &World) {
    let owner = world.new_approver().await;
    let (client, key) = registered(world, &owner.name).await;
    let pairs = [("client_id", &*client), ("scope", "read")];
    sends(world, "/backchannel_authentication", &pairs, &key)
        .await
        .expect(200);
    let listed = owner.call(&world.server, "waiting", &json!({})).await.expect(200);
    let request = listed.json()["requests"][0]["request_id"].clone();

    // It decides nothing, its own request least of all.
    let agent = Approver::with(&owner.name, key);
    for act in ["waiting", "view", "deny"] {
        let answer = agent.call(&world.server, act, &json!({ "request_id": request })).await;
        assert!(answer.status >= 400, "{act}: {answer:?}");
    }
    let view = owner
        .call(&world.server, "view", &json!({ "request_id": request }))
        .await;
    let approved = agent.approve_view(&world.server, &view.expect(200).json()).await;
    assert!(approved.status >= 400, "{approved:?}");

    // A link that reached it makes it nobody, and still serves whom it is for.
    let link = world.enrollment_link(&crate::chance::unique("person")).await;
    let enrolled = agent.enroll(&world.server, &link).await;
    assert_eq!((enrolled.status, enrolled.error()), (403, "refused".to_owned()));
    Approver::new("unused").enroll(&world.server, &link).await.expect(200);

    // Another key of its own is known to nobody until a person says so.
    let other = Key::new();
    let asked = sends(
        world,
        "/enrollment",
        &[("client_id", &*client), ("name", "another")],
        &other,
    )
    .await
    .expect(202)
    .json();
    let code = [
        ("client_id", &*client),
        ("device_code", asked["device_code"].as_str().unwrap()),
    ];
    let finished = sends(world, "/enrollment/finish", &code, &other).await;
    assert_eq!(finished.error(), "authorization_pending");
    let viewed = agent.view(&world.server, asked["user_code"].as_str().unwrap()).await;
    assert!(viewed.status >= 400, "{viewed:?}");
    let unknown = sends(world, "/backchannel_authentication", &pairs, &other).await;
    assert_eq!(unknown.error(), "unauthorized_client");

    // What its client may ask for at most is the administrator's to say.
    let more = [("client_id", &*client), ("scope", "read profile")];
    let refused = sends(world, "/backchannel_authentication", &more, &agent.key).await;
    assert_eq!(refused.error(), "invalid_scope");
}

/// Each line is an event that is documented with each of its members.
pub fn events(printed: &str) -> Vec<Value> {
    let lines = printed.lines().filter(|line| line.starts_with("{\"event\""));
    let events: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        let mut known = document::members("cli.md", event["event"].as_str().unwrap());
        known.insert("event".to_owned());
        assert!(
            document::members_of(event).is_subset(&known),
            "{event} is not documented"
        );
    }
    events
}

async fn an_agent_is_told_everything_as_data_and_its_events_name_it(world: &World) {
    let owner = world.new_approver().await;
    let name = owner.name.clone();
    let machine = Machine::with(world, (owner, &name), &AGENT).await;
    let login = machine.login(&[]).await;
    let asked = events(&login.asked.to_string()).remove(0);
    assert!(
        asked["inbox_uri"].is_string() && asked["key_words"].is_string(),
        "{asked}"
    );
    let waiting = machine.waiting().await;
    assert_eq!(waiting[0]["client_kind"], "agent");
    let view = machine.view(&waiting[0]).await.expect(200).json();
    machine.owner.approve_view(&world.server, &view).await.expect(200);
    let (code, printed) = login.ends().await;
    assert_eq!(code, Some(0), "{printed}");
    let ended = events(&printed).pop().unwrap();
    assert_eq!(
        (&ended["event"], &ended["token_type"]),
        (&json!("authorized"), &json!("DPoP"))
    );

    // What is refused is data too: which error, and why.
    let login = machine.login(&[]).await;
    let waiting = machine.waiting().await;
    machine.view(&waiting[0]).await.expect(200);
    let body = json!({ "request_id": waiting[0]["request_id"] });
    machine.owner.call(&world.server, "deny", &body).await.expect(200);
    let failed = events(&login.ends().await.1).pop().unwrap();
    assert_eq!(
        (&failed["event"], &failed["error"]),
        (&json!("failed"), &json!("access_denied"))
    );
    assert_eq!(failed["message"], "the request was declined");
    let refused = machine.login(&["--resource", "https://elsewhere.example"]).await;
    let failed = events(&refused.asked.to_string()).remove(0);
    assert_eq!(
        (&failed["event"], &failed["error"]),
        (&json!("failed"), &json!("invalid_target"))
    );

    let listed = world.local(&["grant", "list", "--json"]).await.expect_code(0).json();
    let mut grants = listed.as_array().unwrap().iter();
    let grant = grants.find(|grant| grant["client_id"] == *machine.client).unwrap();
    assert_eq!(grant["client_kind"], "agent");
    let id = grant["grant_id"].as_str().unwrap();
    let shown = world.local(&["grant", "show", id]).await.expect_code(0);
    assert!(shown.stdout.contains("of kind agent"), "{}", shown.stdout);
    world.local(&["grant", "revoke", id]).await.expect_code(0);

    let recorded = world.events().await;
    let instance = recorded
        .iter()
        .find(|event| event["client_id"] == *machine.client && event["action"] == "instance.enrolled")
        .unwrap()["detail"]["instance.id"]
        .clone();
    for action in [
        "device.requested",
        "device.approved",
        "device.redeemed",
        "device.denied",
        "grant.ended",
    ] {
        let event = recorded
            .iter()
            .find(|event| event["client_id"] == *machine.client && event["action"] == action)
            .unwrap();
        assert_eq!(event["detail"]["ai_agent.uid"], *machine.client, "{event}");
        assert_eq!(event["detail"]["ai_agent.instance_uid"], instance, "{event}");
    }
}

/// A coding agent with one deploy command: what its owner approved runs, and nothing that it makes of it afterwards.
async fn an_agent_is_approved_for_one_command_and_runs_no_other(world: &World) {
    let resource = ResourceServer::at_home(&world.server.issuer).await;
    let owner = world.new_approver().await;
    let name = owner.name.clone();
    let types = ["--details-type", "command", "--details-type", "api"];
    let flags = [&AGENT[..], &types, &["--resource", &resource.url]].concat();
    let machine = Machine::with(world, (owner, &name), &flags).await;
    let deploy = machine.script("deploy", "#!/bin/sh\necho \"deploying $2\"\n");

    // Approved for one site. What becomes of the file while it waits is of no matter.
    let run = machine.runs(&resource.url, &[&deploy, "--site", "berlin-2"]).await;
    let asked = events(&run.asked.to_string()).remove(0);
    let waiting = machine.waiting().await;
    assert_eq!(waiting[0]["binding_message"], asked["binding_message"]);
    let asks = waiting[0]["asks"].to_string();
    assert!(
        asks.contains("berlin-2") && asks.contains("/deploys/berlin-2"),
        "{asks}"
    );
    machine.script("deploy", "#!/bin/sh\necho \"erasing everything\"\n");
    let view = machine.view(&waiting[0]).await.expect(200).json();
    machine.owner.approve_view(&world.server, &view).await.expect(200);
    let (code, stdout, told) = run.ends().await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(stdout, "deploying berlin-2\n");
    let names: Vec<Value> = events(&told).iter().map(|event| event["event"].clone()).collect();
    assert_eq!(names, ["approved", "started", "ended"], "{told}");

    // Another argument is another request: the first approval is no word for it.
    machine.script("deploy", "#!/bin/sh\necho \"deploying $2\"\n");
    let run = machine.runs(&resource.url, &[&deploy, "--site", "berlin-3"]).await;
    let waiting = machine.waiting().await;
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0]["asks"].to_string().contains("berlin-3"));
    machine.view(&waiting[0]).await.expect(200);
    let body = json!({ "request_id": waiting[0]["request_id"] });
    machine.owner.call(&world.server, "deny", &body).await.expect(200);
    let (code, stdout, told) = run.ends().await;
    assert_eq!((code, &*stdout), (Some(5), ""), "{told}");
    let failed: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(failed["error"], "access_denied", "{told}");
}

/// `waypass run` at work.
pub struct Running {
    child: Child,
    errors: BufReader<ChildStderr>,
    /// Its first line.
    pub asked: Value,
}

impl Machine<'_> {
    pub fn script(&self, name: &str, text: &str) -> String {
        let file = self.home.join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        file.display().to_string()
    }

    /// `waypass run` for one path of the resource.
    pub async fn runs(&self, resource: &str, argv: &[&str]) -> Running {
        let reach = [
            "--resource",
            resource,
            "--method",
            "POST",
            "--path",
            "/deploys/berlin-2",
        ];
        let mut command = self.command(&[&["run", "--json"], &reach[..], &["--"], argv].concat());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).await.unwrap();
        let asked = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Running { child, errors, asked }
    }
}

impl Running {
    /// Exit code, standard output, and what was told since the request.
    pub async fn ends(mut self) -> (Option<i32>, String, String) {
        let (mut stdout, mut told) = (String::new(), String::new());
        let mut output = self.child.stdout.take().unwrap();
        let (read, other) = tokio::join!(
            output.read_to_string(&mut stdout),
            self.errors.read_to_string(&mut told)
        );
        read.unwrap();
        other.unwrap();
        (self.child.wait().await.unwrap().code(), stdout, told)
    }
}
