//! Whoever a request waits for is told that something waits: by webhook, by e-mail, by web push. A notice is written
//! with its request (`store/notices.rs`), passed on to the channels (`passing_on.rs`), and sent by whichever process
//! claims it (`delivering.rs`). It says how many wait and where the inbox is: no code, no secret, nothing to press.
//! No request waits for any of this.

use std::sync::Arc;
use std::time::Duration;

use store::Fault;
use store::notices::{Delivery, PAGE};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, Shared};
use crate::failure::{self, Failure};

pub mod channel;
mod delivering;
pub mod mail;
mod outbound;
mod passing_on;
pub mod push;
mod waiting;
pub mod webhook;

pub use delivering::{Undelivered, deliver};
pub use mail::Mailer;
pub use outbound::Outbound;
pub use push::Vapid;

/// How soon what nobody announces is seen: what was put off, and what another process left behind.
const LOOK: Duration = Duration::from_secs(3);
/// So many are on their way at once.
const UNDERWAY: usize = 256;

/// Sends until the server goes down; what is on its way then is waited for.
pub async fn work(app: Shared, mut stopped: watch::Receiver<bool>) {
    let mut heard = app.inboxes.listen();
    let mut tick = tokio::time::interval(LOOK);
    let mut underway = JoinSet::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            // An error means that some were missed: as good a reason to look.
            _ = heard.recv() => {}
            Some(_) = underway.join_next() => continue,
            _ = stopped.changed() => break,
        }
        if underway.len() < UNDERWAY {
            let deliveries = round(&app).await;
            for delivery in logged(deliveries).unwrap_or_default() {
                underway.spawn(send(Arc::clone(&app), delivery));
            }
        }
    }
    while underway.join_next().await.is_some() {}
}

/// Everything that is due is passed on; what may be sent now is claimed for the caller to deliver.
pub async fn round(app: &App) -> Result<Vec<Delivery>, Failure> {
    while passing_on::pass_on(app).await? == PAGE {}
    Ok(delivering::claim(app).await?)
}

async fn send(app: Shared, delivery: Delivery) {
    logged(deliver(&app, &delivery).await);
}

fn logged<T>(outcome: Result<T, Failure>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Failure::Fault(fault)) => {
            failure::log(&fault);
            None
        }
        Err(other) => {
            let refusal = other.refusal().map(protocol::refusal::Refusal::sentence);
            failure::log(&Fault::broken(refusal.unwrap_or("a notice could not be passed on")));
            None
        }
    }
}
