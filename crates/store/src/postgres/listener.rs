//! Hears what other processes announce: one connection that listens, made again when it is lost.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Fault;
use crate::announcement::{Announcement, Told};

const LISTEN: &str = "LISTEN waypass";
/// Before a lost connection is made again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn start(config: Config, tls: MakeRustlsConnect, told: Told) -> AbortHandle {
    let listening = async move {
        loop {
            if let Err(error) = session(&config, &tls, &told).await {
                tracing::warn!(
                    error = &Fault::from(error) as &dyn std::error::Error,
                    "what other processes announce is not heard for now"
                );
            }
            sleep(PAUSE).await;
        }
    };
    tokio::spawn(listening).abort_handle()
}

/// Until the connection is lost.
async fn session(config: &Config, tls: &MakeRustlsConnect, told: &Told) -> Result<(), Error> {
    let (client, mut connection) = config.connect(tls.clone()).await?;
    let mut listen = pin!(client.batch_execute(LISTEN));
    let mut is_listening = false;
    loop {
        // The connection does the work of both: it sends the command, and brings what is announced.
        let message = poll_fn(|context| {
            if !is_listening && let Poll::Ready(listened) = listen.as_mut().poll(context) {
                is_listening = true;
                if let Err(error) = listened {
                    return Poll::Ready(Some(Err(error)));
                }
                // What was announced before this is not known.
                told.tell(Announcement::Missed);
            }
            connection.poll_message(context)
        });
        match message.await {
            Some(Ok(AsyncMessage::Notification(heard))) => told.tell(Announcement::parse(heard.payload())),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(()),
        }
    }
}
