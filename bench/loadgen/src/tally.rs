//! What was measured: latencies by name, outcomes and errors counted.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// Errors differ in their text; so many different ones are kept.
const MOST_ERRORS: usize = 40;

#[derive(Default)]
pub struct Tally {
    latencies: BTreeMap<&'static str, Histogram<u64>>,
    pub outcomes: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    pub reconnects: u64,
    samples: BTreeMap<&'static str, String>,
}

impl Tally {
    pub fn took(&mut self, name: &'static str, duration: Duration) {
        self.latencies
            .entry(name)
            .or_insert_with(|| Histogram::new_with_bounds(1, 600_000_000, 3).unwrap())
            .saturating_record(duration.as_micros().max(1) as u64);
    }

    pub fn outcome(&mut self, name: &str) {
        match self.outcomes.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.outcomes.insert(name.into(), 1);
            }
        }
    }

    pub fn error(&mut self, error: String) {
        if self.errors.len() < MOST_ERRORS || self.errors.contains_key(&error) {
            *self.errors.entry(error).or_insert(0) += 1;
        }
    }

    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The first answer of its kind.
    pub fn sample(&mut self, name: &'static str, text: impl FnOnce() -> String) {
        self.samples.entry(name).or_insert_with(text);
    }

    pub fn write(&self, out: &mut Map<String, Value>) {
        let milliseconds = |value: f64| rounded(value / 1000.0);
        let latencies: Map<String, Value> = self
            .latencies
            .iter()
            .map(|(name, all)| {
                let at = |share| milliseconds(all.value_at_quantile(share) as f64);
                let written = json!({
                    "n": all.len(), "mean": milliseconds(all.mean()), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99),
                    "max": milliseconds(all.max() as f64),
                });
                ((*name).to_owned(), written)
            })
            .collect();
        out.insert("latency_ms".into(), Value::Object(latencies));
        out.insert("outcomes".into(), json!(self.outcomes));
        out.insert("errors".into(), json!(self.errors));
        out.insert("errors_total".into(), json!(self.errors_total()));
        out.insert("reconnects".into(), json!(self.reconnects));
        out.insert("sample".into(), json!(self.samples));
    }
}

/// To three digits behind the point.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
