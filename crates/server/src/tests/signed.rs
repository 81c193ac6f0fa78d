//! Tokens by a test's key.

use protocol::jwt::signing_input;
use serde_json::Value;

use super::world::Key;

/// Of any header and claims, properly signed.
pub fn token(key: &Key, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let signature = key.sign(input.as_bytes());
    format!("{input}.{signature}")
}
