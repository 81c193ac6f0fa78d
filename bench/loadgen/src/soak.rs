//! Many open codes, and the memory of the server that waits with them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::bench::Bench;
use crate::connection::Connection;
use crate::process;
use crate::tally::rounded;

/// Made first, so that what a server makes once is not counted with the codes.
const FIRST: usize = 200;
const MOST_ERRORS: u32 = 20;

pub async fn run(bench: &Rc<Bench>) -> Value {
    let args = &bench.args;
    create(bench, FIRST.min(args.pending)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = process::snapshot(&args.pid);
    bench.is_measuring.set(true);
    let begun = Instant::now();
    let created = create(bench, args.pending).await.len();
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = process::snapshot(&args.pid);
    let each = |before: u64, after: u64| ((after as f64 - before as f64) * 1024.0 / created.max(1) as f64).round();
    let memory: Map<String, Value> = before
        .iter()
        .filter(|(label, _)| *label != "loadgen")
        .map(|(label, before)| {
            let after = &after[label];
            let written = json!({
                "rss_before_kb": before.rss_kb, "rss_after_kb": after.rss_kb,
                "bytes_per_pending": each(before.rss_kb, after.rss_kb),
                "anon_bytes_per_pending": each(before.anon_kb, after.anon_kb),
            });
            (label.clone(), written)
        })
        .collect();
    let mut out = Map::new();
    out.insert("mode".into(), json!(args.mode.name()));
    out.insert("label".into(), json!(args.label));
    out.insert("created".into(), json!(created));
    out.insert("seconds".into(), json!(rounded(seconds)));
    out.insert("per_s".into(), json!(rounded(created as f64 / seconds)));
    out.insert("memory".into(), Value::Object(memory));
    out.insert("proc".into(), process::cpu(&before, &after, created as u64));
    bench.tally.borrow().write(&mut out);
    Value::Object(out)
}

/// So many codes, over all connections.
pub async fn create(bench: &Rc<Bench>, count: usize) -> Vec<String> {
    let left = Rc::new(Cell::new(count));
    let codes = Rc::new(RefCell::new(Vec::with_capacity(count)));
    let workers: Vec<_> = (0..bench.args.conns.min(count))
        .map(|_| tokio::task::spawn_local(issue_all(bench.clone(), left.clone(), codes.clone())))
        .collect();
    for worker in workers {
        let _ = worker.await;
    }
    codes.take()
}

async fn issue_all(bench: Rc<Bench>, left: Rc<Cell<usize>>, codes: Rc<RefCell<Vec<String>>>) {
    let mut connection = Connection::new(&bench.args.addr);
    let mut errors = 0;
    while left.get() > 0 && errors < MOST_ERRORS {
        left.set(left.get() - 1);
        let begun = Instant::now();
        match bench.issue(&mut connection).await {
            Ok(device) => {
                bench.took("issue", begun.elapsed());
                codes.borrow_mut().push(device.device_code);
            }
            Err(error) => {
                errors += 1;
                left.set(left.get() + 1);
                bench.tally.borrow_mut().error(error);
            }
        }
    }
}
