//! docs/rfc10027.md holds what the suite measured: a run compares, and with `UPDATE_EXPECT=1` writes.

use super::play::{Ending, Outcome};
use super::stories::By;
use super::victim::Victim;
use super::walk::Acts;
use crate::document;

const PAGE: &str = "rfc10027.md";

pub struct Row {
    pub campaign: &'static str,
    pub victim: Victim,
    pub ending: Ending,
}

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
    document::compare_section(PAGE, &format!("under {profile}"), &table);
    assert!(yielded.is_empty(), "{profile} gives tokens to {yielded:?}");
}

/// A script before the inbox of an obedient victim.
pub struct Asked {
    pub script: &'static str,
    pub profile: &'static str,
    pub ending: Ending,
}

pub fn compare_inboxes(rows: &[Asked]) {
    let mut table = "| the attacker | under | outcome | because |\n|---|---|---|---|\n".to_owned();
    for Asked {
        script,
        profile,
        ending,
    } in rows
    {
        let (outcome, because) = (ending.outcome.name(), &ending.because);
        table.push_str(&format!("| {script} | `{profile}` | {outcome} | {because} |\n"));
        assert_ne!(ending.outcome, Outcome::Yielded, "{script} under {profile}");
    }
    document::compare_section(PAGE, "before the inbox", &table);
}

/// A story with its acts and the machine's seconds.
pub struct Told {
    pub story: &'static str,
    pub by: By,
    pub acts: Acts,
    pub seconds: f32,
}

/// The seconds are those of the run that wrote the page: no two are alike, so they are bounded and not compared.
pub fn compare_stories(told: &[Told]) {
    let mut table =
        "| story | asks by | typed | clicks | ceremonies | commands | steps | seconds, estimated | seconds, measured |\n\
        |---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let page = std::fs::read_to_string(document::folder().join(PAGE)).unwrap();
    for Told {
        story,
        by,
        acts,
        seconds,
    } in told
    {
        assert!(*seconds < 120.0, "{story} took {seconds} s");
        let Acts {
            typed,
            clicks,
            ceremonies,
            commands,
        } = acts;
        let row = format!(
            "| {story} | {} | {typed} | {clicks} | {ceremonies} | {commands} | {} | {} | ",
            by.name(),
            acts.steps(),
            acts.estimated_seconds()
        );
        let before = page.lines().find_map(|line| line.strip_prefix(&row));
        let measured = before.map_or_else(|| format!("{seconds:.1} |"), str::to_owned);
        table.push_str(&format!("{row}{measured}\n"));
    }
    document::compare_section(PAGE, "honest stories", &table);
}
