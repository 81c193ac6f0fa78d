//! Clients with certificates of their own: what was made for the tests of the rules, as PEM files.

use std::path::PathBuf;

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol/src/client_certificate/testdata")
}

fn base64(name: &str) -> String {
    let all = std::fs::read_to_string(testdata().join("certificates.txt")).unwrap();
    let found = all.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    found.unwrap_or_else(|| panic!("no certificate {name}")).to_owned()
}

pub fn pem(name: &str) -> String {
    let text = base64(name);
    let lines = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap());
    let body: Vec<&str> = lines.collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        body.join("\n")
    )
}

pub fn key(name: &str) -> String {
    std::fs::read_to_string(testdata().join(format!("{name}-key.pem"))).unwrap()
}

/// RFC 9440 §2.1.
pub fn header(name: &str) -> String {
    format!(":{}:", base64(name))
}

/// RFC 8705 §3.1.
pub fn x5t(name: &str) -> String {
    use base64::Engine as _;
    let der = ::base64::prelude::BASE64_STANDARD.decode(base64(name)).unwrap();
    crate::keys::base64url(<sha2::Sha256 as sha2::Digest>::digest(der))
}
