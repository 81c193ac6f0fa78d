//! Agents that ask one owner in the same moment: the limit holds whoever comes when, the inbox has what was let in, and
//! the owner is told once. The same at people's speed, with a browser, is in `stories/crowd.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::inbox::sends;
use crate::chance::until;
use crate::database::{self, Database};
use crate::keys::Key;
use crate::server::{Folder, Server, Setup};
use crate::stories::chat::Chat;
use crate::world::{RUNTIME, World};

const AGENTS: usize = 10;
const EACH: usize = 3;
const PROMPTS: usize = 12;
const CREW: &str = r#"
name = "crew"
purpose = "agents that ask often"
[assessment]
risk = "An owner who is asked until they approve."
residual = "Twelve questions in an hour."
[approval]
by = "owner"
software_keys = true
starter = ["own_instance"]
[mitigations]
X07 = { ceremony = "off" }
X11 = { prompts_per_hour = 12 }
"#;

#[test]
fn x11_x37_ten_agents_at_once_get_as_far_as_the_limit_and_make_one_notice() {
    crowds(Database::Sqlite);
}

#[test]
fn the_same_crowd_on_postgresql() {
    if let Some(database) = database::postgres() {
        crowds(database);
    }
}

fn crowds(database: Database) {
    let folder = Folder::new();
    std::fs::write(folder.join("crew.toml"), CREW).unwrap();
    let setup = Setup {
        arguments: vec![format!("--profiles={}", folder.path().display())],
        ..Setup::default()
    };
    RUNTIME.block_on(async {
        let world = Arc::new(World::on(Server::start(database, &setup).await));
        let (owner, chat) = (world.new_approver().await, Chat::open().await);
        let hook = ["notice", "webhook", "add", &chat.url, "--approver", &owner.name];
        world.local(&hook).await.expect_code(0);
        let flags = ["--public", "--profile", "crew", "--scope", "read", "--kind", "agent"];
        let client = world.client(&flags).await;
        let agents = crew(&world, &client, &owner.name).await;

        let began = Instant::now();
        let asking: JoinSet<_> = (0..AGENTS * EACH)
            .map(|number| {
                let (world, client, key) = (world.clone(), client.clone(), agents[number % AGENTS].clone());
                async move {
                    let pairs = [("client_id", &*client), ("scope", "read")];
                    sends(&world, "/backchannel_authentication", &pairs, &key).await
                }
            })
            .collect();
        let (let_in, refused): (Vec<_>, Vec<_>) = asking
            .join_all()
            .await
            .into_iter()
            .partition(|answer| answer.status == 200);
        assert_eq!(let_in.len(), PROMPTS, "{refused:?}");
        assert!(
            refused.iter().all(|answer| answer.error() == "rate_limited"),
            "{refused:?}"
        );
        let waiting = owner
            .call(&world.server, "waiting", &json!({}))
            .await
            .expect(200)
            .json();
        assert_eq!(waiting["requests"].as_array().unwrap().len(), PROMPTS);

        until("a notice", Duration::from_mins(1), async || chat.told().pop()).await;
        let rests = began.elapsed().as_secs() / 30;
        let told = chat.told();
        assert!(told.len() as u64 <= 1 + rests, "a channel rests after each: {told:#?}");
    });
}

async fn crew(world: &World, client: &str, owner: &str) -> Vec<Arc<Key>> {
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let key = Key::new();
        let (jwk, name) = (world.file(&key.jwk().to_string()), format!("crew-{number}"));
        let add = [
            "instance",
            "add",
            client,
            "--jwk-file",
            &jwk,
            "--owner",
            owner,
            "--name",
            &name,
        ];
        world
            .local(&[&add[..], &["--expires", "1d"]].concat())
            .await
            .expect_code(0);
        agents.push(Arc::new(key));
    }
    agents
}
