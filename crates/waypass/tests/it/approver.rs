//! An approver with a software key, over HTTP: fast enough for races, and able to do what the command
//! line would never do. What it signs is built here from the design, not with the code under test.

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::http::{Answer, CLIENT};
use crate::keys::{Key, canonical};
use crate::server::Server;

pub struct Approver {
    pub name: String,
    pub key: Key,
    nonce: Mutex<Option<String>>,
}

impl Approver {
    pub fn new(name: &str) -> Self {
        Self::with(name, Key::new())
    }

    /// Whoever has this key.
    pub fn with(name: &str, key: Key) -> Self {
        Self {
            name: name.to_owned(),
            key,
            nonce: Mutex::new(None),
        }
    }

    /// Registers the key by the link's fragment.
    pub async fn enroll(&self, server: &Server, link: &str) -> Answer {
        let (_, token) = link.split_once('#').unwrap();
        self.call(server, "enroll", &json!({"enrollment_token": token})).await
    }

    /// One terminal call: a proof by the key, again with the nonce where the server asks for one.
    pub async fn call(&self, server: &Server, act: &str, body: &Value) -> Answer {
        let answer = self.call_once(server, act, body).await;
        if answer.error() == "use_dpop_nonce" {
            self.call_once(server, act, body).await
        } else {
            answer
        }
    }

    async fn call_once(&self, server: &Server, act: &str, body: &Value) -> Answer {
        let nonce = self.nonce.lock().await.clone();
        let proof = self.key.proof(
            "POST",
            &format!("{}/approver/{act}", server.issuer),
            &json!({"nonce": nonce}),
        );
        let answer = self.send(server, act, body, &proof).await;
        if let Some(nonce) = answer.header("dpop-nonce") {
            *self.nonce.lock().await = Some(nonce.to_owned());
        }
        answer
    }

    pub async fn send(&self, server: &Server, act: &str, body: &Value, proof: &str) -> Answer {
        let url = format!("{}/approver/{act}", server.base());
        Answer::to(CLIENT.post(url).header("DPoP", proof).json(body)).await
    }

    /// The same when the server may die meanwhile: nothing then.
    pub async fn try_call(&self, server: &Server, act: &str, body: &Value) -> Option<Value> {
        for _ in 0..2 {
            let nonce = self.nonce.lock().await.clone();
            let proof = self.key.proof(
                "POST",
                &format!("{}/approver/{act}", server.issuer),
                &json!({"nonce": nonce}),
            );
            let url = format!("{}/approver/{act}", server.base());
            let answer = CLIENT.post(url).header("DPoP", proof).json(body).send().await.ok()?;
            if let Some(nonce) = answer.headers().get("dpop-nonce") {
                *self.nonce.lock().await = nonce.to_str().ok().map(str::to_owned);
            }
            let (status, body): (u16, Value) = (answer.status().as_u16(), answer.json().await.ok()?);
            if body["error"] != "use_dpop_nonce" {
                assert_eq!(status, 200, "{act}: {body}");
                return Some(body);
            }
        }
        panic!("a nonce was asked for twice in a row");
    }

    pub async fn view(&self, server: &Server, user_code: &str) -> Answer {
        self.call(server, "view", &json!({"user_code": user_code})).await
    }

    /// Signs and sends the decision of a view.
    pub async fn approve_view(&self, server: &Server, view: &Value) -> Answer {
        let decision = &view["decision"];
        let signature = self.key.sign(canonical(decision).as_bytes());
        let body = json!({"request_id": view["request_id"], "decision": decision, "signature": signature});
        self.call(server, "approve", &body).await
    }

    pub async fn approve(&self, server: &Server, user_code: &str) {
        let view = self.view(server, user_code).await.expect(200).json();
        self.approve_view(server, &view).await.expect(200);
    }

    pub async fn deny(&self, server: &Server, user_code: &str) {
        let view = self.view(server, user_code).await.expect(200).json();
        let body = json!({"request_id": view["request_id"]});
        self.call(server, "deny", &body).await.expect(200);
    }
}
