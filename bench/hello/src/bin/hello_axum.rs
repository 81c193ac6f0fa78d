//! Bare axum 0.8: parse the form with serde, answer JSON of the size of a real answer.
use axum::{Form, Json, Router, http::StatusCode, routing::post};
use serde::{Deserialize, Serialize};


#[derive(Deserialize)]
struct Device { client_id: String, #[allow(dead_code)] scope: Option<String> }
#[derive(Serialize)]
struct DeviceAnswer { device_code: &'static str, user_code: &'static str, verification_uri: &'static str, verification_uri_complete: &'static str, expires_in: u32, interval: u32 }
#[derive(Deserialize)]
struct Token { grant_type: String, device_code: String, client_id: String }
#[derive(Serialize)]
struct Error { error: &'static str, error_description: &'static str }

async fn device(Form(f): Form<Device>) -> Result<Json<DeviceAnswer>, StatusCode> {
    if f.client_id.is_empty() { return Err(StatusCode::BAD_REQUEST) }
    Ok(Json(DeviceAnswer { device_code: "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS", user_code: "WDJB-MJHT",
        verification_uri: "https://example.com/device", verification_uri_complete: "https://example.com/device?user_code=WDJB-MJHT",
        expires_in: 1800, interval: 5 }))
}
async fn token(Form(f): Form<Token>) -> (StatusCode, Json<Error>) {
    let ok = f.grant_type == "urn:ietf:params:oauth:grant-type:device_code" && !f.device_code.is_empty() && !f.client_id.is_empty();
    let e = if ok { "authorization_pending" } else { "invalid_request" };
    (StatusCode::BAD_REQUEST, Json(Error { error: e, error_description: "the user has not yet approved the request" }))
}

fn main() {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let threads: usize = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(2);
    let rt = if threads == 1 { tokio::runtime::Builder::new_current_thread().enable_all().build() }
        else { tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() }.unwrap();
    rt.block_on(async move {
        let app = Router::new().route("/device_authorization", post(device)).route("/token", post(token));
        let l = tokio::net::TcpListener::bind(addr).await.unwrap();
        use axum::serve::ListenerExt;
        axum::serve(l.tap_io(|s| { let _ = s.set_nodelay(true); }), app).await.unwrap();
    });
}
