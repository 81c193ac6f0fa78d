//! `[upstream]`: an OpenID provider that approvers may sign in through. OpenID Connect Discovery 1.0 §3.
//! Not here: what the provider answers; it is asked when somebody signs in, so a server starts without it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use protocol::approver::is_name;
use protocol::time::Lifetime;
use toml::Value;
use url::{Host, Url};

use super::sources::Sources;

const SECTION: &str = "upstream";
const DAY: u32 = 24 * 3600;
/// A button holds no more.
const LONGEST_LABEL: usize = 40;

#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Compared as text with what the provider says of itself.
    pub issuer: String,
    pub client_id: String,
    pub client_secret_file: PathBuf,
    /// What the button calls it.
    pub label: String,
    /// Beside `openid`.
    pub scopes: Vec<String>,
    pub groups_claim: String,
    /// The provider's name of a group, and ours. What is not here does not count.
    pub groups: BTreeMap<String, String>,
    pub groups_lifetime: Lifetime,
}

/// None without the section, or where a problem was noted.
pub fn read(sources: &mut Sources) -> Option<UpstreamConfig> {
    if !sources.has_section(SECTION) {
        return None;
    }
    let issuer = issuer(sources);
    let label = label(sources, issuer.as_deref());
    let client_id = required(sources, "client_id");
    let client_secret_file = required(sources, "client_secret_file");
    let scopes = texts(sources, "scopes");
    let groups_claim = sources.text_in_section([SECTION, "groups_claim"]);
    let groups = groups(sources);
    let lifetime = sources.number([SECTION, "groups_lifetime"], DAY, 60..=30 * DAY);
    Some(UpstreamConfig {
        issuer: issuer?,
        client_id: client_id?,
        client_secret_file: client_secret_file?.into(),
        label: label?,
        scopes,
        groups_claim: groups_claim.map_or_else(|| "groups".to_owned(), |given| given.value),
        groups,
        groups_lifetime: Lifetime::from_seconds(i64::from(lifetime)),
    })
}

fn required(sources: &mut Sources, key: &str) -> Option<String> {
    let is_given = sources.has_in_section([SECTION, key]);
    let given = sources.text_in_section([SECTION, key]);
    if !is_given {
        sources.problem(sources.in_file(&format!("{SECTION}.{key}")), "required in this section");
    }
    given.map(|given| given.value)
}

fn issuer(sources: &mut Sources) -> Option<String> {
    let text = required(sources, "issuer")?;
    let url = Url::parse(&text).ok();
    let is_plain = |url: &Url| {
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
    };
    if url.as_ref().is_some_and(|url| is_protected(url) && is_plain(url)) {
        return Some(text);
    }
    let problem = "must be the provider's issuer: https (or http on localhost), without query, fragment or user name";
    sources.problem(sources.in_file("upstream.issuer"), problem);
    None
}

/// Nothing of a sign-in crosses a network in the clear.
pub fn is_protected(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        _ => false,
    }
}

fn label(sources: &mut Sources, issuer: Option<&str>) -> Option<String> {
    let Some(given) = sources.text_in_section([SECTION, "label"]) else {
        return Url::parse(issuer?).ok()?.host_str().map(str::to_owned);
    };
    if (1..=LONGEST_LABEL).contains(&given.value.chars().count()) {
        return Some(given.value);
    }
    sources.problem(given.place, format!("must have 1 to {LONGEST_LABEL} characters"));
    None
}

fn texts(sources: &mut Sources, key: &str) -> Vec<String> {
    let Some(value) = sources.in_section([SECTION, key]) else {
        return Vec::new();
    };
    let texts = value.as_array().and_then(|values| {
        let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<_>>>()
    });
    texts.unwrap_or_else(|| {
        sources.problem(
            sources.in_file(&format!("{SECTION}.{key}")),
            "must be an array of texts",
        );
        Vec::new()
    })
}

/// `[upstream.groups]`: their name = "our name".
fn groups(sources: &mut Sources) -> BTreeMap<String, String> {
    let Some(value) = sources.in_section([SECTION, "groups"]) else {
        return BTreeMap::new();
    };
    let mut groups = BTreeMap::new();
    let Value::Table(table) = value else {
        sources.problem(sources.in_file("upstream.groups"), "must be a table: THEIRS = \"ours\"");
        return groups;
    };
    for (theirs, ours) in table {
        match ours {
            Value::String(ours) if is_name(&ours) => {
                groups.insert(theirs, ours);
            }
            _ => sources.problem(
                sources.in_file("upstream.groups"),
                "a group's name here is text of 1 to 64 letters, digits or . - _ @ +",
            ),
        }
    }
    groups
}
