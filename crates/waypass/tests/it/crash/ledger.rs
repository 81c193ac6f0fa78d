//! What the server acknowledged before it was killed, and whether it still knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::http::{CLIENT, form};
use crate::keys::canonical;
use crate::world::{DEVICE_CODE, SCOPES, World};

/// Each list holds what was acknowledged and then left alone.
#[derive(Default)]
pub struct Ledger {
    /// Device codes nobody decided.
    requested: Vec<String>,
    /// Device codes approved and not presented.
    approved: Vec<String>,
    /// Device codes redeemed, with the tokens.
    redeemed: Vec<(String, Value)>,
    /// Tokens after one refresh: predecessor, successor.
    refreshed: Vec<(Value, Value)>,
    /// Tokens revoked.
    revoked: Vec<Value>,
    /// Redemptions that were sent and not answered: each may have happened, once.
    unanswered: Vec<String>,
    /// How many acts all workers together have had acknowledged.
    tally: Arc<AtomicUsize>,
}

/// A request that may die with the server: nothing is known then.
async fn post(world: &World, path: &str, pairs: &[(&str, &str)]) -> Option<(u16, Value)> {
    let request = CLIENT
        .post(world.url(path))
        .header("Content-Type", "application/x-www-form-urlencoded");
    let answer = request.body(form(pairs)).send().await.ok()?;
    let status = answer.status().as_u16();
    let text = answer.text().await.ok()?;
    Some((status, serde_json::from_str(&text).unwrap_or_default()))
}

async fn request(world: &World, client: &str) -> Option<(String, String)> {
    let (status, body) = post(
        world,
        "/device_authorization",
        &[("client_id", client), ("scope", SCOPES)],
    )
    .await?;
    assert_eq!(status, 200, "{body}");
    Some((
        body["device_code"].as_str()?.to_owned(),
        body["user_code"].as_str()?.to_owned(),
    ))
}

async fn approve(world: &World, user_code: &str) -> Option<()> {
    let approver = world.approver().await;
    let view = approver
        .try_call(&world.server, "view", &json!({"user_code": user_code}))
        .await?;
    let signature = approver.key.sign(canonical(&view["decision"]).as_bytes());
    let body = json!({"request_id": view["request_id"], "decision": view["decision"], "signature": signature});
    approver.try_call(&world.server, "approve", &body).await.map(drop)
}

async fn redeem(world: &World, client: &str, code: &str) -> Option<(u16, Value)> {
    post(
        world,
        "/token",
        &[
            ("grant_type", DEVICE_CODE),
            ("device_code", code),
            ("client_id", client),
        ],
    )
    .await
}

async fn refresh(world: &World, client: &str, tokens: &Value) -> Option<(u16, Value)> {
    let token = tokens["refresh_token"].as_str()?;
    post(
        world,
        "/token",
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", client),
        ],
    )
    .await
}

/// Five requests, left at five stages. None: the server is gone.
pub async fn walk(world: &World, client: &str, ledger: &mut Ledger) -> Option<()> {
    let (code, _) = request(world, client).await?;
    ledger.requested.push(code);
    ledger.count();
    let (code, user_code) = request(world, client).await?;
    approve(world, &user_code).await?;
    ledger.approved.push(code);
    ledger.count();
    for stage in ["redeem", "refresh", "revoke"] {
        let (code, user_code) = request(world, client).await?;
        approve(world, &user_code).await?;
        ledger.unanswered.push(code.clone());
        let (status, tokens) = redeem(world, client, &code).await?;
        assert_eq!(status, 200, "{tokens}");
        ledger.unanswered.pop();
        match stage {
            "redeem" => ledger.redeemed.push((code, tokens)),
            "refresh" => {
                let (status, next) = refresh(world, client, &tokens).await?;
                assert_eq!(status, 200, "{next}");
                ledger.refreshed.push((tokens, next));
            }
            _ => {
                let token = tokens["refresh_token"].as_str()?;
                let (status, body) = post(world, "/revoke", &[("token", token), ("client_id", client)]).await?;
                assert_eq!(status, 200, "{body}");
                ledger.revoked.push(tokens);
            }
        }
        ledger.count();
    }
    Some(())
}

impl Ledger {
    pub fn counted_by(tally: &Arc<AtomicUsize>) -> Self {
        Self {
            tally: tally.clone(),
            ..Self::default()
        }
    }

    fn count(&self) {
        self.tally.fetch_add(1, Ordering::Relaxed);
    }

    pub fn merged(ledgers: Vec<Self>) -> Self {
        let mut whole = Self::default();
        for ledger in ledgers {
            whole.requested.extend(ledger.requested);
            whole.approved.extend(ledger.approved);
            whole.redeemed.extend(ledger.redeemed);
            whole.refreshed.extend(ledger.refreshed);
            whole.revoked.extend(ledger.revoked);
            whole.unanswered.extend(ledger.unanswered);
        }
        whole
    }

    /// How often the rarest act was acknowledged.
    pub fn shortest(&self) -> usize {
        let whole = [
            self.requested.len(),
            self.approved.len(),
            self.redeemed.len(),
            self.refreshed.len(),
        ];
        whole.into_iter().min().unwrap_or_default().min(self.revoked.len())
    }

    pub async fn check(&self, world: &World, client: &str, round: usize) {
        for code in &self.requested {
            let (_, body) = redeem(world, client, code).await.unwrap();
            assert_eq!(
                body["error"], "authorization_pending",
                "kill {round}: a request was lost"
            );
        }
        for code in &self.approved {
            let (status, body) = redeem(world, client, code).await.unwrap();
            assert_eq!(status, 200, "kill {round}: an approval was lost: {body}");
            let (status, body) = redeem(world, client, code).await.unwrap();
            assert_eq!(
                (status, &body["error"]),
                (400, &json!("invalid_grant")),
                "kill {round}: redeemed twice"
            );
        }
        for code in &self.unanswered {
            let (first, _) = redeem(world, client, code).await.unwrap();
            let (second, _) = redeem(world, client, code).await.unwrap();
            assert!(
                [200, 400].contains(&first) && second == 400,
                "kill {round}: {first} and {second}"
            );
        }
        self.check_tokens(world, client, round).await;
    }

    async fn check_tokens(&self, world: &World, client: &str, round: usize) {
        for tokens in &self.revoked {
            assert!(
                !world.is_active(&tokens["access_token"]).await,
                "kill {round}: a revocation was lost"
            );
        }
        for (code, tokens) in &self.redeemed {
            assert!(
                world.is_active(&tokens["access_token"]).await,
                "kill {round}: a token was lost"
            );
            let (status, body) = redeem(world, client, code).await.unwrap();
            assert_eq!(status, 400, "kill {round}: redeemed twice: {body}");
        }
        for (predecessor, successor) in &self.refreshed {
            let (status, body) = refresh(world, client, successor).await.unwrap();
            assert_eq!(status, 200, "kill {round}: a refresh was lost: {body}");
            let (status, body) = refresh(world, client, predecessor).await.unwrap();
            assert_eq!(status, 400, "kill {round}: refreshed twice: {body}");
        }
    }
}
