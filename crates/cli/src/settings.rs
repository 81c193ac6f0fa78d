//! Named profiles: which server, which client, what to ask for. `$XDG_CONFIG_HOME/waypass/config.toml`
//! holds no secret and may be edited by hand; keys and tokens are in `credentials.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::client_certificate::ClientCertificate;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub server: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource: Vec<String>,
    /// JSON, as it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Where a device management keeps its word on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture_jwt: Option<PathBuf>,
    /// RFC 8705.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ClientCertificate>,
}

pub struct Settings {
    path: PathBuf,
    document: Document,
}

impl Settings {
    pub fn load(io: &Io) -> Result<Self, Failure> {
        let path = home(io, "XDG_CONFIG_HOME", ".config")?.join("waypass/config.toml");
        let text = files::read(&path).map_err(|error| unusable(&path, &error.to_string()))?;
        let document = toml::from_str(&text.unwrap_or_default()).map_err(|error| unusable(&path, error.message()))?;
        Ok(Self { path, document })
    }

    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.document.profile.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.document.profile.keys().map(String::as_str)
    }

    /// A profile that must be there.
    pub fn require(&self, name: &str) -> Result<&Profile, Failure> {
        self.profile(name).ok_or_else(|| {
            Failure::usage(format!("there is no profile {name:?}"))
                .hint("make one with: waypass login --server URL --client-id ID --profile NAME")
        })
    }

    /// Adds or replaces one profile; the others are as another process may have left them meanwhile.
    pub fn keep(io: &Io, name: &str, profile: &Profile) -> Result<(), Failure> {
        let mut settings = Self::load(io)?;
        if settings.profile(name) == Some(profile) {
            return Ok(());
        }
        let path = settings.path.clone();
        let broken = |error: std::io::Error| unusable(&path, &error.to_string());
        let _lock = files::lock(&path).map_err(broken)?;
        settings = Self::load(io)?;
        settings.document.profile.insert(name.to_owned(), profile.clone());
        let text = toml::to_string(&settings.document).map_err(|error| unusable(&path, &error.to_string()))?;
        files::replace(&path, text.as_bytes()).map_err(broken)
    }
}

/// A name becomes a file name: nothing that leads elsewhere.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(is_plain) {
        return Err(Failure::usage(format!("{name:?} cannot name a profile"))
            .hint("use up to 64 letters, digits, dashes, underscores and dots"));
    }
    Ok(())
}

/// An XDG base directory: the variable, else the given folder in HOME.
pub fn home(io: &Io, variable: &str, default: &str) -> Result<PathBuf, Failure> {
    io.path(variable)
        .or_else(|| io.path("HOME").map(|home| home.join(default)))
        .ok_or_else(|| Failure::usage(format!("neither {variable} nor HOME is set")))
}

fn unusable(path: &std::path::Path, why: &str) -> Failure {
    Failure::failed(format!("{} cannot be used: {}", path.display(), why.trim()))
}
