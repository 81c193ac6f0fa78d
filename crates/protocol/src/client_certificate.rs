//! Certificates as client authentication and as what tokens are bound to. RFC 8705 §2 and §3. The handshake has
//! proven the key; whose it is, is judged here. Absent: revocation lists; a client's registration is what ends.

mod name;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

pub use self::name::DistinguishedName;
use crate::digest::Digest;
use crate::jwk::Flaw;
use crate::refusal::Refusal;
use crate::time::Timestamp;

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = webpki::ALL_VERIFICATION_ALGS;

/// The one subject that a certificate of the client must have, as registered (RFC 8705 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedName {
    SubjectDn(DistinguishedName),
    SanDns(String),
    SanUri(String),
    SanIp(IpAddr),
    SanEmail(String),
}

impl ExpectedName {
    /// `kind` is the metadata member without its `tls_client_auth_`.
    pub fn parse(kind: &str, text: &str) -> Result<Self, Flaw> {
        const LONGEST: usize = 1024;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if text.len() > LONGEST {
            return Err(Flaw("the name is too long"));
        }
        match kind {
            "subject_dn" => DistinguishedName::parse(text).map(Self::SubjectDn),
            "san_dns" if !text.is_empty() && text.bytes().all(is_plain) => Ok(Self::SanDns(text.to_ascii_lowercase())),
            "san_dns" => Err(Flaw("a DNS name has letters, digits, dots and dashes; no wildcard")),
            "san_uri" if url::Url::parse(text).is_ok() => Ok(Self::SanUri(text.to_owned())),
            "san_uri" => Err(Flaw("not a URI")),
            "san_ip" => text.parse().map(Self::SanIp).map_err(|_| Flaw("not an IP address")),
            "san_email" if text.contains('@') => Ok(Self::SanEmail(text.to_owned())),
            "san_email" => Err(Flaw("not an address of mail")),
            _ => Err(Flaw("the kind is subject_dn, san_dns, san_uri, san_ip or san_email")),
        }
    }

    /// Whole values of the very kind, never patterns: what another client's certificate says beside or around
    /// this name makes it none of this client's.
    fn is_in(&self, certificate: &X509Certificate<'_>) -> bool {
        if let Self::SubjectDn(name) = self {
            return name.is_of(certificate.subject());
        }
        let Ok(Some(names)) = certificate.subject_alternative_name() else {
            return false;
        };
        names.value.general_names.iter().any(|shown| match (self, shown) {
            (Self::SanDns(name), GeneralName::DNSName(shown)) => shown.eq_ignore_ascii_case(name),
            (Self::SanUri(text), GeneralName::URI(shown)) | (Self::SanEmail(text), GeneralName::RFC822Name(shown)) => {
                shown == text
            }
            (Self::SanIp(IpAddr::V4(address)), GeneralName::IPAddress(shown)) => *shown == address.octets(),
            (Self::SanIp(IpAddr::V6(address)), GeneralName::IPAddress(shown)) => *shown == address.octets(),
            _ => false,
        })
    }
}

impl fmt::Display for ExpectedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubjectDn(name) => write!(f, "subject_dn {name}"),
            Self::SanDns(name) => write!(f, "san_dns {name}"),
            Self::SanUri(uri) => write!(f, "san_uri {uri}"),
            Self::SanIp(address) => write!(f, "san_ip {address}"),
            Self::SanEmail(address) => write!(f, "san_email {address}"),
        }
    }
}

/// `tls_client_auth`: `chain`, the leaf first, leads to one of `authorities` and says the name.
pub fn verify_named(
    chain: &[CertificateDer<'_>],
    expected: &ExpectedName,
    authorities: &[String],
    now: Timestamp,
) -> Result<(), Refusal> {
    judge_named(chain, expected, authorities, now).map_err(|_| Refusal::ClientAuthenticationFailed)
}

fn judge_named(
    chain: &[CertificateDer<'_>],
    expected: &ExpectedName,
    authorities: &[String],
    now: Timestamp,
) -> Result<(), Flaw> {
    must_lead_to(chain, &ders(authorities), now)?;
    if expected.is_in(&read(leaf(chain)?)?) {
        Ok(())
    } else {
        Err(Flaw("the certificate is another's"))
    }
}

/// `self_signed_tls_client_auth`: it is one of those registered, byte for byte, and says itself that it is valid
/// now and meant for this. No chain is looked at (RFC 8705 §2.2).
pub fn verify_registered(chain: &[CertificateDer<'_>], registered: &[String], now: Timestamp) -> Result<(), Refusal> {
    judge_registered(chain, registered, now).map_err(|_| Refusal::ClientAuthenticationFailed)
}

fn judge_registered(chain: &[CertificateDer<'_>], registered: &[String], now: Timestamp) -> Result<(), Flaw> {
    let leaf = leaf(chain)?;
    let is_one = |der: &Vec<u8>| bool::from(der.as_slice().ct_eq(leaf));
    if !ders(registered).iter().any(is_one) {
        return Err(Flaw("the certificate is not registered"));
    }
    let certificate = read(leaf)?;
    let validity = certificate.validity();
    let seconds = now.seconds();
    if seconds < validity.not_before.timestamp() || seconds > validity.not_after.timestamp() {
        return Err(Flaw("the certificate is not valid now"));
    }
    match certificate.extended_key_usage() {
        Ok(usage) if usage.as_ref().is_none_or(|usage| usage.value.client_auth) => Ok(()),
        _ => Err(Flaw("the certificate is for something else")),
    }
}

/// Whether the chain leads to one of these and only these authorities, now, and is a client's.
pub(crate) fn must_lead_to(chain: &[CertificateDer<'_>], authorities: &[Vec<u8>], now: Timestamp) -> Result<(), Flaw> {
    let (leaf, intermediates) = chain.split_first().ok_or(NONE)?;
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| UNREADABLE)?;
    let authorities: Vec<CertificateDer<'_>> = authorities
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let anchors: Vec<_> = authorities
        .iter()
        .filter_map(|authority| anchor_from_trusted_cert(authority).ok())
        .collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds().try_into().unwrap_or_default()));
    let usage = KeyUsage::client_auth();
    // A certificate that may sign others is no leaf, and is refused as one.
    leaf.verify_for_usage(ALGORITHMS, &anchors, intermediates, now, usage, None, None)
        .map(drop)
        .map_err(|_| Flaw("the chain does not lead to these authorities now"))
}

/// `x5t#S256` (RFC 8705 §3.1), of the leaf alone: an authority's would be all its clients'.
pub fn thumbprint(chain: &[CertificateDer<'_>]) -> Option<String> {
    let leaf = chain.first()?;
    Some(Digest::of(leaf).as_str().to_owned())
}

/// The same of registered ones.
pub fn thumbprints(x5c: &[String]) -> Vec<String> {
    ders(x5c)
        .iter()
        .map(|der| Digest::of(der).as_str().to_owned())
        .collect()
}

/// Certificates to register, each as `x5c` has it (RFC 7517 §4.7): the first of each key of a JWK set, or all of a
/// PEM file.
pub fn to_register(text: &str) -> Result<Vec<String>, Flaw> {
    let listed: Vec<String> = if let Ok(set) = serde_json::from_str::<Value>(text) {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(Flaw("not a JWK set"))?;
        let firsts = keys.iter().map(|key| key.pointer("/x5c/0").and_then(Value::as_str));
        let firsts: Option<Vec<&str>> = firsts.collect();
        let firsts = firsts.ok_or(Flaw("a key of the set has no x5c"))?;
        firsts.into_iter().map(str::to_owned).collect()
    } else {
        let ders: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let ders = ders.map_err(|_| Flaw("not well-formed PEM"))?;
        ders.iter().map(|der| STANDARD.encode(der)).collect()
    };
    must_be_certificates(&listed)?;
    Ok(listed)
}

pub fn must_be_certificates(x5c: &[String]) -> Result<(), Flaw> {
    const MOST: usize = 16;
    if x5c.is_empty() || x5c.len() > MOST {
        return Err(Flaw("there have to be 1 to 16 certificates"));
    }
    for text in x5c {
        let der = STANDARD.decode(text).map_err(|_| UNREADABLE)?;
        let can_be_judged = anchor_from_trusted_cert(&CertificateDer::from(der.as_slice())).is_ok();
        if !can_be_judged || read(&der).is_err() {
            return Err(UNREADABLE);
        }
    }
    Ok(())
}

const NONE: Flaw = Flaw("no certificate");
const UNREADABLE: Flaw = Flaw("a certificate cannot be read");

fn leaf<'a>(chain: &'a [CertificateDer<'_>]) -> Result<&'a [u8], Flaw> {
    chain.first().map(AsRef::as_ref).ok_or(NONE)
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, Flaw> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(UNREADABLE),
    }
}

fn ders(x5c: &[String]) -> Vec<Vec<u8>> {
    x5c.iter().filter_map(|text| STANDARD.decode(text).ok()).collect()
}

#[cfg(test)]
pub(crate) mod tests;
