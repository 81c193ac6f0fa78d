//! Requests or flows, over many connections at once: made for a while, measured after the warm-up.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::args::Mode;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::flow::{self, Approver};
use crate::person::Person;
use crate::tally::rounded;
use crate::{process, soak, wait};

/// A connection that fails so often has nothing more to tell.
const MOST_ERRORS: u32 = 200;

pub async fn run(bench: &Rc<Bench>) -> Value {
    let args = &bench.args;
    let mut out = Map::new();
    out.insert("mode".into(), json!(args.mode.name()));
    out.insert("label".into(), json!(args.label));
    out.insert("conns".into(), json!(args.conns));
    let codes = match args.mode {
        Mode::Poll => soak::create(bench, args.pending).await,
        _ => Vec::new(),
    };
    out.insert("pending".into(), json!(codes.len()));
    match approvers(bench).await {
        Ok(approvers) => measured(bench, codes.into(), approvers, &mut out).await,
        Err(error) => bench.tally.borrow_mut().error(error),
    }
    bench.tally.borrow().write(&mut out);
    Value::Object(out)
}

/// One for each connection.
async fn approvers(bench: &Bench) -> Result<Vec<Approver>, String> {
    let count = match bench.args.mode {
        Mode::Wait => bench.args.pending,
        _ => bench.args.conns,
    };
    let Some(file) = &bench.args.links else {
        return Ok((0..count).map(|_| Approver::Hook(BTreeMap::new())).collect());
    };
    let links = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut people = Vec::new();
    for link in links.lines().take(count) {
        people.push(Person::enrolled(bench, link).await?);
    }
    if bench.args.mode == Mode::Wait {
        let people: Vec<_> = people.into_iter().map(|person| Rc::new(Mutex::new(person))).collect();
        return Ok((0..count)
            .zip(people.iter().cycle())
            .map(|(_, person)| Approver::Shared(person.clone()))
            .collect());
    }
    let people: Vec<_> = people.into_iter().map(Approver::Person).collect();
    if people.len() < count {
        return Err(format!("{count} connections and {} links", people.len()));
    }
    Ok(people)
}

async fn measured(bench: &Rc<Bench>, codes: Rc<[String]>, approvers: Vec<Approver>, out: &mut Map<String, Value>) {
    let args = &bench.args;
    let workers = approvers.len();
    let begun = Instant::now();
    let spawned: Vec<_> = (0..workers)
        .zip(approvers)
        .map(|(number, approver)| {
            let worker = Worker {
                bench: bench.clone(),
                codes: codes.clone(),
                connection: Connection::new(&args.addr),
                approver,
                number,
                round: 0,
                begun,
                gap: args.rate.map(|rate| Duration::from_secs_f64(workers as f64 / rate)),
            };
            tokio::task::spawn_local(worker.run())
        })
        .collect();
    tokio::time::sleep(Duration::from_secs_f64(args.warmup)).await;
    let (before, from) = (process::snapshot(&args.pid), Instant::now());
    bench.is_measuring.set(true);
    let until = from + Duration::from_secs_f64(args.duration);
    while Instant::now() < until && !bench.is_over.get() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bench.is_measuring.set(false);
    let (seconds, after) = (from.elapsed().as_secs_f64(), process::snapshot(&args.pid));
    bench.is_over.set(true);
    for worker in spawned {
        let _ = tokio::time::timeout(Duration::from_secs(15), worker).await;
    }
    let requests = done(bench);
    out.insert("seconds".into(), json!(rounded(seconds)));
    out.insert("requests".into(), json!(requests));
    out.insert("per_s".into(), json!(rounded(requests as f64 / seconds)));
    out.insert("proc".into(), process::cpu(&before, &after, requests));
}

fn done(bench: &Bench) -> u64 {
    let tally = bench.tally.borrow();
    match bench.args.mode {
        Mode::Issue | Mode::Poll => tally.outcomes.values().sum(),
        _ => tally.outcomes.get("flow").copied().unwrap_or_default(),
    }
}

struct Worker {
    bench: Rc<Bench>,
    codes: Rc<[String]>,
    connection: Connection,
    approver: Approver,
    number: usize,
    round: usize,
    begun: Instant,
    /// From one of its requests to the next, where a rate is given.
    gap: Option<Duration>,
}

impl Worker {
    async fn run(mut self) {
        let bench = self.bench.clone();
        let mut errors = 0;
        while !bench.is_over.get() && errors < MOST_ERRORS {
            let planned = self.planned().await;
            let done = self.once(planned).await;
            self.round += 1;
            if let Err(error) = done {
                errors += 1;
                bench.tally.borrow_mut().error(error);
            }
            if bench.args.reconnect {
                self.connection.close();
            }
            bench.count.set(bench.count.get() + 1);
            if bench.count.get() >= bench.args.max {
                bench.is_over.set(true);
            }
        }
        bench.tally.borrow_mut().reconnects += self.connection.reconnects;
    }

    /// Latency counts from the planned time: a server that is slow does not slow down those who come to it.
    async fn planned(&self) -> Instant {
        let Some(gap) = self.gap else { return Instant::now() };
        let share = self.number as f64 / self.bench.args.conns as f64;
        let due = self.begun + gap.mul_f64(self.round as f64 + share);
        tokio::time::sleep_until(due.into()).await;
        due
    }

    async fn once(&mut self, planned: Instant) -> Result<(), String> {
        let (bench, connection) = (&self.bench, &mut self.connection);
        match bench.args.mode {
            Mode::Issue => {
                bench.issue(connection).await?;
                bench.took("request", planned.elapsed());
                bench.outcome("issued");
            }
            Mode::Poll => {
                let at = self.number + self.round * bench.args.conns;
                let code = self.codes.get(at % self.codes.len().max(1)).ok_or("no codes")?;
                let outcome = bench.poll(connection, code).await?;
                bench.took("request", planned.elapsed());
                bench.outcome(&outcome);
            }
            Mode::Flow => {
                flow::once(bench, connection, &mut self.approver).await?;
                bench.outcome("flow");
            }
            Mode::Wait => {
                wait::once(bench, connection, &mut self.approver).await?;
                bench.outcome("flow");
            }
            Mode::Soak | Mode::Signatures => {}
        }
        Ok(())
    }
}
