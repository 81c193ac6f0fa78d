//! Certificate and key from PEM files, and the settings of TLS. Files are read once, at the start.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{Problem, TlsFiles};

/// With the provider named, since rustls panics at the first connection where two are linked.
pub fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, Problem> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
        problem(
            "tls_key",
            &files.key,
            &unreadable(&error, "no private key in PEM (an encrypted one cannot be read)"),
        )
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
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
