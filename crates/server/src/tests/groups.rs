//! Groups: by an administrator's act, over the local API. Those of upstream claims are in `pages/upstream`.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{World, on_both};

async fn add(world: &World, group: &str, approver: &str) -> StatusCode {
    let body = json!({ "approver": approver });
    world
        .administer("POST", &format!("/local/groups/{group}/members"), &body)
        .await
        .status
}

async fn remove(world: &World, group: &str, approver: &str) -> StatusCode {
    let path = format!("/local/groups/{group}/members/{approver}");
    world.administer("DELETE", &path, &Value::Null).await.status
}

#[test]
fn members_come_and_go_on_the_record() {
    on_both(async |world| {
        world.approver("alice").await;
        world.approver("bob").await;
        assert_eq!(add(world, "ops", "alice").await, StatusCode::NO_CONTENT);
        assert_eq!(add(world, "ops", "bob").await, StatusCode::NO_CONTENT);
        assert_eq!(add(world, "build", "alice").await, StatusCode::NO_CONTENT);
        assert_eq!(add(world, "ops", "alice").await, StatusCode::CONFLICT, "twice");
        assert_eq!(add(world, "ops", "nobody").await, StatusCode::NOT_FOUND);
        assert_eq!(add(world, "no%20name", "alice").await, StatusCode::BAD_REQUEST);

        let listed = world.administer("GET", "/local/groups", &Value::Null).await.body;
        let since = world.app.now().millis();
        let member = |name: &str| json!({ "approver": name, "source": "local", "since": since, "until": null });
        assert_eq!(
            listed,
            json!([
                { "name": "build", "members": [member("alice")] },
                { "name": "ops", "members": [member("alice"), member("bob")] },
            ])
        );
        let alice = world.app.store.approver_named("alice").await.unwrap().unwrap();
        assert_eq!(world.app.every_group_of(&alice.id).await.unwrap(), ["build", "ops"]);

        assert_eq!(remove(world, "ops", "alice").await, StatusCode::NO_CONTENT);
        assert_eq!(remove(world, "ops", "alice").await, StatusCode::NOT_FOUND, "twice");
        assert_eq!(world.app.every_group_of(&alice.id).await.unwrap(), ["build"]);
        let removed = world.events("group.member_removed").await;
        assert_eq!((removed.len(), &removed[0]["detail"]["group.name"]), (1, &json!("ops")));
        assert_eq!(removed[0]["approver_id"], json!(alice.id));
        assert_eq!(world.events("group.member_added").await.len(), 3);
    });
}

/// Whatever is being decided upon somebody's groups must notice: the approver's version moves.
#[test]
fn a_change_of_groups_moves_the_approver_s_version() {
    on_both(async |world| {
        world.approver("alice").await;
        let version = async || world.app.store.approver_named("alice").await.unwrap().unwrap().version;
        let before = version().await;
        add(world, "ops", "alice").await;
        assert_eq!(version().await, before + 1);
        remove(world, "ops", "alice").await;
        assert_eq!(version().await, before + 2);
    });
}
