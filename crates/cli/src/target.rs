//! Which server, as which client, with which key: what a login and an enrollment take alike, and what is
//! opened before either asks.

use std::path::{Path, PathBuf};

use crate::client_certificate::ClientCertificate;
use crate::credentials::{Credentials, Vault};
use crate::failure::Failure;
use crate::http::Http;
use crate::io::Io;
use crate::metadata::{Issuer, Metadata, discover};
use crate::profile_key::{self, KeyStorage, ProfileKey};
use crate::settings::{Profile, Settings};

#[derive(Debug, clap::Args)]
pub struct TargetArgs {
    /// The authorization server, exactly as it names itself
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The client id under which this program is registered there
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The name under which all of this is kept
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub profile: String,
    /// Where to make the key of a new profile [default: a TPM if this build can use one, else the keyring, else a file]
    #[arg(long, value_name = "WHERE")]
    pub key_storage: Option<KeyStorage>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The posture of this machine as its device management has signed it, where the server asks for one. Read anew each time
    #[arg(long, value_name = "FILE")]
    posture_jwt: Option<PathBuf>,
    /// Show the certificate in this PEM file, for a client that has one (mutual TLS). Read anew each time
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of that certificate: PEM, not encrypted, which nobody but its owner may open
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

pub struct Target {
    /// As it will be kept.
    pub profile: Profile,
    pub vault: Vault,
    pub issuer: Issuer,
    pub http: Http,
    pub metadata: Metadata,
    pub key: ProfileKey,
}

impl Target {
    /// The profile under its name, and what came of it. Says where that is.
    pub async fn keep(&self, io: &mut Io, name: &str, credentials: &Credentials) -> Result<String, Failure> {
        let place = {
            let _lock = self.vault.lock().await?;
            self.vault.save(io, credentials, self.key.kept.place)?
        };
        Settings::keep(io, name, &self.profile)?;
        Ok(self.vault.describe(place, &credentials.key))
    }
}

impl TargetArgs {
    /// As the profile was kept.
    pub fn kept(profile: &str) -> Self {
        Self {
            server: None,
            client_id: None,
            profile: profile.to_owned(),
            key_storage: None,
            ca_file: None,
            posture_jwt: None,
            cert: None,
            key: None,
        }
    }

    pub async fn open(&self, io: &mut Io) -> Result<Target, Failure> {
        let (vault, profile) = self.settle(io)?;
        let issuer = Issuer::parse(&profile.server)?;
        let http = Http::for_profile(io, issuer.url(), Some(&profile))?;
        let metadata = discover(io, &http, &issuer).await?;
        let key = profile_key::of(io, &vault, &profile, self.key_storage).await?;
        Ok(Target {
            profile,
            vault,
            issuer,
            http,
            metadata,
            key,
        })
    }

    /// What is needed for the key alone, and no network.
    pub fn settle(&self, io: &Io) -> Result<(Vault, Profile), Failure> {
        let vault = Vault::of(io, &self.profile)?;
        let profile = self.meant(Settings::load(io)?.profile(&self.profile))?;
        Ok((vault, profile))
    }

    /// The kept profile, with the flags over it.
    fn meant(&self, kept: Option<&Profile>) -> Result<Profile, Failure> {
        let missing = |flag: &str| {
            Failure::usage(format!("profile {:?} is new here: {flag} is missing", self.profile))
                .hint("as in --server https://login.example.com --client-id cli")
        };
        let server = self.server.clone().or_else(|| kept.map(|kept| kept.server.clone()));
        let client_id = self
            .client_id
            .clone()
            .or_else(|| kept.map(|kept| kept.client_id.clone()));
        Ok(Profile {
            server: server.ok_or_else(|| missing("--server"))?,
            client_id: client_id.ok_or_else(|| missing("--client-id"))?,
            scope: kept.and_then(|kept| kept.scope.clone()),
            resource: kept.map(|kept| kept.resource.clone()).unwrap_or_default(),
            authorization_details: kept.and_then(|kept| kept.authorization_details.clone()),
            ca_file: file(self.ca_file.as_deref(), kept.and_then(|kept| kept.ca_file.as_ref())),
            posture_jwt: file(
                self.posture_jwt.as_deref(),
                kept.and_then(|kept| kept.posture_jwt.as_ref()),
            ),
            certificate: self
                .certificate()
                .or_else(|| kept.and_then(|kept| kept.certificate.clone())),
        })
    }

    fn certificate(&self) -> Option<ClientCertificate> {
        let (cert, key) = self.cert.as_deref().zip(self.key.as_deref())?;
        Some(ClientCertificate {
            cert: absolute(cert),
            key: absolute(key),
        })
    }
}

/// The flag's, to be found from any folder, or the kept one.
fn file(flag: Option<&Path>, kept: Option<&PathBuf>) -> Option<PathBuf> {
    flag.map(absolute).or_else(|| kept.cloned())
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}
