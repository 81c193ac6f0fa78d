//! A flow as its user feels it: the client polls at its interval, the approval comes from elsewhere.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::connection::Connection;
use crate::flow::Approver;

const MOST_POLLS: u32 = 10_000;

pub async fn once(bench: &Bench, connection: &mut Connection, approver: &mut Approver) -> Result<(), String> {
    let device = bench.issue(connection).await?;
    let approved = Cell::new(None);
    let approving = async {
        tokio::time::sleep(delay(bench, &device.device_code)).await;
        approved.set(Some(approver.approve(bench, &device).await?));
        Ok(())
    };
    let polling = async {
        for _ in 0..MOST_POLLS {
            tokio::time::sleep(Duration::from_millis(bench.args.interval_ms)).await;
            let outcome = bench.poll(connection, &device.device_code).await?;
            if outcome == "token" {
                return Ok(Instant::now());
            }
            bench.outcome(&outcome);
        }
        Err("no token".to_owned())
    };
    let ((), given) = tokio::try_join!(approving, polling)?;
    // From when the decision is sent: its own commit is a part of the wait, and its answer may come after the token.
    if let Some(approved) = approved.get() {
        bench.took("approval_to_token", given.saturating_duration_since(approved));
    }
    Ok(())
}

/// As much chance as the code has: uniform below `--approve-within-ms`.
fn delay(bench: &Bench, code: &str) -> Duration {
    let drawn = code
        .bytes()
        .fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Duration::from_micros(drawn % (bench.args.approve_within_ms.max(1) * 1000))
}
