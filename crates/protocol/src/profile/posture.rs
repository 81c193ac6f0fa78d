//! The `[posture]` table of a profile.

use std::collections::BTreeMap;

use super::table::{Mistake, Table};
use crate::posture::DEFAULT_MAX_AGE;
use crate::posture_demand::{PostureDemand, Version};

const DAY: i64 = 86_400;

pub fn demand(mut table: Table, mistakes: &mut Vec<Mistake>) -> Option<PostureDemand> {
    let sources = [("claimed", false), ("proven", true)];
    let must_be_proven = table.required_one_of("source", &sources, mistakes);
    let max_age = table.seconds("max_age", 10..=DAY, mistakes);
    let demand = PostureDemand {
        max_age: max_age.unwrap_or(DEFAULT_MAX_AGE),
        os: versions(&mut table, mistakes),
        disk_encrypted: table.switch("disk_encrypted", mistakes),
        screen_lock: table.switch("screen_lock", mistakes),
        not_root: table.switch("not_root", mistakes),
        max_uptime: table.seconds("max_uptime", 3_600..=400 * DAY, mistakes),
        binary_sha256: programs(&mut table, mistakes),
        must_be_proven: must_be_proven.unwrap_or(true),
    };
    table.finish(mistakes);
    must_be_proven.map(|_| demand)
}

fn versions(table: &mut Table, mistakes: &mut Vec<Mistake>) -> BTreeMap<String, Version> {
    let Some(os) = table.optional_table("os", mistakes) else {
        return BTreeMap::new();
    };
    let mut versions = BTreeMap::new();
    for (name, least) in os.into_members() {
        match least.as_str().and_then(Version::parse) {
            Some(least) => {
                versions.insert(name, least);
            }
            None => table.note(
                "os",
                &format!("the least version of {name:?} must be a text such as \"14.6\", or \"0\" for any"),
                mistakes,
            ),
        }
    }
    versions
}

fn programs(table: &mut Table, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let programs = table.texts("binary_sha256", mistakes);
    let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    for program in programs
        .iter()
        .filter(|text| text.len() != 64 || !text.bytes().all(is_hex))
    {
        let text = format!("{program:?} is no SHA-256 in 64 lower-case hexadecimal digits");
        table.note("binary_sha256", &text, mistakes);
    }
    programs
}
