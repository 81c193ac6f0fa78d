//! What of a command's requests goes on to the resource: with the run's own secret, to the approved methods and paths,
//! and in a form that no two readers take for two things. RFC 9110 §7, RFC 9112 §3. Nothing is sent here.

use http::header::{AUTHORIZATION, HOST, HeaderMap, UPGRADE};
use http::request::Parts;
use http::{Method, StatusCode};
use protocol::details::enforce::{self, Unfit};
use protocol::details::{Details, Types};
use subtle::ConstantTimeEq as _;
use url::Url;

/// The header that brings the secret.
pub const HEADER: &str = "waypass-run";
/// For tools that know no header but this one for what they call a key.
const API_KEY: &str = "x-api-key";

/// By which some servers take a request for another one than its first line says.
const OTHERWISE: [&str; 7] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-envoy-original-path",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether the headers name another method or path than was approved. To many servers `_` is `-` in a name.
pub fn says_otherwise(headers: &HeaderMap) -> bool {
    let mut names = headers.keys().map(|name| name.as_str().replace('_', "-"));
    names.any(|name| OTHERWISE.contains(&&*name))
}

pub struct Rules {
    pub granted: Details,
    /// The resource by the name that was approved.
    pub resource: String,
    /// Where it is.
    pub origin: Url,
    /// What requests call us.
    pub authority: String,
    secret: String,
    types: Types,
}

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    NoSecret,
    OtherHost,
    NoPlainRequest,
    NotApproved,
    OutsideResource,
}

impl Turned {
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoSecret => StatusCode::UNAUTHORIZED,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NoPlainRequest => StatusCode::BAD_REQUEST,
            Self::NotApproved | Self::OutsideResource => StatusCode::FORBIDDEN,
        }
    }

    pub fn error(self) -> &'static str {
        match self {
            Self::NoSecret => "invalid_secret",
            Self::OtherHost => "other_host",
            Self::NoPlainRequest => "invalid_request",
            Self::NotApproved => "not_approved",
            Self::OutsideResource => "outside_resource",
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoSecret => "The header Waypass-Run has to bring WAYPASS_SECRET of this run.",
            Self::OtherHost => {
                "This endpoint stands for the approved resource alone: ask for what is below WAYPASS_ENDPOINT."
            }
            Self::NoPlainRequest => "Only plain requests for a path go on: no CONNECT, no upgrade, no other form.",
            Self::NotApproved => "This method, path and query were not approved, or a header names others.",
            Self::OutsideResource => "This path is not below the one that the resource's own address has.",
        }
    }
}

impl Rules {
    pub fn new(granted: Details, (resource, origin): (String, Url), authority: String, secret: String) -> Self {
        Self {
            granted,
            resource,
            origin,
            authority,
            secret,
            types: Types::built_in(),
        }
    }

    /// Where the request goes on to.
    pub fn admit(&self, request: &Parts) -> Result<Url, Turned> {
        if !self.brings_secret(&request.headers) {
            return Err(Turned::NoSecret);
        }
        let is_of_origin = request.uri.scheme().is_none() && request.uri.authority().is_none();
        let is_plain = request.method != Method::CONNECT && !request.headers.contains_key(UPGRADE);
        if !is_of_origin || !is_plain || !request.uri.path().starts_with('/') {
            return Err(Turned::NoPlainRequest);
        }
        let mut hosts = request.headers.get_all(HOST).iter();
        let is_ours = hosts
            .next()
            .is_some_and(|host| host.as_bytes() == self.authority.as_bytes());
        if !is_ours || hosts.next().is_some() {
            return Err(Turned::OtherHost);
        }
        let (path, query) = (request.uri.path(), request.uri.query());
        self.must_permit(&request.method, path, query)?;
        if says_otherwise(&request.headers) {
            return Err(Turned::NotApproved);
        }
        self.at(path, query).ok_or(Turned::NotApproved)
    }

    /// The question that a resource server asks. The body goes by unread, so a detail that names one covers nothing here.
    /// One that names no query covers any, also one that is too long to be named.
    fn must_permit(&self, method: &Method, path: &str, query: Option<&str>) -> Result<(), Turned> {
        for query in [None, query] {
            let act = enforce::request(&self.resource, method.as_str(), path, query, None)?;
            if self.types.permits(&self.granted, &act) {
                return Ok(());
            }
        }
        Err(Turned::NotApproved)
    }

    /// None where the path would be another one there.
    fn at(&self, path: &str, query: Option<&str>) -> Option<Url> {
        let mut url = self.origin.clone();
        url.set_path(path);
        url.set_query(query);
        (url.path() == path && url.origin() == self.origin.origin()).then_some(url)
    }

    fn brings_secret(&self, headers: &HeaderMap) -> bool {
        let own = headers.get(HEADER).map(http::HeaderValue::as_bytes);
        let key = || headers.get(API_KEY).map(http::HeaderValue::as_bytes);
        let bearer = || headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ");
        let brought = own.or_else(bearer).or_else(key).unwrap_or_default();
        brought.ct_eq(self.secret.as_bytes()).into()
    }
}

impl From<Unfit> for Turned {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TwoPaths => Self::NotApproved,
            Unfit::OutsideResource => Self::OutsideResource,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;

    const CRM: &str = "https://crm.example.com";
    const SECRET: &str = "the-secret-of-this-run";

    fn rules() -> Rules {
        let granted = json!([
            { "type": "api", "resource": CRM, "methods": ["GET"], "paths": ["/v2/contacts/*", "/v2/notes/**"] },
            { "type": "api", "resource": CRM, "methods": ["PUT"], "paths": ["/v2/body"], "body_sha256": "0".repeat(64) },
            { "type": "api", "resource": CRM, "methods": ["DELETE"], "paths": ["/v2/notes"], "query": "id=7" },
            { "type": "api", "resource": "https://other.example.com", "methods": ["GET"], "paths": ["/**"] },
        ]);
        Rules::new(
            Types::built_in().read(&granted.to_string()).unwrap(),
            (CRM.to_owned(), Url::parse(CRM).unwrap()),
            "127.0.0.1:4000".to_owned(),
            SECRET.to_owned(),
        )
    }

    fn asked(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<String, Turned> {
        told_to(&rules(), method, target, headers)
    }

    fn told_to(rules: &Rules, method: &str, target: &str, headers: &[(&str, &str)]) -> Result<String, Turned> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        rules.admit(&parts).map(String::from)
    }

    const OURS: [(&str, &str); 2] = [("host", "127.0.0.1:4000"), (HEADER, SECRET)];

    #[test]
    fn what_was_approved_goes_to_the_resource_and_nothing_else_goes_anywhere() {
        for (method, target, expected) in [
            ("GET", "/v2/contacts/7", Ok("https://crm.example.com/v2/contacts/7")),
            (
                "GET",
                "/v2/notes/a/b?q=%2e%2e/x&q=1",
                Ok("https://crm.example.com/v2/notes/a/b?q=%2e%2e/x&q=1"),
            ),
            (
                "GET",
                "/v2/contacts/a%20b",
                Ok("https://crm.example.com/v2/contacts/a%20b"),
            ),
            ("POST", "/v2/contacts/7", Err(Turned::NotApproved)),
            ("HEAD", "/v2/contacts/7", Err(Turned::NotApproved)),
            ("PUT", "/v2/body", Err(Turned::NotApproved)),
            ("GET", "/v2/users", Err(Turned::NotApproved)),
            ("GET", "/", Err(Turned::NotApproved)),
            ("GET", "/v2/contacts/../users", Err(Turned::NotApproved)),
            ("GET", "/v2/notes/../../users", Err(Turned::NotApproved)),
            ("GET", "/v2/notes/%2e%2e/users", Err(Turned::NotApproved)),
            ("GET", "/v2/notes/%2E%2e;x/users", Err(Turned::NotApproved)),
            ("GET", "/v2/contacts/7%2fadmin", Err(Turned::NotApproved)),
            ("GET", "/v2/contacts/7%5cadmin", Err(Turned::NotApproved)),
            ("GET", "/v2/notes/./x", Err(Turned::NotApproved)),
            ("GET", "//evil.example/v2/contacts/7", Err(Turned::NotApproved)),
            (
                "GET",
                "https://crm.example.com/v2/contacts/7",
                Err(Turned::NoPlainRequest),
            ),
            ("GET", "http://evil.example/v2/contacts/7", Err(Turned::NoPlainRequest)),
            ("OPTIONS", "*", Err(Turned::NoPlainRequest)),
            ("CONNECT", "crm.example.com:443", Err(Turned::NoPlainRequest)),
        ] {
            assert_eq!(
                asked(method, target, &OURS),
                expected.map(str::to_owned),
                "{method} {target}"
            );
        }
    }

    #[test]
    fn a_resource_with_a_path_is_no_more_of_its_host_than_that() {
        const V1: &str = "https://crm.example.com/v1";
        let granted = json!([{ "type": "api", "resource": V1, "methods": ["GET"], "paths": ["/**"] }]);
        let granted = Types::built_in().read(&granted.to_string()).unwrap();
        let at = (V1.to_owned(), Url::parse(CRM).unwrap());
        let rules = Rules::new(granted, at, "127.0.0.1:4000".to_owned(), SECRET.to_owned());
        for (target, expected) in [
            ("/v1", Ok("https://crm.example.com/v1")),
            ("/v1/a?b=/admin", Ok("https://crm.example.com/v1/a?b=/admin")),
            ("/v10/a", Err(Turned::OutsideResource)),
            ("/admin", Err(Turned::OutsideResource)),
            ("/", Err(Turned::OutsideResource)),
            ("/v1/../admin", Err(Turned::NotApproved)),
            ("/v1/%2e%2e/admin", Err(Turned::NotApproved)),
            ("/v1%2f..%2fadmin", Err(Turned::NotApproved)),
        ] {
            let told = told_to(&rules, "GET", target, &OURS);
            assert_eq!(told, expected.map(str::to_owned), "{target}");
        }
    }

    #[test]
    fn a_query_that_was_approved_is_the_only_one_and_without_one_any_goes_on() {
        let long = format!("/v2/contacts/7?q={}", "x".repeat(2000));
        for (method, target, goes_on) in [
            ("DELETE", "/v2/notes?id=7", true),
            ("DELETE", "/v2/notes?id=8", false),
            ("DELETE", "/v2/notes?id=7&id=8", false),
            ("DELETE", "/v2/notes?", false),
            ("DELETE", "/v2/notes", false),
            ("GET", &long, true),
        ] {
            assert_eq!(asked(method, target, &OURS).is_ok(), goes_on, "{method} {target}");
        }
    }

    #[test]
    fn a_request_without_the_secret_of_this_run_learns_nothing() {
        let host = ("host", "127.0.0.1:4000");
        for brought in [
            vec![],
            vec![(HEADER, "")],
            vec![(HEADER, "the-secret-of-another-run")],
            vec![(HEADER, "the-secret-of-this-ru")],
            vec![("authorization", SECRET)],
            vec![("authorization", "Basic the-secret-of-this-run")],
            // What is said first counts.
            vec![(HEADER, "wrong"), ("authorization", "Bearer the-secret-of-this-run")],
        ] {
            let headers = [&[host][..], &brought].concat();
            for target in ["/v2/contacts/7", "/v2/users", "http://evil.example/"] {
                assert_eq!(asked("GET", target, &headers), Err(Turned::NoSecret), "{brought:?}");
            }
        }
        for brought in [
            (HEADER, SECRET),
            ("authorization", "Bearer the-secret-of-this-run"),
            ("x-api-key", SECRET),
        ] {
            assert!(asked("GET", "/v2/contacts/7", &[host, brought]).is_ok(), "{brought:?}");
        }
    }

    #[test]
    fn another_host_or_another_protocol_is_turned_away() {
        for (headers, why) in [
            (vec![("host", "crm.example.com")], Turned::OtherHost),
            (vec![("host", "127.0.0.1:4001")], Turned::OtherHost),
            (vec![("host", "evil.example")], Turned::OtherHost),
            (vec![], Turned::OtherHost),
            (
                vec![("host", "127.0.0.1:4000"), ("host", "evil.example")],
                Turned::OtherHost,
            ),
            (
                vec![("host", "127.0.0.1:4000"), ("upgrade", "websocket")],
                Turned::NoPlainRequest,
            ),
        ] {
            let headers = [&[(HEADER, SECRET)][..], &headers].concat();
            assert_eq!(asked("GET", "/v2/contacts/7", &headers), Err(why), "{headers:?}");
        }
    }
}
