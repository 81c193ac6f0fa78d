//! Where the two ends are: whose address is believed, and what is made of it.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;

use super::world::{World, on_both};
use crate::peer::Peer;

/// Asks from an address, with one header more.
async fn ask_from(world: &World, address: &str, header: (&str, &str)) -> String {
    let request = Request::post("/device_authorization")
        .header("content-type", "application/x-www-form-urlencoded")
        .header(header.0, header.1)
        .extension(Peer((address.parse::<std::net::IpAddr>().unwrap(), 40_000).into()));
    let asked = world
        .send(request.body(Body::from("client_id=cli&scope=read")).unwrap())
        .await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    asked.text("user_code")
}

fn requester(view: &Value) -> Option<&str> {
    let facts = view["facts"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["name"] == "requester.address")?;
    fact["value"].as_str()
}

#[test]
fn a_request_by_a_web_page_has_no_address_as_a_fact() {
    on_both(async |world| {
        world.cli().await;
        let approver = world.approver("alice").await;
        for (header, expected) in [
            (("accept", "*/*"), Some("192.0.2.7")),
            (("origin", "https://evil.example"), None),
            (("sec-fetch-site", "cross-site"), None),
        ] {
            let code = ask_from(world, "192.0.2.7", header).await;
            let view = world.view(&code, &approver).await.body;
            assert_eq!(requester(&view), expected, "{header:?}: {view}");
        }
    });
}
