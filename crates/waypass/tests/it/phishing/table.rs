//! docs/rfc10027.md holds what the suite measured: a run compares, and with `UPDATE_EXPECT=1` writes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::play::{Ending, Outcome};
use super::victim::Victim;
use super::walk::Acts;

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

/// A story with its acts and the machine's seconds.
pub struct Told {
    pub story: &'static str,
    pub acts: Acts,
    pub seconds: f32,
}

/// The seconds are those of the run that wrote the page: no two are alike, so they are bounded and not compared.
pub fn compare_stories(told: &[Told]) {
    let mut table =
        "| story | typed | clicks | ceremonies | commands | steps | seconds, estimated | seconds, measured |\n\
        |---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let page = std::fs::read_to_string(page()).unwrap();
    for Told { story, acts, seconds } in told {
        assert!(*seconds < 120.0, "{story} took {seconds} s");
        let Acts {
            typed,
            clicks,
            ceremonies,
            commands,
        } = acts;
        let row = format!(
            "| {story} | {typed} | {clicks} | {ceremonies} | {commands} | {} | {} | ",
            acts.steps(),
            acts.estimated_seconds()
        );
        let before = page.lines().find_map(|line| line.strip_prefix(&row));
        let measured = before.map_or_else(|| format!("{seconds:.0} |"), str::to_owned);
        table.push_str(&format!("{row}{measured}\n"));
    }
    compare_section("honest stories", &table);
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rfc10027.md")
}

/// What stands between `<!-- measured: NAME -->` and `<!-- end -->`.
pub fn compare_section(name: &str, measured: &str) {
    let _alone = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let file = page();
    let page = std::fs::read_to_string(&file).unwrap();
    let begin = format!("<!-- measured: {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let expected = format!("{before}{begin}\n{measured}\n<!-- end -->{after}");
    expect_test::expect_file![file].assert_eq(&expected);
}
