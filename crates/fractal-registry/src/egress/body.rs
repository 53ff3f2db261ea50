//! What a request carries.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::error::RegistryError;

/// A body whose bytes come while it is sent.
pub(crate) type Stream = Pin<Box<dyn Body<Data = Bytes, Error = RegistryError> + Send>>;

/// A request body: nothing, bytes at hand, or a stream of verified ones.
pub(crate) enum Outgoing {
    Bytes(Option<Bytes>),
    Stream(Stream, Arc<Progress>),
}

/// How far a streamed body has come, and why it broke off where it did.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    sent: AtomicU64,
    /// Bytes there were to send so far, where somebody else's pace decides that.
    offered: Option<Arc<AtomicU64>>,
    failure: Mutex<Option<RegistryError>>,
}

impl Progress {
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Of a body that is fed, so far, with as many bytes as `offered` says.
    pub(crate) fn fed(offered: Option<Arc<AtomicU64>>) -> Self {
        Self {
            offered,
            ..Self::default()
        }
    }

    /// Whether the connection waits for the body, and not the other way round.
    pub(crate) fn is_starved(&self) -> bool {
        let offered = self.offered.as_ref();
        offered.is_some_and(|offered| offered.load(Ordering::Relaxed) <= self.sent())
    }

    pub(crate) fn failure(&self) -> Option<RegistryError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Outgoing {
    pub(crate) const fn empty() -> Self {
        Self::Bytes(None)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = RegistryError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RegistryError>>> {
        match &mut *self {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream, progress) => {
                let polled = stream.as_mut().poll_frame(cx);
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                        progress.sent.fetch_add(length, Ordering::Relaxed);
                    }
                    Poll::Ready(Some(Err(error))) => {
                        *progress
                            .failure
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                    }
                    Poll::Ready(None) | Poll::Pending => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::Stream(stream, _) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(stream, _) => stream.size_hint(),
        }
    }
}
