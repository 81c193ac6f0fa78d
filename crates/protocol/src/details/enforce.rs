//! What a resource server asks: whether one act is within what was granted. The act is written as a detail of its own
//! type, as exactly as it is about to happen, so that there is one comparison for asking, granting and enforcing.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Details, Types, path};
use crate::digest::hexadecimal;

impl Types {
    /// What is not a detail of a known type is within nothing. The runs of a command are not counted here.
    pub fn permits(&self, granted: &Details, act: &Value) -> bool {
        let act = self.read(&json!([act]).to_string());
        act.is_ok_and(|act| !act.is_empty() && self.is_within(&act, &granted.once()))
    }
}

/// Why a request is no act at its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Two readers could take its path for two paths.
    TwoPaths,
    /// Its path is not below the resource's own: `https://api.example.com/v1` is not all of its host.
    OutsideResource,
}

/// One HTTP request as an `api` detail: `query` is what stands after the question mark, where there is one, and the body is
/// named by its digest. What is not told (None) is within no detail that names it.
pub fn request(
    resource: &str,
    method: &str,
    path: &str,
    query: Option<&str>,
    body: Option<&[u8]>,
) -> Result<Value, Unfit> {
    let asked = path_asked(path).ok_or(Unfit::TwoPaths)?;
    if !own_path(resource).is_some_and(|own| is_below(&own, path)) {
        return Err(Unfit::OutsideResource);
    }
    let mut act = json!({ "type": "api", "resource": resource, "methods": [method], "paths": [asked] });
    let digest = body.map(|body| hexadecimal(&Sha256::digest(body)));
    for (name, value) in [("query", query), ("body_sha256", digest.as_deref())] {
        if let (Some(members), Some(value)) = (act.as_object_mut(), value) {
            members.insert(name.to_owned(), value.into());
        }
    }
    Ok(act)
}

/// Whether there is a request of this pattern of paths at this resource.
pub fn reaches(resource: &str, pattern: &str) -> bool {
    own_path(resource).is_some_and(|own| path::meets(pattern, &own))
}

/// A query in the name of a resource scopes its requests in a way of the resource's own (RFC 8707 §2), so none is known to
/// be within it.
fn own_path(resource: &str) -> Option<String> {
    let url = Url::parse(resource).ok().filter(|url| url.query().is_none())?;
    Some(url.path().to_owned())
}

/// As they are written: `/v1` covers itself and what follows its slash, `/v1/` what follows.
fn is_below(own: &str, path: &str) -> bool {
    let rest = path.strip_prefix(own);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || own.ends_with('/'))
}

/// A segment with an encoded character is one of many: only a `*` covers it. Whoever decodes it must not find another
/// path in it.
fn path_asked(path: &str) -> Option<String> {
    let segments: Option<Vec<&str>> = path.split('/').map(segment).collect();
    Some(segments?.join("/"))
}

fn segment(text: &str) -> Option<&str> {
    if !text.contains('%') {
        // Covered by what it says, and by no pattern that it looks like.
        return (!text.contains('*') && !is_dots(text)).then_some(text);
    }
    let decoded = percent_decoded(text)?;
    let is_path = decoded.is_empty() || is_dots(&decoded) || decoded.contains(['/', '\\', '\0', '%']);
    (!is_path).then_some("*")
}

/// Also with parameters of the segment: `..;a` is `..` to servers that know them.
fn is_dots(segment: &str) -> bool {
    matches!(segment.split(';').next(), Some("." | ".."))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [char::from(rest.next()?), char::from(rest.next()?)];
            let [high, low] = digits.map(|digit| digit.to_digit(16));
            bytes.push(u8::try_from(high? * 16 + low?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const CRM: &str = "https://crm.example.com";

    fn granted(details: &Value) -> Details {
        Types::built_in().read(&details.to_string()).unwrap()
    }

    #[test]
    fn a06_a_request_is_within_its_resource_methods_paths_and_body() {
        let granted = granted(&json!([
            { "type": "api", "resource": CRM, "methods": ["GET"], "paths": ["/v2/contacts/*", "/v2/notes/**"] },
            { "type": "api", "resource": CRM, "methods": ["PUT"], "paths": ["/v2/contacts/7"],
              "body_sha256": hexadecimal(&Sha256::digest("{}")) },
        ]));
        let mut table = String::new();
        for (resource, method, path, body) in [
            (CRM, "GET", "/v2/contacts/7", ""),
            (CRM, "GET", "/v2/notes/a/b", ""),
            (CRM, "GET", "/v2/contacts/a%20b", ""),
            (CRM, "PUT", "/v2/contacts/7", "{}"),
            (CRM, "PUT", "/v2/contacts/7", "{} "),
            (CRM, "PUT", "/v2/contacts/8", "{}"),
            (CRM, "DELETE", "/v2/contacts/7", ""),
            (CRM, "get", "/v2/contacts/7", ""),
            (CRM, "GET", "/v2/contacts", ""),
            (CRM, "GET", "/v2/contacts/7/8", ""),
            (CRM, "GET", "/v2/contacts/../admin", ""),
            (CRM, "GET", "/v2/contacts/..", ""),
            (CRM, "GET", "/v2/contacts/%2e%2e", ""),
            (CRM, "GET", "/v2/contacts/%2E.", ""),
            (CRM, "GET", "/v2/contacts/7%2f8", ""),
            (CRM, "GET", "/v2/contacts/7%5C8", ""),
            (CRM, "GET", "/v2/contacts/%252e%252e", ""),
            (CRM, "GET", "/v2/contacts/%", ""),
            (CRM, "GET", "/v2/notes/..;/admin", ""),
            (CRM, "GET", "/v2/notes/%2e%2e;a/admin", ""),
            (CRM, "GET", "/v2/contacts/%ff", ""),
            (CRM, "GET", "/v2/contacts/*", ""),
            (CRM, "GET", "/v2/**", ""),
            (CRM, "GET", "v2/contacts/7", ""),
            (CRM, "GET", "/v2/cont%61cts/7", ""),
            ("https://crm.example.com.evil.example", "GET", "/v2/contacts/7", ""),
        ] {
            let act = request(resource, method, path, None, Some(body.as_bytes()));
            let permits = act.is_ok_and(|act| Types::built_in().permits(&granted, &act));
            table += &format!("{permits:5} {method} {path} {body:?}\n");
        }
        expect![[r#"
            true  GET /v2/contacts/7 ""
            true  GET /v2/notes/a/b ""
            true  GET /v2/contacts/a%20b ""
            true  PUT /v2/contacts/7 "{}"
            false PUT /v2/contacts/7 "{} "
            false PUT /v2/contacts/8 "{}"
            false DELETE /v2/contacts/7 ""
            false get /v2/contacts/7 ""
            false GET /v2/contacts ""
            false GET /v2/contacts/7/8 ""
            false GET /v2/contacts/../admin ""
            false GET /v2/contacts/.. ""
            false GET /v2/contacts/%2e%2e ""
            false GET /v2/contacts/%2E. ""
            false GET /v2/contacts/7%2f8 ""
            false GET /v2/contacts/7%5C8 ""
            false GET /v2/contacts/%252e%252e ""
            false GET /v2/contacts/% ""
            false GET /v2/notes/..;/admin ""
            false GET /v2/notes/%2e%2e;a/admin ""
            false GET /v2/contacts/%ff ""
            false GET /v2/contacts/* ""
            false GET /v2/** ""
            false GET v2/contacts/7 ""
            false GET /v2/cont%61cts/7 ""
            false GET /v2/contacts/7 ""
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn a06_a_resource_with_a_path_is_what_is_below_it() {
        let mut table = String::new();
        for (own, path) in [
            ("/v1", "/v1"),
            ("/v1", "/v1/"),
            ("/v1", "/v1/a"),
            ("/v1", "/v1//a"),
            ("/v1", "/v10"),
            ("/v1", "/v1;a/b"),
            ("/v1", "/V1/a"),
            ("/v1", "/%761/a"),
            ("/v1", "/"),
            ("/v1", "/admin"),
            ("/v1", "//v1/a"),
            ("/v1", "/a/v1"),
            ("/v1", "/v1/../admin"),
            ("/v1", "/v1/%2e%2e/admin"),
            ("/v1", "/v1%2f..%2fadmin"),
            ("/v1/", "/v1/"),
            ("/v1/", "/v1/a"),
            ("/v1/", "/v1"),
            ("/v1/", "/v10"),
            ("/v1//", "/v1/a"),
            ("/a/../v1", "/v1/a"),
            ("/%2e%2e/v1", "/v1/a"),
            ("/a%20b", "/a%20b/c"),
            ("/a%20b", "/a+b/c"),
            ("/*", "/a/b"),
            ("/**", "/a/b"),
            ("/", "/"),
            ("/", "/a"),
            ("", "/a"),
            ("?tenant=7", "/a"),
            ("/v1?tenant=7", "/v1/a"),
        ] {
            let act = request(&format!("{CRM}{own}"), "GET", path, None, None);
            let told = act.map_or_else(|unfit| format!("{unfit:?}"), |_| "below".to_owned());
            table += &format!("{own:13} {path:17} {told}\n");
        }
        expect![[r#"
            /v1           /v1               below
            /v1           /v1/              below
            /v1           /v1/a             below
            /v1           /v1//a            below
            /v1           /v10              OutsideResource
            /v1           /v1;a/b           OutsideResource
            /v1           /V1/a             OutsideResource
            /v1           /%761/a           OutsideResource
            /v1           /                 OutsideResource
            /v1           /admin            OutsideResource
            /v1           //v1/a            OutsideResource
            /v1           /a/v1             OutsideResource
            /v1           /v1/../admin      TwoPaths
            /v1           /v1/%2e%2e/admin  TwoPaths
            /v1           /v1%2f..%2fadmin  TwoPaths
            /v1/          /v1/              below
            /v1/          /v1/a             below
            /v1/          /v1               OutsideResource
            /v1/          /v10              OutsideResource
            /v1//         /v1/a             OutsideResource
            /a/../v1      /v1/a             below
            /%2e%2e/v1    /v1/a             below
            /a%20b        /a%20b/c          below
            /a%20b        /a+b/c            OutsideResource
            /*            /a/b              OutsideResource
            /**           /a/b              OutsideResource
            /             /                 below
            /             /a                below
                          /a                below
            ?tenant=7     /a                OutsideResource
            /v1?tenant=7  /v1/a             OutsideResource
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn a06_a_query_and_a_body_that_are_not_told_are_within_no_detail_that_names_them() {
        let digest = hexadecimal(&Sha256::digest("{}"));
        for (member, value) in [("query", "id=7"), ("body_sha256", &*digest)] {
            let mut detail = json!({ "type": "api", "resource": CRM, "methods": ["PUT"], "paths": ["/a"] });
            let any = granted(&json!([detail]));
            detail[member] = value.into();
            let one = granted(&json!([detail]));
            for (query, body, is_it) in [
                (Some("id=7"), Some(&b"{}"[..]), true),
                (Some("id=8"), Some(b"{} "), false),
                (Some(""), Some(b""), false),
                (None, None, false),
            ] {
                let act = request(CRM, "PUT", "/a", query, body).unwrap();
                assert_eq!(Types::built_in().permits(&one, &act), is_it, "{act}");
                assert!(Types::built_in().permits(&any, &act), "{act}");
            }
        }
    }

    #[test]
    fn a06_a_command_is_within_itself_alone() {
        let digest = hexadecimal(&Sha256::digest("program"));
        let run = json!({ "type": "command", "argv": ["deploy", "--site", "a"], "executable_sha256": digest });
        let wide = json!({ "type": "command", "argv": ["deploy", "--site", "a"] });
        let types = Types::built_in();
        let exactly = |act: &Value| {
            let mut act = act.clone();
            act["host"] = json!("jump-1");
            act
        };
        for (granted_to, act, permits) in [
            (&run, exactly(&run), true),
            (&wide, exactly(&run), true),
            (&run, exactly(&wide), false),
            (
                &run,
                json!({ "type": "command", "argv": ["deploy", "--site", "b"], "executable_sha256": digest }),
                false,
            ),
            (
                &run,
                json!({ "type": "command", "argv": ["deploy", "--site"], "executable_sha256": digest }),
                false,
            ),
            (
                &run,
                json!({ "type": "command", "argv": ["deploy", "--site a"], "executable_sha256": digest }),
                false,
            ),
            (
                &run,
                json!({ "type": "command", "argv": ["deploy", "--site", "a"],
                "executable_sha256": hexadecimal(&Sha256::digest("another")) }),
                false,
            ),
            (&run, json!({ "type": "command" }), false),
            (&run, json!({ "type": "unknown" }), false),
            (&run, json!("command"), false),
        ] {
            let granted = granted(&json!([granted_to]));
            assert_eq!(types.permits(&granted, &act), permits, "{act}");
        }
        assert!(!types.permits(&Details::default(), &run));
    }
}
