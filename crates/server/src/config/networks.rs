//! `[network]` of the file: networks that an administrator has listed, and where the databases of network
//! operators and countries are. They are opened in `place`, not here.

use std::path::PathBuf;

use ipnet::IpNet;
use toml::Value;

use super::rules;
use super::sources::Sources;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// The listed networks: who asks from one and who approves from one belong together.
    pub trusted: Vec<IpNet>,
    /// Strangers share the addresses of these, so that an equal one says nothing.
    pub shared: Vec<IpNet>,
    pub operator_database: Option<PathBuf>,
    pub country_database: Option<PathBuf>,
}

impl Networks {
    pub fn read(sources: &mut Sources) -> Self {
        let networks = Self {
            trusted: list(sources, "trusted_networks"),
            shared: list(sources, "shared_networks"),
            operator_database: path(sources, "operator_database"),
            country_database: path(sources, "country_database"),
        };
        for trusted in &networks.trusted {
            let overlaps = |shared: &&IpNet| shared.contains(trusted) || trusted.contains(*shared);
            if let Some(shared) = networks.shared.iter().find(overlaps) {
                let text = format!("{trusted} cannot be trusted while strangers share {shared} (shared_networks)");
                sources.problem(sources.in_file("network.trusted_networks"), text);
            }
        }
        networks
    }
}

fn list(sources: &mut Sources, key: &'static str) -> Vec<IpNet> {
    let place = sources.in_file(&format!("network.{key}"));
    let values = match sources.in_section(["network", key]) {
        None => return Vec::new(),
        Some(Value::Array(values)) => values,
        Some(one) => vec![one],
    };
    let mut networks = Vec::new();
    for value in values {
        match value.as_str().map(|text| rules::network(text.trim())) {
            Some(Ok(network)) if network.prefix_len() == 0 => {
                let text = format!("{network} is every network: leave the setting out or name some");
                sources.problem(place.clone(), text);
            }
            Some(Ok(network)) => networks.push(network),
            Some(Err(problem)) => sources.problem(place.clone(), problem),
            None => sources.problem(place.clone(), "must be texts in quotes"),
        }
    }
    networks
}

fn path(sources: &mut Sources, key: &'static str) -> Option<PathBuf> {
    match sources.in_section(["network", key])? {
        Value::String(path) if !path.is_empty() => Some(path.into()),
        _ => {
            sources.problem(
                sources.in_file(&format!("network.{key}")),
                "must be the path of a file, in quotes",
            );
            None
        }
    }
}
