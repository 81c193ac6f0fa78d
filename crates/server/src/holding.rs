//! Waiting is not polling: a token request that prefers to wait is answered when its request is decided, or after
//! the time it named, whichever is first (RFC 7240 §4.3, RFC 8628 §3.5). A held request costs a connection and a
//! place; where the places are taken it is answered as if it had not asked.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};

const PREFER: HeaderName = HeaderName::from_static("prefer");
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Below what a connection is given for one answer, and below what proxies wait for one.
const LONGEST: Duration = Duration::from_secs(25);
/// Where other processes may decide, and what they announce may be lost: how long one is believed to have heard.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub type Place = OwnedSemaphorePermit;

pub struct Holds {
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    look_again: Option<Duration>,
}

/// Whoever lasts longer than one answer ends by this.
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub async fn stopped(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// One request's wish to wait. Its clock is the process's own: a hold decides nothing.
pub struct Hold<'a> {
    holds: &'a Holds,
    seconds: u64,
    until: Instant,
    /// From when it first waits until it is answered.
    place: Option<Place>,
    blind_looks: u32,
}

/// Why waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The request may have moved.
    Look,
    /// Nothing happened in time.
    Answer,
}

impl Holds {
    pub fn new(places: u32, is_shared: bool) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places as usize)),
            stopping: watch::Sender::new(false),
            look_again: is_shared.then_some(LOOK_AGAIN),
        }
    }

    /// None where waiting was not asked for.
    pub fn hold(&self, headers: &HeaderMap) -> Option<Hold<'_>> {
        let seconds = preferred(headers)?.min(LONGEST.as_secs());
        Some(Hold {
            holds: self,
            seconds,
            until: Instant::now() + Duration::from_secs(seconds),
            place: None,
            blind_looks: 3,
        })
    }

    /// A place for as long as it is kept; none where all are taken.
    pub fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Hears of the server's end.
    pub fn stopping(&self) -> Stopping {
        Stopping(self.stopping.subscribe())
    }

    /// The server goes down: whoever waits is answered now.
    pub fn let_go(&self) {
        self.stopping.send_replace(true);
    }
}

impl Hold<'_> {
    /// Until somebody decides, or the time is up; not at all where the places are taken.
    pub async fn wait(&mut self, decided: OwnedNotified) -> Woken {
        if self.place.is_none() {
            self.place = self.holds.place();
        }
        if self.place.is_none() {
            return Woken::Answer;
        }
        let look_again = async {
            match self.holds.look_again {
                Some(after) => sleep(after).await,
                None => pending().await,
            }
        };
        let mut stopping = self.holds.stopping();
        let woken = async {
            tokio::select! {
                () = decided => Woken::Look,
                () = look_again => Woken::Look,
                () = stopping.stopped() => Woken::Answer,
            }
        };
        timeout_at(self.until, woken).await.unwrap_or(Woken::Answer)
    }

    /// Where nothing will tell of a decision. A few times: looking costs more than waiting.
    pub fn look_once(&mut self) -> Woken {
        let left = self.blind_looks.checked_sub(1);
        self.blind_looks = left.unwrap_or_default();
        left.map_or(Woken::Answer, |_| Woken::Look)
    }

    /// RFC 7240 §3: what was waited for, where it was.
    pub fn applied(&self) -> Option<HeaderValue> {
        self.place.as_ref()?;
        HeaderValue::from_str(&format!("wait={}", self.seconds)).ok()
    }
}

/// RFC 7240 §2: of several the first counts; what is malformed is as good as absent.
fn preferred(headers: &HeaderMap) -> Option<u64> {
    let values = headers
        .get_all(PREFER)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        let (word, _) = preference.split_once(';').unwrap_or((preference, ""));
        let (name, seconds) = word.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        let seconds = seconds.trim().trim_matches('"');
        is_wait
            .then(|| seconds.parse().ok())
            .flatten()
            .filter(|&seconds| seconds > 0)
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| (PREFER, HeaderValue::from_str(value).unwrap()));
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn the_preference_is_found_among_others() {
        for (values, seconds) in [
            (&["wait=10"][..], Some(10)),
            (&["respond-async, Wait = \"7\"; why=\"a, b\""], Some(7)),
            (&["respond-async", "wait=3"], Some(3)),
            (&["wait=5, wait=9"], Some(5)),
            (&["wait=0"], None),
            (&["wait=-1"], None),
            (&["wait=99999999999999999999999"], None),
            (&["wait"], None),
            (&["waiting=4"], None),
            (&[], None),
        ] {
            assert_eq!(preferred(&headers(values)), seconds, "{values:?}");
        }
    }

    #[tokio::test]
    async fn a_hold_ends_by_a_decision_by_its_time_or_by_the_servers_end() {
        let holds = Holds::new(8, false);
        let notify = Arc::new(Notify::new());
        let mut hold = holds.hold(&headers(&["wait=20"])).unwrap();

        let decided = Arc::clone(&notify).notified_owned();
        notify.notify_waiters();
        assert_eq!(hold.wait(decided).await, Woken::Look);

        hold.until = Instant::now();
        assert_eq!(hold.wait(Arc::clone(&notify).notified_owned()).await, Woken::Answer);

        let mut hold = holds.hold(&headers(&["wait=20"])).unwrap();
        holds.let_go();
        assert_eq!(hold.wait(notify.notified_owned()).await, Woken::Answer);
    }

    #[tokio::test]
    async fn where_others_may_decide_the_database_is_asked_now_and_then() {
        let notify = Arc::new(Notify::new());
        let mut holds = Holds::new(1, true);
        holds.look_again = Some(Duration::ZERO);
        let mut hold = holds.hold(&headers(&["wait=9"])).unwrap();
        assert_eq!(hold.wait(notify.notified_owned()).await, Woken::Look);
    }

    #[tokio::test]
    async fn where_the_places_are_taken_nobody_is_held_and_none_is_held_too_long() {
        let holds = Holds::new(1, false);
        holds.let_go();
        let notify = Arc::new(Notify::new());
        let mut first = holds.hold(&headers(&["wait=3600"])).unwrap();
        assert!(first.until <= Instant::now() + LONGEST);
        assert_eq!(first.applied(), None);
        first.wait(Arc::clone(&notify).notified_owned()).await;
        assert_eq!(first.applied().unwrap(), "wait=25");

        let mut second = holds.hold(&headers(&["wait=10"])).unwrap();
        second.wait(Arc::clone(&notify).notified_owned()).await;
        assert_eq!(second.applied(), None);
        drop(first);
        second.wait(notify.notified_owned()).await;
        assert_eq!(second.applied().unwrap(), "wait=10");
    }
}
