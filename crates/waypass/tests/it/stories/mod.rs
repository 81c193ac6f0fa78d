//! Four stories, each from the first command to the last refusal: the built binary as server and command line, a real
//! browser, and the very files that docs/stories.md tells of. That document holds what was measured here.

mod agent;
mod tap;
mod telling;
mod terminal;

use std::net::TcpListener;

use self::tap::Tap;
use self::telling::Telling;
use crate::database::Database;
use crate::document;
use crate::keys::Key;
use crate::server::{Folder, Setup};
use crate::tools;
use crate::world::alone_with;

pub struct Stage<'a> {
    pub telling: Telling<'a>,
    pub tap: Tap,
    /// The device management's.
    pub management: Key,
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
    let text = text.split("[[posture").next().unwrap().replace("policies =", "# HACK");
    Box::leak(text.into_boxed_str())
}

#[test]
fn an_agent_asks_for_one_call_and_gets_no_other() {
    told(Database::Sqlite, "agent", agent::story);
}
