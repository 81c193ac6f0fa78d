//! Where keys and tokens are kept: in the desktop's keyring when there is one, else in a file that only
//! its owner may read. Neither is the protection: tokens are bound to the key (RFC 9449), and a file is
//! called a file. One JSON document per profile, always written whole.

use std::fs::File;
use std::path::PathBuf;

use protocol::details::Details;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::enrollment::EnrolledInstance;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::keys::{Key, StoredKey};
use crate::settings::{self, Profile};

/// A token that ends sooner is not handed out: it would end on the way.
const SHORTEST_LIFE: Lifetime = Lifetime::from_seconds(30);

/// No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub issuer: String,
    pub client_id: String,
    /// The DPoP key of this profile, from its first day. It outlives tokens and logouts.
    pub key: StoredKey,
    /// As the server told it, when the key was enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<EnrolledInstance>,
    /// A key that shall take this one's place, from before the server is asked until it has answered: with
    /// an answer that was lost the key would be too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<StoredKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// What this machine got for itself, beside what a person approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineTokens>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct MachineTokens {
    pub asked: MachineAsk,
    pub tokens: Tokens,
}

/// What a machine asks for by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineAsk {
    pub scope: Option<String>,
    pub resource: Vec<String>,
    /// As JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Tokens {
    pub access_token: String,
    /// `DPoP` or `Bearer`.
    pub token_type: String,
    /// Unix seconds.
    pub expires_at: i64,
    pub scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[zeroize(skip)]
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub authorization_details: Details,
    #[zeroize(skip)]
    #[serde(skip)]
    pub again: Option<Again>,
}

/// Under which grant, and how often, a command may be run again.
#[derive(Clone)]
pub struct Again {
    pub grant_id: String,
    pub runs_left: i64,
}

impl Tokens {
    fn are_fresh(&self, now: Timestamp) -> bool {
        now + SHORTEST_LIFE <= Timestamp::from_seconds(self.expires_at)
    }

    /// With an access token that is not handed out any more.
    pub fn ended(mut self, now: i64) -> Self {
        self.expires_at = self.expires_at.min(now);
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Keyring,
    File,
}

pub struct Kept {
    pub credentials: Credentials,
    pub place: Place,
}

impl Credentials {
    pub fn signing_key(&self, io: &Io) -> Result<Key, Failure> {
        open(io, &self.key)
    }

    pub fn is_for(&self, profile: &Profile) -> bool {
        self.issuer == profile.server && self.client_id == profile.client_id
    }

    pub fn fresh_tokens(&self, now: Timestamp) -> Option<&Tokens> {
        self.tokens.as_ref().filter(|tokens| tokens.are_fresh(now))
    }

    pub fn fresh_machine_tokens(&self, asked: &MachineAsk, now: Timestamp) -> Option<&Tokens> {
        let kept = self.machine.as_ref().filter(|kept| kept.asked == *asked)?;
        Some(&kept.tokens).filter(|tokens| tokens.are_fresh(now))
    }
}

pub fn open(io: &Io, key: &StoredKey) -> Result<Key, Failure> {
    Key::open(key, || (io.tpm)())
        .map_err(|why| Failure::failed(format!("the key that is kept for this profile cannot be used: {why}")))
}

/// The credentials of one profile.
pub struct Vault {
    path: PathBuf,
}

impl Vault {
    pub fn of(io: &Io, profile: &str) -> Result<Self, Failure> {
        settings::check_name(profile)?;
        let folder = settings::home(io, "XDG_STATE_HOME", ".local/state")?;
        Ok(Self {
            path: folder.join("waypass/credentials").join(format!("{profile}.json")),
        })
    }

    /// One process at a time. The scope of the lock is this credential: the keyring's account is named
    /// by the same path, so that two state folders are two credentials there as well.
    pub async fn lock(&self) -> Result<File, Failure> {
        let path = self.path.clone();
        match tokio::task::spawn_blocking(move || files::lock(&path)).await {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(error)) => Err(self.unusable(&error.to_string())),
            Err(_) => Err(self.unusable("no lock")),
        }
    }

    /// A file wins over the keyring: it is only there when the keyring failed to take what is newer.
    pub fn load(&self, io: &Io) -> Result<Option<Kept>, Failure> {
        if let Some(text) = files::read_private(&self.path).map_err(|error| self.unusable(&error.to_string()))? {
            return self.parse(text, Place::File).map(Some);
        }
        let Some(keyring) = (io.keyring)() else {
            return Ok(None);
        };
        let text = keyring
            .read(&self.account())
            .map_err(|why| Self::keyring_failed(&why))?;
        text.map(|text| self.parse(text, Place::Keyring)).transpose()
    }

    /// Into the keyring, or into a file when there is none or it refuses: what a server has issued is
    /// never lost for want of a keyring.
    pub fn save(&self, io: &Io, credentials: &Credentials, place: Place) -> Result<Place, Failure> {
        let text = serde_json::to_string_pretty(credentials).map_err(|error| self.unusable(&error.to_string()))?;
        let text = Zeroizing::new(text);
        let keyring = match place {
            Place::Keyring => (io.keyring)(),
            Place::File => None,
        };
        if keyring.is_some_and(|keyring| keyring.write(&self.account(), &text).is_ok()) {
            files::remove(&self.path).map_err(|error| self.unusable(&error.to_string()))?;
            return Ok(Place::Keyring);
        }
        files::replace(&self.path, text.as_bytes()).map_err(|error| self.unusable(&error.to_string()))?;
        Ok(Place::File)
    }

    /// Only what is in a file: the keyring keeps what it has taken.
    pub fn forget(&self) -> Result<(), Failure> {
        files::remove(&self.path).map_err(|error| self.unusable(&error.to_string()))
    }

    /// For people: where it is, by its right name.
    pub fn describe(&self, place: Place, key: &StoredKey) -> String {
        let place = match place {
            Place::Keyring => "the desktop's keyring".to_owned(),
            Place::File => format!("the file {} (0600, not encrypted)", self.path.display()),
        };
        if key.is_in_a_tpm() {
            format!("{place}; the key is of use in this machine's TPM only")
        } else {
            place
        }
    }

    fn account(&self) -> String {
        self.path.display().to_string()
    }

    fn parse(&self, text: String, place: Place) -> Result<Kept, Failure> {
        let text = Zeroizing::new(text);
        // Without serde's words: they could quote a token.
        let credentials = serde_json::from_str(&text)
            .map_err(|_| self.unusable("it is damaged").hint("remove it and log in again"))?;
        Ok(Kept { credentials, place })
    }

    fn unusable(&self, why: &str) -> Failure {
        Failure::failed(format!("{} cannot be used: {why}", self.path.display()))
    }

    fn keyring_failed(why: &str) -> Failure {
        Failure::failed(format!("the keyring cannot be read: {why}")).hint("unlock it, or log in again to use a file")
    }
}
