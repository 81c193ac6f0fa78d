//! Opening and closing: the lock, file modes, migrations.

use std::os::unix::fs::PermissionsExt as _;

use protocol::grant::Origin;
use store::migrate::{MIGRATIONS, Migration};
use store::{Batch, Options, Store};

use crate::{Ground, ITEMS, count, insert, on_both, on_postgres};

const SECOND: Migration = (
    2,
    "second",
    "CREATE TABLE second (id TEXT); CREATE INDEX second_id ON second (id);",
);
const CHANGED: Migration = (1, "items", "CREATE TABLE item (id TEXT)");
const BROKEN: Migration = (2, "broken", "CREATE TABLE third (id TEXT); CREATE TABLE item (id TEXT)");

async fn migrated(ground: &Ground, migrations: &'static [Migration]) -> Result<Store, String> {
    let opened = Store::open(Options {
        migrations,
        ..ground.options()
    })
    .await;
    opened.map_err(|fault| fault.to_string())
}

async fn refusal(ground: &Ground, migrations: &'static [Migration]) -> String {
    migrated(ground, migrations).await.err().expect("must not open")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_per_directory_until_it_closes() {
    on_both(async |ground| {
        let store = ground.open().await;
        let said = refusal(&ground, &[ITEMS]).await;
        assert!(said.contains(ground.directory.to_str().unwrap()), "{said}");
        store.commit(insert("a")).await.unwrap();
        let other = store.clone();
        store.close().await;
        assert!(other.commit(insert("b")).await.is_err(), "closed for its clones too");

        let store = ground.open().await;
        assert_eq!(count(&store).await, 1);
        drop(store);
        ground.open().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn close_waits_for_what_was_queued() {
    on_both(async |ground| {
        let store = ground.open().await;
        let commits: Vec<_> = (0..300)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { store.commit(insert(&number.to_string())).await })
            })
            .collect();
        store.close().await;
        let mut written = 0;
        for commit in commits {
            written += i64::from(commit.await.unwrap().is_ok());
        }
        assert_eq!(count(&ground.open().await).await, written);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_reads_the_directory_and_the_files() {
    let ground = Ground::new(None);
    let store = ground.open().await;
    store.commit(insert("a")).await.unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(ground.directory.clone()), 0o700);
    for name in ["lock", "waypass.db", "waypass.db-wal", "waypass.db-shm"] {
        assert_eq!(mode(ground.directory.join(name)), 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_once_and_later_ones_are_added() {
    on_both(async |ground| {
        migrated(&ground, &[ITEMS]).await.unwrap().close().await;
        migrated(&ground, &[ITEMS]).await.unwrap().close().await;
        let store = migrated(&ground, &[ITEMS, SECOND]).await.unwrap();
        let rows = store
            .rows(
                "SELECT version, name, digest FROM schema_migration ORDER BY version",
                [],
            )
            .await
            .unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.text(1).unwrap()).collect();
        assert_eq!(names, ["items", "second"]);
        assert_eq!(store.rows("SELECT id FROM second", []).await.unwrap().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_migration_and_a_newer_database_refuse_to_start() {
    on_both(async |ground| {
        migrated(&ground, &[ITEMS, SECOND]).await.unwrap().close().await;
        assert!(
            refusal(&ground, &[CHANGED, SECOND])
                .await
                .contains("migration 1 (items) is not the one applied")
        );
        assert!(refusal(&ground, &[ITEMS]).await.contains("newer than this program"));
        migrated(&ground, &[ITEMS, SECOND]).await.unwrap().close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_nothing() {
    on_both(async |ground| {
        assert!(
            refusal(&ground, &[ITEMS, BROKEN])
                .await
                .contains("migration 2 (broken) failed")
        );
        let store = migrated(&ground, &[ITEMS]).await.unwrap();
        assert_eq!(count(&store).await, 0);
        assert!(store.rows("SELECT id FROM third", []).await.is_err());
    })
    .await;
}

const BEFORE_THE_THIRD: [&str; 5] = [
    "INSERT INTO client (client_id, registration, created_at, version) VALUES ('cli', '{}', 1, 1)",
    "INSERT INTO approver (id, name, created_at, version) VALUES ('approver_1', 'alice', 1, 1)",
    "INSERT INTO authorization_request (id, device_code_digest, user_code_mac, source, client_id, content, digest, state,
        state_detail, interval_millis, version, requested_at, expires_at)
        VALUES ('r', 'd', 'u', 's', 'cli', '{}', 'x', 'redeemed', '{}', 5000, 1, 1, 2)",
    "INSERT INTO access_grant (id, request_id, client_id, subject, scope, resource, jkt, acr, amr, auth_time, created_at,
        expires_at, version, instance_id) VALUES ('g', 'r', 'cli', 'approver_1', 'read', '[\"https://api\"]', 'k', 'phr',
        '[\"pop\"]', 3, 4, 5, 7, 'i')",
    "INSERT INTO refresh_token (digest, grant_id, state, expires_at, version) VALUES ('t', 'g', 'unused', 5, 1)",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_and_its_token_are_the_same_after_their_tables_were_made_anew() {
    on_both(async |ground| {
        let store = migrated(&ground, &MIGRATIONS[..2]).await.unwrap();
        let filled = BEFORE_THE_THIRD
            .iter()
            .fold(Batch::default(), |batch, sql| batch.any(sql, []));
        store.commit(filled).await.unwrap();
        store.close().await;

        let store = migrated(&ground, MIGRATIONS).await.unwrap();
        let grant = store.grant("g").await.unwrap().unwrap();
        assert_eq!(
            (grant.origin, grant.request_id.as_deref()),
            (Origin::DeviceCode, Some("r"))
        );
        assert_eq!(
            (grant.instance_id.as_deref(), grant.jkt.as_deref()),
            (Some("i"), Some("k"))
        );
        assert_eq!((grant.version, grant.expires_at.millis()), (7, 5));
        assert!(grant.authorization_details.is_empty() && grant.x5t.is_none());
        let token = store
            .row("SELECT grant_id FROM refresh_token WHERE digest = 't'", [])
            .await
            .unwrap();
        assert_eq!(token.unwrap().text(0).unwrap(), "g");
        let orphan = "INSERT INTO refresh_token (digest, grant_id, state, expires_at, version)
            VALUES ('o', 'nobody', 'unused', 5, 1)";
        assert!(store.commit(Batch::default().any(orphan, [])).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_may_start_on_an_empty_database_at_once() {
    on_postgres(async |ground| {
        let nodes: Vec<_> = (0..4).map(|_| Ground::new(ground.database.clone())).collect();
        let opened = tokio::join!(nodes[0].open(), nodes[1].open(), nodes[2].open(), nodes[3].open());
        opened.0.commit(insert("a")).await.unwrap();
        assert_eq!(count(&opened.3).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_not_understood_is_not_repeated() {
    let ground = Ground::new(Some("postgres://user:hunter2@host/db?surprise=1".to_owned()));
    let said = refusal(&ground, &[ITEMS]).await;
    assert!(said.contains("not understood") && !said.contains("hunter2"), "{said}");
    let ground = Ground::new(Some("postgres://host/db?sslrootcert=%2Fnone%2Fca.pem".to_owned()));
    assert!(refusal(&ground, &[ITEMS]).await.contains("/none/ca.pem"));
}
