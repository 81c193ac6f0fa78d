//! The attacker: a script on a machine of its own, with keys of its own and the public name of somebody
//! else's client. It takes whatever the server gives it for the asking.

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::front::ATTACKER;
use crate::approver::Approver;
use crate::http::Answer;
use crate::keys::{Key, sha256};
use crate::world::{CIBA, DEVICE_CODE, SCOPES, Started, World, started};

/// What one of the kits of 2026 called itself.
const KIT: &str = "kali365-live/1.0";

/// Under which its key would be enrolled.
pub const NAME: &str = "IT support";

pub struct Attacker<'a> {
    world: &'a World,
    pub client: String,
    pub key: Key,
    address: &'static str,
    nonce: Mutex<Option<String>>,
}

/// Something to pass on to a victim.
pub struct Bait {
    pub asked: Started,
    pub way: Way,
}

/// What there is to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A token, as any stock client asks.
    Plain,
    /// A token, with a key of the attacker's own.
    WithKey,
    /// To have that key enrolled.
    Enrollment,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Plain, Self::WithKey, Self::Enrollment];
}

/// What came of a bait.
pub enum Loot {
    Tokens(Value),
    Instance(Value),
}

impl Bait {
    pub fn code(&self) -> &str {
        &self.asked.user_code
    }

    /// What a link or a QR image holds: the complete one where the server gives one.
    pub fn link(&self) -> &str {
        let body = &self.asked.body;
        let link = body["verification_uri_complete"].as_str();
        link.or(body["verification_uri"].as_str()).unwrap()
    }
}

impl<'a> Attacker<'a> {
    pub fn of(world: &'a World, client: &str) -> Self {
        Self {
            world,
            client: client.to_owned(),
            key: Key::new(),
            address: ATTACKER,
            nonce: Mutex::default(),
        }
    }

    /// The same attacker in another place.
    pub fn at(self, address: &'static str) -> Self {
        Self { address, ..self }
    }

    /// In each of these ways until one gives a code, and what refused the others.
    pub async fn asks(&self, ways: &[Way], further: &[(&str, &str)]) -> (Option<Bait>, Vec<(Way, String)>) {
        let mut refusals = Vec::new();
        for way in ways {
            match self.asks_in(*way, further).await {
                Ok(bait) => return (Some(bait), refusals),
                Err(refusal) => refusals.push((*way, refusal)),
            }
        }
        (None, refusals)
    }

    pub async fn asks_in(&self, way: Way, further: &[(&str, &str)]) -> Result<Bait, String> {
        let (path, own) = match way {
            Way::Plain | Way::WithKey => ("/device_authorization", ("scope", SCOPES)),
            Way::Enrollment => ("/enrollment", ("name", NAME)),
        };
        let mut pairs = vec![("client_id", self.client.as_str()), own];
        pairs.extend(further);
        let answer = self.sends(path, &pairs, way != Way::Plain).await;
        if answer.status >= 300 {
            return Err(answer.error());
        }
        let asked = started(&self.client, &answer);
        Ok(Bait { asked, way })
    }

    /// An enrollment with everything that a browser says by itself about the page that sends.
    pub async fn asks_from_a_page(&self) -> Bait {
        let pairs = [("client_id", self.client.as_str()), ("name", NAME)];
        let proof = self.key.proof("POST", &self.world.htu("/enrollment"), &json!({}));
        let headers = [
            ("X-Forwarded-For", self.address),
            ("DPoP", &proof),
            ("Origin", "http://rebound.example"),
        ];
        let answer = self.world.post_with("/enrollment", &pairs, &headers).await;
        let asked = started(&self.client, &answer);
        let way = Way::Enrollment;
        Bait { asked, way }
    }

    /// An approver's terminal call, as if somebody else's code were one's own to approve.
    pub async fn approves(&self, user_code: &str) -> Answer {
        let approver = Approver::new("stranger");
        approver.view(&self.world.server, user_code).await
    }

    /// What there is to have, or why there is nothing.
    pub async fn polls(&self, bait: &Bait) -> Result<Loot, String> {
        let mut pairs = vec![
            ("device_code", bait.asked.device_code.as_str()),
            ("client_id", self.client.as_str()),
        ];
        let path = match bait.way {
            Way::Plain | Way::WithKey => "/token",
            Way::Enrollment => "/enrollment/finish",
        };
        if path == "/token" {
            pairs.push(("grant_type", DEVICE_CODE));
        }
        let answer = self.sends(path, &pairs, bait.way != Way::Plain).await;
        match (answer.status, bait.way) {
            (200, Way::Enrollment) => Ok(Loot::Instance(answer.json())),
            (200, _) => Ok(Loot::Tokens(answer.json())),
            _ => Err(answer.error()),
        }
    }

    /// Into an inbox, with no code to carry: the `auth_req_id`, or why there is none.
    pub async fn asks_by_inbox(&self, further: &[(&str, &str)]) -> Result<String, String> {
        let mut pairs = vec![("client_id", self.client.as_str()), ("scope", SCOPES)];
        pairs.extend(further);
        let answer = self.sends("/backchannel_authentication", &pairs, true).await;
        match answer.status {
            200 => Ok(answer.json()["auth_req_id"].as_str().unwrap().to_owned()),
            _ => Err(answer.error()),
        }
    }

    pub async fn polls_inbox(&self, auth_req_id: &str) -> Result<Value, String> {
        let pairs = [
            ("grant_type", CIBA),
            ("auth_req_id", auth_req_id),
            ("client_id", &self.client),
        ];
        let answer = self.sends("/token", &pairs, true).await;
        match answer.status {
            200 => Ok(answer.json()),
            _ => Err(answer.error()),
        }
    }

    pub async fn refreshes(&self, tokens: &Value) -> Answer {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
            ("client_id", &self.client),
        ];
        self.sends("/token", &pairs, tokens["token_type"] == "DPoP").await
    }

    /// With the first token to every place where something that lasts longer is made (Storm-2372 made a
    /// device and its primary refresh token of it). What was let in.
    pub async fn mints_more(&self, tokens: &Value) -> Vec<&'static str> {
        const PLACES: [&str; 8] = [
            "/enrollment",
            "/instance/rotate",
            "/approver/enroll",
            "/approver/approve",
            "/account",
            "/account/passkeys/start",
            "/account/passkeys/finish",
            "/enroll",
        ];
        let token = tokens["access_token"].as_str().unwrap();
        let pairs = [("client_id", self.client.as_str()), ("name", NAME), ("label", NAME)];
        let mut let_in = Vec::new();
        for path in PLACES {
            for scheme in ["Bearer", "DPoP"] {
                let credentials = format!("{scheme} {token}");
                let proof = self.key.proof("POST", &self.world.htu(path), &json!({}));
                let headers = [
                    ("X-Forwarded-For", self.address),
                    ("Authorization", &credentials),
                    ("DPoP", &proof),
                ];
                let answer = self.world.post_with(path, &pairs, &headers).await;
                // 202 is a ceremony like any stranger's.
                if answer.status < 300 && answer.status != 202 {
                    let_in.push(path);
                }
            }
        }
        let_in
    }

    /// A token that came from somebody else, as it is and with a key of the attacker's own. Why it is of no use.
    pub async fn uses(&self, token: &str) -> Result<(), Vec<String>> {
        let mut refusals = Vec::new();
        for scheme in ["Bearer", "DPoP"] {
            let extra = json!({"nonce": *self.nonce.lock().await, "ath": sha256(token)});
            let proof = self.key.proof("POST", &self.world.htu("/userinfo"), &extra);
            let credentials = format!("{scheme} {token}");
            let headers = [
                ("X-Forwarded-For", self.address),
                ("Authorization", &credentials),
                ("DPoP", &proof),
            ];
            let answer = self.world.post_with("/userinfo", &[], &headers).await;
            if answer.status == 200 {
                return Ok(());
            }
            refusals.push(answer.error());
        }
        Err(refusals)
    }

    /// A form from the attacker's address; again with the nonce where the server asks for one.
    async fn sends(&self, path: &str, pairs: &[(&str, &str)], with_key: bool) -> Answer {
        let mut answer = self.sends_once(path, pairs, with_key).await;
        if answer.error() == "use_dpop_nonce" {
            answer = self.sends_once(path, pairs, with_key).await;
        }
        answer
    }

    async fn sends_once(&self, path: &str, pairs: &[(&str, &str)], with_key: bool) -> Answer {
        let mut nonce = self.nonce.lock().await;
        let proof = self.key.proof("POST", &self.world.htu(path), &json!({"nonce": *nonce}));
        let mut headers = vec![("X-Forwarded-For", self.address), ("User-Agent", KIT)];
        if with_key {
            headers.push(("DPoP", &proof));
        }
        let answer = self.world.post_with(path, pairs, &headers).await;
        if let Some(fresh) = answer.header("dpop-nonce") {
            *nonce = Some(fresh.to_owned());
        }
        answer
    }
}
