//! The server's own keys: the master key in its file, what is derived from it, and the keys that sign
//! tokens. Absent: storage (rows go in and out as [`SealedKey`]) and keys of clients and approvers.

use std::fmt;
use std::io;
use std::path::PathBuf;

use store::Fault;
pub use store::settings::SealedKey;

use crate::failure::Failure;

mod derived;
mod master;
mod ring;
mod signing;

pub use derived::DerivedKeys;
pub use master::MasterKey;
pub use ring::{KeyRing, Rotation, new_key};
pub use signing::{SIGNING_ALGORITHMS, SigningKey};

/// What can go wrong with our own keys. Each is the operator's to mend; none carries a secret.
#[derive(Debug)]
pub enum KeyFault {
    FileMissing(PathBuf),
    FileUnreadable(PathBuf, io::Error),
    FileNotWritten(PathBuf, io::Error),
    FileOpenToOthers(PathBuf, u32),
    FileMalformed(PathBuf),
    /// A stored key does not open under this master key.
    Sealed,
    /// A stored row says what it cannot say.
    RowMalformed(String),
    /// No active key of this algorithm.
    NoKey(&'static str),
    /// The cryptographic library refused.
    Crypto(&'static str),
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileMissing(path) => write!(f, "the key file {} does not exist", path.display()),
            Self::FileUnreadable(path, _) => write!(f, "the key file {} cannot be read", path.display()),
            Self::FileNotWritten(path, _) => write!(f, "the key file {} cannot be created", path.display()),
            Self::FileOpenToOthers(path, mode) => write!(
                f,
                "the key file {} has mode {mode:04o}: others may read it. Make it 0600, and consider its key known",
                path.display()
            ),
            Self::FileMalformed(path) => write!(
                f,
                "the key file {} does not hold one key: 32 bytes as 43 characters of base64url",
                path.display()
            ),
            Self::Sealed => f.write_str("the signing keys in the database were sealed under another key file"),
            Self::RowMalformed(kid) => write!(f, "the stored signing key {kid} is damaged"),
            Self::NoKey(alg) => write!(f, "there is no active signing key for {alg}"),
            Self::Crypto(act) => write!(f, "the cryptographic library failed to {act}"),
        }
    }
}

impl std::error::Error for KeyFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::FileUnreadable(_, source) | Self::FileNotWritten(_, source) => Some(source),
            _ => None,
        }
    }
}

impl From<KeyFault> for Fault {
    fn from(fault: KeyFault) -> Self {
        Self::broken("the keys of this server").because(fault)
    }
}

impl From<KeyFault> for Failure {
    fn from(fault: KeyFault) -> Self {
        Self::Fault(fault.into())
    }
}

#[cfg(test)]
mod tests;
