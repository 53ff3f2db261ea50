//! A verified stream of one blob: resumes where a transfer broke off, frees its reader where one crawls.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use fractal_core::artifact::Descriptor;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::supply::{Broken, BytesSupply, FileSupply, Opened, PartSupply, Source, Supply};
use super::verify::{Verdict, Verifier};
use crate::auth::credentials::BoxFuture;
use crate::error::RegistryError;
use crate::options::Timeouts;

/// How often a transfer that broke off is taken up again.
const RESUMES_MAX: u32 = 3;

/// Bounds of waiting for bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    idle: Duration,
    window: Duration,
    least_rate: u64,
}

impl Waits {
    pub(crate) const fn of(timeouts: &Timeouts) -> Self {
        Self {
            idle: timeouts.idle,
            window: timeouts.rate_window,
            least_rate: timeouts.least_rate,
        }
    }

    /// Longest wait without a byte.
    pub(crate) const fn idle(self) -> Duration {
        self.idle
    }

    /// Time over which the rate is measured.
    pub(crate) const fn window(self) -> Duration {
        self.window
    }

    /// Are `bytes` too few for the time that was waited for them?
    pub(crate) const fn is_crawl(self, bytes: u64, waited: Duration) -> bool {
        waited.as_nanos() >= self.window.as_nanos()
            && (bytes as u128) * 1000 < (self.least_rate as u128) * waited.as_millis()
    }
}

/// The bytes of one blob, in order. The last chunk comes only when size and digest hold, so whoever frames by length can never
/// complete with wrong bytes. Also an [`http_body::Body`] of exactly the blob's size.
pub struct BlobStream {
    supply: Box<dyn Supply>,
    verifier: Verifier,
    state: State,
    clock: Clock,
    resumes: u32,
    /// Where the source at hand was opened: a stall without a byte since is not taken up again.
    opened_at: u64,
}

enum State {
    // A future need not be Sync, a body must be; nobody ever waits for this lock.
    Opening(Mutex<BoxFuture<'static, Result<Opened, RegistryError>>>),
    Open(Source),
    Done,
}

impl BlobStream {
    pub(crate) async fn open(
        supply: Box<dyn Supply>,
        descriptor: &Descriptor,
        waits: Waits,
    ) -> Result<Self, RegistryError> {
        let opened = supply.open(0).await?;
        Ok(Self::new(supply, opened, descriptor, waits))
    }

    pub(crate) fn of_bytes(bytes: Bytes, descriptor: &Descriptor) -> Self {
        let opened = Opened {
            offset: 0,
            bytes: Source::Bytes(Some(bytes.clone())),
        };
        Self::new(
            Box::new(BytesSupply(bytes)),
            opened,
            descriptor,
            Waits::of(&Timeouts::default()),
        )
    }

    pub(crate) async fn of_file(
        path: &Path,
        descriptor: &Descriptor,
    ) -> Result<Self, RegistryError> {
        Self::open(
            Box::new(FileSupply(path.to_owned())),
            descriptor,
            Waits::of(&Timeouts::default()),
        )
        .await
    }

    /// The `descriptor.size` bytes of a file from `start` on.
    pub(crate) async fn of_part(
        path: &Path,
        start: u64,
        descriptor: &Descriptor,
    ) -> Result<Self, RegistryError> {
        let part = PartSupply {
            path: path.to_owned(),
            start,
            size: descriptor.size,
        };
        let waits = Waits::of(&Timeouts::default());
        Self::open(Box::new(part), descriptor, waits).await
    }

    fn new(supply: Box<dyn Supply>, opened: Opened, descriptor: &Descriptor, waits: Waits) -> Self {
        let verifier = Verifier::new(supply.at(), descriptor);
        Self {
            supply,
            verifier,
            state: State::Open(opened.bytes),
            clock: Clock::new(waits),
            resumes: 0,
            opened_at: 0,
        }
    }

    /// The blob's size, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.verifier.size()
    }

    /// The next chunk; `None` after the last. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<Bytes, RegistryError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RegistryError>>> {
        let mut polled = self.poll_inner(cx);
        if let Poll::Ready(Some(Err(error))) = polled {
            let is_local = self.supply.is_local();
            let error = if is_local {
                error.on_this_machine()
            } else {
                error
            };
            polled = Poll::Ready(Some(Err(error)));
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.state = State::Done;
        }
        polled
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RegistryError>>> {
        loop {
            let step = match &mut self.state {
                State::Done => return Poll::Ready(None),
                State::Opening(opening) => {
                    let opening = opening.get_mut().unwrap_or_else(PoisonError::into_inner);
                    let opened = ready!(opening.as_mut().poll(cx));
                    match opened {
                        Ok(opened) => self.reopened(opened),
                        Err(error) => Err(error),
                    }
                }
                State::Open(source) => match source.poll(cx) {
                    Poll::Pending => match ready!(self.clock.poll_expired(cx)) {
                        Expired::Idle => self.stalled(),
                        Expired::Rate => Err(self.too_slow()),
                    },
                    Poll::Ready(chunk) => self.arrived(chunk),
                },
            };
            match step {
                Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Takes what came: a chunk, the end, or a broken connection.
    fn arrived(
        &mut self,
        chunk: Option<Result<Bytes, Broken>>,
    ) -> Result<Option<Bytes>, RegistryError> {
        match chunk {
            Some(Ok(chunk)) => {
                self.clock.progress(chunk.len() as u64);
                match self.verifier.take(chunk)? {
                    Verdict::Give(chunk) => Ok(Some(chunk)),
                    Verdict::More => Ok(None),
                    Verdict::Complete => Ok(self.finish_if_ended()),
                }
            }
            // All bytes came and are right; how the connection ended no longer matters.
            _ if self.verifier.is_complete() => {
                self.verifier.check()?;
                self.state = State::Done;
                Ok(self.verifier.release())
            }
            None => self.resume("it ended early"),
            Some(Err(error)) if self.supply.is_local() => Err(RegistryError::File {
                at: self.verifier.at().clone(),
                source: Arc::new(std::io::Error::other(error)),
            }),
            Some(Err(error)) => self.resume(&error.to_string()),
        }
    }

    fn finish_if_ended(&mut self) -> Option<Bytes> {
        let State::Open(source) = &self.state else {
            return None;
        };
        if !source.is_at_end() {
            return None;
        }
        self.state = State::Done;
        self.verifier.release()
    }

    fn stalled(&mut self) -> Result<Option<Bytes>, RegistryError> {
        if self.verifier.is_complete() {
            return self.arrived(None);
        }
        if self.verifier.received() == self.opened_at {
            return Err(self.too_slow());
        }
        self.resume("it stalled")
    }

    fn too_slow(&self) -> RegistryError {
        let problem = format!(
            "{} of {} bytes came, then nothing for {:?} or less than {} bytes a second",
            self.verifier.received(),
            self.verifier.size(),
            self.clock.waits.idle,
            self.clock.waits.least_rate
        );
        RegistryError::Slow {
            at: self.verifier.at().clone(),
            problem: problem.into(),
        }
    }

    fn resume(&mut self, why: &str) -> Result<Option<Bytes>, RegistryError> {
        if self.resumes == RESUMES_MAX || self.supply.is_local() {
            let (received, expected) = (self.verifier.received(), self.verifier.size());
            return Err(RegistryError::Truncated {
                at: self.verifier.at().clone(),
                received,
                expected,
            });
        }
        self.resumes += 1;
        let offset = self.verifier.received();
        tracing::warn!(at = %self.verifier.at(), offset, attempt = self.resumes, why, "blob transfer taken up again");
        self.state = State::Opening(Mutex::new(self.supply.open(offset)));
        Ok(None)
    }

    fn reopened(&mut self, opened: Opened) -> Result<Option<Bytes>, RegistryError> {
        let wanted = self.verifier.received();
        if opened.offset != wanted && !self.verifier.restart() {
            let problem = format!(
                "it begins at byte {}, and earlier bytes are already in use",
                opened.offset
            );
            return Err(RegistryError::Range {
                at: self.verifier.at().clone(),
                offset: wanted,
                problem: problem.into(),
            });
        }
        self.opened_at = self.verifier.received();
        self.state = State::Open(opened.bytes);
        self.clock = Clock::new(self.clock.waits);
        Ok(None)
    }
}

impl Body for BlobStream {
    type Data = Bytes;
    type Error = RegistryError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RegistryError>>> {
        self.poll_chunk(cx)
            .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.verifier.left())
    }
}

impl std::fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (at, received, size) = (
            self.verifier.at(),
            self.verifier.received(),
            self.verifier.size(),
        );
        f.debug_struct("BlobStream")
            .field("at", at)
            .field("received", &received)
            .field("size", &size)
            .finish_non_exhaustive()
    }
}

enum Expired {
    Idle,
    Rate,
}

/// Counts only the time spent waiting for bytes: a slow reader is not the registry's fault.
struct Clock {
    waits: Waits,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    waited: Duration,
    bytes: u64,
}

impl Clock {
    const fn new(waits: Waits) -> Self {
        Self {
            waits,
            waiting: None,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    fn progress(&mut self, bytes: u64) {
        self.bytes += bytes;
        if let Some((since, _)) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        if self.waited >= self.waits.window && !self.is_crawling() {
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
    }

    const fn is_crawling(&self) -> bool {
        self.waits.is_crawl(self.bytes, self.waited)
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Expired> {
        if self.is_crawling() {
            return Poll::Ready(Expired::Rate);
        }
        let idle = self.waits.idle;
        let (_, sleep) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(idle))));
        sleep.as_mut().poll(cx).map(|()| Expired::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cloud SDKs take a request body only where it may be sent and shared between threads.
    #[test]
    fn a_stream_is_a_body_for_any_client() {
        const fn takes<B: Body<Data = Bytes> + Send + Sync + Unpin + 'static>() {}
        takes::<BlobStream>();
    }
}
