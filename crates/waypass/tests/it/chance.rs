//! The clock and the randomness of the tests: what the rules forbid everywhere else stands here once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Unix seconds: proofs and assertions carry them.
#[expect(
    clippy::disallowed_methods,
    reason = "a client outside the server has a clock of its own"
)]
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// 128 bits, base64url.
#[expect(
    clippy::disallowed_methods,
    reason = "a client outside the server draws its own identifiers"
)]
pub fn nonce() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A name that no other test of this process uses.
pub fn unique(stem: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{stem}-{}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Waits for a condition, never for a time: asks again until it holds. None: it did not in time.
pub async fn within<T>(deadline: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    while Instant::now() < end {
        if let Some(found) = condition().await {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

/// The same where there is nothing to say but that it did not happen.
pub async fn until<T>(what: &str, deadline: Duration, condition: impl AsyncFnMut() -> Option<T>) -> T {
    let found = within(deadline, condition).await;
    found.unwrap_or_else(|| panic!("{what}: not within {deadline:?}"))
}

/// For a destructor, which cannot wait in any other way. False: not in time.
pub fn settled(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
