//! The key that a profile is known by: made on its first day, where `--key-storage` says, and the same one
//! from then on. It does not move: a key that was in a file may have been copied.

use clap::ValueEnum;

use crate::credentials::{Credentials, Kept, Place, Vault};
use crate::failure::Failure;
use crate::io::Io;
use crate::keys::{Key, StoredKey};
use crate::print::say;
use crate::settings::Profile;

/// Where a key lives. The server is told; it believes no more than an attestation proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyStorage {
    /// In this machine's TPM 2.0, which it never leaves
    Tpm,
    /// In the desktop's keyring
    Keyring,
    /// In a file that only its owner may read
    File,
}

impl KeyStorage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tpm => "tpm",
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }
}

impl Kept {
    pub fn key_storage(&self) -> KeyStorage {
        match self.place {
            _ if self.credentials.key.is_in_a_tpm() => KeyStorage::Tpm,
            Place::Keyring => KeyStorage::Keyring,
            Place::File => KeyStorage::File,
        }
    }
}

/// A profile's key, ready to sign, and what is kept with it.
pub struct ProfileKey {
    pub key: Key,
    pub kept: Kept,
    /// Not so where the profile holds the key of another server or client, until this one has given something.
    pub is_kept: bool,
}

/// The key of this profile. A new one is written before anybody is asked: a full disk shows now, and not
/// after somebody has approved.
pub async fn of(
    io: &mut Io,
    vault: &Vault,
    profile: &Profile,
    wanted: Option<KeyStorage>,
) -> Result<ProfileKey, Failure> {
    let _lock = vault.lock().await?;
    let kept = vault.load(io)?;
    let has_other = kept.is_some();
    // Another server or client gets another key: one key is one instance of one client, and two servers
    // cannot tell that both know the same machine.
    if let Some(kept) = kept.filter(|kept| kept.credentials.is_for(profile)) {
        must_be_in(&kept, wanted)?;
        return Ok(ProfileKey {
            key: kept.credentials.signing_key(io)?,
            kept,
            is_kept: true,
        });
    }
    if has_other {
        return made(io, profile, wanted);
    }
    make(io, vault, profile, wanted)
}

/// A new key in place of whatever is kept. Under the lock.
pub fn make(io: &mut Io, vault: &Vault, profile: &Profile, wanted: Option<KeyStorage>) -> Result<ProfileKey, Failure> {
    let mut made = made(io, profile, wanted)?;
    made.kept.place = vault.save(io, &made.kept.credentials, made.kept.place)?;
    if wanted == Some(KeyStorage::Keyring) && made.kept.place != Place::Keyring {
        vault.forget()?;
        return Err(Failure::failed("no keyring takes the key").hint("unlock it, or use --key-storage file"));
    }
    made.is_kept = true;
    Ok(made)
}

impl ProfileKey {
    pub fn must_be_kept(&self, profile: &str) -> Result<(), Failure> {
        if self.is_kept {
            return Ok(());
        }
        Err(
            Failure::usage(format!("profile {profile:?} holds the key of another server or client"))
                .hint("name another --profile"),
        )
    }
}

fn made(io: &mut Io, profile: &Profile, wanted: Option<KeyStorage>) -> Result<ProfileKey, Failure> {
    let key = draw(io, wanted)?;
    let credentials = Credentials {
        issuer: profile.server.clone(),
        client_id: profile.client_id.clone(),
        key: stored(&key)?,
        instance: None,
        next_key: None,
        tokens: None,
        machine: None,
    };
    let place = if wanted == Some(KeyStorage::File) {
        Place::File
    } else {
        Place::Keyring
    };
    Ok(ProfileKey {
        key,
        kept: Kept { credentials, place },
        is_kept: false,
    })
}

pub fn stored(key: &Key) -> Result<StoredKey, Failure> {
    key.stored().ok_or_else(|| Failure::failed("the key cannot be written"))
}

/// Without a wish in the TPM if there is one, else in memory, for the best place that takes it.
pub fn draw(io: &mut Io, wanted: Option<KeyStorage>) -> Result<Key, Failure> {
    let may_be_in_tpm = matches!(wanted, None | Some(KeyStorage::Tpm));
    let tpm = if may_be_in_tpm { (io.tpm)() } else { None };
    match tpm.map(Key::make_in) {
        Some(Ok(key)) => Ok(key),
        Some(Err(why)) if wanted.is_none() => {
            say!(io.errors, "warning: the TPM is not used: {why}");
            io.draw_key()
        }
        Some(Err(why)) => Err(Failure::failed(format!("the TPM makes no key: {why}"))),
        None if wanted == Some(KeyStorage::Tpm) => Err(no_tpm()),
        None => io.draw_key(),
    }
}

fn must_be_in(kept: &Kept, wanted: Option<KeyStorage>) -> Result<(), Failure> {
    let is = kept.key_storage();
    if wanted.is_none_or(|wanted| wanted == is) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the key of this profile is in its {}, and a key does not move",
        is.name()
    ))
    .hint("name another --profile to make another key"))
}

fn no_tpm() -> Failure {
    if cfg!(feature = "tpm") {
        Failure::failed("there is no TPM that this user may use")
            .hint("it is /dev/tpmrm0, which the group tss may open, or what TPM2TOOLS_TCTI names")
    } else {
        Failure::failed("this build cannot use a TPM").hint("build it with the feature tpm, or use --key-storage file")
    }
}
