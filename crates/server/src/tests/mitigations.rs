//! The mitigations of RFC 10027 that compare, count and report: each behind its field of a profile, on both
//! databases.

mod near;
mod prompts;
mod repeated;

use std::net::IpAddr;
use std::path::PathBuf;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::world::{Answer, Key, World, directory, on_both_as, poll_form};
use crate::config::ServeArgs;
use crate::peer::Peer;

pub const HOME: &str = "192.0.2.7";
pub const LINUX: &str = "waypass (linux)";

/// A profile named `mine` with these mitigations; `starter` names what has to be proven.
fn profile(starter: &str, mitigations: &str) -> String {
    format!(
        "name = \"mine\"\npurpose = \"a test\"\n[assessment]\nrisk = \"phishing\"\nresidual = \"little\"\n\
         [approval]\nby = \"anyone\"\nsoftware_keys = true\nstarter = [{starter}]\n\
         [mitigations]\nX02 = 600\n{mitigations}\n"
    )
}

/// A server with a profile `mine` and a `[network]` section of its own.
struct Settings {
    folder: PathBuf,
}

impl Settings {
    fn new(name: &str, profile: &str, network: &str) -> Self {
        let folder = directory(&format!("settings-{name}"));
        std::fs::create_dir_all(folder.join("profiles")).unwrap();
        std::fs::write(folder.join("profiles/mine.toml"), profile).unwrap();
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
        let network = format!(
            "[network]\noperator_database = \"{data}/operators.mmdb\"\ncountry_database = \"{data}/countries.mmdb\"\n{network}\n"
        );
        std::fs::write(folder.join("waypass.toml"), network).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> Option<String> {
        self.folder.join(name).to_str().map(str::to_owned)
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs a test on both databases under a profile `mine`, with a client `cli` and an approver `alice`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn under(name: &str, profile: &str, network: &str, test: impl AsyncFn(&World, &Key)) {
    let settings = Settings::new(name, profile, network);
    let args = ServeArgs {
        config: settings.path("waypass.toml"),
        profiles: settings.path("profiles"),
        ..ServeArgs::default()
    };
    on_both_as(&args, async |world| {
        let added = world.client("cli", json!({ "profile": "mine" })).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        let alice = world.approver("alice").await;
        test(world, &alice).await;
    });
}

/// Somebody at an address, with a user agent.
struct Somebody<'a> {
    world: &'a World,
    address: IpAddr,
    user_agent: &'a str,
}

impl World {
    fn at<'a>(&'a self, address: &str, user_agent: &'a str) -> Somebody<'a> {
        Somebody {
            world: self,
            address: address.parse().unwrap(),
            user_agent,
        }
    }
}

impl Somebody<'_> {
    fn request(&self, path: &str) -> http::request::Builder {
        Request::post(path)
            .header("user-agent", self.user_agent)
            .extension(Peer((self.address, 40_000).into()))
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self
            .request(path)
            .header("content-type", "application/x-www-form-urlencoded");
        self.world.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn ask(&self) -> Answer {
        let form = [("client_id", "cli"), ("scope", "openid offline_access read")];
        let asked = self.post("/device_authorization", &form).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        asked
    }

    async fn call(&self, path: &str, body: &Value, key: &Key) -> Answer {
        let world = self.world;
        let nonce = world.app.derived.nonces.issue(world.app.now());
        let proof = key.proof(path, world.app.now(), Some(&nonce));
        let request = self
            .request(path)
            .header("content-type", "application/json")
            .header("dpop", proof);
        world.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn view(&self, asked: &Answer, key: &Key) -> Answer {
        let code = asked.text("user_code");
        self.call("/approver/view", &json!({ "user_code": code }), key).await
    }

    async fn approve(&self, asked: &Answer, key: &Key) -> Answer {
        let view = self.view(asked, key).await;
        assert_eq!(view.status, StatusCode::OK, "{}", view.body);
        self.call("/approver/approve", &key.decision(&view.body), key).await
    }

    /// Asked, approved and redeemed, all from here.
    async fn tokens(&self, key: &Key) -> (Answer, Answer) {
        let asked = self.ask().await;
        assert_eq!(self.approve(&asked, key).await.status, StatusCode::OK);
        let redeemed = self.post("/token", &poll_form(&asked.text("device_code"))).await;
        assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.body);
        (asked, redeemed)
    }
}

/// What a field of the newest event of this kind says.
async fn told(world: &World, action: &str, fields: &[&str]) -> String {
    let events = world.events(action).await;
    let detail = &events.last().unwrap_or_else(|| panic!("no {action}"))["detail"];
    fields.iter().fold(String::new(), |told, field| {
        format!("{told}{field}: {}\n", detail[field])
    })
}
