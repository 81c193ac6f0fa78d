//! Where the command line reads time and waits. Everything else takes `now` as an argument or asks the
//! [`Clock`] it was given, so that a test can let an hour pass at once.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::time::{Lifetime, Timestamp};

pub type Pause<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Waits on purpose: between two polls.
    fn sleep(&self, time: Lifetime) -> Pause<'_>;

    /// Waits against somebody else: when it ends, they took too long.
    fn deadline(&self, time: Lifetime) -> Pause<'_>;
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, time: Lifetime) -> Pause<'_> {
        let millis = u64::try_from(time.millis()).unwrap_or(0);
        Box::pin(tokio::time::sleep(Duration::from_millis(millis)))
    }

    fn deadline(&self, time: Lifetime) -> Pause<'_> {
        self.sleep(time)
    }
}
