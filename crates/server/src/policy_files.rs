//! `waypass policy check` and `waypass policy test`: files alone, without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use policy::cases::{self, Outcome};
use policy::{Mistake, Mode, Policies, Step};
use protocol::shown::shown;
use serde_json::json;

use crate::config::EX_CONFIG;
use crate::policies::{self, CASES};

#[derive(Args, Clone, Debug)]
pub struct PolicyFilesArgs {
    /// The folder of `.cedar` files; test cases stand beside them in `.test.json` files
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Every mistake of every file.
#[expect(clippy::print_stdout, reason = "a command speaks to its terminal")]
pub fn check(args: &PolicyFilesArgs) -> ExitCode {
    let policies = match policies::load(&args.folder) {
        Ok(policies) => policies,
        Err(mistakes) => return told(&mistakes, args.json),
    };
    if args.json {
        let closed: Vec<Step> = policies.closed().collect();
        let ids: Vec<&str> = policies.rules().iter().map(|rule| rule.id.as_str()).collect();
        let version = policies.version().as_str();
        println!(
            "{}",
            json!({ "version": version, "policies": ids, "closed": closed, "mistakes": [] })
        );
    } else {
        print!("{}", summary(&policies));
    }
    ExitCode::SUCCESS
}

/// Every case of every file, against all policies of the folder.
#[expect(clippy::print_stdout, reason = "a command speaks to its terminal")]
pub fn test(args: &PolicyFilesArgs) -> ExitCode {
    let outcomes = match outcomes(&args.folder) {
        Ok(outcomes) => outcomes,
        Err(mistakes) => return told(&mistakes, args.json),
    };
    let wrong = outcomes.iter().filter(|outcome| outcome.difference.is_some()).count();
    if args.json {
        let told = outcomes.iter().map(|Outcome { file, name, difference }| {
            json!({ "file": file, "name": name, "ok": difference.is_none(), "difference": difference })
        });
        println!("{}", json!({ "cases": told.collect::<Vec<_>>(), "wrong": wrong }));
    } else {
        for outcome in &outcomes {
            println!("{}", safe(&outcome.to_string()));
        }
        println!("{} cases, {wrong} wrong", outcomes.len());
    }
    if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn outcomes(folder: &Path) -> Result<Vec<Outcome>, Vec<Mistake>> {
    let policies = policies::load(folder)?;
    let files = policies::sources(folder, CASES)?;
    let (mut outcomes, mut mistakes) = (Vec::new(), Vec::new());
    for file in &files {
        match cases::run(&policies, file) {
            Ok(of_file) => outcomes.extend(of_file),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if outcomes.is_empty() && mistakes.is_empty() {
        mistakes.push(Mistake {
            file: folder.display().to_string(),
            line: 0,
            text: format!("there are no cases: they stand in files that end in {CASES}"),
        });
    }
    if mistakes.is_empty() {
        Ok(outcomes)
    } else {
        Err(mistakes)
    }
}

/// What is in the files, for people.
pub fn summary(policies: &Policies) -> String {
    let rules = policies.rules();
    let reports = rules.iter().filter(|rule| rule.mode == Mode::Report).count();
    let closed: Vec<&str> = policies.closed().map(Step::as_str).collect();
    let closed = if closed.is_empty() {
        "none".to_owned()
    } else {
        closed.join(", ")
    };
    format!(
        "{} policies, {reports} of them in report mode\nversion {}\nsteps that need a permit: {closed}\n",
        rules.len(),
        policies.version().as_str()
    )
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to its terminal"
)]
fn told(mistakes: &[Mistake], as_json: bool) -> ExitCode {
    if as_json {
        let mistakes = mistakes
            .iter()
            .map(|Mistake { file, line, text }| json!({ "file": file, "line": line, "text": text }));
        println!("{}", json!({ "mistakes": mistakes.collect::<Vec<_>>() }));
    } else {
        for mistake in mistakes {
            eprintln!("{}", safe(&mistake.to_string()));
        }
    }
    ExitCode::from(EX_CONFIG)
}

/// A file may have come from anybody: it is shown here before somebody has judged it.
fn safe(line: &str) -> String {
    line.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}
