//! The requester's address: from the connection, or from a hop that is trusted, or not at all.

use serde_json::Value;

use crate::database::Database;
use crate::server::Setup;
use crate::world::{World, alone_with, started};

on_both!(an_untrusted_forwarded_header_makes_the_address_unknown);

async fn fact(world: &World, headers: &[(&str, &str)]) -> Option<Value> {
    let client = world.stock_client().await;
    let answer = world
        .post_with("/device_authorization", &[("client_id", &client)], headers)
        .await
        .expect(200);
    let begun = started(&client, &answer);
    let view = world
        .approver()
        .await
        .view(&world.server, &begun.user_code)
        .await
        .expect(200)
        .json();
    view["facts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|fact| fact["name"] == "requester.address")
        .cloned()
}

/// A wrong address on the page is worse than none (NyxID, artifact-keeper).
async fn an_untrusted_forwarded_header_makes_the_address_unknown(world: &World) {
    let direct = fact(world, &[]).await.expect("a direct connection has an address");
    assert_eq!(
        (&direct["value"], &direct["source"]),
        (&"127.0.0.1".into(), &"proven".into())
    );
    for header in [("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")] {
        let forwarded = fact(world, &[header]).await;
        let text = forwarded.map(|fact| fact.to_string()).unwrap_or_default();
        assert!(
            !text.contains("203.0.113.7") && !text.contains("127.0.0.1"),
            "{header:?}: {text}"
        );
    }
}

#[test]
fn a_trusted_proxy_is_believed_for_one_hop() {
    alone_with(Database::Sqlite, &Setup::behind_proxy(), async |world: &World| {
        for (header, address) in [
            (("X-Forwarded-For", "203.0.113.7"), "203.0.113.7"),
            // The left part was sent by the client itself.
            (("X-Forwarded-For", "198.51.100.1, 203.0.113.7"), "203.0.113.7"),
        ] {
            let fact = fact(world, &[header]).await.unwrap();
            assert_eq!(fact["value"], address, "{fact}");
        }
        let garbage = fact(world, &[("X-Forwarded-For", "not an address")]).await;
        assert!(!garbage.is_some_and(|fact| fact.to_string().contains("not an address")));
    });
}
