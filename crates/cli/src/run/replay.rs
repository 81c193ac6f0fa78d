//! A body that streams through, and whose beginning can be sent once more: a resource may want a nonce only when it
//! has seen the request (RFC 9449 §9). What is kept is bounded; what is longer streams all the same.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What may be sent twice.
const LARGEST_KEPT: usize = 256 * 1024;

/// Of which one attempt at a time reads.
#[derive(Clone)]
pub struct Source(Arc<Mutex<Inner>>);

struct Inner {
    body: Incoming,
    /// None when there was more than is kept.
    kept: Option<Vec<Bytes>>,
    length: usize,
    attempt: usize,
    hint: SizeHint,
}

/// The body as one attempt sends it.
pub struct Attempt {
    source: Source,
    number: usize,
    again: std::vec::IntoIter<Bytes>,
    hint: SizeHint,
}

impl Source {
    pub fn of(body: Incoming) -> Self {
        let hint = body.size_hint();
        Self(Arc::new(Mutex::new(Inner {
            body,
            kept: Some(Vec::new()),
            length: 0,
            attempt: 0,
            hint,
        })))
    }

    /// From its beginning. None where that is no longer there; an earlier attempt reads no further.
    pub fn attempt(&self) -> Option<Attempt> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let again = inner.kept.clone()?.into_iter();
        inner.attempt += 1;
        Some(Attempt {
            source: self.clone(),
            number: inner.attempt,
            again,
            hint: inner.hint,
        })
    }
}

impl Inner {
    fn keep(&mut self, data: &Bytes) {
        self.length += data.len();
        if self.length > LARGEST_KEPT {
            self.kept = None;
        } else if let Some(kept) = &mut self.kept {
            kept.push(data.clone());
        }
    }
}

impl Body for Attempt {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(data) = self.again.next() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let mut inner = self.source.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.attempt != self.number {
            return Poll::Ready(Some(Err("it is sent once more".into())));
        }
        let polled = ready!(Pin::new(&mut inner.body).poll_frame(context));
        // Trailers end a body. They are headers that nobody has judged, and stay here (RFC 9110 §6.5.1).
        let data = polled.and_then(|frame| frame.map(|frame| frame.into_data().ok()).transpose());
        if let Some(Ok(data)) = &data {
            inner.keep(data);
        }
        Poll::Ready(data.map(|data| data.map(Frame::data).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.hint.exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
