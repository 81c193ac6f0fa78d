//! One whole flow: asked, approved, redeemed.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::bench::{Bench, DeviceAnswer};
use crate::connection::Connection;
use crate::person::Person;

const MOST_TRIES: u32 = 100;

/// Who approves.
pub enum Approver {
    Hook(BTreeMap<String, Connection>),
    Person(Person),
    /// One of a few people who decide for many clients, signed in once.
    Shared(Rc<Mutex<Person>>),
}

impl Approver {
    /// Returns when the decision was sent.
    pub async fn approve(&mut self, bench: &Bench, device: &DeviceAnswer) -> Result<Instant, String> {
        match self {
            Self::Hook(connections) => {
                let begun = Instant::now();
                bench.hook.approve(connections, device).await?;
                bench.took("approve", begun.elapsed());
                Ok(begun)
            }
            Self::Person(person) => {
                person.sign_in(bench).await?;
                person.decide(bench, &device.user_code).await
            }
            Self::Shared(person) => person.lock().await.decide(bench, &device.user_code).await,
        }
    }
}

pub async fn once(bench: &Bench, connection: &mut Connection, approver: &mut Approver) -> Result<(), String> {
    let begun = Instant::now();
    let device = bench.issue(connection).await?;
    bench.took("issue", begun.elapsed());
    if bench.args.pending_poll {
        let polling = Instant::now();
        let outcome = bench.poll(connection, &device.device_code).await?;
        if !outcome.starts_with("authorization_pending") {
            return Err(format!("first poll: {outcome}"));
        }
        bench.took("pending_poll", polling.elapsed());
    }
    approver.approve(bench, &device).await?;
    let approved = Instant::now();
    redeem(bench, connection, &device.device_code).await?;
    bench.took("approval_to_token", approved.elapsed());
    bench.took("flow", begun.elapsed());
    Ok(())
}

async fn redeem(bench: &Bench, connection: &mut Connection, code: &str) -> Result<(), String> {
    for _ in 0..MOST_TRIES {
        let begun = Instant::now();
        let outcome = bench.poll(connection, code).await?;
        if outcome == "token" {
            bench.took("redeem", begun.elapsed());
            return Ok(());
        }
        bench.outcome(&format!("after_approval:{outcome}"));
        let pause = if outcome.starts_with("slow_down") { 200 } else { 5 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    Err("no token after approval".into())
}
