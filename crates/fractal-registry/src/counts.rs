//! How many requests of which kind have left: for metrics, tests and benchmarks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RequestKind {
    /// Asking what a tag points to.
    Resolve,
    /// Reading a manifest.
    Manifest,
    /// Reading a blob, or part of one.
    Blob,
    /// Asking a token service.
    Token,
    /// Asking whether a blob or manifest exists.
    Exists,
    /// Opening an upload, or mounting from another repository.
    Open,
    /// Sending a blob.
    Upload,
    /// Writing a manifest.
    PutManifest,
    /// Listing tags or referrers.
    List,
}

impl RequestKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Resolve,
        Self::Manifest,
        Self::Blob,
        Self::Token,
        Self::Exists,
        Self::Open,
        Self::Upload,
        Self::PutManifest,
        Self::List,
    ];

    /// Its name, as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Token => "token",
            Self::Exists => "exists",
            Self::Open => "open",
            Self::Upload => "upload",
            Self::PutManifest => "put_manifest",
            Self::List => "list",
        }
    }
}

/// A snapshot of the counts since the client was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests([u64; RequestKind::ALL.len()]);

impl Requests {
    /// Requests of one kind.
    #[must_use]
    pub fn of(&self, kind: RequestKind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// All requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

tokio::task_local! {
    /// Where the task at hand counts its requests besides.
    static TALLY: Arc<AtomicU64>;
}

/// Runs `work` and adds the requests it sends to `tally`.
pub(crate) async fn tallied<T>(tally: &Arc<AtomicU64>, work: impl Future<Output = T>) -> T {
    TALLY.scope(tally.clone(), work).await
}

#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; RequestKind::ALL.len()]);

impl Counts {
    pub(crate) fn add(&self, kind: RequestKind) {
        // Outside a copy nobody tallies.
        let _ = TALLY.try_with(|tally| tally.fetch_add(1, Ordering::Relaxed));
        if let Some(count) = self.0.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> Requests {
        let mut all = Requests::default();
        for (to, from) in all.0.iter_mut().zip(&self.0) {
            *to = from.load(Ordering::Relaxed);
        }
        all
    }
}
