//! Where a server's endpoints are: RFC 8414 §3, then OpenID Connect Discovery 1.0 §4.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::failure::Failure;
use crate::http::{Http, is_safe_address};
use crate::io::Io;

/// The address of an authorization server, as it was given and as a URL.
pub struct Issuer {
    text: String,
    url: Url,
}

/// Only from a document whose `issuer` is the one that was asked for.
pub struct Metadata {
    pub token_endpoint: Url,
    pub device_authorization_endpoint: Option<Url>,
    /// OpenID CIBA Core §4.
    pub backchannel_authentication_endpoint: Option<Url>,
    pub revocation_endpoint: Option<Url>,
    pub userinfo_endpoint: Option<Url>,
    waypass_enrollment_endpoint: Option<Url>,
    /// How many seconds the token endpoint holds a request that prefers to wait (RFC 7240 §4.3).
    pub waypass_token_wait_max: Option<i64>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    backchannel_authentication_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    waypass_enrollment_endpoint: Option<String>,
    waypass_token_wait_max: Option<i64>,
}

impl Metadata {
    /// Below it stand its other steps.
    pub fn enrollment_endpoint(&self, issuer: &Issuer) -> Url {
        self.waypass_enrollment_endpoint
            .clone()
            .unwrap_or_else(|| issuer.endpoint("enrollment"))
    }
}

impl Issuer {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let example = "give it as in --server https://login.example.com";
        let url = Url::parse(text)
            .map_err(|_| Failure::usage(format!("{text:?} is not the address of a server")).hint(example))?;
        if !is_safe_address(&url) {
            return Err(Failure::usage(format!("{text} is neither https nor on this machine"))
                .hint("codes and tokens are sent encrypted, or not beyond this machine"));
        }
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !is_plain || url.password().is_some() {
            return Err(Failure::usage("the address of a server has no user, query or fragment").hint(example));
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// One of our own endpoints, below the issuer's path.
    pub fn endpoint(&self, path: &str) -> Url {
        let base = self.url.path().trim_end_matches('/');
        self.at(&format!("{base}/{path}"))
    }

    /// Inserted before the issuer's path (RFC 8414 §3.1), then as OpenID Connect appends it.
    fn well_known(&self) -> [Url; 2] {
        let path = self.url.path().trim_end_matches('/');
        [
            self.at(&format!("/.well-known/oauth-authorization-server{path}")),
            self.at(&format!("{path}/.well-known/openid-configuration")),
        ]
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }
}

pub async fn discover(io: &Io, http: &Http, issuer: &Issuer) -> Result<Metadata, Failure> {
    let mut last = None;
    for url in issuer.well_known() {
        let request = http
            .request(Method::GET, url.clone())
            .header("Accept", "application/json");
        let answer = http
            .send(&*io.clock, request)
            .await
            .map_err(|unanswered| unanswered.failure(&url))?;
        if answer.status == 200 {
            let document = answer
                .json()
                .and_then(|members| Document::read(members, http.has_certificate));
            let document = document.ok_or_else(|| answer.unreadable("the server's metadata cannot be read"))?;
            return document.validated(issuer);
        }
        last = Some(answer.status);
    }
    let status = last.unwrap_or_default();
    Err(Failure::failed(format!(
        "{} publishes no authorization server metadata (status {status})",
        issuer.text
    ))
    .hint("check the address: a server below a path is named with that path"))
}

impl Document {
    /// RFC 8705 §5: with a certificate, an endpoint's alias "in preference to the endpoint URL of the same name".
    fn read(mut members: Map<String, Value>, has_certificate: bool) -> Option<Self> {
        if let (Some(Value::Object(aliases)), true) = (members.remove("mtls_endpoint_aliases"), has_certificate) {
            let endpoints = aliases.into_iter().filter(|(name, _)| name.ends_with("_endpoint"));
            members.extend(endpoints);
        }
        serde_json::from_value(Value::Object(members)).ok()
    }

    fn validated(self, issuer: &Issuer) -> Result<Metadata, Failure> {
        // RFC 8414 §3.3: "If these values are not identical, the data contained in the response MUST NOT
        // be used." Otherwise one server could have codes and tokens sent to another.
        if self.issuer != issuer.text {
            let hint = if self.issuer.trim_end_matches('/') == issuer.text.trim_end_matches('/') {
                format!("the two must be equal to the letter: use --server {}", self.issuer)
            } else {
                "nothing was sent; ask whoever runs the server for its right address".to_owned()
            };
            return Err(Failure::failed(format!("{} says that it is {}", issuer.text, self.issuer)).hint(hint));
        }
        let optional = |text: Option<String>| text.map(|text| endpoint(&text, issuer)).transpose();
        Ok(Metadata {
            token_endpoint: endpoint(&self.token_endpoint, issuer)?,
            device_authorization_endpoint: optional(self.device_authorization_endpoint)?,
            backchannel_authentication_endpoint: optional(self.backchannel_authentication_endpoint)?,
            revocation_endpoint: optional(self.revocation_endpoint)?,
            userinfo_endpoint: optional(self.userinfo_endpoint)?,
            waypass_enrollment_endpoint: optional(self.waypass_enrollment_endpoint)?,
            waypass_token_wait_max: self.waypass_token_wait_max,
        })
    }
}

/// An endpoint of an https server is https: no document talks us down.
fn endpoint(text: &str, issuer: &Issuer) -> Result<Url, Failure> {
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "https" || (is_safe_address(url) && issuer.url.scheme() == "http"))
        .ok_or_else(|| Failure::failed(format!("{} names an unsafe endpoint: {text}", issuer.text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b10_the_well_known_path_is_inserted_before_the_issuers_path() {
        let addresses = |issuer: &str| Issuer::parse(issuer).unwrap().well_known().map(String::from);
        assert_eq!(
            addresses("https://a.example/as/one"),
            [
                "https://a.example/.well-known/oauth-authorization-server/as/one",
                "https://a.example/as/one/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            addresses("http://localhost:8628"),
            [
                "http://localhost:8628/.well-known/oauth-authorization-server",
                "http://localhost:8628/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn p32_aliases_are_for_those_with_a_certificate_and_of_endpoints_alone() {
        let members = serde_json::json!({
            "issuer": "https://a.example", "token_endpoint": "https://a.example/token",
            "revocation_endpoint": "https://a.example/revoke",
            "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example/token", "issuer": "https://other.example"}
        });
        let read = |has_certificate| Document::read(members.as_object().unwrap().clone(), has_certificate).unwrap();
        assert_eq!(read(false).token_endpoint, "https://a.example/token");
        let aliased = read(true);
        assert_eq!(aliased.token_endpoint, "https://mtls.example/token");
        assert_eq!(aliased.revocation_endpoint.as_deref(), Some("https://a.example/revoke"));
        assert_eq!(aliased.issuer, "https://a.example");
    }

    #[test]
    fn the_address_of_a_server_is_an_address_and_nothing_more() {
        for text in [
            "",
            "login.example",
            "http://login.example",
            "https://u@a.example",
            "https://a.example?x=1",
        ] {
            assert!(Issuer::parse(text).is_err(), "{text:?}");
        }
    }
}
