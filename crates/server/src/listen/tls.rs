//! Certificate and key from PEM files, and the settings of TLS. Files are read once, at the start.
//! Not here: whose client certificates count (`protocol/spiffe/x509.rs`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{self, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use crate::config::{Problem, TlsFiles};

/// With the provider named, since rustls panics at the first connection where two are linked.
/// `asks`: whether a client is asked for its certificate, which may change while the server runs.
pub fn load(files: &TlsFiles, asks: Arc<AtomicBool>) -> Result<Arc<ServerConfig>, Problem> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
        problem(
            "tls_key",
            &files.key,
            &unreadable(&error, "no private key in PEM (an encrypted one cannot be read)"),
        )
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let shown = Arc::new(ShownCertificate {
        asks,
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_client_cert_verifier(shown).with_single_cert(chain, key))
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let text = format!("not the key of the certificate in {}", files.certificate.display());
                problem("tls_key", &files.key, &text)
            }
            error => problem(
                "tls_certificate",
                &files.certificate,
                &format!("cannot be used: {error}"),
            ),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A client's certificate is asked for, never demanded, and any is taken: the handshake proves that its key is
/// there, and nothing else is believed of it before somebody asks whose it is.
#[derive(Debug)]
struct ShownCertificate {
    asks: Arc<AtomicBool>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ShownCertificate {
    fn offer_client_auth(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let text = match chain {
        Ok(chain) if !chain.is_empty() => return Ok(chain),
        Ok(_) => "no certificate in PEM".to_owned(),
        Err(error) => unreadable(&error, "no certificate in PEM"),
    };
    Err(problem("tls_certificate", path, &text))
}

/// Without the error's own text where it might repeat what stands in the file.
fn unreadable(error: &pem::Error, none: &str) -> String {
    match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        pem::Error::NoItemsFound => none.to_owned(),
        _ => "not well-formed PEM".to_owned(),
    }
}

fn problem(setting: &str, path: &Path, text: &str) -> Problem {
    Problem {
        place: format!("{setting} {}", path.display()),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
