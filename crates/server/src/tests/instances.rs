//! Instances: how a key becomes known, what it may do then, and how that ends.

mod acts;
mod ceremony;
mod rotation;
mod tokens;

use http::StatusCode;
use serde_json::json;

use super::pages::browser::Browser;
use super::pages::passkey::Passkey;
use super::world::{Answer, Key, World};

/// The request of a key that nobody knows.
pub async fn ask_to_enroll(world: &World, client_id: &str, key: &Key) -> Answer {
    let form = [
        ("client_id", client_id),
        ("name", "Build host 7"),
        ("key_storage", "tpm"),
        ("host", "build7.example"),
    ];
    world.post_by("/enrollment", &form, key).await
}

pub async fn finish(world: &World, client_id: &str, device_code: &str, key: &Key) -> Answer {
    let form = [("client_id", client_id), ("device_code", device_code)];
    world.post_by("/enrollment/finish", &form, key).await
}

/// A device code for access, asked for by an enrolled key.
pub async fn ask(world: &World, client_id: &str, key: &Key) -> Answer {
    let form = [("client_id", client_id), ("scope", "openid offline_access read")];
    world.post_by("/device_authorization", &form, key).await
}

pub async fn poll(world: &World, device_code: &str, key: &Key) -> Answer {
    world
        .post_by("/token", &super::world::poll_form(device_code), key)
        .await
}

/// Types the code on the page and approves.
pub async fn approve(browser: &Browser<'_>, passkey: &Passkey, asked: &Answer) {
    let page = browser.type_code(&asked.text("user_code")).await;
    assert_eq!(browser.approve(&page, passkey).await.location(), page);
}

/// The tokens that an enrolled key gets, with its owner at the page.
pub async fn tokens(browser: &Browser<'_>, passkey: &Passkey, key: &Key) -> Answer {
    let asked = ask(browser.world, "cli", key).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    approve(browser, passkey, &asked).await;
    let tokens = poll(browser.world, &asked.text("device_code"), key).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    tokens
}

pub async fn refresh(world: &World, tokens: &Answer, key: &Key) -> Answer {
    let token = tokens.text("refresh_token");
    world.post_by("/token", &super::world::refresh_form(&token), key).await
}

pub async fn rotate(world: &World, client_id: &str, old: &Key, new: &Key) -> Answer {
    let nonce = world.app.derived.nonces.issue(world.app.now());
    let proof = new.proof("/instance/rotate", world.app.now(), Some(&nonce));
    rotate_with(world, client_id, old, &proof).await
}

pub async fn rotate_with(world: &World, client_id: &str, old: &Key, proof: &str) -> Answer {
    let form = [("client_id", client_id), ("new_key_proof", proof)];
    world.post_by("/instance/rotate", &form, old).await
}

/// Asked for by ceremony, approved, and finished.
pub async fn enrolled_by_ceremony(browser: &Browser<'_>, passkey: &Passkey, key: &Key) -> Answer {
    let asked = ask_to_enroll(browser.world, "cli", key).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    approve(browser, passkey, &asked).await;
    let finished = finish(browser.world, "cli", &asked.text("device_code"), key).await;
    assert_eq!(finished.status, StatusCode::OK, "{}", finished.body);
    finished
}

/// A client, its owner at a browser, and no instance yet.
pub async fn standard<'a>(world: &'a World, owner: &str) -> (Browser<'a>, Passkey) {
    if world.app.store.client("cli").await.unwrap().is_none() {
        world.standard_client("cli").await;
    }
    Browser::enrolled(world, owner).await
}

pub fn no_body() -> serde_json::Value {
    json!({})
}
