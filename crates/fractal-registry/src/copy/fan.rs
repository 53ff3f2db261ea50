//! One verified stream poured into several uploads: as many chunks in flight as the slowest may lag behind, and no more.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::blob::{BlobStream, Waits};
use crate::error::RegistryError;

/// Chunks that one target may lag behind the others.
const LAG: usize = 2;

type Chunk = Result<Bytes, RegistryError>;

/// One target's share of the stream, as a body of exactly the blob's size. Its last chunk comes only when the whole is verified.
pub(crate) struct Feed {
    chunks: mpsc::Receiver<Chunk>,
    left: u64,
    offered: Arc<AtomicU64>,
}

impl Feed {
    /// Counts the bytes it was given.
    pub(crate) fn offered(&self) -> Arc<AtomicU64> {
        self.offered.clone()
    }

    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = ready!(self.chunks.poll_recv(cx)).unwrap_or_else(|| Err(dropped()));
        if let Ok(bytes) = &chunk {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(Some(chunk))
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = RegistryError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RegistryError>>> {
        let chunk = ready!(self.poll_chunk(cx));
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn dropped() -> RegistryError {
    RegistryError::Slow {
        at: "the source".into(),
        problem: "the stream was given up".into(),
    }
}

/// Where one target's share goes in.
pub(super) struct Outlet {
    chunks: Option<mpsc::Sender<Chunk>>,
    /// Tells the upload that it is given up.
    cut: Option<oneshot::Sender<()>>,
    offered: Arc<AtomicU64>,
    waited: Duration,
    given: u64,
}

/// A new share of a blob of `size` bytes.
pub(super) fn share(size: u64) -> (mpsc::Sender<Chunk>, Feed) {
    let (sender, chunks) = mpsc::channel(LAG);
    let offered = Arc::default();
    let feed = Feed {
        chunks,
        left: size,
        offered,
    };
    (sender, feed)
}

impl Outlet {
    pub(super) const fn new(
        chunks: mpsc::Sender<Chunk>,
        offered: Arc<AtomicU64>,
        cut: oneshot::Sender<()>,
    ) -> Self {
        Self {
            chunks: Some(chunks),
            cut: Some(cut),
            offered,
            waited: Duration::ZERO,
            given: 0,
        }
    }

    const fn is_closed(&self) -> bool {
        self.chunks.is_none()
    }

    /// Hands on a chunk. A target that does not take it within its deadline is cut off; one that has ended knows itself why.
    async fn give(&mut self, chunk: &Chunk, waits: Waits) {
        let Some(chunks) = &self.chunks else { return };
        let length = chunk.as_ref().map_or(0, Bytes::len) as u64;
        self.offered.fetch_add(length, Ordering::Relaxed);
        let rejected = match chunks.try_send(chunk.clone()) {
            Ok(()) => return self.given += length,
            Err(mpsc::error::TrySendError::Closed(_)) => return self.chunks = None,
            Err(mpsc::error::TrySendError::Full(chunk)) => chunk,
        };
        let started = Instant::now();
        match tokio::time::timeout(waits.idle(), chunks.send(rejected)).await {
            Ok(Ok(())) => self.given += length,
            Ok(Err(_)) => self.chunks = None,
            Err(_) => return self.cut(),
        }
        self.waited += started.elapsed();
        if waits.is_crawl(self.given, self.waited) {
            self.cut();
        } else if self.waited >= waits.window() {
            (self.waited, self.given) = (Duration::ZERO, 0);
        }
    }

    fn cut(&mut self) {
        // An upload that has ended meanwhile needs no telling.
        let _ = self.cut.take().map(|cut| cut.send(()));
        self.chunks = None;
    }
}

/// Pours the stream into every outlet until it ends, fails, or nobody is left to take it.
pub(super) async fn pour(
    mut stream: BlobStream,
    outlets: &mut [Outlet],
    waits: Waits,
    read: impl Fn(u64),
) {
    while let Some(chunk) = stream.next().await {
        read(chunk.as_ref().map_or(0, Bytes::len) as u64);
        for outlet in outlets.iter_mut() {
            outlet.give(&chunk, waits).await;
        }
        if outlets.iter().all(Outlet::is_closed) {
            return;
        }
    }
}
