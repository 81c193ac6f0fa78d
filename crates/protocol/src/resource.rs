//! Resource indicators: where a token may be used. RFC 8707 §2.

use url::Url;

use crate::refusal::Refusal;

/// An absolute URI without a fragment, exactly as it was sent: audiences are compared as text.
pub fn parse(text: &str) -> Result<String, Refusal> {
    const LONGEST: usize = 512;
    let is_plain = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    match Url::parse(text) {
        Ok(url) if is_plain && url.fragment().is_none() => Ok(text.to_owned()),
        _ => Err(Refusal::ResourceMalformed),
    }
}

/// What a request may name: within the ceiling, which is the issuer alone where none was registered.
/// Without a request it is the whole ceiling if that is one resource; a token for several audiences at
/// once would let each of them use it at the others (RFC 9700 §2.3, RFC 9068 §3).
pub fn requested(asked: &[String], ceiling: &[String], issuer: &str) -> Result<Vec<String>, Refusal> {
    if !asked.iter().all(|resource| is_allowed(resource, ceiling, issuer)) {
        return Err(Refusal::ResourceNotAllowed);
    }
    match (asked, ceiling) {
        ([], []) => Ok(vec![issuer.to_owned()]),
        ([], [only]) => Ok(vec![only.clone()]),
        ([], _) => Err(Refusal::ScopeAmbiguous),
        (asked, _) => {
            let mut resources = asked.to_vec();
            resources.sort();
            resources.dedup();
            Ok(resources)
        }
    }
}

fn is_allowed(resource: &str, ceiling: &[String], issuer: &str) -> bool {
    if ceiling.is_empty() {
        resource == issuer
    } else {
        ceiling.iter().any(|allowed| allowed == resource)
    }
}

/// The audience of one access token: what the token request names, within what was approved. A10.
pub fn audience(asked: &[String], granted: &[String]) -> Result<Vec<String>, Refusal> {
    if asked.is_empty() {
        return Ok(granted.to_vec());
    }
    if asked.iter().all(|resource| granted.contains(resource)) {
        Ok(asked.to_vec())
    } else {
        Err(Refusal::ResourceNotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    #[test]
    fn a09_a_resource_is_an_absolute_uri_without_fragment() {
        assert_eq!(
            parse("https://api.example.com/v1").unwrap(),
            "https://api.example.com/v1"
        );
        for text in [
            "",
            "api",
            "/v1",
            "https://a.example/#x",
            "https://a.example/ b",
            "https://é.example/",
        ] {
            assert_eq!(parse(text), Err(Refusal::ResourceMalformed), "{text:?}");
        }
    }

    #[test]
    fn a13_without_a_resource_there_is_one_audience_or_a_refusal() {
        let issuer = "https://as.example";
        assert_eq!(requested(&[], &[], issuer), Ok(list(&[issuer])));
        assert_eq!(
            requested(&[], &list(&["https://a.example"]), issuer),
            Ok(list(&["https://a.example"]))
        );
        let two = list(&["https://a.example", "https://b.example"]);
        assert_eq!(requested(&[], &two, issuer), Err(Refusal::ScopeAmbiguous));
        assert_eq!(
            requested(&list(&["https://b.example"]), &two, issuer),
            Ok(list(&["https://b.example"]))
        );
        assert_eq!(
            requested(&list(&["https://c.example"]), &two, issuer),
            Err(Refusal::ResourceNotAllowed)
        );
        assert_eq!(
            requested(&list(&["https://a.example"]), &[], issuer),
            Err(Refusal::ResourceNotAllowed)
        );
    }

    #[test]
    fn a10_a_token_request_may_name_less_and_never_more() {
        let granted = list(&["https://a.example", "https://b.example"]);
        assert_eq!(audience(&[], &granted), Ok(granted.clone()));
        assert_eq!(
            audience(&list(&["https://a.example"]), &granted),
            Ok(list(&["https://a.example"]))
        );
        assert_eq!(
            audience(&list(&["https://c.example"]), &granted),
            Err(Refusal::ResourceNotAllowed)
        );
    }
}
