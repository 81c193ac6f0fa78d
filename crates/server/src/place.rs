//! Where an address is: its network operator and country, from databases in MaxMind's format that an
//! administrator brings. Looked up, so `derived`, and at times wrong. Not here: how near two places are
//! (`protocol/network.rs`), and which address is believed (`peer`).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use maxminddb::{MaxMindDbError, Reader};
use protocol::network::{self, Operator, Place};
use protocol::shown::shown;
use serde::Deserialize;

use crate::config::{Networks, Problem};

/// What a database says of an address, as far as we read it.
#[derive(Deserialize)]
struct Record {
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
    country: Option<Country>,
}

#[derive(Deserialize)]
struct Country {
    iso_code: Option<String>,
}

/// Databases are other people's text too: a name is cut, and escaped where it is shown.
const LONGEST_NAME: usize = 80;

/// A database of the right kind says what it is for within this many networks.
const LOOKED_AT: usize = 10_000;

pub struct Places {
    operators: Option<Database>,
    countries: Option<Database>,
}

struct Database {
    setting: &'static str,
    path: PathBuf,
    /// Whether a record says what this database is for.
    says: fn(&Record) -> bool,
    reader: ArcSwap<Reader<Vec<u8>>>,
    /// Of the file that was read last, well or not.
    version: Mutex<Version>,
}

type Version = (SystemTime, u64);

impl Places {
    pub fn open(networks: &Networks) -> Result<Self, Problem> {
        let open = |path: &Option<PathBuf>, setting, says| {
            path.as_deref()
                .map(|path| Database::open(path, setting, says))
                .transpose()
        };
        Ok(Self {
            operators: open(&networks.operator_database, "network.operator_database", |record| {
                record.operator().is_some()
            })?,
            countries: open(&networks.country_database, "network.country_database", |record| {
                record.country().is_some()
            })?,
        })
    }

    pub fn place(&self, address: Option<IpAddr>) -> Place {
        let announced = address
            .map(|address| address.to_canonical())
            .filter(|&address| !network::is_unannounced(address));
        let find = |database: &Option<Database>| database.as_ref()?.find(announced?);
        Place {
            address,
            operator: find(&self.operators).and_then(|record| record.operator()),
            country: find(&self.countries).and_then(|record| record.country()),
        }
    }

    /// Reads again what has changed on disk. What cannot be used leaves the old in its place.
    pub fn reload(&self) {
        for database in [&self.operators, &self.countries].into_iter().flatten() {
            match database.reload() {
                Ok(false) => {}
                Ok(true) => tracing::info!(setting = database.setting, "read again"),
                Err(problem) => tracing::warn!("{problem}; the one read before stays in use"),
            }
        }
    }
}

impl Record {
    fn operator(&self) -> Option<Operator> {
        let number = self.autonomous_system_number.filter(|&number| number != 0)?;
        let name = self.autonomous_system_organization.as_deref().unwrap_or_default();
        Some(Operator {
            number,
            name: name.chars().take(LONGEST_NAME).collect(),
        })
    }

    fn country(&self) -> Option<String> {
        let code = self.country.as_ref()?.iso_code.as_deref()?;
        (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())).then(|| code.to_owned())
    }
}

impl Database {
    fn open(path: &Path, setting: &'static str, says: fn(&Record) -> bool) -> Result<Self, Problem> {
        let (reader, version) = version(path)
            .and_then(|version| Ok((read(path, says)?, version)))
            .map_err(|text| problem(setting, path, &text))?;
        Ok(Self {
            setting,
            path: path.to_owned(),
            says,
            reader: ArcSwap::from_pointee(reader),
            version: Mutex::new(version),
        })
    }

    /// Whether there was something new.
    fn reload(&self) -> Result<bool, Problem> {
        let mut known = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that is being replaced may be missing for a moment.
        let Ok(version) = version(&self.path) else {
            return Ok(false);
        };
        if std::mem::replace(&mut *known, version) == version {
            return Ok(false);
        }
        let reader = read(&self.path, self.says).map_err(|text| problem(self.setting, &self.path, &text))?;
        self.reader.store(reader.into());
        Ok(true)
    }

    /// What cannot be read is not known.
    fn find(&self, address: IpAddr) -> Option<Record> {
        self.reader.load().lookup(address).ok()?.decode().ok()?
    }
}

fn version(path: &Path) -> Result<Version, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    Ok((metadata.modified().map_err(unreadable)?, metadata.len()))
}

/// The whole file is looked through, so that no lookup meets what is broken in it.
fn read(path: &Path, says: fn(&Record) -> bool) -> Result<Reader<Vec<u8>>, String> {
    let reader = Reader::open_readfile(path).map_err(|error| match error {
        MaxMindDbError::Io(error) => format!("cannot be read: {error}"),
        _ => "no database in MaxMind's format, or not a whole one".to_owned(),
    })?;
    reader
        .verify()
        .map_err(|error| format!("a damaged database: {}", shown(&error.to_string())))?;
    let mut networks = reader
        .networks(maxminddb::WithinOptions::default())
        .into_iter()
        .flatten();
    let is_right = networks
        .by_ref()
        .take(LOOKED_AT)
        .filter_map(|network| network.ok()?.decode().ok()?)
        .any(|record| says(&record));
    if !is_right {
        return Err("says nothing of the kind: is it a database of something else?".to_owned());
    }
    Ok(reader)
}

fn problem(setting: &str, path: &Path, text: &str) -> Problem {
    Problem {
        place: format!("{setting} {}", path.display()),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod mmdb;
#[cfg(test)]
mod tests;
