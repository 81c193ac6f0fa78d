//! The issuer: this server's name, RFC 8414 §2. It is kept exactly as configured, since clients compare
//! it as text; addresses under it are made here and nowhere else. What listens where is in `config`.

use std::fmt;

use protocol::decision::RelyingParty;
use url::{Host, Url};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    base_path: String,
    origin: String,
    host: String,
    port: Option<u16>,
    is_http: bool,
}

/// Why a text cannot be an issuer; each names what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerProblem {
    TooLong,
    NotAnAddress,
    /// Two spellings of one address are two issuers to a client, so only the plainest is taken.
    NotCanonical(String),
    NotHttps,
    HttpElsewhere,
    /// WebAuthn knows hosts by name only: a passkey cannot be made for an IP address.
    IpAddress,
    UserInfo,
    Query,
    Host,
    Path,
}

impl Issuer {
    const LONGEST: usize = 200;

    pub fn parse(text: &str) -> Result<Self, IssuerProblem> {
        if text.len() > Self::LONGEST {
            return Err(IssuerProblem::TooLong);
        }
        let url = Url::parse(text).map_err(|_| IssuerProblem::NotAnAddress)?;
        let is_http = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(IssuerProblem::NotHttps),
        };
        let host = host(&url)?;
        if is_http && !is_loopback(&host) {
            return Err(IssuerProblem::HttpElsewhere);
        }
        // RFC 8414 §2: "a URL that uses the "https" scheme and has no query or fragment components".
        if url.query().is_some() || url.fragment().is_some() {
            return Err(IssuerProblem::Query);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(IssuerProblem::UserInfo);
        }
        if !is_plain_path(url.path()) {
            return Err(IssuerProblem::Path);
        }
        let canonical = url.as_str();
        if text != canonical && text != canonical.trim_end_matches('/') {
            return Err(IssuerProblem::NotCanonical(canonical.trim_end_matches('/').to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            base_path: url.path().trim_end_matches('/').to_owned(),
            origin: url.origin().ascii_serialization(),
            host,
            port: url.port(),
            is_http,
        })
    }

    /// Exactly what was configured, with or without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before every path of ours: empty, or `/as`; never with a slash at the end.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// What a browser names in `Origin`, and in the client data of a passkey.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host alone, which is also the relying party's id of WebAuthn.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where it is not the scheme's own.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether this is plain HTTP, which is allowed on loopback only.
    pub fn is_loopback_http(&self) -> bool {
        self.is_http
    }

    /// Where a decision must have been signed (WebAuthn §7.2).
    pub fn relying_party(&self) -> RelyingParty {
        RelyingParty {
            origin: self.origin().to_owned(),
            rp_id: self.host().to_owned(),
        }
    }

    /// The address of a path of ours, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.base_path)
    }

    /// The path of a metadata document. RFC 8414 §3.1: "any terminating "/" MUST be removed before
    /// inserting "/.well-known/" and the well-known URI suffix between the host component and the path
    /// component".
    pub fn well_known(&self, name: &str) -> String {
        format!("/.well-known/{name}{}", self.base_path)
    }
}

fn host(url: &Url) -> Result<String, IssuerProblem> {
    match url.host() {
        Some(Host::Domain(name)) if !name.ends_with('.') => Ok(name.to_owned()),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(IssuerProblem::IpAddress),
        _ => Err(IssuerProblem::Host),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// No character that a route, a header or a page could take for something else, and no empty segment.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    path.chars().all(is_plain) && !path.contains("//")
}

impl fmt::Display for IssuerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {} characters", Issuer::LONGEST),
            Self::NotAnAddress => f.write_str("not an address such as https://login.example.com"),
            Self::NotCanonical(canonical) => write!(f, "write it as {canonical}"),
            Self::NotHttps => f.write_str("must begin with https:// (or http://localhost on this machine alone)"),
            Self::HttpElsewhere => f.write_str("plain http is for localhost only; use https"),
            Self::IpAddress => f.write_str(
                "the host must be a name, since passkeys do not work on IP addresses; on this machine alone use \
                 localhost (the listening address may stay an IP address)",
            ),
            Self::UserInfo => f.write_str("must not carry a user name or password"),
            Self::Query => f.write_str("must not have a query or a fragment"),
            Self::Host => f.write_str("must have a host name, without a dot at its end"),
            Self::Path => f.write_str("the path may have letters, digits and -._~ between single slashes only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(texts: &[&str], expected: &Expect) {
        let lines = texts.iter().map(|text| match Issuer::parse(text) {
            Ok(issuer) => format!(
                "{text} -> base {:?}, origin {}, host {}, {}, {}\n",
                issuer.base_path(),
                issuer.origin(),
                issuer.host(),
                issuer.url("/token"),
                issuer.well_known("oauth-authorization-server"),
            ),
            Err(problem) => format!("{text} -> {problem}\n"),
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn an_issuer_names_every_address_under_it() {
        check(
            &[
                "http://localhost:8628",
                "http://waypass.localhost:80",
                "http://waypass.localhost",
                "https://login.example.com",
                "https://login.example.com/",
                "https://localhost:8443/as",
                "https://login.example.com/a/b/",
            ],
            &expect![[r#"
                http://localhost:8628 -> base "", origin http://localhost:8628, host localhost, http://localhost:8628/token, /.well-known/oauth-authorization-server
                http://waypass.localhost:80 -> write it as http://waypass.localhost
                http://waypass.localhost -> base "", origin http://waypass.localhost, host waypass.localhost, http://waypass.localhost/token, /.well-known/oauth-authorization-server
                https://login.example.com -> base "", origin https://login.example.com, host login.example.com, https://login.example.com/token, /.well-known/oauth-authorization-server
                https://login.example.com/ -> base "", origin https://login.example.com, host login.example.com, https://login.example.com/token, /.well-known/oauth-authorization-server
                https://localhost:8443/as -> base "/as", origin https://localhost:8443, host localhost, https://localhost:8443/as/token, /.well-known/oauth-authorization-server/as
                https://login.example.com/a/b/ -> base "/a/b", origin https://login.example.com, host login.example.com, https://login.example.com/a/b/token, /.well-known/oauth-authorization-server/a/b
            "#]],
        );
    }

    #[test]
    fn an_issuer_is_kept_exactly_as_configured() {
        for text in [
            "https://login.example.com",
            "https://login.example.com/",
            "https://login.example.com/as/",
        ] {
            assert_eq!(Issuer::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_cannot_be_an_issuer_says_why() {
        let long = format!("https://login.example.com/{}", "a".repeat(200));
        check(
            &[
                "",
                "localhost:8628",
                "login.example.com",
                "ftp://login.example.com",
                "http://login.example.com",
                "http://localhost.example.com",
                "http://127.0.0.1:8628",
                "https://192.0.2.1",
                "https://0x7f.1/",
                "https://[2001:db8::1]:8443",
                "https://login.example.com.",
                "https://alice@login.example.com",
                "https://login.example.com?tenant=1",
                "https://login.example.com#top",
                "https://login.example.com:443",
                "https://LOGIN.example.com/As",
                "https://login.example.com/as/../other",
                "https://login.example.com//as",
                "https://login.example.com/a%20b",
                "https://login.example.com/{id}",
                "https://bücher.example",
                " https://login.example.com",
                &long,
            ],
            &expect![[r"
                 -> not an address such as https://login.example.com
                localhost:8628 -> must begin with https:// (or http://localhost on this machine alone)
                login.example.com -> not an address such as https://login.example.com
                ftp://login.example.com -> must begin with https:// (or http://localhost on this machine alone)
                http://login.example.com -> plain http is for localhost only; use https
                http://localhost.example.com -> plain http is for localhost only; use https
                http://127.0.0.1:8628 -> the host must be a name, since passkeys do not work on IP addresses; on this machine alone use localhost (the listening address may stay an IP address)
                https://192.0.2.1 -> the host must be a name, since passkeys do not work on IP addresses; on this machine alone use localhost (the listening address may stay an IP address)
                https://0x7f.1/ -> the host must be a name, since passkeys do not work on IP addresses; on this machine alone use localhost (the listening address may stay an IP address)
                https://[2001:db8::1]:8443 -> the host must be a name, since passkeys do not work on IP addresses; on this machine alone use localhost (the listening address may stay an IP address)
                https://login.example.com. -> must have a host name, without a dot at its end
                https://alice@login.example.com -> must not carry a user name or password
                https://login.example.com?tenant=1 -> must not have a query or a fragment
                https://login.example.com#top -> must not have a query or a fragment
                https://login.example.com:443 -> write it as https://login.example.com
                https://LOGIN.example.com/As -> write it as https://login.example.com/As
                https://login.example.com/as/../other -> write it as https://login.example.com/other
                https://login.example.com//as -> the path may have letters, digits and -._~ between single slashes only
                https://login.example.com/a%20b -> the path may have letters, digits and -._~ between single slashes only
                https://login.example.com/{id} -> the path may have letters, digits and -._~ between single slashes only
                https://bücher.example -> write it as https://xn--bcher-kva.example
                 https://login.example.com -> write it as https://login.example.com
                https://login.example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> longer than 200 characters
            "]],
        );
    }
}
