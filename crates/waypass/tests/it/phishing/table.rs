//! docs/rfc10027.md holds what the suite measured: a run compares, and with `UPDATE_EXPECT=1` writes.

use std::path::Path;
use std::sync::Mutex;

use super::play::{Ending, Outcome};
use super::victim::Victim;

pub struct Row {
    pub campaign: &'static str,
    pub victim: Victim,
    pub ending: Ending,
}

/// Tests that run beside each other write one page.
static PAGE: Mutex<()> = Mutex::new(());

pub fn compare(profile: &str, rows: &[Row]) {
    let yielded: Vec<&str> = rows
        .iter()
        .filter(|row| row.ending.outcome == Outcome::Yielded)
        .map(|row| row.campaign)
        .collect();
    let mut table = "| campaign | victim | outcome | because |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let (victim, outcome) = (row.victim.name(), row.ending.outcome.name());
        let (campaign, because) = (row.campaign, &row.ending.because);
        table.push_str(&format!("| {campaign} | {victim} | {outcome} | {because} |\n"));
    }
    compare_section(&format!("under {profile}"), &table);
    assert!(yielded.is_empty(), "{profile} gives tokens to {yielded:?}");
}

/// What stands between `<!-- measured: NAME -->` and `<!-- end -->`.
pub fn compare_section(name: &str, measured: &str) {
    let _alone = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rfc10027.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let begin = format!("<!-- measured: {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let expected = format!("{before}{begin}\n{measured}\n<!-- end -->{after}");
    expect_test::expect_file![file].assert_eq(&expected);
}
