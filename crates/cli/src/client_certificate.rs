//! A client certificate of a profile, and its key: read anew for each command, since both are renewed. RFC 8705 §2.

use std::path::PathBuf;

use reqwest::{Client, Identity};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::{files, http};

/// Where they are; paths, and no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl ClientCertificate {
    /// What connections show where they are asked.
    pub fn identity(&self) -> Result<Identity, Failure> {
        http::certificates(&self.cert)?;
        let mut pem = Zeroizing::new(files::text_of(&self.cert)?);
        pem.push('\n');
        pem.push_str(&self.private_key()?);
        // Without the library's words: it cannot say which of the two it means.
        let identity = Identity::from_pem(pem.as_bytes())
            .map_err(|_| self.unusable("it holds no PEM key without a password (PKCS #8, PKCS #1, SEC 1)"))?;
        self.must_belong_together(&identity)?;
        Ok(identity)
    }

    fn private_key(&self) -> Result<Zeroizing<String>, Failure> {
        files::read_private(&self.key)
            .map_err(|error| self.unusable(&error.to_string()))?
            .map(Zeroizing::new)
            .ok_or_else(|| self.unusable("it is not there"))
    }

    /// A client that trusts nobody can be made of every pair that fits.
    fn must_belong_together(&self, identity: &Identity) -> Result<(), Failure> {
        let made = Client::builder().tls_certs_only([]).identity(identity.clone()).build();
        made.map(|_| ()).map_err(|_| {
            let cert = self.cert.display();
            self.unusable(&format!("it is not the key of the certificate in {cert}"))
                .hint("--cert names the client's own certificate first, then those that lead to its authority")
        })
    }

    fn unusable(&self, why: &str) -> Failure {
        Failure::usage(format!("the key file {} cannot be used: {why}", self.key.display()))
    }
}
