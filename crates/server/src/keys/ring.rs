//! The signing keys of a server and how they follow each other. Pure: it plans what changes, the caller
//! stores it in one guarded batch and opens the rows again.
//!
//! Verifiers keep a copy of the JWKS, so a key is published (`next`) before it signs (`active`), and stays
//! published (`retiring`) until the last token it signed has ended.

use protocol::jwk::{Algorithm, Flaw};
use protocol::jwt::{Claims, Unverified};
use protocol::refusal::Refusal;
use protocol::secret::Entropy;
use protocol::time::{Lifetime, Timestamp};
use serde_json::{Map, Value, json};

use super::{DerivedKeys, KeyFault, SIGNING_ALGORITHMS, SealedKey, SigningKey};

/// Beyond the life of the longest token: other nodes may sign with the old key until they have heard of the
/// rotation, and resource servers' clocks are not ours.
const MARGIN: Lifetime = Lifetime::from_seconds(3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    Active,
    Next,
    Retiring,
}

impl KeyState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Next => "next",
            Self::Retiring => "retiring",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Next, Self::Retiring]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A key that moves on: to be stored only if it is still in the state `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kid: String,
    pub from: KeyState,
    pub to: KeyState,
    pub retires_at: Option<Timestamp>,
}

/// One batch: the changes, and a fresh key for each of `needed` (see [`new_key`]).
#[derive(Debug, PartialEq, Eq)]
pub struct Rotation {
    pub changes: Vec<Change>,
    pub needed: Vec<(Algorithm, KeyState)>,
}

/// A fresh key as a row.
pub fn new_key(
    (algorithm, state): (Algorithm, KeyState),
    now: Timestamp,
    keys: &DerivedKeys,
    entropy: &Entropy,
) -> Result<SealedKey, KeyFault> {
    let key = SigningKey::generate(algorithm)?;
    Ok(SealedKey {
        kid: key.kid().to_owned(),
        alg: algorithm.as_str().to_owned(),
        state: state.as_str().to_owned(),
        created_at: now,
        retires_at: None,
        sealed: key.seal(keys, entropy)?,
    })
}

struct RingKey {
    key: SigningKey,
    state: KeyState,
}

/// All keys of the server, opened.
pub struct KeyRing(Vec<RingKey>);

impl KeyRing {
    /// Opens the rows. One that does not open refuses all: a server that starts without a key that is in
    /// its JWKS breaks every verifier.
    pub fn open(rows: &[SealedKey], keys: &DerivedKeys) -> Result<Self, KeyFault> {
        let opened = rows.iter().map(|row| RingKey::open(row, keys));
        let mut ring = opened.collect::<Result<Vec<_>, _>>()?;
        // Clients that take the first key of a JWKS meet the default algorithm's active one.
        ring.sort_by_key(|key| (key.state, order(key.key.algorithm())));
        Ok(Self(ring))
    }

    /// What has to be made so that every algorithm has a key that signs and one that is published for later.
    /// Everything, at the first start.
    pub fn lacking(&self) -> Vec<(Algorithm, KeyState)> {
        SIGNING_ALGORITHMS
            .into_iter()
            .flat_map(|algorithm| [(algorithm, KeyState::Active), (algorithm, KeyState::Next)])
            .filter(|&(algorithm, state)| self.find(algorithm, state).is_none())
            .collect()
    }

    pub fn sign_jwt(&self, algorithm: Algorithm, typ: &str, claims: &Value) -> Result<String, KeyFault> {
        self.find(algorithm, KeyState::Active)
            .ok_or(KeyFault::NoKey(algorithm.as_str()))?
            .key
            .sign_jwt(typ, claims)
    }

    /// RFC 7517 §5: the keys that sign, will sign, or have signed what may still live. A key leaves when its
    /// row is deleted.
    pub fn jwks(&self) -> Value {
        json!({"keys": self.0.iter().map(|key| key.key.public_value()).collect::<Vec<_>>()})
    }

    /// Reads an access token of ours (RFC 9068 §4): type, signature, issuer, end. Whether its grant still
    /// stands is the caller's to ask.
    pub fn verify_access_token(
        &self,
        token: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Refusal> {
        let claims = self.access_claims(token).map_err(|_| Refusal::TokenInvalid)?;
        let is_ours = claims.text("iss").is_ok_and(|iss| iss == Some(issuer));
        let is_alive = claims.required_instant("exp").is_ok_and(|exp| exp > now);
        if is_ours && is_alive {
            Ok(claims.into_members())
        } else {
            Err(Refusal::TokenInvalid)
        }
    }

    fn access_claims(&self, token: &str) -> Result<Claims, Flaw> {
        let unverified = Unverified::parse(token)?;
        let header = unverified.header();
        // Another JWT of ours, an ID token for instance, is no access token.
        if header.typ.as_deref() != Some("at+jwt") {
            return Err(Flaw("the typ is not at+jwt"));
        }
        let mut keys = self.0.iter().map(|key| &key.key);
        let key = keys
            .find(|key| header.kid.as_deref() == Some(key.kid()))
            .ok_or(Flaw("no key has that kid"))?;
        Ok(unverified.verify(key.public(), &[key.algorithm()])?.into_claims())
    }

    /// For every algorithm the next key becomes active, the active one retires, and a new next is needed.
    /// The new active key has been in the JWKS since the last rotation. Who rotates twice within the time that
    /// verifiers keep their copy relies on their fetching it again for an unknown `kid`, as most do.
    pub fn rotate(&self, now: Timestamp, longest_token_life: Lifetime) -> Rotation {
        let mut rotation = Rotation {
            changes: Vec::new(),
            needed: Vec::new(),
        };
        for algorithm in SIGNING_ALGORITHMS {
            rotation.needed.push((algorithm, KeyState::Next));
            // Without a next key the active one goes on.
            let Some(next) = self.find(algorithm, KeyState::Next) else {
                continue;
            };
            // Retired first: at no point are two keys of one algorithm active.
            if let Some(active) = self.find(algorithm, KeyState::Active) {
                let retires_at = Some(now + longest_token_life + MARGIN);
                rotation.changes.push(active.change(KeyState::Retiring, retires_at));
            }
            rotation.changes.push(next.change(KeyState::Active, None));
        }
        rotation
    }

    fn find(&self, algorithm: Algorithm, state: KeyState) -> Option<&RingKey> {
        let mut keys = self.0.iter();
        keys.find(|key| key.state == state && key.key.algorithm() == algorithm)
    }
}

impl RingKey {
    fn open(row: &SealedKey, keys: &DerivedKeys) -> Result<Self, KeyFault> {
        let damaged = || KeyFault::RowMalformed(row.kid.clone());
        let algorithm = Algorithm::parse(&row.alg).ok_or_else(damaged)?;
        let state = KeyState::parse(&row.state).ok_or_else(damaged)?;
        if (state == KeyState::Retiring) != row.retires_at.is_some() {
            return Err(damaged());
        }
        Ok(Self {
            key: SigningKey::unseal(algorithm, &row.kid, &row.sealed, keys)?,
            state,
        })
    }

    fn change(&self, to: KeyState, retires_at: Option<Timestamp>) -> Change {
        Change {
            kid: self.key.kid().to_owned(),
            from: self.state,
            to,
            retires_at,
        }
    }
}

fn order(algorithm: Algorithm) -> Option<usize> {
    SIGNING_ALGORITHMS.iter().position(|&other| other == algorithm)
}
