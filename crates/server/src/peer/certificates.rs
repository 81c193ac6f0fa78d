//! Which certificates count as the client's: those of its connection, or those that a proxy which ends TLS tells
//! of (RFC 9440). Pure. One or the other, by who is at the other end, and never both.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use protocol::refusal::Refusal;
use rustls::pki_types::CertificateDer;

use super::{Certificates, is_trusted};

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// A chain is short; a longer one is somebody playing with the header.
const LONGEST: usize = 8;

/// Proxies by what they are trusted with.
pub struct Proxies<'a> {
    /// With the address of the client.
    pub trusted: &'a [IpNet],
    /// With its certificate too: they take the headers away that a client sends, and most proxies do not.
    pub with_certificates: &'a [IpNet],
}

/// A certificate is no secret, so a header of anybody else says nothing and is ignored.
pub fn shown(
    peer: IpAddr,
    headers: &HeaderMap,
    connection: Option<&Certificates>,
    proxies: &Proxies<'_>,
) -> Result<Option<Certificates>, Refusal> {
    let peer = peer.to_canonical();
    if is_trusted(peer, proxies.with_certificates) {
        return told(headers);
    }
    // The connection is the proxy's own, and so is what it shows.
    let is_client = !is_trusted(peer, proxies.trusted);
    Ok(connection.filter(|_| is_client).cloned())
}

/// RFC 9440 §2.2 and §2.3, and nothing that is not exactly that.
fn told(headers: &HeaderMap) -> Result<Option<Certificates>, Refusal> {
    const MALFORMED: Refusal = Refusal::CertificateHeaderMalformed;
    let leaves: Vec<&HeaderValue> = headers.get_all(CLIENT_CERT).iter().collect();
    let chains: Vec<&HeaderValue> = headers.get_all(CLIENT_CERT_CHAIN).iter().collect();
    let leaf = match leaves.as_slice() {
        [] if chains.is_empty() => return Ok(None),
        [leaf] => leaf.to_str().map_err(|_| MALFORMED)?,
        _ => return Err(MALFORMED),
    };
    let mut certificates = vec![byte_sequence(leaf).ok_or(MALFORMED)?];
    for line in chains {
        for member in line.to_str().map_err(|_| MALFORMED)?.split(',') {
            certificates.push(byte_sequence(member).ok_or(MALFORMED)?);
        }
    }
    if certificates.len() > LONGEST {
        return Err(MALFORMED);
    }
    Ok(Some(Certificates(certificates.into())))
}

/// RFC 8941 §3.3.5, without parameters.
fn byte_sequence(text: &str) -> Option<CertificateDer<'static>> {
    let encoded = text.trim_matches([' ', '\t']).strip_prefix(':')?.strip_suffix(':')?;
    let der = STANDARD.decode(encoded).ok().filter(|der| !der.is_empty())?;
    Some(der.into())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const CONNECTION: &[u8] = b"connection";

    fn verdict(peer: &str, lines: &[(&str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let networks = |text: &str| vec![text.parse().unwrap()];
        let (trusted, with_certificates) = (networks("192.0.2.0/24"), networks("192.0.2.9/32"));
        let proxies = Proxies {
            trusted: &trusted,
            with_certificates: &with_certificates,
        };
        let connection = Certificates(vec![CertificateDer::from(CONNECTION)].into());
        match shown(peer.parse().unwrap(), &headers, Some(&connection), &proxies) {
            Ok(Some(certificates)) => {
                let texts = certificates
                    .0
                    .iter()
                    .map(|der| String::from_utf8_lossy(der).into_owned());
                texts.collect::<Vec<_>>().join(" + ")
            }
            Ok(None) => "none".to_owned(),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    /// RFC 9440 §2.4, §3 and §4.
    #[test]
    fn p30_a_header_counts_from_a_proxy_that_is_trusted_with_it_and_is_nothing_from_anybody_else() {
        const LEAF: (&str, &str) = ("Client-Cert", ":bGVhZg==:");
        let mut table = String::new();
        for (who, peer) in [
            ("anybody", "198.51.100.1"),
            ("a proxy", "192.0.2.1"),
            ("the proxy", "192.0.2.9"),
            ("the proxy", "::ffff:192.0.2.9"),
        ] {
            table += &format!("{who:9}, silent: {}\n", verdict(peer, &[]));
            table += &format!("{who:9}, a leaf: {}\n", verdict(peer, &[LEAF]));
        }
        for lines in [
            &[LEAF, ("Client-Cert-Chain", ":Y2E=:, :cm9vdA==:")][..],
            &[
                LEAF,
                ("Client-Cert-Chain", ":Y2E=:"),
                ("Client-Cert-Chain", ":cm9vdA==:"),
            ],
            &[("Client-Cert", "  :bGVhZg==: ")],
            &[LEAF, LEAF],
            &[("Client-Cert", ":bGVhZg==:, :bGVhZg==:")],
            &[("Client-Cert-Chain", ":Y2E=:")],
            &[LEAF, ("Client-Cert-Chain", ":Y2E=:,")],
            &[("Client-Cert", "")],
            &[("Client-Cert", "::")],
            &[("Client-Cert", ":")],
            &[("Client-Cert", "bGVhZg==")],
            &[("Client-Cert", ":bGVhZg:")],
            &[("Client-Cert", ":bGVhZg==:;a=1")],
            &[("Client-Cert", "-----BEGIN%20CERTIFICATE-----")],
        ] {
            let told: Vec<String> = lines.iter().map(|(name, value)| format!("{name} {value:?}")).collect();
            table += &format!("{}: {}\n", told.join(", "), verdict("192.0.2.9", lines));
        }
        let long = ":Y2E=:,".repeat(LONGEST);
        let long = [LEAF, ("Client-Cert-Chain", long.trim_end_matches(','))];
        table += &format!("a chain without end: {}\n", verdict("192.0.2.9", &long));
        expect![[r#"
            anybody  , silent: connection
            anybody  , a leaf: connection
            a proxy  , silent: none
            a proxy  , a leaf: none
            the proxy, silent: none
            the proxy, a leaf: leaf
            the proxy, silent: none
            the proxy, a leaf: leaf
            Client-Cert ":bGVhZg==:", Client-Cert-Chain ":Y2E=:, :cm9vdA==:": leaf + ca + root
            Client-Cert ":bGVhZg==:", Client-Cert-Chain ":Y2E=:", Client-Cert-Chain ":cm9vdA==:": leaf + ca + root
            Client-Cert "  :bGVhZg==: ": leaf
            Client-Cert ":bGVhZg==:", Client-Cert ":bGVhZg==:": CertificateHeaderMalformed
            Client-Cert ":bGVhZg==:, :bGVhZg==:": CertificateHeaderMalformed
            Client-Cert-Chain ":Y2E=:": CertificateHeaderMalformed
            Client-Cert ":bGVhZg==:", Client-Cert-Chain ":Y2E=:,": CertificateHeaderMalformed
            Client-Cert "": CertificateHeaderMalformed
            Client-Cert "::": CertificateHeaderMalformed
            Client-Cert ":": CertificateHeaderMalformed
            Client-Cert "bGVhZg==": CertificateHeaderMalformed
            Client-Cert ":bGVhZg:": CertificateHeaderMalformed
            Client-Cert ":bGVhZg==:;a=1": CertificateHeaderMalformed
            Client-Cert "-----BEGIN%20CERTIFICATE-----": CertificateHeaderMalformed
            a chain without end: CertificateHeaderMalformed
        "#]]
        .assert_eq(&table);
    }
}
