//! `[[posture.attesters]]`: whose word on machines counts. Their keys are read at the start; another key is another
//! start.

use protocol::jwk::Jwks;
use protocol::posture::PostureAttester;
use toml::Value;

use super::sources::Sources;

const NAME: [&str; 2] = ["posture", "attesters"];

/// Every mistake is noted with its place.
pub fn attesters(sources: &mut Sources) -> Vec<PostureAttester> {
    let place = sources.in_file(&NAME.join("."));
    let values = match sources.in_section(NAME) {
        None => return Vec::new(),
        Some(Value::Array(values)) => values,
        Some(_) => {
            sources.problem(place, "must be tables: [[posture.attesters]]");
            return Vec::new();
        }
    };
    let mut attesters: Vec<PostureAttester> = Vec::new();
    for value in values {
        match attester(&value) {
            Ok(attester) if attesters.iter().any(|other| other.issuer == attester.issuer) => {
                sources.problem(place.clone(), format!("{:?} stands there twice", attester.issuer));
            }
            Ok(attester) => attesters.push(attester),
            Err(problem) => sources.problem(place.clone(), problem),
        }
    }
    attesters
}

fn attester(value: &Value) -> Result<PostureAttester, String> {
    let text = |name| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(2), Some(issuer), Some(file)) = (
        value.as_table().map(toml::Table::len),
        text("issuer"),
        text("jwks_file"),
    ) else {
        return Err("each has an issuer and a jwks_file, and nothing else".to_owned());
    };
    let read = std::fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?;
    let jwks = serde_json::from_str(&read).map_err(|_| format!("{file} is not JSON"))?;
    Ok(PostureAttester {
        issuer: issuer.to_owned(),
        keys: Jwks::parse(&jwks).map_err(|flaw| format!("{file} is no usable key set: {flaw}"))?,
    })
}
