//! Signing keys: rotation with overlap, and a key file that is not this database's.

use serde_json::{Value, json};

use super::world::{World, on_both};
use crate::signing_keys;

async fn kids(world: &World, state: &str) -> Vec<String> {
    let keys = world.administer("GET", "/local/keys", &Value::Null).await.body;
    let in_state = keys.as_array().unwrap().iter().filter(|key| key["state"] == state);
    in_state.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rotated_key_was_published_before_and_the_old_one_stays_for_its_tokens() {
    on_both(async |world| {
        world.cli().await;
        let alice = world.approver("alice").await;
        let before = world.tokens(&alice).await.text("access_token");
        let (active, next) = (kids(world, "active").await, kids(world, "next").await);
        world.administer("POST", "/local/keys/rotate", &json!({})).await;
        assert_eq!(kids(world, "retiring").await.len(), active.len());
        for kid in &next {
            assert!(
                kids(world, "active").await.contains(kid),
                "what was published first signs now"
            );
        }
        assert!(world.is_active(&before).await, "a token of the old key still stands");
        let after = world.tokens(&alice).await.text("access_token");
        assert!(world.is_active(&after).await);
        world.advance(24 * 3600);
        world
            .app
            .store
            .commit(store::Batch::default().sweep(world.app.now()))
            .await
            .unwrap();
        assert!(kids(world, "retiring").await.is_empty(), "in the end it is gone");
    });
}

#[test]
fn another_key_file_than_the_databases_refuses_to_start() {
    on_both(async |world| {
        let other = crate::keys::MasterKey::from_entropy(&protocol::secret::Entropy([9; 32]));
        let other = crate::keys::DerivedKeys::new(&other).unwrap();
        let fault = signing_keys::check_key_file(&world.app.store, &other)
            .await
            .unwrap_err();
        assert!(fault.to_string().contains("key file"), "{fault}");
        assert!(
            signing_keys::check_key_file(&world.app.store, &world.app.derived)
                .await
                .is_ok()
        );
    });
}
