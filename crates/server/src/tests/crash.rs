//! A process that dies after the n-th statement, for every n of a whole flow: what was acknowledged is
//! there afterwards, nothing is there twice, and every change has its event.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use http::StatusCode;

use super::postgres_server::PostgresServer;
use super::world::{Key, Place, World, directory};
use crate::start::Surroundings;

const DIRECTORY: &str = "WAYPASS_CRASH_DIRECTORY";
const DATABASE: &str = "WAYPASS_CRASH_DATABASE";
const STATEMENT: &str = "WAYPASS_CRASH_STATEMENT";
/// Far more statements than one flow has; a flow that never ends is a failure of its own.
const MOST: u64 = 500;

#[test]
fn a_crash_after_any_statement_loses_nothing_on_sqlite() {
    crash_everywhere(&Place {
        directory: directory("crash-sqlite"),
        database: None,
    });
}

#[test]
fn a_crash_after_any_statement_loses_nothing_on_postgresql() {
    if let Some(server) = PostgresServer::shared() {
        crash_everywhere(&Place {
            directory: directory("crash-postgresql"),
            database: Some(server.fresh_database()),
        });
    }
}

fn crash_everywhere(place: &Place) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let alice = runtime.block_on(prepare(place));
    std::fs::write(place.directory.join("alice"), alice.to_pkcs8()).unwrap();
    let mut statement = 1;
    loop {
        let (acknowledged, has_finished) = flow_that_dies_after(place, statement);
        runtime.block_on(check(place, &acknowledged, statement));
        if has_finished {
            assert_eq!(acknowledged.len(), 5, "the whole flow");
            break;
        }
        statement += 1;
        assert!(statement < MOST);
    }
    assert!(statement > 40, "the flow has more statements than {statement}");
    std::fs::remove_dir_all(&place.directory).unwrap();
}

async fn prepare(place: &Place) -> Key {
    let world = World::open(place, Surroundings::real()).await;
    world.cli().await;
    let alice = world.approver("alice").await;
    world.close().await;
    alice
}

/// What the child said was done, one line each, and whether it lived to the end.
fn flow_that_dies_after(place: &Place, statement: u64) -> (Vec<String>, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "tests::crash::one_flow_in_a_child_process", "--nocapture"]);
    child
        .env(DIRECTORY, &place.directory)
        .env(STATEMENT, statement.to_string());
    if let Some(database) = &place.database {
        child.env(DATABASE, database);
    }
    let output = child.stdin(Stdio::null()).stderr(Stdio::null()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines = printed.lines().filter_map(|line| line.strip_prefix("done "));
    (lines.map(str::to_owned).collect(), output.status.success())
}

/// The child of the tests above; by itself it has nothing to do.
#[test]
fn one_flow_in_a_child_process() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let last: u64 = std::env::var(STATEMENT).unwrap().parse().unwrap();
    let place = Place {
        directory: directory.into(),
        database: std::env::var(DATABASE).ok(),
    };
    let hook = move |count| {
        if count >= last {
            std::process::abort();
        }
    };
    let surroundings = Surroundings {
        statement_hook: Some(Arc::new(hook)),
        ..Surroundings::real()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let alice = Key::from_pkcs8(&std::fs::read(place.directory.join("alice")).unwrap());
    runtime.block_on(async { flow(&World::open(&place, surroundings).await, &alice).await });
}

async fn flow(world: &World, alice: &Key) {
    let asked = world.ask("cli").await;
    let code = asked.text("device_code");
    done(&["asked", &code]);
    assert_eq!(
        world.approve(&asked.text("user_code"), alice).await.status,
        StatusCode::OK
    );
    done(&["approved", &code]);
    let first = world.poll(&code).await;
    done(&[
        "redeemed",
        &code,
        &first.text("access_token"),
        &first.text("refresh_token"),
    ]);
    let second = world.refresh(&first.text("refresh_token")).await;
    done(&[
        "refreshed",
        &code,
        &second.text("access_token"),
        &second.text("refresh_token"),
    ]);
    let form = [("client_id", "cli"), ("token", &*second.text("refresh_token"))];
    assert_eq!(world.post("/revoke", &form).await.status, StatusCode::OK);
    done(&[
        "revoked",
        &code,
        &second.text("access_token"),
        &second.text("refresh_token"),
    ]);
}

fn done(words: &[&str]) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "done {}", words.join(" ")).unwrap();
    out.flush().unwrap();
}

/// The last thing that was acknowledged holds; what may have been under way is there whole or not at all.
async fn check(place: &Place, acknowledged: &[String], statement: u64) {
    let world = World::open(place, Surroundings::real()).await;
    if let Some(last) = acknowledged.last() {
        let words: Vec<&str> = last.split(' ').collect();
        let poll = world.poll(words[1]).await;
        match words[0] {
            "asked" => assert!(["authorization_pending", "none"].contains(&poll.error()), "{statement}"),
            "approved" => assert!(
                ["none", "invalid_grant"].contains(&poll.error()),
                "{statement}: {}",
                poll.body
            ),
            "redeemed" => {
                assert_eq!(poll.error(), "invalid_grant", "{statement}: the code serves once");
                assert!(
                    world.is_active(words[2]).await,
                    "{statement}: an acknowledged token stands"
                );
            }
            "refreshed" => assert_eq!(poll.error(), "invalid_grant", "{statement}"),
            "revoked" => {
                assert!(
                    !world.is_active(words[2]).await,
                    "{statement}: an acknowledged revocation holds"
                );
                assert_eq!(world.refresh(words[3]).await.error(), "invalid_grant", "{statement}");
            }
            other => panic!("{other}"),
        }
    }
    assert_all_or_nothing(&world, statement).await;
    world.close().await;
}

/// Each pair counts the same: a change, and the event that was written in its batch.
const PAIRS: [(&str, &str); 4] = [
    ("SELECT COUNT(*) FROM authorization_request", "device.requested"),
    ("SELECT COUNT(*) FROM approval", "device.approved"),
    ("SELECT COUNT(*) FROM access_grant", "device.redeemed"),
    (
        "SELECT COUNT(*) FROM access_grant WHERE ended_at IS NOT NULL",
        "grant.ended",
    ),
];

async fn assert_all_or_nothing(world: &World, statement: u64) {
    for (sql, action) in PAIRS {
        let rows = world.app.store.row(sql, []).await.unwrap().unwrap().int(0).unwrap();
        let events = world
            .app
            .store
            .row(EVENTS, [action.into()])
            .await
            .unwrap()
            .unwrap()
            .int(0)
            .unwrap();
        assert_eq!(rows, events, "after statement {statement}: {sql} against {action}");
    }
}

const EVENTS: &str = "SELECT COUNT(*) FROM event WHERE action = $1";
