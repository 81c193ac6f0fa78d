//! `[passkeys]` of the file: whose word makes a passkey one in proven hardware (`acr` `phrh`). The authorities are
//! read in `hardware`, not here.

use std::path::PathBuf;

use toml::Value;
use uuid::Uuid;

use super::sources::Sources;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct PasskeyRules {
    /// A file of certificates in PEM.
    pub attestation_authorities: Option<PathBuf>,
    /// Which kinds of devices count; empty is every one.
    pub aaguids: Vec<Uuid>,
}

impl PasskeyRules {
    pub fn read(sources: &mut Sources) -> Self {
        let file = sources.text_in_section(["passkeys", "attestation_authorities"]);
        let rules = Self {
            attestation_authorities: file.map(|given| given.value.into()),
            aaguids: aaguids(sources),
        };
        if rules.attestation_authorities.is_none() && !rules.aaguids.is_empty() {
            let text = "names kinds of devices, but without attestation_authorities nobody vouches for one";
            sources.problem(sources.in_file("passkeys.aaguids"), text);
        }
        rules
    }
}

fn aaguids(sources: &mut Sources) -> Vec<Uuid> {
    let place = sources.in_file("passkeys.aaguids");
    let values = match sources.in_section(["passkeys", "aaguids"]) {
        None => return Vec::new(),
        Some(Value::Array(values)) => values,
        Some(one) => vec![one],
    };
    let read: Option<Vec<Uuid>> = values
        .iter()
        .map(|value| value.as_str().and_then(|text| Uuid::parse_str(text.trim()).ok()))
        .collect();
    read.unwrap_or_else(|| {
        sources.problem(place, "must be UUIDs in quotes, as makers of keys publish them");
        Vec::new()
    })
}
