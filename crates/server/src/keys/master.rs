//! The master key: 32 bytes in a file of mode 0600, shared by all nodes, from which one sub-key for each
//! purpose is derived (HKDF, RFC 5869). Losing the file loses the signing keys and every stored client
//! secret. Absent: changing the master key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use protocol::base64url;
use protocol::digest::Digest;
use protocol::secret::Entropy;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyFault;

#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// What a sub-key is for. A value made for one purpose says nothing for another.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    BindingData,
    Check,
    ClientSecret,
    Confirmation,
    DpopNonce,
    PageToken,
    Sealing,
    UserCode,
}

impl Purpose {
    /// Never changes: what is stored depends on it.
    pub(super) fn info(self) -> &'static [u8] {
        match self {
            Self::BindingData => b"waypass/1 binding data",
            Self::Check => b"waypass/1 check",
            Self::ClientSecret => b"waypass/1 client secret",
            Self::Confirmation => b"waypass/1 confirmation",
            Self::DpopNonce => b"waypass/1 dpop nonce",
            Self::PageToken => b"waypass/1 page token",
            Self::Sealing => b"waypass/1 sealing",
            Self::UserCode => b"waypass/1 user code",
        }
    }
}

impl MasterKey {
    #[cfg(test)]
    pub(crate) fn from_entropy(entropy: &Entropy) -> Self {
        Self(entropy.0)
    }

    /// Reads the key file.
    pub fn load(path: &Path) -> Result<Self, KeyFault> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => KeyFault::FileMissing(path.into()),
            _ => KeyFault::FileUnreadable(path.into(), error),
        };
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFault::FileOpenToOthers(path.into(), mode));
        }
        let text = Zeroizing::new(fs::read(path).map_err(unreadable)?);
        std::str::from_utf8(&text)
            .ok()
            .and_then(|text| base64url::decode(text.strip_suffix('\n').unwrap_or(text)).map(Zeroizing::new))
            .and_then(|bytes| bytes.as_slice().try_into().ok().map(Self))
            .ok_or_else(|| KeyFault::FileMalformed(path.into()))
    }

    /// Reads the key file, or makes it when there is none.
    pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<Self, KeyFault> {
        match Self::load(path) {
            Err(KeyFault::FileMissing(_)) => create(path, entropy)
                .map_err(|error| KeyFault::FileNotWritten(path.into(), error))
                // Read back: another process may have been first, and then its key is the one.
                .and_then(|()| Self::load(path)),
            loaded => loaded,
        }
    }

    /// HKDF-Expand for one block (RFC 5869 §2.3). The extract step is for keys that are not uniform; this
    /// one is (§3.3).
    pub(super) fn sub_key(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let block = hmac::sign(&key, &[purpose.info(), &[1]].concat());
        let mut sub_key = Zeroizing::new([0; 32]);
        sub_key
            .iter_mut()
            .zip(block.as_ref())
            .for_each(|(to, from)| *to = *from);
        sub_key
    }
}

/// Makes the file whole or not at all, and never over another: a node that crashes here leaves no half key,
/// and one that comes second keeps the first one's.
fn create(path: &Path, entropy: &Entropy) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", Digest::of(&entropy.0).as_str()));
    let draft = PathBuf::from(draft);
    let text = Zeroizing::new(base64url::encode(&entropy.0) + "\n");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // A plain name has the parent "", which is the working folder.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
