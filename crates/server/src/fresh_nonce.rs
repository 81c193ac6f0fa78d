//! Design decision G3: every answer brings the nonce for the next proof, so that no poll is lost to one. It is
//! made once for as long as it is given out. RFC 9449 §8.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use protocol::dpop::NonceKey;
use protocol::time::Timestamp;

use crate::app::Shared;
use crate::extract::attestation::{ATTESTATION, CHALLENGE};

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The newest nonce that was made, and its slot.
#[derive(Default)]
pub struct FreshNonce(ArcSwapOption<(i64, HeaderValue)>);

impl FreshNonce {
    fn at(&self, now: Timestamp, key: &NonceKey) -> Option<HeaderValue> {
        let slot = NonceKey::slot(now);
        if let Some((made, nonce)) = self.0.load().as_deref()
            && *made == slot
        {
            return Some(nonce.clone());
        }
        let nonce = HeaderValue::from_str(&key.issue(now)).ok()?;
        self.0.store(Some(Arc::new((slot, nonce.clone()))));
        Some(nonce)
    }
}

/// To an attested client it is its next challenge too.
pub async fn fresh_nonce(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let is_attested = request.headers().contains_key(ATTESTATION);
    let mut response = next.run(request).await;
    if let Some(nonce) = app.fresh_nonce.at(app.now(), &app.derived.nonces) {
        if is_attested {
            response.headers_mut().insert(CHALLENGE, nonce.clone());
        }
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_is_the_one_of_now_whatever_was_asked_before() {
        let (fresh, key) = (FreshNonce::default(), NonceKey::new(&[7; 32]));
        for seconds in [0, 29, 30, 3_600, 0, -31] {
            let now = Timestamp::from_seconds(1_700_000_010 + seconds);
            assert_eq!(fresh.at(now, &key).unwrap(), *key.issue(now), "{seconds}");
        }
    }
}
