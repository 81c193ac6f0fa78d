//! What a process and its children have used, from `/proc`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};

use crate::args::pair;
use crate::tally::rounded;

/// `USER_HZ`, the same on every Linux that matters.
const TICKS_PER_SECOND: f64 = 100.0;
/// Of the fields of `/proc/PID/stat` behind the name: parent, user time, system time.
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;

#[derive(Clone, Default, Debug)]
pub struct Usage {
    user: f64,
    system: f64,
    pub rss_kb: u64,
    pub anon_kb: u64,
    hwm_kb: u64,
    processes: u64,
    threads: u64,
}

impl Usage {
    pub fn of_tree(root: u32) -> Self {
        let mut usage = Self::default();
        for pid in tree(root) {
            usage.add(pid);
        }
        usage
    }

    pub fn cpu_seconds(&self) -> f64 {
        self.user + self.system
    }

    fn add(&mut self, pid: u32) {
        let Some(fields) = stat(pid) else { return };
        let seconds = |at: usize| {
            fields
                .get(at)
                .and_then(|ticks| ticks.parse::<f64>().ok())
                .unwrap_or_default()
                / TICKS_PER_SECOND
        };
        self.user += seconds(USER);
        self.system += seconds(SYSTEM);
        self.processes += 1;
        for line in fs::read_to_string(format!("/proc/{pid}/status"))
            .unwrap_or_default()
            .lines()
        {
            let mut words = line.split_whitespace();
            let sum = match words.next() {
                Some("VmRSS:") => &mut self.rss_kb,
                Some("RssAnon:") => &mut self.anon_kb,
                Some("VmHWM:") => &mut self.hwm_kb,
                Some("Threads:") => &mut self.threads,
                _ => continue,
            };
            *sum += words
                .next()
                .and_then(|value| value.parse::<u64>().ok())
                .unwrap_or_default();
        }
    }
}

/// A process and all that came of it.
fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let parent = stat(pid).and_then(|fields| fields.get(PARENT)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut all, mut todo) = (vec![], vec![root]);
    while let Some(pid) = todo.pop() {
        all.push(pid);
        todo.extend(children.get(&pid).into_iter().flatten());
    }
    all
}

/// The fields behind the name, which may hold anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// Each `--pid label=PID`, and the load generator itself.
pub fn snapshot(pids: &[String]) -> BTreeMap<String, Usage> {
    let mut all: BTreeMap<String, Usage> = pids
        .iter()
        .map(|text| pair(text))
        .map(|(label, pid)| (label.to_owned(), Usage::of_tree(pid.parse().expect("--pid label=PID"))))
        .collect();
    all.insert("loadgen".into(), Usage::of_tree(std::process::id()));
    all
}

pub fn cpu(before: &BTreeMap<String, Usage>, after: &BTreeMap<String, Usage>, requests: u64) -> Value {
    let all: Map<String, Value> = before
        .iter()
        .map(|(label, before)| {
            let after = &after[label];
            let used = after.cpu_seconds() - before.cpu_seconds();
            let per_request = if requests > 0 {
                used * 1e6 / requests as f64
            } else {
                0.0
            };
            let written = json!({
                "cpu_s": rounded(used), "user_s": rounded(after.user - before.user),
                "sys_s": rounded(after.system - before.system), "cpu_us_per_req": rounded(per_request),
                "rss_kb": after.rss_kb, "rss_anon_kb": after.anon_kb, "hwm_kb": after.hwm_kb,
                "procs": after.processes, "threads": after.threads,
            });
            (label.clone(), written)
        })
        .collect();
    Value::Object(all)
}
