//! Statements, arguments, guards and rows.

use std::error::Error;

use protocol::refusal::Refusal;
use store::batch::{Batch, Value};
use store::{FaultKind, Rejected};

use crate::{BUMP, count, insert, on_both, version};

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_out_of_order_and_repeated_mean_their_number() {
    on_both(async |ground| {
        let store = ground.open().await;
        let args = ["third".into(), 2.into(), "first".into()];
        let batch = Batch::default().one(
            "INSERT INTO item (id, version, note, amount) VALUES ($3, $2, $1, $2)",
            args,
            Refusal::RequestMalformed,
        );
        store.commit(batch).await.unwrap();
        let sql = "SELECT id, version, note, amount FROM item WHERE note = $2 AND id = $1 AND $1 <> $2";
        let row = store.row(sql, ["first".into(), "third".into()]).await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "first");
        assert_eq!(row.int(1).unwrap(), 2);
        assert_eq!(row.text(2).unwrap(), "third");
        assert_eq!(row.int(3).unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_nine_placeholders_and_a_dollar_in_quotes_are_understood() {
    on_both(async |ground| {
        let store = ground.open().await;
        let args: Vec<Value> = (1..=11_i64).map(Value::from).collect();
        let sql = "SELECT $11 - $1, $10 - $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9, '$1'";
        let row = store.row(sql, args).await.unwrap().unwrap();
        assert_eq!(row.int(0).unwrap(), 10);
        assert_eq!(row.int(1).unwrap(), 50);
        assert_eq!(row.text(2).unwrap(), "$1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_go_in_and_come_out_with_their_type() {
    on_both(async |ground| {
        let store = ground.open().await;
        let sql = "INSERT INTO item (id, version, note, amount) VALUES ($1, $2, $3, $4)";
        let args = [
            "a".into(),
            0.into(),
            Value::from(None::<&str>),
            Value::from(None::<i64>),
        ];
        store.commit(Batch::default().any(sql, args)).await.unwrap();
        let sql = "SELECT note, amount, note IS NULL, version FROM item WHERE COALESCE(note, $1) = $1";
        let row = store.row(sql, ["x".into()]).await.unwrap().unwrap();
        assert_eq!(row.maybe_text(0).unwrap(), None);
        assert_eq!(row.maybe_int(1).unwrap(), None);
        assert!(row.text(0).is_err());
        assert!(row.int(1).is_err());
        assert!(row.flag(2).unwrap());
        assert!(!row.flag(3).unwrap());
        assert!(row.text(3).is_err(), "an integer is no text");
        assert!(row.int(4).is_err(), "there is no fifth column");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_wants_exactly_one_row() {
    const ALL: &str = "UPDATE item SET amount = 1";
    const SELECT: &str = "SELECT 1 FROM item WHERE version = $1";
    const RETURNING: &str = "UPDATE item SET amount = 2 WHERE id < $1 RETURNING id";
    on_both(async |ground| {
        let store = ground.open().await;
        store.commit(insert("a").then(insert("b"))).await.unwrap();
        store
            .commit(Batch::default().guard(BUMP, ["a".into(), 0.into()]))
            .await
            .unwrap();

        let conflict = |batch: Batch| async { matches!(store.commit(batch).await, Err(Rejected::Conflict)) };
        assert!(
            conflict(Batch::default().guard(BUMP, ["a".into(), 0.into()])).await,
            "no row"
        );
        assert!(conflict(Batch::default().guard(ALL, [])).await, "two rows");
        assert!(
            conflict(Batch::default().guard(SELECT, [7.into()])).await,
            "no row read"
        );
        assert!(
            conflict(Batch::default().guard(RETURNING, ["z".into()])).await,
            "two rows returned"
        );
        store
            .commit(
                Batch::default()
                    .guard(SELECT, [1.into()])
                    .guard(RETURNING, ["b".into()]),
            )
            .await
            .unwrap();

        let refused = store.commit(Batch::default().one(ALL, [], Refusal::LastPasskey)).await;
        assert!(matches!(refused, Err(Rejected::Refused(Refusal::LastPasskey))));
        store
            .commit(Batch::default().any(ALL, []).any(BUMP, ["none".into(), 0.into()]))
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing_and_the_first_guard_names_the_reason() {
    on_both(async |ground| {
        let store = ground.open().await;
        store.commit(insert("old")).await.unwrap();
        let batch = insert("new")
            .any("UPDATE item SET version = 9", [])
            .one(BUMP, ["absent".into(), 0.into()], Refusal::ClientUnknown)
            .one(BUMP, ["absent".into(), 0.into()], Refusal::ClientDisabled)
            // On PostgreSQL this has run when the first guard is judged; its failure is not the reason.
            .any(
                "INSERT INTO item (id, version) VALUES ($1, $2)",
                ["old".into(), 0.into()],
            );
        assert!(matches!(
            store.commit(batch).await,
            Err(Rejected::Refused(Refusal::ClientUnknown))
        ));
        assert_eq!(count(&store).await, 1);
        assert_eq!(version(&store, "old").await, 0);
        store.commit(insert("after")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_commits() {
    on_both(async |ground| {
        let store = ground.open().await;
        assert!(Batch::default().is_empty());
        store.commit(Batch::default()).await.unwrap();
        assert_eq!(store.is_shared(), ground.database.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_carries_no_argument_and_harms_nobody_else() {
    const SECRET: &str = "hunter2";
    on_both(async |ground| {
        let store = ground.open().await;
        store.commit(insert(SECRET)).await.unwrap();
        let twice = insert("x").any(
            "INSERT INTO item (id, version) VALUES ($1, $2)",
            [SECRET.into(), 0.into()],
        );
        let number = "INSERT INTO item (id, version) VALUES ($1, CAST($1 AS BIGINT) / 0 + json_array_length($1))";
        let wrong = Batch::default().any(number, [SECRET.into()]);
        let missing = Batch::default().any("UPDATE item SET note = $1 WHERE id = $2", [SECRET.into()]);
        for batch in [twice, wrong, missing] {
            let Err(Rejected::Fault(fault)) = store.commit(batch).await else {
                panic!("a fault is expected")
            };
            assert_eq!(fault.kind(), FaultKind::Broken);
            let mut said = format!("{fault} {fault:?}");
            let mut source = fault.source();
            while let Some(error) = source {
                said.push_str(&error.to_string());
                source = error.source();
            }
            assert!(!said.contains(SECRET), "{said}");
        }
        assert!(store.rows("SELECT nothing FROM nowhere", []).await.is_err());
        assert_eq!(count(&store).await, 1);
        store.commit(insert("after")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_and_checks_are_enforced_and_reads_cannot_write() {
    on_both(async |ground| {
        let store = ground.open().await;
        let part = "CREATE TABLE part (item TEXT NOT NULL REFERENCES item (id), kind TEXT CHECK (kind IN ('a', 'b')))";
        store.commit(insert("i").any(part, [])).await.unwrap();
        let add = |item: &str, kind: &str| {
            Batch::default().any(
                "INSERT INTO part (item, kind) VALUES ($1, $2)",
                [item.into(), kind.into()],
            )
        };
        store.commit(add("i", "a")).await.unwrap();
        assert!(matches!(store.commit(add("none", "a")).await, Err(Rejected::Fault(_))));
        assert!(matches!(store.commit(add("i", "c")).await, Err(Rejected::Fault(_))));
        assert!(store.rows("DELETE FROM part RETURNING item", []).await.is_err());
        assert_eq!(store.rows("SELECT item FROM part", []).await.unwrap().len(), 1);
    })
    .await;
}
