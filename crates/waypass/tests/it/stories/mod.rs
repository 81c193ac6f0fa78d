//! The stories, each from the first command to the last refusal: the built binary as server and command line, a real
//! browser, and the very files that docs/stories.md tells of. That document holds what was measured here.

mod agent;
mod bootstrap;
pub mod chat;
mod crowd;
mod deploy;
mod nightly;
mod one_form;
mod support;
mod tap;
mod telling;
mod terminal;

use std::net::TcpListener;

use protocol::digest::hexadecimal;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use self::tap::Tap;
use self::telling::Telling;
use self::terminal::Terminal;
use crate::chance::now;
use crate::database::{Database, postgres};
use crate::document;
use crate::http::{Answer, CLIENT};
use crate::keys::{Key, sha256};
use crate::resource_server::ResourceServer;
use crate::server::{Folder, Setup};
use crate::tools;
use crate::world::alone_with;

pub struct Stage<'a> {
    pub telling: Telling<'a>,
    pub tap: Tap,
    /// The device management's.
    management: Key,
}

#[test]
fn a_bootstrap_script_runs_for_five_minutes_and_nothing_of_it_serves_again() {
    told(Database::Sqlite, "bootstrap", bootstrap::story);
}

#[test]
fn an_agent_asks_for_one_call_and_gets_no_other() {
    told(Database::Sqlite, "agent", agent::story);
}

#[test]
fn a_coding_agent_runs_the_command_that_was_approved_and_no_other() {
    told(Database::Sqlite, "deploy", deploy::story);
}

#[test]
fn ten_agents_ask_one_owner_at_once_and_no_more_than_an_hour_allows() {
    told(Database::Sqlite, "crowd", crowd::story);
}

#[test]
fn a_support_engineer_has_two_hours_on_one_host_while_the_machine_is_sound() {
    told(Database::Sqlite, "support", support::story);
}

#[test]
fn a_nightly_build_is_attested_and_never_asks_a_person() {
    told(Database::Sqlite, "nightly", nightly::story);
}

#[test]
fn the_nightly_build_on_postgresql() {
    let Some(database) = postgres() else { return };
    told(database, "nightly", nightly::story);
}

/// Each file of docs/stories stands in the document, so that there is nothing else to copy.
#[test]
fn the_files_of_the_stories_are_the_ones_that_are_told() {
    let page = std::fs::read_to_string(document::folder().join("stories.md")).unwrap();
    let folder = document::folder().join("stories");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let mut found = 0;
    while let Some(file) = files.pop() {
        if file.is_dir() {
            files.extend(std::fs::read_dir(file).unwrap().flatten().map(|entry| entry.path()));
            continue;
        }
        found += 1;
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(document::folder()).unwrap().display();
        assert!(page.contains(&format!("docs/{name}")), "docs/{name} is not named");
        assert!(page.contains(text.trim_end()), "docs/{name} is told in other words");
    }
    assert!(found > 10, "the files of the stories were not found");
    for name in ["bootstrap", "nightly"] {
        let program = std::fs::read(folder.join(format!("{name}.sh"))).unwrap();
        let digest = hexadecimal(&Sha256::digest(program));
        let asked = std::fs::read_to_string(folder.join(format!("asks/{name}.json"))).unwrap();
        assert!(asked.contains(&digest), "{name}.sh is another program: {digest}");
    }
}

/// The server of the stories, set up as docs/stories/waypass.toml says.
fn told(database: Database, story: &'static str, body: impl AsyncFnOnce(&Stage<'_>)) {
    // What every picture is looked at with.
    if tools::node().is_none() {
        return;
    }
    let (management, folder) = (Key::new(), Folder::new());
    std::fs::write(folder.join("mdm.jwks"), management.jwks().to_string()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup {
        issuer: Some(format!("http://localhost:{}", listener.local_addr().unwrap().port())),
        config: config(&folder),
        ..Setup::default()
    };
    alone_with(database, &setup, async |world| {
        std::os::unix::fs::symlink(document::folder(), world.server.folder.join("docs")).unwrap();
        let stage = Stage {
            telling: Telling::of(world, story),
            tap: Tap::open(listener, world.server.port),
            management,
        };
        body(&stage).await;
        stage.telling.ends();
    });
}

/// The file, where its paths are from here. It lives as long as the tests.
fn config(folder: &Folder) -> &'static str {
    let docs = document::folder();
    let text = std::fs::read_to_string(docs.join("stories/waypass.toml")).unwrap();
    let text = text.replace("\"docs/", &format!("\"{}/", docs.display()));
    let text = text.replace("\"mdm.jwks\"", &format!("{:?}", folder.join("mdm.jwks")));
    Box::leak(text.into_boxed_str())
}

impl Stage<'_> {
    /// A resource server of that name, which is told by it.
    async fn serves(&self, name: &str) -> ResourceServer {
        let server = ResourceServer::start(&self.telling.world.server.issuer, name).await;
        self.telling.serves(&server.url, name);
        server
    }

    /// What the device management says of the machine with this public key, not long ago.
    fn posture(&self, jwk: &str, is_sound: bool, seconds_ago: i64) -> String {
        let jwk: serde_json::Value = serde_json::from_str(jwk).unwrap();
        let member = |name: &str| jwk[name].as_str().unwrap();
        let (x, y) = (member("x"), member("y"));
        let jkt = sha256(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        let at = now() - seconds_ago;
        let claims = json!({
            "iss": "https://mdm.example.com", "aud": self.telling.world.server.issuer, "iat": at, "exp": at + 7200,
            "cnf": { "jkt": jkt },
            "posture": { "os": "debian", "os_version": "13", "disk_encrypted": true, "screen_lock": is_sound, "root": false },
        });
        let header = json!({ "typ": "waypass-posture+jwt", "alg": "ES256", "kid": self.management.thumbprint() });
        self.management.jwt(&header, &claims)
    }
}

/// A request to a resource server, with a token and a proof of wherever they come from.
async fn presents(call: (&str, &str), scheme: &str, token: &str, proof: &str, body: &str) -> Answer {
    let (method, url) = call;
    let request = CLIENT
        .request(method.parse().unwrap(), url)
        .header("Authorization", format!("{scheme} {token}"))
        .header("DPoP", proof);
    Answer::to(request.body(body.to_owned())).await
}

/// With a proof by the machine's own key, and the nonce that the resource server wants.
async fn uses(terminal: &Terminal<'_>, more: &str, call: (&str, &str), body: &str) -> (Answer, [String; 2]) {
    let (method, url) = call;
    let token = terminal.token(more).await;
    let first = presents(
        call,
        "DPoP",
        &token,
        &terminal.token(&format!("{more} --dpop {method} {url}")).await,
        body,
    )
    .await;
    let nonce = first.header("dpop-nonce").unwrap().to_owned();
    let proof = terminal
        .token(&format!("{more} --dpop {method} {url} --nonce {nonce}"))
        .await;
    let answer = presents(call, "DPoP", &token, &proof, body).await;
    (answer, [token, proof])
}
