//! The URL of a PostgreSQL database. tokio-postgres reads it, but for what concerns certificates: where TLS
//! is used the server's certificate is always verified, against `sslrootcert` or the system's roots.
//! The URL may hold a password, so no fault quotes it.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Fault;

pub(crate) fn parse(url: &str) -> Result<(Config, MakeRustlsConnect), Fault> {
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let mut root = None;
    let mut tls_demanded = false;
    let mut others = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslrootcert", file)) => root = Some(percent_decode_str(file).decode_utf8_lossy().into_owned()),
            // The certificate is verified in any case.
            Some(("sslmode", "verify-ca" | "verify-full")) => tls_demanded = true,
            _ => others.push(parameter),
        }
    }
    let url = if others.is_empty() {
        place.to_owned()
    } else {
        format!("{place}?{}", others.join("&"))
    };
    let not_understood = |error: Error| Fault::broken("the URL of the database is not understood").because(error);
    let mut config: Config = url.parse().map_err(not_understood)?;
    // Whoever names a root certificate does not want to talk in the clear.
    if tls_demanded || root.is_some() {
        config.ssl_mode(SslMode::Require);
    }
    Ok((config, tls(root.as_deref())?))
}

fn tls(root_file: Option<&str>) -> Result<MakeRustlsConnect, Fault> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = root_file {
        let certificates = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| Fault::broken(format!("cannot read the root certificate {file}")).because(error))?;
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| Fault::broken(format!("{file} is no root certificate")).because(error))?;
        }
    } else {
        // None at all is no fault: a Unix socket needs none.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::broken("cannot set up TLS").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
