//! What one policy decision costs, with a hundred policies: the worked examples of docs/policies, as often as it takes,
//! on inputs as the server makes them. Time on the clock, and time of this thread: where other work runs on the machine
//! the first counts what the others took.

use std::time::Instant;

use policy::{Input, Policies, Source, Step};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const POLICIES: usize = 100;
const ROUNDS: usize = 20_000;

fn main() {
    let policies = Policies::parse(&files()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    println!("{} policies, {ROUNDS} decisions a step, microseconds", policies.rules().len());
    println!("{:<12}{:>8}{:>8}{:>8}{:>8}   {:>8}{:>8}{:>8}", "step", "p50", "p99", "p99.9", "max", "cpu p50", "p99", "p99.9");
    for step in Step::ALL {
        let input = input(step);
        let (mut clock, mut cpu) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
        for round in 0..ROUNDS + 1_000 {
            let (began, own) = (Instant::now(), thread_nanos());
            let verdict = policies.decide(&input);
            let (spent, own) = (began.elapsed(), thread_nanos() - own);
            assert!(verdict.is_permitted(), "{verdict:?}");
            if round >= 1_000 {
                clock.push(u64::try_from(spent.as_nanos()).unwrap());
                cpu.push(own);
            }
        }
        let (clock, cpu) = (sorted(clock), sorted(cpu));
        let of = |times: &[u64], share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
        println!(
            "{:<12}{:>8.1}{:>8.1}{:>8.1}{:>8.1}   {:>8.1}{:>8.1}{:>8.1}",
            step.as_str(), of(&clock, 0.5), of(&clock, 0.99), of(&clock, 0.999), of(&clock, 1.0),
            of(&cpu, 0.5), of(&cpu, 0.99), of(&cpu, 0.999),
        );
    }
}

/// The examples over and over, each time under other names, until there are enough.
fn files() -> Vec<Source> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policies");
    let mut texts: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path().join("policy.cedar")).unwrap())
        .collect();
    texts.sort();
    let mut files = Vec::new();
    let mut count = 0;
    for (number, text) in texts.iter().cycle().enumerate() {
        if count >= POLICIES {
            return files;
        }
        count += text.matches("@id(").count();
        files.push(Source {
            name: format!("{number}.cedar"),
            text: text.replace("@id(\"", &format!("@id(\"n{number}-")),
        });
    }
    files
}

/// What most requests are like, and nothing that is forbidden: so every policy is evaluated to its end.
fn input(step: Step) -> Input {
    let facts: Vec<Value> = ["requester.ip_source", "key.thumbprint", "posture.disk_encrypted", "posture.os_version"]
        .map(|name| json!({ "name": name, "value": "true", "source": "proven" }))
        .into_iter()
        .chain(["device.host", "device.system", "device.user", "requester.user_agent"].map(|name| {
            json!({ "name": name, "value": "a claim of some length, as programs send it", "source": "claimed" })
        }))
        .chain(["requester.country", "requester.operator"].map(|name| json!({ "name": name, "value": "CH", "source": "derived" })))
        .collect();
    serde_json::from_value(json!({
        "step": step.as_str(),
        "now": "2026-11-23T10:00:00Z",
        "client": { "id": "deploy", "kind": "cli", "verified": true, "environment": "production" },
        "profile": "standard",
        "binding": "dpop",
        "instance": { "id": "instance_01a2070c-90d8-7cde-a6c6-db3c47293bcf", "name": "alice's laptop", "way_in": "ceremony" },
        "access": {
            "id": "01a2070c-9308-7209-877b-dcc93c5578b6", "scopes": ["openid", "offline_access", "read", "write"],
            "resources": ["https://api.example.com"], "lifetime": 28_800,
            "details": [{ "type": "tool_call", "server": "https://tickets.example.com/mcp", "tool": "create",
                          "arguments": { "project": "X", "title": "a title", "labels": ["a", "b"] } }]
        },
        "requester": { "address": "10.1.2.3", "listed": true, "operator": 64496, "country": "CH" },
        "approver": { "id": "approver_1", "name": "alice", "groups": ["operators", "developers", "on-call"] },
        "onlooker": { "address": "10.1.2.4", "listed": true },
        "network": "same_prefix", "entry": "typed", "quorum": 1, "approvals": 1,
        "acr": "phr", "amr": ["hwk", "user", "mfa"], "age": 60, "reader": "api", "facts": facts
    }))
    .unwrap()
}

fn thread_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap()
}

fn sorted(mut times: Vec<u64>) -> Vec<u64> {
    times.sort_unstable();
    times
}
